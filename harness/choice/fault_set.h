// The faults of one experiment: which kinds of misfortune a run may meet. Each is a choice (by its ChoiceKind) that is asked only
// if its fault is on, so that a run without faults has no choice points for them.
//
// Thread-safety: plain value.
// Invariants:    holds only kinds of AllFaults().
// Example:
//   FaultSet faults{ChoiceKind::kIoError, ChoiceKind::kIoDelay};
//   if (faults.Has(ChoiceKind::kIoError)) ...
#ifndef ORDEAL_HARNESS_CHOICE_FAULT_SET_H_
#define ORDEAL_HARNESS_CHOICE_FAULT_SET_H_

#include <cstdint>
#include <initializer_list>

#include "absl/types/span.h"
#include "harness/choice/choice_point.h"

namespace ordeal {

inline constexpr ChoiceKind kFaultKinds[] = {
    ChoiceKind::kAllocation,  ChoiceKind::kIoError,      ChoiceKind::kIoDelay,      ChoiceKind::kReaderSteal,
    ChoiceKind::kIoShort,     ChoiceKind::kIoTorn,       ChoiceKind::kDeviceFull,   ChoiceKind::kUserPage,
    ChoiceKind::kTrylock,     ChoiceKind::kSpuriousWake, ChoiceKind::kMemoryPressure, ChoiceKind::kSignal,
    ChoiceKind::kMessageDelay, ChoiceKind::kNodeDeath,   ChoiceKind::kClockJump,
};
// In the order in which they are listed; their names are ChoiceKindName's.
constexpr absl::Span<const ChoiceKind> AllFaults() { return kFaultKinds; }
constexpr bool IsFault(ChoiceKind kind) {
  for (const ChoiceKind fault : kFaultKinds) {
    if (fault == kind) return true;
  }
  return false;
}

class FaultSet {
 public:
  constexpr FaultSet() = default;
  constexpr FaultSet(std::initializer_list<ChoiceKind> kinds) {
    for (const ChoiceKind kind : kinds) Add(kind);
  }
  static constexpr FaultSet All() {
    FaultSet all;
    for (const ChoiceKind kind : kFaultKinds) all.Add(kind);
    return all;
  }
  constexpr void Add(ChoiceKind kind) { bits_ |= Bit(kind); }
  constexpr void Add(const FaultSet& other) { bits_ |= other.bits_; }
  constexpr bool Has(ChoiceKind kind) const { return (bits_ & Bit(kind)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(const FaultSet& a, const FaultSet& b) { return a.bits_ == b.bits_; }
  friend constexpr bool operator!=(const FaultSet& a, const FaultSet& b) { return a.bits_ != b.bits_; }

 private:
  static constexpr uint64_t Bit(ChoiceKind kind) { return uint64_t{1} << static_cast<unsigned>(kind); }

  uint64_t bits_ = 0;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CHOICE_FAULT_SET_H_
