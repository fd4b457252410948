// Interrupt and reclaim contexts: entering and leaving them, what a lock's use in them means, and the inversions.
// Source of the rules: the kernel's mark_lock_irq, check_usage_{forwards,backwards} and check_irq_usage.

#include <utility>

#include "absl/strings/str_cat.h"
#include "lockdep/runtime/held_locks.h"
#include "lockdep/runtime/usage_search.h"
#include "lockdep/runtime/validator.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

constexpr UsageState kStates[] = {UsageState::kHardirq, UsageState::kSoftirq, UsageState::kReclaim};

UsageMask WithReaders(UsageMask mask) {
  const auto writers = static_cast<UsageMask>((mask | ((mask & kReaderMask) >> 1)) & ~kReaderMask);
  return static_cast<UsageMask>(writers | (writers << 1));
}

// Used in a context against enabled for it, and the reverse, readers and writers alike.
UsageMask Opposite(UsageMask mask) {
  return WithReaders(static_cast<UsageMask>(((mask & kEnabledMask) >> 2) | ((mask & kUsedInMask) << 2)));
}

}  // namespace

UsageMask Validator::UsageOf(const HeldLock& held) const {
  const LockClassOptions& rules = classes_.at(ClassOf(held.node())).options;
  if (rules.is_event || rules.kind != nullptr) return 0;  // usage is of reader/writer locks
  const bool reader = held.mode() != Mode::kExclusive;
  UsageMask mask = 0;
  const auto add = [&](UsageState state, bool enabled) { mask |= MaskOf(MakeUsageBit(state, enabled, reader)); };
  if (!held.trylock()) {
    if ((held.word & kInHardirq) != 0) add(UsageState::kHardirq, false);
    if ((held.word & kInSoftirq) != 0) add(UsageState::kSoftirq, false);
    if ((held.word & kInReclaim) != 0) add(UsageState::kReclaim, false);
  }
  if ((held.word & kHardirqsOn) != 0 && (held.word & kSync) == 0) {
    add(UsageState::kHardirq, true);
    if ((held.word & kSoftirqsOn) != 0) add(UsageState::kSoftirq, true);
  }
  return mask;
}

void Validator::MarkUsage(const TaskContext& task, const HeldLock& held, UsageMask mask) {
  for (const bool enabled : {false, true}) {  // used in first, as the kernel: it decides which rule is named
    for (const UsageState state : kStates) {
      for (const bool reader : {false, true}) {
        const UsageBit bit = MakeUsageBit(state, enabled, reader);
        if ((mask & MaskOf(bit)) == 0) continue;
        if (!enabled) contexts_used_ = true;
        if (usage_.Mark(held.node(), bit, run_, held.site, task.name_) && contexts_used_) CheckUsage(task, held, bit);
      }
    }
  }
}

// The nearest contradiction of a new bit among the dependencies of `run` (0: of all runs).
Validator::UsageConflict Validator::FindUsageConflict(const HeldLock& held, UsageBit bit, uint32_t run) {
  ++usage_searches_;
  const UsageSearch search(graph_, usage_, classes_, run);
  const UsageMask exclusive = MaskOf(ExclusiveOf(bit));
  const bool reader = (bit & kUsageReader) != 0;
  UsageConflict conflict;
  const UsageMask own = search.UsageOf(held.node()) & (reader ? exclusive : WithReaders(exclusive));
  if (own != 0) {
    conflict.found = true;
    conflict.node = held.node();
    conflict.bit = (own & exclusive) != 0 ? ExclusiveOf(bit) : static_cast<UsageBit>(ExclusiveOf(bit) | kUsageReader);
    return conflict;
  }
  const bool enabled = (bit & kUsageEnabled) != 0;
  const bool weak = enabled ? held.mode() != Mode::kExclusive : held.mode() == Mode::kSharedRecursive;
  const std::optional<NodeId> other =
      enabled ? search.Backwards(held.node(), weak, WithReaders(exclusive), &conflict.path)
              : search.Forwards(held.node(), weak, WithReaders(exclusive), &conflict.path);
  if (!other.has_value()) return conflict;
  conflict.found = true;
  conflict.node = *other;
  conflict.bit = (search.UsageOf(*other) & exclusive) != 0 ? ExclusiveOf(bit)
                                                           : static_cast<UsageBit>(ExclusiveOf(bit) | kUsageReader);
  return conflict;
}

