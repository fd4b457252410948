// Makes a saved run smaller: fewer choices that differ from the quiet one (context switches, faults, delays, operands), and a
// shorter run, with the same finding.
//
// A candidate is a list of answers by ordinal. It is run leniently: an answer that a point does not have becomes 0, and so does
// every answer after the end of the list; what the run really asked and answered is then a proper recording, which is kept if
// it has the same finding and is smaller. Passes: cut the tail (bisection), zero chunks of deviations (delta debugging, Zeller
// and Hildebrandt 2002), drop single choices so that what follows moves up, lower answers. They repeat until none helps.
//
// Thread-safety: none. Cost: at most options.runs_max runs of the scenario.
// Invariants:    the result replays, has the same finding kind and signature, and is not larger than what came in.
// Example:
//   ASSIGN_OR_RETURN(const Minimised small, Minimise(registry, entry, {}));
//   RETURN_IF_ERROR(WriteCorpusEntry(path, small.entry));
#ifndef ORDEAL_HARNESS_CORPUS_MINIMISE_H_
#define ORDEAL_HARNESS_CORPUS_MINIMISE_H_

#include "absl/status/statusor.h"
#include "harness/corpus/corpus_entry.h"

namespace ordeal {

struct MinimiseOptions {
  uint64_t runs_max = 3000;
};

struct RunSize {
  uint64_t deviations = 0;  // choices that differ from 0
  uint64_t choices = 0;
  uint64_t steps = 0;
};

struct Minimised {
  CorpusEntry entry;
  RunSize before;
  RunSize after;
  uint64_t runs = 0;
  bool complete = false;  // no pass helps any more (else runs_max was reached)
};

// InvalidArgument: the entry expects no finding. FailedPrecondition: it does not replay as it is.
absl::StatusOr<Minimised> Minimise(const Registry& registry, const CorpusEntry& entry, const MinimiseOptions& options);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CORPUS_MINIMISE_H_
