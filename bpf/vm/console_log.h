// What a kernel's console says went wrong: lockdep reports, warnings, oopses, hung tasks, stalls, panics.
//
// Where faults are injected, a file system that gives up says so, some with a warning and a stack: such a report is a consequence
// of the faults, and no sign of a bug. Which reports are is a short list of known ones; any other remains a finding.
//
// Thread-safety: pure function.
// Invariants:    a report is one finding, from its first line to its last; findings are in the order of the log; equal reports are
//                told once, with their number.
// Example:       for (const ConsoleFinding& f : FindInConsole(text)) out << f.kind << ": " << f.title << "\n" << f.text;
#ifndef ORDEAL_BPF_VM_CONSOLE_LOG_H_
#define ORDEAL_BPF_VM_CONSOLE_LOG_H_

#include <string>
#include <vector>

namespace ordeal::bpf {

struct ConsoleFinding {
  // "lockdep", "lockdep-full" (the validator ran out of room and turned itself off), "bug", "warning", "hung-task", "stall",
  // "panic".
  std::string kind;
  std::string title;  // the line that names it, without time stamp: "possible circular locking dependency detected"
  std::string text;   // the whole report
  int line = 0;       // of the log, from 1
  int times = 1;
  bool consequence = false;  // of injected faults
};

// `faults`: they were injected.
std::vector<ConsoleFinding> FindInConsole(const std::string& log, bool faults = false);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_VM_CONSOLE_LOG_H_
