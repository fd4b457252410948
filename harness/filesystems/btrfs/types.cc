#include "harness/filesystems/btrfs/btrfs.h"
#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> BtrfsTypes() {
  return {MakeFileSystemType<Btrfs>("btrfs", "btrfs since 5.16: range lock, ordered extents, nofault direct I/O",
                                    {"B24", "B34", "B39", "B39b"})};
}

}  // namespace ordeal
