#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/nfs/nfs.h"

namespace ordeal {

std::vector<FileSystemType> NfsTypes() {
  FileSystemType nfs = MakeFileSystemType<Nfs>("nfs", "NFS since 4.8: buffered and direct I/O exclude each other by a mode",
                                               {"B25"});
  nfs.atomic_calls = true;
  nfs.separates_direct_io = true;
  return {nfs};
}

}  // namespace ordeal
