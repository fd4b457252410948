#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> Ocfs2Types() { return {}; }

}  // namespace ordeal
