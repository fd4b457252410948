// Reads a trace, in any of the formats, event by event.
//
// Thread-safety: none.
// Invariants:    memory is bounded by the longest line and the names; an error is "FILE:LINE: what is wrong; what to do" and
//                events before it have been delivered.
// Cost:          reads 64 KiB at a time; about a million events a second.
// Example:
//   TraceSymbols symbols;
//   RETURN_IF_ERROR(ReadTraceFile(path, TraceFormat::kOwn, &symbols, [&](const LockEvent& event) { player.Play(event); }));
#ifndef ORDEAL_LOCKDEP_TRACE_TRACE_READER_H_
#define ORDEAL_LOCKDEP_TRACE_TRACE_READER_H_

#include <istream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lockdep/trace/own_format.h"
#include "lockdep/trace/symbols.h"

namespace ordeal::lockdep {

enum class TraceFormat : uint8_t {
  kOwn,       // "own": own_format.h
  kStd,       // "std": std_format.h
  kSelftest,  // "selftest": the kernel's lock self-test notation, read by lockdep/exam
};
const char* TraceFormatName(TraceFormat format);
// Of the value of --format. Errors list the names.
absl::StatusOr<TraceFormat> ParseTraceFormat(absl::string_view name);

inline constexpr size_t kTraceLineMax = 64 * 1024;

// Calls visit(line, number) for each line of `in`, without its newline. Stops at the first error, which then starts with
// "NAME:NUMBER: ".
absl::Status ForEachLine(std::istream& in, absl::string_view name,
                         absl::FunctionRef<absl::Status(absl::string_view line, uint64_t number)> visit);

// `name` is what errors call the stream. kSelftest is refused: its lines are verdicts, not one run.
absl::Status ReadTrace(std::istream& in, absl::string_view name, TraceFormat format, TraceSymbols* symbols,
                       EventSink sink);
// NotFound if it cannot be opened. "-" is standard input.
absl::Status ReadTraceFile(const std::string& path, TraceFormat format, TraceSymbols* symbols, EventSink sink);
// The whole of it, in memory.
absl::StatusOr<Trace> ParseTrace(absl::string_view text, TraceFormat format, absl::string_view name = "trace");
// In our own format.
std::string FormatTrace(const Trace& trace);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_TRACE_TRACE_READER_H_
