#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> BcachefsTypes() { return {}; }

}  // namespace ordeal
