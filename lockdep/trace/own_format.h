// Our own trace format: text, one event a line, a versioned header first. The whole grammar is docs/formats/lock-trace.md.
//
//   ordeal-lock-trace 1
//   class i_rwsem inner=sleep
//   lock inode-3 i_rwsem order=3
//   T1 acquire inode-3 mode=shared sub=1 at=namei.c:88
//
// Thread-safety: none.
// Invariants:    what the writer wrote the parser reads back to equal events and symbols (tested); any byte string is
//                either parsed or refused with what is wrong and what to do.
// Cost:          one pass over the line, a hash look-up for each name; memory: the symbols.
#ifndef ORDEAL_LOCKDEP_TRACE_OWN_FORMAT_H_
#define ORDEAL_LOCKDEP_TRACE_OWN_FORMAT_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lockdep/trace/event.h"
#include "lockdep/trace/symbols.h"

namespace ordeal::lockdep {

using EventSink = absl::FunctionRef<void(const LockEvent&)>;

class OwnFormatParser {
 public:
  explicit OwnFormatParser(TraceSymbols* symbols) : symbols_(*symbols) {}
  // One line without its newline. Errors say what is wrong and what to do, without file and line number.
  absl::Status ParseLine(absl::string_view line, EventSink sink);
  // At the end of the file.
  absl::Status Finish() const;

 private:
  absl::Status ParseHeader(absl::string_view line);
  absl::Status ParseClass(absl::string_view rest);
  absl::Status ParseLock(absl::string_view rest);
  absl::Status ParseTask(absl::string_view rest);
  absl::Status ParseEvent(absl::string_view task, absl::string_view rest, EventSink sink);
  absl::Status ParseObject(absl::string_view* rest, LockEvent* event);
  absl::Status ParseLockMode(absl::string_view value, LockEvent* event);
  absl::Status ParseOption(absl::string_view word, LockEvent* event);

  TraceSymbols& symbols_;
  bool header_seen_ = false;
  std::string scratch_;  // the unescaped name
};

// Appends text to *out; declarations precede the first event that needs them, so the writer streams, too.
class OwnFormatWriter {
 public:
  OwnFormatWriter(const TraceSymbols* symbols, std::string* out);
  void Append(const LockEvent& event);

 private:
  void DeclareTask(uint32_t task);
  void DeclareClass(uint32_t lock_class);
  void DeclareLock(uint32_t lock);

  const TraceSymbols& symbols_;
  std::string& out_;
  std::vector<bool> tasks_, classes_, locks_;  // that were declared
};

// Names as words: bytes that would end or confuse a word become %XX.
std::string EscapeName(absl::string_view name);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_TRACE_OWN_FORMAT_H_
