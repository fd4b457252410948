// The data oracle: judges a history and says which cells held what they never may (protocols 4). It is fed values and
// returns values; it does not know whether a model or a kernel made the history.
//
// What it promises to notice: torn cells, poison, other files' data, data older than a completed operation allows, data
// that a completed punch or truncate removed, zeros nobody wrote, calls seen by halves where calls are atomic, and at
// the end caches that disagree with the device and writes that were lost. What it cannot decide it accepts.
// Thread-safety: none; one HistoryJudge a thread.
// Invariants:    violations are in order of the history's events and cells; the same history gives the same violations.
// Cost:          about (observed cells) * (versions of each); a run of ten operations takes microseconds.
// Example:
//   HistoryJudge judge;
//   for (const DataViolation& violation : judge.Judge(history)) out << violation.message;
#ifndef ORDEAL_HARNESS_ORACLE_JUDGE_H_
#define ORDEAL_HARNESS_ORACLE_JUDGE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "harness/oracle/history.h"
#include "harness/oracle/versions.h"

namespace ordeal {

// Stable: names are part of signatures.
enum class DataViolationKind : uint8_t {
  kTorn = 1,           // a mixture inside one cell
  kExposure = 2,       // poison: a freed or never written block or page
  kForeign = 3,        // data of another place or file, or of an operation that never wrote there
  kStale = 4,          // data that a completed operation had replaced
  kNotZero = 5,        // data that a completed punch or truncate had removed
  kUnwrittenZero = 6,  // zeros where nobody removed anything
  kLostWrite = 7,      // at the end: a completed write is nowhere
  kIncoherent = 8,     // at the end: cache, device and direct reads disagree
  kSplitCall = 9,      // one call's data seen by halves
  kInversion = 10,     // a newer value was seen before an older one
  kShortRead = 11,     // a read stopped inside the file
  kBeyondEnd = 12,     // a read returned cells beyond the end of the file
  kLostBlock = 13,     // at the end: a page that was given a block has none (block_shadow.h)
  kLeakedBlock = 14,   // at the end: a page whose block was taken has one
};
absl::string_view DataViolationKindName(DataViolationKind kind);  // "not-zero"

// Who saw it.
enum class Reader : uint8_t { kEvent, kFinalDisk, kFinalCached, kFinalDirect, kFinalDropped };

inline constexpr int kNoEvent = -1;

struct DataViolation {
  DataViolationKind kind = DataViolationKind::kStale;
  uint32_t file = 0;
  uint32_t cell = 0;  // the first of `cells` neighbours with the same verdict
  uint32_t cells = 1;
  CellValue observed;  // of the first
  Reader reader = Reader::kEvent;
  int reader_event = kNoEvent;  // index into History::events; Reader::kEvent only
  int other_event = kNoEvent;   // the operation that it contradicts, where one is to blame
  int origin_event = kNoEvent;  // the operation that wrote what was observed
  std::string signature;        // "stale: read vs direct-write": no numbers
  std::string message;          // one line
};

class HistoryJudge {
 public:
  const std::vector<DataViolation>& Judge(const History& history);

 private:
  // One observation: a value at a cell by a reader.
  struct Sight {
    Reader reader = Reader::kEvent;
    int event = kNoEvent;
    CellAt at;
    Interval interval;
    CellValue value;
  };

  void JudgeEvent(int index);
  void JudgeLength(int index);
  void JudgeFinal(const FinalState& state);
  void JudgeFinalSize(const FinalState& state);
  void JudgeFinalCell(const FinalState& state, uint32_t cell);
  void JudgeSight(const Sight& sight, bool quiescent);
  // What a value consists of: itself, or the parts of a mixture.
  absl::Span<const CellValue> PartsOf(const CellValue& value) const;
  // The first part that the reader must not see; null: it may see all of them.
  const CellValue* Offending(CellAt at, Interval interval, const CellValue& value) const;
  struct Seen {
    uint32_t cell = 0;
    CellValue value;
  };
  void CollectSeen(uint32_t first, const std::vector<CellValue>& values);
  void JudgeSplitCalls(Reader reader, int event, uint32_t file, uint32_t first, const std::vector<CellValue>& values,
                       Interval interval);
  bool OnlyFrom(CellAt at, int event, const CellValue& value) const;
  const Seen* SplitAt(const OperationEvent& write, int write_index, uint32_t file, Interval interval) const;
  void JudgeInversions();
  bool Inverted(const Sight& early, const Sight& late, int* newer) const;
  void Report(DataViolationKind kind, const Sight& sight, int other_event);

  DataViolationKind Classify(const Sight& sight, bool quiescent, int* other_event) const;
  int EventOf(const CellValue& value) const;
  int LastRemover(CellAt at, Interval interval) const;
  const char* ReaderName(const Sight& sight) const;

  const History* history_ = nullptr;
  VersionTable versions_;
  std::vector<DataViolation> violations_;
  std::vector<Sight> sights_;  // of cached reads, for JudgeInversions
  std::vector<Seen> seen_;  // of one reader, for JudgeSplitCalls
  uint64_t last_sequence_ = 0;
};

// For a single history.
std::vector<DataViolation> Judge(const History& history);

// The operations of both sides, one a line, and what the reader was allowed to see.
std::string Explain(const History& history, const DataViolation& violation);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_ORACLE_JUDGE_H_
