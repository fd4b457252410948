#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> DaxTypes() { return {}; }

}  // namespace ordeal