void Validator::CheckUsage(const TaskContext& task, const HeldLock& held, UsageBit bit) {
  if (!broken_.load(std::memory_order_relaxed)) {
    if (!FindUsageConflict(held, bit, 0).found) return;
    JudgeEachRun();
  }
  const UsageConflict conflict = FindUsageConflict(held, bit, run_);
  if (!conflict.found) return;
  const bool own = conflict.path.empty();
  Violation violation =
      NewViolation(own ? ViolationKind::kInconsistentState : ViolationKind::kIrqInversion, task, held);
  const UsageReport now{violation.acquiring.node, UsageBitName(bit), held.site, task.name_};
  const UsageReport before = Describe(conflict.node, conflict.bit);
  const bool enabled = (bit & kUsageEnabled) != 0;
  violation.safe = enabled ? before : now;
  violation.unsafe = enabled ? now : before;
  for (const EdgeId id : conflict.path) violation.cycle.push_back(Describe(id));
  violation.signature = absl::StrCat(ViolationKindName(violation.kind), ": ", violation.safe.node, " ",
                                     violation.safe.state, " > ", violation.unsafe.node, " ", violation.unsafe.state);
  Report(std::move(violation));
}

UsageReport Validator::Describe(NodeId node, UsageBit bit) const {
  const UsageTable::Sighting& first = usage_.First(node, bit);
  return {classes_.NodeName(node), UsageBitName(bit), first.site, first.task};
}

// Does holder -> acquired lead from a lock used in some context to one that the context may interrupt, in any runs?
bool Validator::BreaksIrqOrder(const HeldLock& holder, const HeldLock& acquired) {
  if (!contexts_used_) return false;
  ++usage_searches_;
  const UsageSearch search(graph_, usage_, classes_, 0);
  const UsageMask used =
      search.AccumulateBackwards(holder.node(), holder.mode() != Mode::kExclusive) & kUsedInMask;
  std::vector<EdgeId> path;
  return used != 0 &&
         search.Forwards(acquired.node(), acquired.mode() == Mode::kSharedRecursive, Opposite(used), &path).has_value();
}

void Validator::CheckIrqOrder(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired, EdgeId edge) {
  if (!contexts_used_) return;
  ++usage_searches_;
  const UsageSearch search(graph_, usage_, classes_, run_);
  const bool holder_weak = holder.mode() != Mode::kExclusive;
  const UsageMask used = search.AccumulateBackwards(holder.node(), holder_weak) & kUsedInMask;
  if (used == 0) return;
  std::vector<EdgeId> ahead;
  const std::optional<NodeId> unsafe =
      search.Forwards(acquired.node(), acquired.mode() == Mode::kSharedRecursive, Opposite(used), &ahead);
  if (!unsafe.has_value()) return;
  std::vector<EdgeId> behind;
  const std::optional<NodeId> safe = search.Backwards(
      holder.node(), holder_weak, Opposite(search.UsageOf(*unsafe) & kEnabledMask) & used, &behind);
  if (!safe.has_value()) return;
  for (UsageBit bit = 0; bit < kUsageBits; ++bit) {
    if ((search.UsageOf(*safe) & MaskOf(bit) & kUsedInMask) == 0) continue;
    const UsageMask against = search.UsageOf(*unsafe) & WithReaders(MaskOf(ExclusiveOf(bit)));
    if (against == 0) continue;
    const UsageBit bad = (against & MaskOf(ExclusiveOf(bit))) != 0 ? ExclusiveOf(bit)
                                                                   : static_cast<UsageBit>(ExclusiveOf(bit) | kUsageReader);
    Violation violation = NewViolation(ViolationKind::kIrqOrder, task, acquired);
    violation.variant = UsageStateName(bit);
    violation.conflicting = Describe(holder);
    violation.safe = Describe(*safe, bit);
    violation.unsafe = Describe(*unsafe, bad);
    for (const EdgeId id : behind) violation.cycle.push_back(Describe(id));
    violation.cycle.push_back(NewDependency(task, holder, acquired, edge));
    for (const EdgeId id : ahead) violation.cycle.push_back(Describe(id));
    violation.signature = absl::StrCat(violation.KindText(), ": ", violation.safe.node, " > ", violation.unsafe.node);
    Report(std::move(violation));
    return;
  }
}

