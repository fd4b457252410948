// The pieces that the kernel's reports share: lock lines, chain entries, scenario columns, the list of held locks.
// lockdep/report/splat.cc composes them.
//
// Thread-safety: pure functions.
// Example:       text += LockLine(violation.acquiring);   // "inode 3 (i_rwsem){+.+.}-{4:4}, at: fs/x.cc:12"
#ifndef ORDEAL_LOCKDEP_REPORT_SPLAT_TEXT_H_
#define ORDEAL_LOCKDEP_REPORT_SPLAT_TEXT_H_

#include <string>
#include <vector>

#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

// " (shared)", " (PR)" of a lock kind's mode; nothing for a plain exclusive one.
std::string ModeSuffix(Mode mode, const std::string& mode_name);
// "(i_rwsem){+.+.}-{4:4}".
std::string ClassText(const HeldLockReport& lock);
// ClassText with instance, site and whatever is unusual about the acquisition.
std::string LockLine(const HeldLockReport& lock);
// "  frame" for each, or nothing.
std::string BacktraceLines(const std::vector<std::string>& backtrace, const std::string& indent);
// "-> #2 (name):" and where it was acquired while what was held. `number` < 0: without "#2".
std::string ChainEntry(const DependencyReport& dependency, int number);
// "A --> B --> C": the nodes of a path, one behind the other.
std::string PathText(const std::vector<DependencyReport>& path);

// What one CPU of a scenario does, in program order; `step` orders the lines of all CPUs.
struct ScenarioLine {
  size_t cpu;
  std::string text;
};
// One column a CPU, as wide as its text needs.
std::string ScenarioColumns(size_t cpus, const std::vector<ScenarioLine>& lines);
// "lock(A);", "rlock(A);", "lock(A, PR);", "sync(A);", "wait(E);", "owes(E);".
std::string HolderVerb(const DependencyReport& dependency);
std::string WaiterVerb(const DependencyReport& dependency);

// "2 locks held by writer:" and a line for each.
std::string HeldList(const Violation& violation);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_SPLAT_TEXT_H_
