#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

const char* ViolationKindName(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::kCircular: return "circular";
    case ViolationKind::kRecursive: return "recursive";
    case ViolationKind::kUnlockBalance: return "unlock-balance";
    case ViolationKind::kHeldAtExit: return "held-at-exit";
    case ViolationKind::kSleepInAtomic: return "sleep-in-atomic";
  }
  return "unknown";
}

}  // namespace ordeal::lockdep
