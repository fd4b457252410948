#include "harness/filesystems/dax/dax.h"
#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> DaxTypes() {
  FileSystemType proposed = MakeFileSystemType<XfsDaxProposed>(
      "xfs-dax-proposed", "XFS whose eviction takes both locks and breaks layouts (proposed in 2022, not merged)", {"B82"});
  proposed.inherent_bugs = {"B81", "B83"};
  return {MakeFileSystemType<XfsDax>("xfs-dax", "XFS whose eviction waits for pins of DAX pages, holding nothing (6.15)",
                                     {"B69", "B82"}),
          proposed};
}

}  // namespace ordeal
