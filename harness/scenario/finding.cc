#include "harness/scenario/finding.h"

namespace ordeal {
namespace {

constexpr struct {
  FindingKind kind;
  const char* name;
} kNames[] = {
    {FindingKind::kDeadlock, "deadlock"},    {FindingKind::kLockOrder, "lock-order"}, {FindingKind::kData, "data"},
    {FindingKind::kInvariant, "invariant"},  {FindingKind::kLivelock, "livelock"},    {FindingKind::kLeak, "leak"},
    {FindingKind::kLockUsage, "lock-usage"}, {FindingKind::kStarvation, "starvation"},
};

}  // namespace

const char* FindingKindName(FindingKind kind) {
  for (const auto& entry : kNames) {
    if (entry.kind == kind) return entry.name;
  }
  return "unknown";
}

bool ParseFindingKind(const std::string& name, FindingKind* kind) {
  for (const auto& entry : kNames) {
    if (name == entry.name) {
      *kind = entry.kind;
      return true;
    }
  }
  return false;
}

}  // namespace ordeal
