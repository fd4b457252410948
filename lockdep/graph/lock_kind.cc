#include "lockdep/graph/lock_kind.h"

#include <string>

#include "lockdep/support/check.h"

namespace ordeal::lockdep {

uint8_t LockKind::BlockersOf(int mode) const {
  uint8_t blockers = conflicts[static_cast<size_t>(mode)];
  for (int waiter = 0; waiter < modes; ++waiter) {
    if ((queues_behind[static_cast<size_t>(mode)] & (1u << waiter)) != 0) blockers |= conflicts[static_cast<size_t>(waiter)];
  }
  return blockers;
}

int LockKind::GroupOf(int mode) const {
  for (int first = 0; first < mode; ++first) {
    if (BlockersOf(first) == BlockersOf(mode)) return first;
  }
  return mode;
}

void LockKind::CheckInvariants() const {
  LD_CHECK(modes > 0 && modes <= kLockModes, std::string(name) + ": 1 to 8 modes");
  for (int a = 0; a < modes; ++a) {
    LD_CHECK(mode_names[static_cast<size_t>(a)] != nullptr, std::string(name) + ": a mode has no name");
    LD_CHECK((conflicts[static_cast<size_t>(a)] >> modes) == 0, std::string(name) + ": a conflict with no mode");
    for (int b = 0; b < modes; ++b) {
      const bool ab = (conflicts[static_cast<size_t>(a)] & (1u << b)) != 0;
      const bool ba = (conflicts[static_cast<size_t>(b)] & (1u << a)) != 0;
      LD_CHECK(ab == ba, std::string(name) + ": the matrix is not symmetric");
    }
  }
}

const LockKind kSixLock = {"six", 3, {"shared", "intent", "exclusive"}, {0b100, 0b010, 0b101}, {0b100, 0, 0}};
const LockKind kTwoStateLock = {"two-state", 2, {"add", "block"}, {0b10, 0b01}, {}};
const LockKind kDlmLock = {"dlm",
                           6,
                           {"NL", "CR", "CW", "PR", "PW", "EX"},
                           {0b000000, 0b100000, 0b111000, 0b110100, 0b111100, 0b111110},
                           {0, 0b111110, 0b111110, 0b111110, 0b111110, 0b111110}};
const LockKind kGlock = {"glock", 3, {"SH", "DF", "EX"}, {0b110, 0b101, 0b111}, {0b111, 0b111, 0b111}};

}  // namespace ordeal::lockdep
