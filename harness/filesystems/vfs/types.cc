#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/vfs/vfs.h"
#include "harness/filesystems/vfs_2020/vfs_2020.h"

namespace ordeal {

std::vector<FileSystemType> VfsTypes() {
  FileSystemType old = MakeFileSystemType<Vfs2020>(
      "vfs-2020", "VFS before 5.15: no lock between fills and punch hole (historical)",
      {"B14", "B16", "B18", "B27", "B28", "B67"});
  old.inherent_bugs = {"B01", "B02", "B05"};
  return {MakeFileSystemType<Vfs>(
              "vfs", "VFS since 5.15: invalidate_lock around fills; ext4-like extents and direct I/O",
              {"B01", "B02", "B05", "B07", "B08", "B09", "B11", "B14", "B16", "B17", "B17b",
               "B18", "B27", "B28", "B29", "B31", "B67", "B70", "B94", "B99"}),
          old};
}

}  // namespace ordeal