// ---- contexts

void Validator::EnterHardirq(TaskContext& task, bool threaded) {
  ++task.hardirq_depth_;
  task.context_ |= kInHardirq | (threaded ? kThreadedIrq : 0);
  RebuildKeys(task, 0);
}

void Validator::LeaveHardirq(TaskContext& task) {
  LD_CHECK(task.hardirq_depth_ > 0, "LeaveHardirq of a task that is in no hard interrupt");
  if (--task.hardirq_depth_ == 0) task.context_ &= ~(kInHardirq | kThreadedIrq);
  RebuildKeys(task, 0);
}

void Validator::EnterSoftirq(TaskContext& task) {
  ++task.softirq_depth_;
  task.context_ |= kInSoftirq;
  RebuildKeys(task, 0);
}

void Validator::LeaveSoftirq(TaskContext& task) {
  LD_CHECK(task.softirq_depth_ > 0, "LeaveSoftirq of a task that is in no soft interrupt");
  if (--task.softirq_depth_ == 0) task.context_ &= ~kInSoftirq;
  RebuildKeys(task, 0);
}

void Validator::DisableHardirqs(TaskContext& task) { task.context_ &= ~kHardirqsOn; }
void Validator::DisableSoftirqs(TaskContext& task) { task.context_ &= ~kSoftirqsOn; }

void Validator::EnableHardirqs(TaskContext& task, Site site) {
  if ((task.context_ & kHardirqsOn) != 0) return;
  MarkHeld(task, UsageState::kHardirq, site);
  if ((task.context_ & kSoftirqsOn) != 0) MarkHeld(task, UsageState::kSoftirq, site);
  task.context_ |= kHardirqsOn;
}

void Validator::EnableSoftirqs(TaskContext& task, Site site) {
  if ((task.context_ & kSoftirqsOn) != 0) return;
  if ((task.context_ & kHardirqsOn) != 0) MarkHeld(task, UsageState::kSoftirq, site);
  task.context_ |= kSoftirqsOn;
}

void Validator::EnterReclaim(TaskContext& task) { task.context_ |= kInReclaim; }
void Validator::LeaveReclaim(TaskContext& task) { task.context_ &= ~kInReclaim; }
void Validator::MayEnterReclaim(TaskContext& task, Site site) {
  if ((task.context_ & kInReclaim) == 0) MarkHeld(task, UsageState::kReclaim, site);  // reclaim does not enter itself
}

void Validator::MarkHeld(TaskContext& task, UsageState state, Site site) {
  if (task.held_.empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < task.held_.size(); ++i) {
    HeldLock held = task.held_[i];
    const LockClassOptions& rules = classes_.at(ClassOf(held.node())).options;
    if ((held.word & kUnchecked) != 0 || rules.no_validate || rules.is_event) continue;
    held.site = site;  // the state begins here, not where the lock was taken
    MarkUsage(task, held, MaskOf(MakeUsageBit(state, true, held.mode() != Mode::kExclusive)));
  }
}

}  // namespace ordeal::lockdep
