#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/xfs/xfs.h"

namespace ordeal {

std::vector<FileSystemType> XfsTypes() {
  FileSystemType xfs = MakeFileSystemType<Xfs>(
      "xfs", "XFS 5.15 to 6.1: IOLOCK, MMAPLOCK, ILOCK",
      {"B02", "B05", "B06", "B08", "B09", "B11", "B12", "B13", "B13b", "B13c", "B14", "B15", "B16", "B17", "B17b",
       "B18", "B19", "B20", "B21", "B22", "B23", "B27", "B28", "B29", "B31", "B41", "B66", "B67", "B70", "B72", "B94", "B97",
       "B98", "B99"});
  xfs.atomic_calls = true;
  FileSystemType old = MakeFileSystemType<Xfs4>(
      "xfs-4", "XFS before 5.15: MMAPLOCK of its own around whole faults, fadvise without IOLOCK (historical)",
      {"B02", "B05"});
  old.inherent_bugs = {"B04"};
  old.atomic_calls = true;
  return {xfs, old};
}

}  // namespace ordeal
