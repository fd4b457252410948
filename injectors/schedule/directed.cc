// Algorithm: the header names it. Two differences from the paper: what closes a cycle is read from the wait-for graph over
// declared operations, not from equality with the predicted one, so any instances of the classes will do; and who is let go
// is the task held longest, not a random one, so that every held task waits a bounded time.
#include "injectors/schedule/directed.h"

#include <utility>

namespace ordeal {
namespace {

constexpr uint32_t kPassOneIn = 8;

bool Same(const DeclaredOperation& a, const DeclaredOperation& b) { return a.kind == b.kind && a.object == b.object; }

}  // namespace

Directed::Directed(const Scheduler& scheduler, uint64_t seed, StandsAtEdge stands_at_edge)
    : scheduler_(scheduler), seed_(seed), stands_at_edge_(std::move(stands_at_edge)) {
  BeginRun(0);
}

void Directed::BeginRun(uint64_t run) {
  prng_ = Prng(DeriveSeed(seed_, run));
  run_ = run;
  decisions_ = 0;
  last_news_ = 0;
  held_count_ = 0;
  let_go_count_ = 0;
  rows_.fill({});
}

int Directed::Choose(const ChoicePoint& point) {
  if (point.kind != ChoiceKind::kSchedule) return 0;
  ++decisions_;
  Update(point);
  int pick = PickClosing(point);
  if (pick < 0) pick = PickFree(point);
  const bool impatient = decisions_ - last_news_ > kDirectedPatienceDecisions;
  if (pick < 0 || impatient) {
    const int longest = LetLongestGo(point);
    if (longest >= 0) pick = longest;
  }
  return pick < 0 ? 0 : pick;
}

// Gives each task that can run its role. A held task may close a cycle because another one was held, or has blocked.
void Directed::Update(const ChoicePoint& point) {
  bool any_held = false;
  for (const Candidate& task : point.candidates) {
    TaskRow& row = Row(task.task);
    if (row.role != Role::kFree && Same(row.at, task.next)) {
      any_held |= row.role == Role::kHeld;
      continue;
    }
    row = {};
    if (!stands_at_edge_(task)) continue;
    row.at = task.next;
    if (run_ > 0 && prng_.Below(kPassOneIn) == 0) {
      row.role = Role::kPassing;
      continue;
    }
    row.role = Role::kHeld;
    row.since = decisions_;
    last_news_ = decisions_;
    ++held_count_;
    any_held = true;
  }
  if (any_held) FindClosingCycle(point);
}

// Would some of the held tasks block on each other (perhaps through tasks that are blocked already) if each took its step?
void Directed::FindClosingCycle(const ChoicePoint& point) {
  uint64_t held = 0;
  for (const Candidate& task : point.candidates) {
    if (Row(task.task).role != Role::kHeld) continue;
    held |= uint64_t{1} << Index(task.task);
    Wait& wait = would_wait_[Index(task.task)];
    wait = {};
    wait.kind = task.next.kind;
    wait.object = task.next.object;
    wait.waitable = scheduler_.object_waitable(task.next.object);
  }
  const auto wait_of = [&](TaskId task) -> const Wait* {
    if ((held >> Index(task) & 1) != 0) return &would_wait_[Index(task)];
    return scheduler_.blocked_on(task);
  };
  std::vector<TaskId> cycle;
  for (const Candidate& task : point.candidates) {
    if (Row(task.task).role != Role::kHeld || !FindWaitCycle(task.task, wait_of, &cycle)) continue;
    for (const TaskId member : cycle) {
      if ((held >> Index(member) & 1) != 0) Row(member).role = Role::kClosing;
    }
    return;
  }
}

int Directed::PickClosing(const ChoicePoint& point) const {
  for (int i = 0; i < point.options; ++i) {
    if (Row(point.candidates[static_cast<size_t>(i)].task).role == Role::kClosing) return i;
  }
  return -1;
}

int Directed::PickFree(const ChoicePoint& point) {
  int free = 0;
  for (const Candidate& task : point.candidates) free += Row(task.task).role != Role::kHeld;
  if (free == 0) return -1;
  int nth = static_cast<int>(prng_.Below(static_cast<uint32_t>(free)));
  for (int i = 0; i < point.options; ++i) {
    if (Row(point.candidates[static_cast<size_t>(i)].task).role != Role::kHeld && nth-- == 0) return i;
  }
  return -1;
}

int Directed::LetLongestGo(const ChoicePoint& point) {
  int longest = -1;
  for (int i = 0; i < point.options; ++i) {
    const TaskRow& row = Row(point.candidates[static_cast<size_t>(i)].task);
    if (row.role != Role::kHeld) continue;
    if (longest < 0 || row.since < Row(point.candidates[static_cast<size_t>(longest)].task).since) longest = i;
  }
  if (longest < 0) return -1;
  Row(point.candidates[static_cast<size_t>(longest)].task).role = Role::kPassing;
  last_news_ = decisions_;
  ++let_go_count_;
  return longest;
}

}  // namespace ordeal
