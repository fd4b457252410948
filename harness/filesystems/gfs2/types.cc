#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> Gfs2Types() { return {}; }

}  // namespace ordeal
