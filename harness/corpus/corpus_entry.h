// A corpus entry: one saved run, as a value and as text (protobuf text format, docs/formats/corpus-entry.md).
//
// Thread-safety: plain value and pure functions.
// Invariants:    Parse(Format(e)) == e; Parse refuses any text that Format did not write: unknown or missing fields, another
//                version, a truncated or edited file. It never crashes, and its error says file, line and remedy.
// Cost:          linear in the size of the text; at most kCorpusFileBytesMax is read.
// Example:
//   CorpusEntry entry{.spec = runner.spec(), .choices = MakeSparse(runner.recorded()), ...};
//   RETURN_IF_ERROR(WriteCorpusEntry("corpora/vfs/B01.txtpb", entry));
//   ASSIGN_OR_RETURN(const CorpusEntry again, ReadCorpusEntry("corpora/vfs/B01.txtpb"));
#ifndef ORDEAL_HARNESS_CORPUS_CORPUS_ENTRY_H_
#define ORDEAL_HARNESS_CORPUS_CORPUS_ENTRY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "harness/choice/replay.h"
#include "harness/scenario/finding.h"
#include "harness/scenario/scenario.h"

namespace ordeal {

// How a file is parsed. Raise it when the text changes in a way that an older reader would misunderstand.
inline constexpr uint32_t kFormatVersion = 1;

// Where the choice points are. Raise it with every change after which an old list of choices means another run: a choice
// point (or a scheduling point) added, removed, moved or renumbered; the order of tasks or objects created by a scenario;
// what an option of a choice stands for. A replay refuses entries of other semantics instead of drifting, and CHANGELOG.md
// marks the change **breaks schedules**. `corpora/` is then recorded anew (corpora/README.md).
inline constexpr uint32_t kSemanticsVersion = 4;

inline constexpr int64_t kCorpusFileBytesMax = 64 << 20;

struct ExpectedFinding {
  FindingKind kind = FindingKind::kDeadlock;
  std::string signature;
  std::string summary;  // for people; not compared
};

// Where an entry came from; for people.
struct Provenance {
  std::string strategy;
  uint64_t seed = 0;
  uint64_t run = 0;
};

struct CorpusEntry {
  ScenarioSpec spec;
  SparseRecording choices;
  std::optional<ExpectedFinding> finding;  // absent: a run that must find nothing
  uint64_t steps = 0;
  uint64_t trace_hash = 0;
  Provenance found_by;
};

// Of the runner's last run; it expects the first finding, or none.
CorpusEntry MakeCorpusEntry(const Runner& runner, const RunResult& run, Provenance found_by);

// The text of a file.
std::string FormatCorpusEntry(const CorpusEntry& entry);
// `file` is for messages alone. InvalidArgument: damaged, edited or not ours; FailedPrecondition: another version.
absl::StatusOr<CorpusEntry> ParseCorpusEntry(absl::string_view text, absl::string_view file);

// The faults that are on, by name, in a fixed order.
std::vector<std::string> FaultNames(const FaultSet& faults);
// False when no fault has that name.
bool SetFault(absl::string_view name, FaultSet* faults);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CORPUS_CORPUS_ENTRY_H_
