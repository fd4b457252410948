// What a kernel's console says went wrong: lockdep reports, warnings, oopses, hung tasks, panics.
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
  std::string kind;   // "lockdep", "bug", "warning", "hung-task", "panic"
  std::string title;  // the line that names it, without time stamp: "possible circular locking dependency detected"
  std::string text;   // the whole report
  int line = 0;       // of the log, from 1
  int times = 1;
};

std::vector<ConsoleFinding> FindInConsole(const std::string& log);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_VM_CONSOLE_LOG_H_
