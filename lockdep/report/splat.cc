// The forms follow the print_* functions of kernel/locking/lockdep.c (Linux 6.1): titles, rules, order of sections and the
// fixed words that people search for. Sites stand where the kernel has symbols, tasks where it has command and process.

#include "lockdep/report/splat.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lockdep/report/splat_text.h"

namespace ordeal::lockdep {
namespace {

constexpr char kOtherInfo[] = "other info that might help us debug this:\n";

// "hard,read" -> "HARDIRQ-READ"; "reclaim" -> "RECLAIM".
std::string IrqClass(const std::string& variant) {
  const std::string state = variant.substr(0, variant.find(','));
  return absl::StrCat(state == "hard" ? "HARDIRQ" : state == "soft" ? "SOFTIRQ" : "RECLAIM",
                      absl::StrContains(variant, ",read") ? "-READ" : "");
}

// "IN-SOFTIRQ-R" -> "SOFTIRQ-READ"; "HARDIRQ-ON-W" -> "HARDIRQ".
std::string IrqClassOfState(const std::string& state) {
  std::string name = absl::StrContains(state, "HARDIRQ") ? "HARDIRQ" : absl::StrContains(state, "SOFTIRQ") ? "SOFTIRQ" : "RECLAIM";
  return absl::StrCat(name, absl::EndsWith(state, "-R") ? "-READ" : "");
}

std::string Title(const Violation& violation) {
  switch (violation.kind) {
    case ViolationKind::kCircular: return "WARNING: possible circular locking dependency detected";
    case ViolationKind::kRecursive: return "WARNING: possible recursive locking detected";
    case ViolationKind::kBadUnlock: return "WARNING: bad unlock balance detected!";
    case ViolationKind::kForeignUnlock: return "WARNING: unlock of another task's lock!";
    case ViolationKind::kHeldFreed: return "WARNING: held lock freed!";
    case ViolationKind::kHeldAtExit: return absl::StrCat("WARNING: ", violation.task, " still has locks held!");
    case ViolationKind::kWaitContext: return "[ BUG: Invalid wait context ]";
    case ViolationKind::kInconsistentState: return "WARNING: inconsistent lock state";
    case ViolationKind::kIrqInversion: return "WARNING: possible irq lock inversion dependency detected";
    case ViolationKind::kIrqOrder: {
      const std::string irq = IrqClass(violation.variant);
      return absl::StrCat("WARNING: ", irq, "-safe -> ", irq, "-unsafe lock order detected");
    }
    case ViolationKind::kNestNotHeld: return "WARNING: Nested lock was not taken";
    case ViolationKind::kPinned: return "WARNING: lock pin violated";
    case ViolationKind::kAssertHeld: return "WARNING: lock assertion failed: not held as required";
    case ViolationKind::kAssertNotHeld: return "WARNING: lock assertion failed: held where it must not be";
    case ViolationKind::kApiAssert: return "WARNING: rule of a lock primitive broken";
  }
  return "WARNING: lock rule broken";
}

// Reports of what may happen; the others are of what did.
bool IsGraded(const Violation& violation) {
  switch (violation.kind) {
    case ViolationKind::kCircular:
    case ViolationKind::kRecursive:
    case ViolationKind::kInconsistentState:
    case ViolationKind::kIrqInversion:
    case ViolationKind::kIrqOrder:
      return true;
    default:
      return false;
  }
}

std::string Trying(const Violation& violation, const char* what) {
  return absl::StrCat(violation.task, what, "\n", LockLine(violation.acquiring), "\n");
}

std::string AlreadyHolding(const Violation& violation) {
  return absl::StrCat("\nbut task is already holding lock:\n", LockLine(violation.conflicting), "\n");
}

std::string Deadlock(const std::string& columns, const char* heading) {
  return absl::StrCat(heading, "\n", columns, "\n *** DEADLOCK ***\n");
}

constexpr char kUnsafe[] = " Possible unsafe locking scenario:\n";
constexpr char kIrqUnsafe[] = " Possible interrupt unsafe locking scenario:\n";

// CPU0 is the task that closes the cycle; the others made the existing dependencies.
std::string CycleScenario(const std::vector<DependencyReport>& cycle) {
  const size_t cpus = cycle.size();
  const auto dependency = [&](size_t cpu) -> const DependencyReport& { return cpu == 0 ? cycle.back() : cycle[cpu - 1]; };
  std::vector<ScenarioLine> lines;
  for (size_t cpu = 0; cpu < cpus; ++cpu) lines.push_back({cpu, HolderVerb(dependency(cpu))});
  for (size_t cpu = 1; cpu < cpus; ++cpu) lines.push_back({cpu, WaiterVerb(dependency(cpu))});
  lines.push_back({0, WaiterVerb(dependency(0))});
  return Deadlock(ScenarioColumns(cpus, lines), kUnsafe);
}

std::string CircularBody(const Violation& violation) {
  const std::vector<DependencyReport>& cycle = violation.cycle;
  std::string text = absl::StrCat(Trying(violation, " is trying to acquire lock:"), AlreadyHolding(violation),
                                  "\nwhich lock already depends on the new lock.\n\n",
                                  "\nthe existing dependency chain (in reverse order) is:\n");
  for (size_t i = cycle.size() - 1; i-- > 0;) absl::StrAppend(&text, "\n", ChainEntry(cycle[i], static_cast<int>(i) + 1));
  if (!cycle.empty()) absl::StrAppend(&text, "\n", ChainEntry(cycle.back(), 0));
  absl::StrAppend(&text, "\n", kOtherInfo, "\n");
  if (cycle.size() > 2) {
    absl::StrAppend(&text, "Chain exists of:\n  ", PathText({cycle.begin(), cycle.end() - 1}), "\n\n");
  }
  return absl::StrCat(text, CycleScenario(cycle), "\n", HeldList(violation));
}

// A lock of the recursive, one-column scenario, as a dependency would name it.
std::string OwnVerb(const HeldLockReport& lock) {
  DependencyReport dependency;
  dependency.to = lock.node;
  dependency.to_mode = lock.mode;
  dependency.to_mode_name = lock.mode_name;
  dependency.to_sync = lock.sync;
  dependency.to_event = lock.event;
  return WaiterVerb(dependency);
}

std::string RecursiveBody(const Violation& violation) {
  const std::string columns = ScenarioColumns(1, {{0, OwnVerb(violation.conflicting)}, {0, OwnVerb(violation.acquiring)}});
  return absl::StrCat(Trying(violation, " is trying to acquire lock:"), AlreadyHolding(violation),
                      violation.message.empty() ? "" : absl::StrCat("and ", violation.message, "\n"), "\n", kOtherInfo,
                      Deadlock(columns, kUnsafe), "\n May be due to missing lock nesting notation\n\n", HeldList(violation));
}

// "[HC0[0]:SC1[1]:HE1:SE0]": in hard and soft interrupt; hard and soft interrupts enabled.
std::string StateBrackets(const TaskStateReport& state) {
  const int hard = state.in_hardirq ? 1 : 0;
  const int soft = state.in_softirq ? 1 : 0;
  return absl::StrCat("[HC", hard, "[", hard, "]:SC", soft, "[", soft, "]:HE", state.hardirqs_on ? 1 : 0, ":SE",
                      state.softirqs_on ? 1 : 0, "]");
}

// The safe state is the new one if the task is in its context: nobody becomes "enabled" there.
bool SafeStateIsNew(const Violation& violation) {
  if (absl::StartsWith(violation.safe.state, "IN-HARDIRQ")) return violation.state.in_hardirq;
  if (absl::StartsWith(violation.safe.state, "IN-SOFTIRQ")) return violation.state.in_softirq;
  return violation.state.in_reclaim;
}

std::string Interruption(const std::string& state) {
  return absl::StrContains(state, "RECLAIM") ? "<Memory reclaim>" : "<Interrupt>";
}

std::string StateVerb(const UsageReport& usage) {
  return absl::StrCat(absl::EndsWith(usage.state, "-R") ? "rlock(" : "lock(", usage.node, ");");
}

std::string RegisteredAt(const UsageReport& usage) {
  return absl::StrCat("  ", usage.site.ToString(), " by ", usage.task, "\n");
}

std::string InconsistentBody(const Violation& violation) {
  const bool safe_is_new = SafeStateIsNew(violation);
  const UsageReport& now = safe_is_new ? violation.safe : violation.unsafe;
  const UsageReport& before = safe_is_new ? violation.unsafe : violation.safe;
  const std::string columns = ScenarioColumns(1, {{0, StateVerb(violation.unsafe)},
                                                  {0, Interruption(violation.safe.state)},
                                                  {0, "  " + StateVerb(violation.safe)}});
  return absl::StrCat("inconsistent {", before.state, "} -> {", now.state, "} usage.\n", violation.task, " ",
                      StateBrackets(violation.state), " takes:\n", LockLine(violation.acquiring), "\n{", before.state,
                      "} state was registered at:\n", RegisteredAt(before), "\n", kOtherInfo, Deadlock(columns, kUnsafe), "\n",
                      HeldList(violation));
}

// CPU0 holds the unsafe lock and is interrupted; the others made the dependencies of the path from the safe lock to it.
std::string IrqScenario(const Violation& violation) {
  const std::vector<DependencyReport>& path = violation.cycle;
  std::vector<ScenarioLine> lines = {{0, StateVerb(violation.unsafe)}};
  const bool reclaim = absl::StrContains(violation.safe.state, "RECLAIM");
  for (size_t i = 0; i < path.size(); ++i) {
    if (i == 0 && !reclaim) lines.push_back({1, "local_irq_disable();"});
    lines.push_back({i + 1, HolderVerb(path[i])});
  }
  for (size_t i = 0; i < path.size(); ++i) lines.push_back({i + 1, WaiterVerb(path[i])});
  lines.push_back({0, Interruption(violation.safe.state)});
  lines.push_back({0, "  " + StateVerb(violation.safe)});
  const std::string chain = path.size() > 1 ? absl::StrCat("Chain exists of:\n  ", PathText(path), "\n\n") : "";
  return absl::StrCat(chain, Deadlock(ScenarioColumns(path.size() + 1, lines), kIrqUnsafe));
}

std::string Entries(const std::vector<DependencyReport>& path) {
  std::string text;
  for (const DependencyReport& dependency : path) text += ChainEntry(dependency, -1);
  return text;
}

std::string IrqOrderBody(const Violation& violation) {
  const std::string irq = IrqClass(violation.variant);
  const std::vector<DependencyReport>& path = violation.cycle;
  size_t added = 0;
  while (added < path.size() && (path[added].from != violation.conflicting.node || path[added].to != violation.acquiring.node)) {
    ++added;
  }
  const size_t behind = std::min(added + 1, path.size());
  const std::string before = Entries({path.begin(), path.begin() + static_cast<std::ptrdiff_t>(std::min(added, path.size()))});
  const std::string after = Entries({path.begin() + static_cast<std::ptrdiff_t>(behind), path.end()});
  return absl::StrCat(
      violation.task, " ", StateBrackets(violation.state), " is trying to acquire:\n", LockLine(violation.acquiring),
      "\n\nand this task is already holding:\n", LockLine(violation.conflicting),
      "\nwhich would create a new lock dependency:\n ", ClassText(violation.conflicting), " -> ",
      ClassText(violation.acquiring), "\n\nbut this new dependency connects a ", irq, "-irq-safe lock:\n (",
      violation.safe.node, ")\n\n... which became ", irq, "-irq-safe at:\n", RegisteredAt(violation.safe), "\nto a ", irq,
      "-irq-unsafe lock:\n (", violation.unsafe.node, ")\n\n... which became ", irq, "-irq-unsafe at:\n",
      RegisteredAt(violation.unsafe), "\n", kOtherInfo, "\n", IrqScenario(violation), "\n", HeldList(violation),
      "\nthe dependencies between ", irq, "-irq-safe lock and the holding lock:\n",
      before.empty() ? "none: it is the holding lock\n" : before, "\nthe dependencies between the lock to be acquired\n and ",
      irq, "-irq-unsafe lock:\n", after.empty() ? "none: it is the lock to be acquired\n" : after);
}

std::string IrqInversionBody(const Violation& violation) {
  const bool took = SafeStateIsNew(violation);  // it became safe; what it took in the past is unsafe
  const UsageReport& other = took ? violation.unsafe : violation.safe;
  return absl::StrCat(Trying(violation, " just changed the state of lock:"),
                      took ? "but this lock took another, " : "but this lock was taken by another, ",
                      IrqClassOfState(other.state), took ? "-unsafe" : "-safe", " lock in the past:\n (", other.node,
                      ")\n\n... which became so at:\n", RegisteredAt(other),
                      "\nand interrupts could create inverse lock ordering between them.\n\n\n", kOtherInfo,
                      IrqScenario(violation), "\n", HeldList(violation),
                      "\nthe shortest dependencies between 2nd lock and 1st lock:\n", Entries(violation.cycle));
}

std::string UnlockBody(const Violation& violation) {
  const bool foreign = violation.kind == ViolationKind::kForeignUnlock;
  std::string why = foreign ? absl::StrCat("but ", violation.message, "!") : "but there are no more locks to release!";
  if (absl::StartsWith(violation.message, "downgrade")) why = absl::StrCat(violation.message, "!");
  return absl::StrCat(violation.task, " is trying to release lock (", violation.acquiring.node, ") at:\n",
                      violation.acquiring.site.ToString(), "\n", why, "\n\n", kOtherInfo, HeldList(violation));
}

std::string WaitContextBody(const Violation& violation) {
  const int context = static_cast<int>(violation.wait_context);
  std::string text = absl::StrCat(Trying(violation, " is trying to lock:"), kOtherInfo, "context-{", context, ":", context, "}\n");
  if (!violation.conflicting.node.empty()) {
    absl::StrAppend(&text, "made by holding:\n", LockLine(violation.conflicting), "\n");
  } else {
    absl::StrAppend(&text, "made by an interrupt\n");
  }
  return absl::StrCat(text, HeldList(violation));
}

// Facts that need no scenario: what is wrong with which lock.
std::string PlainBody(const Violation& violation) {
  return absl::StrCat(violation.task, ": ", violation.message.empty() ? "see the title" : violation.message, ":\n",
                      LockLine(violation.acquiring), "\n\n", HeldList(violation));
}

std::string Body(const Violation& violation) {
  switch (violation.kind) {
    case ViolationKind::kCircular: return CircularBody(violation);
    case ViolationKind::kRecursive: return RecursiveBody(violation);
    case ViolationKind::kBadUnlock:
    case ViolationKind::kForeignUnlock: return UnlockBody(violation);
    case ViolationKind::kHeldFreed:
      return absl::StrCat(violation.task, " is freeing memory, with a lock still held there!\n",
                          LockLine(violation.acquiring), "\n", violation.message, "\n\n", HeldList(violation));
    case ViolationKind::kHeldAtExit: return HeldList(violation);
    case ViolationKind::kWaitContext: return WaitContextBody(violation);
    case ViolationKind::kInconsistentState: return InconsistentBody(violation);
    case ViolationKind::kIrqInversion: return IrqInversionBody(violation);
    case ViolationKind::kIrqOrder: return IrqOrderBody(violation);
    case ViolationKind::kNestNotHeld:
      return absl::StrCat(Trying(violation, " is trying to lock:"), "\nbut this task is not holding:\n", violation.message,
                          "\n\n", kOtherInfo, HeldList(violation));
    case ViolationKind::kPinned:
    case ViolationKind::kAssertHeld:
    case ViolationKind::kAssertNotHeld:
    case ViolationKind::kApiAssert: return PlainBody(violation);
  }
  return "";
}

// What the kernel's reports do not have: how sure it is, what it takes, what would mend it, how to see it happen.
std::string Beyond(const Violation& violation) {
  std::string text;
  if (IsGraded(violation)) {
    absl::StrAppend(&text, "grade: ", GradeName(violation.grade));
    if (!violation.grade_reason.empty()) absl::StrAppend(&text, " (", violation.grade_reason, ")");
    text += "\n";
  }
  if (!violation.instances.empty()) absl::StrAppend(&text, "needs: ", absl::StrJoin(violation.instances, ", "), "\n");
  if (!violation.hint.empty()) absl::StrAppend(&text, "hint: ", violation.hint, "\n");
  if (!violation.corpus_file.empty()) absl::StrAppend(&text, "replay: ordeal replay ", violation.corpus_file, "\n");
  return text.empty() ? "" : absl::StrCat("\n", text);
}

}  // namespace

std::string RenderSplat(const Violation& violation) {
  const std::string title = Title(violation);
  std::string text = absl::StrCat(std::string(title.size(), '='), "\n", title, "\n", "ordeal ", violation.KindText(), "\n",
                                  std::string(title.size(), '-'), "\n", Body(violation));
  text += Beyond(violation);
  const std::vector<std::string>& backtrace = violation.acquiring.backtrace;
  if (!backtrace.empty()) absl::StrAppend(&text, "\nstack backtrace:\n", BacktraceLines(backtrace, " "));
  return text;
}

std::string SummarizeViolation(const Violation& violation) {
  const std::string& node = violation.acquiring.node;
  switch (violation.kind) {
    case ViolationKind::kCircular: {
      std::string text = "lock order cycle ";
      for (const DependencyReport& dependency : violation.cycle) absl::StrAppend(&text, dependency.from, " > ");
      return absl::StrCat(text, violation.cycle.empty() ? node : violation.cycle.front().from);
    }
    case ViolationKind::kRecursive: return absl::StrCat("recursive acquisition of ", node);
    case ViolationKind::kBadUnlock: return absl::StrCat("release of ", node, ", which is not held");
    case ViolationKind::kForeignUnlock: return absl::StrCat("release of ", node, ": ", violation.message);
    case ViolationKind::kHeldFreed: return absl::StrCat(node, " freed while held");
    case ViolationKind::kHeldAtExit: return absl::StrCat(node, " held at the end of its task");
    case ViolationKind::kWaitContext:
      return absl::StrCat(node, " may sleep ",
                          violation.conflicting.node.empty() ? "in an interrupt" : "under " + violation.conflicting.node);
    case ViolationKind::kInconsistentState:
      return absl::StrCat(node, " is ", violation.safe.state, " and ", violation.unsafe.state);
    case ViolationKind::kIrqInversion:
    case ViolationKind::kIrqOrder:
      return absl::StrCat(IrqClassOfState(violation.safe.state), "-safe ", violation.safe.node, " leads to ",
                          IrqClassOfState(violation.unsafe.state), "-unsafe ", violation.unsafe.node);
    case ViolationKind::kNestNotHeld: return absl::StrCat("nested acquisition of ", node, ": ", violation.message);
    case ViolationKind::kPinned:
    case ViolationKind::kAssertHeld:
    case ViolationKind::kAssertNotHeld:
    case ViolationKind::kApiAssert: return absl::StrCat(node, ": ", violation.message);
  }
  return "lock rule broken";
}

}  // namespace ordeal::lockdep
