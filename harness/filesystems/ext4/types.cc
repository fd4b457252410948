#include "harness/filesystems/ext4/ext4.h"
#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> ExtTypes() {
  FileSystemType immap = MakeFileSystemType<Ext4Immap>(
      "ext4-immap", "ext4 4.5 to 5.14: i_mmap_sem around faults, reads not covered (historical)", {"B02", "B05", "B07"});
  immap.inherent_bugs = {"B03", "B04"};
  return {MakeFileSystemType<Ext4>("ext4", "ext4 today: invalidate_lock, a jbd2 handle before folio locks",
                                   {"B01", "B02", "B05", "B07", "B08", "B11", "B70", "B94", "B99"}),
          immap};
}

}  // namespace ordeal
