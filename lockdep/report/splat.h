// Renders a Violation as the text that a kernel developer knows from dmesg: the lock being acquired, the held one, the
// existing chain in reverse order, the scenario in one column a task (any length of cycle, any mix of readers) and all
// held locks, with the file and line of both sides of every dependency.
//
// Thread-safety: pure function.
// Example:       for (const Violation& v : validator.violations()) out << RenderSplat(v);
#ifndef ORDEAL_LOCKDEP_REPORT_SPLAT_H_
#define ORDEAL_LOCKDEP_REPORT_SPLAT_H_

#include <string>

#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

std::string RenderSplat(const Violation& violation);

// "i_rwsem > mmap_lock > i_rwsem" or "bad unlock of i_rwsem": one line for a summary.
std::string SummarizeViolation(const Violation& violation);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_SPLAT_H_
