#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> ExtTypes() { return {}; }

}  // namespace ordeal
