#include "harness/scenario/run_findings.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lockdep/report/splat.h"

namespace ordeal {
namespace {

// "i_rwsem of inode 3" -> "i_rwsem of inode": which one differs between schedules.
std::string Role(const std::string& object) {
  size_t end = object.size();
  while (end > 0 && absl::ascii_isdigit(static_cast<unsigned char>(object[end - 1]))) --end;
  if (end == object.size() || end < 2 || object[end - 1] != ' ') return object;
  return object.substr(0, end - 1);
}

std::string RoleAndOperation(const Deadlock::Waiter& waiter) {
  return absl::StrCat(OperationKindName(waiter.kind), " ", Role(waiter.object));
}

std::string DescribeWaiter(const Deadlock::Waiter& waiter) {
  return absl::StrCat("task ", Index(waiter.task), " (", waiter.task_name, ") waits to ",
                      OperationKindName(waiter.kind), " ", waiter.object, " at ", waiter.site.ToString());
}

void AddSite(const lockdep::Site& site, std::vector<std::string>* sites) {
  if (site.line != 0) sites->push_back(site.ToString());
}

// Every rotation of a cycle is the same deadlock: begin with the smallest name.
std::string CycleSignature(const std::vector<Deadlock::Waiter>& cycle) {
  std::vector<std::string> names;
  for (const Deadlock::Waiter& waiter : cycle) names.push_back(RoleAndOperation(waiter));
  std::vector<std::string> best = names;
  for (size_t i = 1; i < names.size(); ++i) {
    std::rotate(names.begin(), names.begin() + 1, names.end());
    best = std::min(best, names);
  }
  return absl::StrJoin(best, " > ");
}

std::string BlockedSignature(const std::vector<Deadlock::Waiter>& blocked) {
  std::vector<std::string> names;
  for (const Deadlock::Waiter& waiter : blocked) names.push_back(RoleAndOperation(waiter));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return absl::StrCat("nobody can run: ", absl::StrJoin(names, ", "));
}

FindingKind KindOf(lockdep::ViolationKind kind) {
  switch (kind) {
    case lockdep::ViolationKind::kCircular:
    case lockdep::ViolationKind::kRecursive:
    case lockdep::ViolationKind::kInconsistentState:
    case lockdep::ViolationKind::kIrqInversion:
    case lockdep::ViolationKind::kIrqOrder: return FindingKind::kLockOrder;
    case lockdep::ViolationKind::kHeldAtExit: return FindingKind::kLeak;
    default: return FindingKind::kLockUsage;
  }
}

}  // namespace

std::string RenderTimeline(const Scheduler& scheduler, absl::Span<const TaskId> tasks, size_t steps_max) {
  std::vector<const TraceStep*> steps;
  for (const TraceStep& step : scheduler.trace()) {
    if (tasks.empty() || std::find(tasks.begin(), tasks.end(), step.task) != tasks.end()) steps.push_back(&step);
  }
  const size_t first = steps.size() > steps_max ? steps.size() - steps_max : 0;
  std::string text;
  for (size_t i = first; i < steps.size(); ++i) {
    const TraceStep& step = *steps[i];
    absl::StrAppend(&text, "  step ", step.step, "  task ", Index(step.task), " ");
    if (step.task != kNoTask) absl::StrAppend(&text, "(", scheduler.task_name(step.task), ") ");
    if (step.note.empty()) {
      absl::StrAppend(&text, OperationKindName(step.operation.kind));
      if (step.operation.object != kNoObject) absl::StrAppend(&text, " ", scheduler.ObjectName(step.operation.object));
    } else {
      absl::StrAppend(&text, step.note);
    }
    text += '\n';
  }
  return text;
}

Finding DeadlockFinding(const Scheduler& scheduler) {
  const Deadlock& deadlock = scheduler.deadlock();
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  const std::vector<Deadlock::Waiter>& waiters = deadlock.is_cycle ? deadlock.cycle : deadlock.blocked;
  const std::string cycle = deadlock.is_cycle ? CycleSignature(waiters) : BlockedSignature(waiters);
  finding.signature = absl::StrCat("deadlock: ", cycle);
  std::vector<TaskId> involved;
  if (deadlock.is_cycle) {
    finding.summary = absl::StrCat("deadlock of ", waiters.size(), waiters.size() == 1 ? " task: " : " tasks: ", cycle);
    finding.details = "each task waits for the next, the last for the first:\n";
  } else {
    finding.summary = absl::StrCat("deadlock: ", cycle);
    finding.details = "every task is blocked and nothing is pending:\n";
  }
  for (const Deadlock::Waiter& waiter : waiters) {
    absl::StrAppend(&finding.details, "  ", DescribeWaiter(waiter), "\n");
    AddSite(waiter.site, &finding.sites);
    involved.push_back(waiter.task);
  }
  if (deadlock.is_cycle && deadlock.blocked.size() > deadlock.cycle.size()) {
    finding.details += "blocked behind them:\n";
    for (const Deadlock::Waiter& waiter : deadlock.blocked) {
      if (std::find(involved.begin(), involved.end(), waiter.task) == involved.end()) {
        absl::StrAppend(&finding.details, "  ", DescribeWaiter(waiter), "\n");
      }
    }
  }
  const std::string timeline = RenderTimeline(scheduler, involved);
  if (!timeline.empty()) absl::StrAppend(&finding.details, "the last steps of these tasks:\n", timeline);
  return finding;
}

Finding LivelockFinding(const Scheduler& scheduler) {
  Finding finding;
  finding.kind = FindingKind::kLivelock;
  finding.signature = "livelock: no operation completes";
  finding.summary = absl::StrCat("livelock: ", scheduler.steps(), " steps, and no operation completes any more");
  finding.details = scheduler.DescribeTasks();
  const std::string timeline = RenderTimeline(scheduler, {});
  if (!timeline.empty()) absl::StrAppend(&finding.details, "the last steps:\n", timeline);
  return finding;
}

Finding ViolationFinding(const lockdep::Violation& violation) {
  Finding finding;
  finding.kind = KindOf(violation.kind);
  finding.signature = absl::StrCat(FindingKindName(finding.kind), ": ", violation.signature);
  finding.summary = absl::StrCat(FindingKindName(finding.kind), ": ", lockdep::SummarizeViolation(violation));
  if (violation.grade == lockdep::Grade::kConfirmed) finding.summary += " (confirmed)";
  finding.details = lockdep::RenderSplat(violation);
  AddSite(violation.acquiring.site, &finding.sites);
  if (!violation.conflicting.node.empty()) AddSite(violation.conflicting.site, &finding.sites);
  for (const lockdep::DependencyReport& dependency : violation.cycle) {
    AddSite(dependency.from_site, &finding.sites);
    AddSite(dependency.to_site, &finding.sites);
  }
  std::sort(finding.sites.begin(), finding.sites.end());
  finding.sites.erase(std::unique(finding.sites.begin(), finding.sites.end()), finding.sites.end());
  return finding;
}

Finding DataFinding(const History& history, const DataViolation& violation) {
  Finding finding;
  finding.kind = FindingKind::kData;
  finding.signature = absl::StrCat("data: ", violation.signature);
  finding.summary = absl::StrCat("data: ", violation.message);
  finding.details = absl::StrCat(Explain(history, violation), "the operations of the run:\n");
  for (const OperationEvent& event : history.events) absl::StrAppend(&finding.details, "  ", ToString(event), "\n");
  for (const int event : {violation.reader_event, violation.other_event}) {
    if (event < 0) continue;
    const std::string site = ToString(history.events[static_cast<size_t>(event)].site);
    if (!site.empty()) finding.sites.push_back(site);
  }
  return finding;
}

}  // namespace ordeal
