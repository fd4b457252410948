// The launcher's side of a recording (record_file.h): merges what the threads wrote into one trace of our own format.
//
// Tasks are called main, T1, T2 ..., with the function they started in as role; those of the second process and later p2.main ...
// Locks are called after their class and counted; classes as in reports. A semaphore that starts at 1 is declared with count=1
// if whoever took it gave it back, always; else with count=0, as the signal that it is.
//
// Thread-safety: none. Beside processes that still run, what is newest is missed.
// Invariants:    any bytes are safe to read; events are in the order of their tickets.
// Cost:          two passes over the file; memory for names, not for events.
// Example:       ASSIGN_OR_RETURN(RecordTotals totals, WriteRecording(events, "app.trace", true));
#ifndef ORDEAL_LOCKDEP_PRELOAD_RECORD_READER_H_
#define ORDEAL_LOCKDEP_PRELOAD_RECORD_READER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ordeal::lockdep {

struct RecordTotals {
  uint64_t events = 0;
  uint64_t lost = 0;
  uint32_t processes = 0;  // that recorded
};

absl::Status CreateRecordFile(const std::string& path);
// `lines`: look up files and lines with addr2line.
absl::StatusOr<RecordTotals> WriteRecording(const std::string& record_file, const std::string& trace_file, bool lines);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_RECORD_READER_H_
