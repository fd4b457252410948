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
  std::string text = absl::StrCat("task ", Index(waiter.task), " (", waiter.task_name, ") waits to ",
                                  OperationKindName(waiter.kind), " ", waiter.object, " at ", waiter.site.ToString());
  if (waiter.any_of.empty()) return text;
  const auto number = [](std::string* out, TaskId task) { absl::StrAppend(out, Index(task)); };
  return absl::StrCat(text, ", for which any of the tasks ", absl::StrJoin(waiter.any_of, ", ", number), " would do");
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
  if (!deadlock.knot.empty()) finding.details += "who would do as well, but is stuck, too:\n";
  for (const Deadlock::Waiter& waiter : deadlock.knot) {
    absl::StrAppend(&finding.details, "  ", DescribeWaiter(waiter), "\n");
    involved.push_back(waiter.task);
  }
  if (deadlock.is_cycle && deadlock.blocked.size() > involved.size()) {
    finding.details += "blocked behind them:\n";
    for (const Deadlock::Waiter& waiter : deadlock.blocked) {
      if (std::find(involved.begin(), involved.end(), waiter.task) == involved.end()) {
        absl::StrAppend(&finding.details, "  ", DescribeWaiter(waiter), "\n");
      }
    }
  }
  const std::string timeline = RenderTimeline(scheduler, {.tasks = involved, .blocked = involved});
  if (!timeline.empty()) absl::StrAppend(&finding.details, "the last steps of these tasks:\n", timeline);
  return finding;
}

namespace {

std::string DescribeRetrier(const Retrier& retrier) {
  return absl::StrCat("task ", Index(retrier.task), " (", retrier.task_name, ") retries because of ",
                      RetryReasonName(retrier.reason), " at ", retrier.site.ToString(), ", ", retrier.count, " times");
}

// What retries, without how many tasks do.
std::string ReasonsOf(const std::vector<Retrier>& retriers) {
  std::vector<std::string> reasons;
  for (const Retrier& retrier : retriers) reasons.push_back(RetryReasonName(retrier.reason));
  std::sort(reasons.begin(), reasons.end());
  reasons.erase(std::unique(reasons.begin(), reasons.end()), reasons.end());
  return absl::StrJoin(reasons, ", ");
}

void AddRetries(const Scheduler& scheduler, Finding* finding) {
  const std::string retries = scheduler.retries().ToString();
  if (!retries.empty()) absl::StrAppend(&finding->details, "retries of the run, by reason:\n", retries);
}

void AddTimeline(const Scheduler& scheduler, const Timeline& timeline, Finding* finding) {
  const std::string text = RenderTimeline(scheduler, timeline);
  if (!text.empty()) absl::StrAppend(&finding->details, "the last steps:\n", text);
}

}  // namespace

Finding LivelockFinding(const Scheduler& scheduler) {
  const std::vector<Retrier>& retriers = scheduler.livelock().retriers;
  Finding finding;
  finding.kind = FindingKind::kLivelock;
  Timeline timeline{.steps_max = 6};
  if (retriers.empty()) {
    finding.signature = "livelock: no operation completes";
    finding.summary = absl::StrCat("livelock: ", scheduler.steps(), " steps, and no operation completes any more");
  } else {
    finding.signature = absl::StrCat("livelock: retries because of ", ReasonsOf(retriers));
    finding.summary = absl::StrCat("livelock: ", retriers.front().task_name, " retries because of ",
                                   ReasonsOf(retriers), " in the same state, and no operation completes");
    finding.details = "who retries, and finds the same each time:\n";
  }
  for (const Retrier& retrier : retriers) {
    absl::StrAppend(&finding.details, "  ", DescribeRetrier(retrier), "\n");
    AddSite(retrier.site, &finding.sites);
    timeline.tasks.push_back(retrier.task);
  }
  absl::StrAppend(&finding.details, "all tasks:\n", scheduler.DescribeTasks());
  AddRetries(scheduler, &finding);
  AddTimeline(scheduler, timeline, &finding);
  return finding;
}

Finding StarvationFinding(const Scheduler& scheduler) {
  const Starvation& starvation = scheduler.starvation();
  Finding finding;
  finding.kind = FindingKind::kStarvation;
  finding.signature = absl::StrCat("starvation: ", RoleAndOperation(starvation.waiter));
  finding.summary = absl::StrCat("starvation: ", starvation.waiter.task_name, " waits to ",
                                 RoleAndOperation(starvation.waiter), ", and ", starvation.bypasses,
                                 " later arrivals were served before it");
  finding.details = absl::StrCat(DescribeWaiter(starvation.waiter), "\nwho passed it:\n");
  Timeline timeline{.tasks = {starvation.waiter.task}, .blocked = {starvation.waiter.task}};
  for (const Starvation::Passer& passer : starvation.passers) {
    absl::StrAppend(&finding.details, "  task ", Index(passer.task), " (", passer.task_name, ") ", passer.times,
                    passer.times == 1 ? " time\n" : " times\n");
    timeline.tasks.push_back(passer.task);
  }
  AddSite(starvation.waiter.site, &finding.sites);
  AddTimeline(scheduler, timeline, &finding);
  return finding;
}

Finding ExcessiveRetriesFinding(const Scheduler& scheduler, const Retrier& retrier) {
  Finding finding;
  finding.kind = FindingKind::kLivelock;
  finding.signature = absl::StrCat("livelock: an operation retries beyond the bound because of ",
                                   RetryReasonName(retrier.reason));
  finding.summary = absl::StrCat("livelock: one operation of ", retrier.task_name, " retries more than ",
                                 retrier.count - 1, " times because of ", RetryReasonName(retrier.reason));
  finding.details = absl::StrCat(DescribeRetrier(retrier), "\n");
  AddSite(retrier.site, &finding.sites);
  AddRetries(scheduler, &finding);
  AddTimeline(scheduler, {.tasks = {retrier.task}}, &finding);
  return finding;
}

std::string FairVerdict(RunEndKind unfair, RunEndKind fair) {
  const bool starves = unfair == RunEndKind::kStarvation;
  switch (fair) {
    case RunEndKind::kCompleted:
      return starves ? "verdict: the schedule starves it; under a fair one, from its first being passed, everybody is served"
                     : "verdict: starvation; under a fair schedule, from the first sight of that state, every operation completes";
    case RunEndKind::kStarvation: return "verdict: starvation, under a fair schedule, too";
    case RunEndKind::kDeadlock: return "verdict: under a fair schedule from there it deadlocks";
    default: return "verdict: livelock; under a fair schedule from there no operation completes either";
  }
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
    finding.operations.push_back(history.events[static_cast<size_t>(event)].id);
    const std::string site = ToString(history.events[static_cast<size_t>(event)].site);
    if (!site.empty()) finding.sites.push_back(site);
  }
  return finding;
}

}  // namespace ordeal
