// Runs a corpus entry again and compares: same choices asked, same trace hash, same finding.
//
// Thread-safety: none.
// Example:
//   ASSIGN_OR_RETURN(const ReplayOutcome outcome, ReplayEntry(registry, entry));
//   if (outcome.verdict != ReplayVerdict::kSame) out << outcome.explanation;
#ifndef ORDEAL_HARNESS_CORPUS_CORPUS_REPLAY_H_
#define ORDEAL_HARNESS_CORPUS_CORPUS_REPLAY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/corpus/corpus_entry.h"

namespace ordeal {

enum class ReplayVerdict {
  kSame,          // the expected finding (or none), the same trace
  kDiverged,      // the run asked something else than was recorded
  kOtherFinding,  // same questions, other finding or none
  kOtherTrace,    // same finding, another trace hash: something undetermined got in
};
const char* ReplayVerdictName(ReplayVerdict verdict);

struct ReplayOutcome {
  ReplayVerdict verdict = ReplayVerdict::kSame;
  std::string explanation;  // empty when kSame
  uint64_t trace_hash = 0;
  uint64_t steps = 0;
  std::vector<Finding> findings;
  std::vector<std::string> trace;  // one line a step, when asked for
};

// The error is for entries that name a scenario, file system or bug which `registry` does not have.
absl::StatusOr<ReplayOutcome> ReplayEntry(const Registry& registry, const CorpusEntry& entry, bool keep_trace = false);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CORPUS_CORPUS_REPLAY_H_
