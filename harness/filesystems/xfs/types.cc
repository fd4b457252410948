#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/xfs/xfs.h"

namespace ordeal {

std::vector<FileSystemType> XfsTypes() {
  FileSystemType xfs = MakeFileSystemType<Xfs>(
      "xfs", "XFS 5.15 to 6.1: IOLOCK, MMAPLOCK, ILOCK",
      {"B02", "B09", "B14", "B16", "B17", "B18", "B27", "B28", "B67", "B70"});
  xfs.atomic_calls = true;
  return {xfs};
}

}  // namespace ordeal
