// The STD format of the trace-analysis literature (RAPID and its descendants): TASK|OPERATION(OBJECT)|LOCATION.
//
//   T0|fork(T1)|12
//   T1|acq(L)|40
//
// Operations: acq rel fork join r w begin end, and what later tools add: req (an acquisition begins), dummy, sync (ignored).
// Monitors of that world are re-entrant: an acq of a lock that its task holds only counts, and so does its rel. Details:
// docs/formats/std-trace.md.
//
// Thread-safety: none.
// Invariants:    as own_format.h; locks are exclusive, each a class of its own.
// Cost:          one pass over the line; memory: the symbols and the depth of each held lock.
#ifndef ORDEAL_LOCKDEP_TRACE_STD_FORMAT_H_
#define ORDEAL_LOCKDEP_TRACE_STD_FORMAT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lockdep/trace/own_format.h"

namespace ordeal::lockdep {

class StdFormatParser {
 public:
  explicit StdFormatParser(TraceSymbols* symbols) : symbols_(*symbols) {}
  absl::Status ParseLine(absl::string_view line, EventSink sink);

 private:
  // False for inner acquisitions and releases of a lock that its task holds already.
  bool IsOutermost(const LockEvent& event);

  TraceSymbols& symbols_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, int> depth_;  // (task, lock), held ones only
};

// Appends `event` to *out. False, and nothing appended, if the format cannot say it (shared modes, contexts, events ...).
bool AppendStdFormat(const LockEvent& event, const TraceSymbols& symbols, std::string* out);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_TRACE_STD_FORMAT_H_
