// Turns a lock cycle that the validator predicted into a schedule in which the tasks really block on each other, or says
// why that did not succeed.
//
// The directed strategy (injectors/schedule/directed.h) steers the scheduler; everything else that a run decides (generated
// operations, faults) is answered as in the run that showed the cycle, and in every second run the faults are drawn anew. A
// deadlock counts only if its tasks wait for exactly the classes that the cycle predicts; another one found on the way does not.
//
// Thread-safety: none.
// Invariants:    the outcome is a function of the arguments; a confirmed cycle has an entry that was replayed to the
//                same deadlock.
// Cost:          schedules_max runs with a strategy that reads candidates: a few milliseconds for a small scenario.
// Example:
//   ASSIGN_OR_RETURN(const Confirmation confirmation, Confirm(registry, entry.spec, recorded, violation, {}));
//   if (confirmation.confirmed) WriteCorpusEntry(path, *confirmation.entry);
//   ApplyConfirmation(confirmation, path, &violation);
#ifndef ORDEAL_HARNESS_CAMPAIGN_CONFIRM_H_
#define ORDEAL_HARNESS_CAMPAIGN_CONFIRM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "harness/corpus/corpus_entry.h"
#include "harness/scenario/scenario.h"
#include "lockdep/runtime/violation.h"

namespace ordeal {

struct ConfirmOptions {
  uint64_t schedules_max = 200;
  uint64_t seed = 1;
};

struct Confirmation {
  bool confirmed = false;
  uint64_t schedules = 0;              // directed ones that were run
  lockdep::Grade grade = lockdep::Grade::kOrder;
  std::string reason;                  // "confirmed after 2 directed schedules", "gate lock G at x.cc:3; not reached in ..."
  std::vector<std::string> instances;  // "2 x writer": the tasks that the deadlock needs
  std::string hint;                    // what most places do, in the run that showed the violation
  std::optional<Finding> deadlock;     // if confirmed
  std::optional<CorpusEntry> entry;    // if confirmed: replays it
};

// True for what Confirm can be asked about: a cycle of classes, or one class against itself.
bool CanBeConfirmed(const lockdep::Violation& violation);

// `recorded`: all choices of a run that showed the violation; empty if no single run did. The error is for a specification that
// `registry` does not have, or a recording that does not fit it.
absl::StatusOr<Confirmation> Confirm(const Registry& registry, const ScenarioSpec& spec,
                                     absl::Span<const RecordedChoice> recorded, const lockdep::Violation& violation,
                                     const ConfirmOptions& options = {});
// The same for a saved run.
absl::StatusOr<Confirmation> Confirm(const Registry& registry, const CorpusEntry& entry,
                                     const lockdep::Violation& violation, const ConfirmOptions& options = {});

// Writes grade, reason, instances, hint and file into the violation.
void ApplyConfirmation(const Confirmation& confirmation, const std::string& corpus_file, lockdep::Violation* violation);

// The tasks of `deadlock` wait for exactly the classes of the violation's cycle.
bool DeadlockMatches(const Deadlock& deadlock, const lockdep::LockClassTable& classes,
                     const lockdep::Violation& violation);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_CONFIRM_H_
