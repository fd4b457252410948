#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

const char* ViolationKindName(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::kCircular: return "circular";
    case ViolationKind::kRecursive: return "recursive";
    case ViolationKind::kBadUnlock: return "bad-unlock";
    case ViolationKind::kForeignUnlock: return "foreign-unlock";
    case ViolationKind::kHeldFreed: return "held-freed";
    case ViolationKind::kHeldAtExit: return "held-at-exit";
    case ViolationKind::kWaitContext: return "wait-context";
    case ViolationKind::kInconsistentState: return "inconsistent-state";
    case ViolationKind::kIrqInversion: return "irq-inversion";
    case ViolationKind::kIrqOrder: return "irq-order";
    case ViolationKind::kNestNotHeld: return "nest-not-held";
    case ViolationKind::kPinned: return "pinned";
    case ViolationKind::kAssertHeld: return "assert-held";
    case ViolationKind::kAssertNotHeld: return "assert-not-held";
    case ViolationKind::kApiAssert: return "api-assert";
  }
  return "unknown";
}

const char* GradeName(Grade grade) {
  switch (grade) {
    case Grade::kOrder: return "order";
    case Grade::kFeasible: return "feasible";
    case Grade::kConfirmed: return "confirmed";
  }
  return "unknown";
}

std::string Violation::KindText() const {
  const std::string name = ViolationKindName(kind);
  return variant.empty() ? name : name + "(" + variant + ")";
}

}  // namespace ordeal::lockdep
