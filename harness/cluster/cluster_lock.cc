#include "harness/cluster/cluster_lock.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {

using lockdep::kDlmExclusive;
using lockdep::kDlmNull;
using lockdep::kDlmProtectedRead;

ClusterLock::ClusterLock(DownconvertWorker& worker, ResourceId resource, ClusterLockUser user, ClusterLockBugs bugs)
    : worker_(worker),
      dlm_(worker.dlm()),
      scheduler_(dlm_.cluster().scheduler()),
      node_(worker.node()),
      resource_(resource),
      user_(std::move(user)),
      bugs_(bugs) {
  dlm_.Attach(node_, resource,
              {.on_ast = [this](DlmStatus status) { OnAst(status); },
               .on_bast = [this](DlmMode mode) { OnBast(mode); },
               .append_blockers = [this](TaskId, Blockers* out) { AppendGivingDown(out); }});
}

// --- local users ---

bool ClusterLock::HeldByCurrent() const {
  const TaskId self = scheduler_.current();
  return std::any_of(holders_.begin(), holders_.end(), [self](const Holder& holder) { return holder.task == self; });
}

ClusterLock::Next ClusterLock::Decide(DlmMode mode) const {
  const bool covered = granted_ != kNoDlmMode && Covers(granted_, mode);
  if (Has(kBusy) && (!covered || (bugs_.admits_while_blocked && action_ == Action::kDownconvert))) return Next::kWait;
  if (Has(kUpconvertFinishing) && covered) return Next::kTake;
  const bool admits = covered && bugs_.admits_while_blocked;
  if (Has(kBlocked) && !admits && !Covers(HighestCompatible(blocking_), mode)) return Next::kWait;
  return covered ? Next::kTake : Next::kPost;
}

ClusterLockStatus ClusterLock::Lock(DlmMode mode, ClusterLockOptions options, lockdep::Site site) {
  LD_CHECK(mode == kDlmProtectedRead || mode == kDlmExclusive, "a cluster lock is used in PR or EX");
  LD_CHECK(dlm_.cluster().current_node() == node_, "a cluster lock is used by a task of another node");
  const bool waits = !options.nonblock && !options.no_queue;
  scheduler_.Point(waits ? OperationKind::kAcquire : OperationKind::kTryAcquire, dlm_.object(resource_));
  if (HeldByCurrent() && !bugs_.no_holder_tracking) return Nest(mode);
  if (waits) dlm_.NoteAcquire(resource_, mode, false, site);
  bool posted = false;
  bool posted_conversion = false;
  int conversions_lost = 0;
  uint64_t grants = grants_;  // when it posted
  for (;;) {
    const Next next = Decide(mode);
    if (next == Next::kTake) break;
    if (next == Next::kPost) {
      if (posted && options.no_queue) return GiveUp(false, waits, site);
      const bool lost = posted && grants != grants_;  // granted, and given down before this task could take it
      if (lost && posted_conversion) most_lost_ = std::max(most_lost_, ++conversions_lost);
      posted = true;
      grants = grants_;
      posted_conversion = granted_ != kNoDlmMode;
      Post(mode, posted_conversion ? Action::kConvert : Action::kAttach, options.no_queue, false);
      if (lost) scheduler_.NoteRetry(RetryReason::kOther, static_cast<uint64_t>(mode), site);
      continue;
    }
    // Whoever comes by ends the turn of the one for whom the conversion was made.
    Clear(kUpconvertFinishing);
    if (Has(kBlocked)) worker_.Kick();
    if (options.nonblock) return GiveUp(posted, waits, site);
    Sleep(site);
  }
  Take(mode);
  if (!waits) dlm_.NoteAcquire(resource_, mode, true, site);
  Refresh(site);
  return ClusterLockStatus::kGranted;
}

// The task has it: the node cannot lose it meanwhile, so there is nothing to wait for.
ClusterLockStatus ClusterLock::Nest(DlmMode mode) {
  const TaskId self = scheduler_.current();
  const auto has = std::find_if(holders_.begin(), holders_.end(), [&](const Holder& holder) {
    return holder.task == self && Covers(holder.mode, mode);
  });
  if (has == holders_.end()) return ClusterLockStatus::kInvalid;
  holders_.push_back({self, mode, /*nested=*/true});
  return ClusterLockStatus::kGranted;
}

// `posted`: the request goes on without anybody who waits for it.
ClusterLockStatus ClusterLock::GiveUp(bool posted, bool told, lockdep::Site site) {
  if (posted && Has(kBusy) && !bugs_.nonblock_abandons_busy) Set(kNonblockFinished);
  if (told) dlm_.NoteRelease(resource_, site);
  return ClusterLockStatus::kAgain;
}

void ClusterLock::Post(DlmMode mode, Action action, bool no_queue, bool writes_lvb) {
  action_ = action;
  requested_ = mode;
  canceling_ = false;
  Set(kBusy);
  Set(kPending);
  const uint32_t generation = ++pending_generation_;
  dlm_.Request(node_, resource_, mode, {.no_queue = no_queue, .writes_lvb = writes_lvb});
  scheduler_.Point(OperationKind::kWrite, dlm_.object(resource_));  // the AST may come before this goes on
  if (scheduler_.unwinding() || !Has(kPending) || generation != pending_generation_) return;
  Clear(kPending);
  if (Has(kBlocked)) worker_.Kick();  // it passed over the lock while the request was being posted
}

void ClusterLock::Take(DlmMode mode) {
  LD_CHECK(Covers(granted_, mode), absl::StrCat("a user is let in: ", ToString()));
  holders_.push_back({scheduler_.current(), mode, /*nested=*/false});
  Clear(kUpconvertFinishing);
  if (!Has(kBlocked)) return;
  if (Conflicts(mode, blocking_)) most_admitted_ = std::max(most_admitted_, ++admitted_);
  worker_.Kick();
}

void ClusterLock::Refresh(lockdep::Site site) {
  while (Has(kRefreshing)) Sleep(site);
  if (!Has(kNeedsRefresh)) return;
  if (user_.refresh) {
    Set(kRefreshing);
    refresher_ = scheduler_.current();
    user_.refresh(dlm_.lvb_valid(node_, resource_) ? &dlm_.lvb(node_, resource_) : nullptr);
    refresher_ = kNoTask;
    Clear(kRefreshing);
  }
  Clear(kNeedsRefresh);
  WakeAll();
  if (Has(kBlocked)) worker_.Kick();
}

void ClusterLock::Unlock(DlmMode mode, lockdep::Site site) {
  scheduler_.Point(OperationKind::kRelease, dlm_.object(resource_));
  if (scheduler_.unwinding()) return;
  const TaskId self = scheduler_.current();
  const auto holder = std::find_if(holders_.rbegin(), holders_.rend(),
                                   [&](const Holder& h) { return h.task == self && h.mode == mode; });
  LD_CHECK(holder != holders_.rend(), absl::StrCat("a task unlocks what it does not have: ", ToString()));
  const bool nested = holder->nested;
  holders_.erase(std::next(holder).base());
  if (!nested) dlm_.NoteRelease(resource_, site);
  if (Has(kBlocked) && !HasConflictingUsers()) worker_.Kick();
}

void ClusterLock::Drop(lockdep::Site site) {
  scheduler_.Point(OperationKind::kRelease, dlm_.object(resource_));
  if (scheduler_.unwinding()) return;
  LD_CHECK(holders_.empty() && waiting_.empty(), absl::StrCat("a lock in use is dropped: ", ToString()));
  dropping_ = true;
  while (Has(kBusy) || worker_.current() == this) Sleep(site);
  dropping_ = false;
  std::erase(worker_.queue_, this);
  if (granted_ == kNoDlmMode) return;
  if (granted_ == kDlmExclusive && !Has(kNeedsRefresh) && user_.set_lvb) user_.set_lvb(&dlm_.lvb(node_, resource_));
  flags_ = 0;
  blocking_ = kDlmNull;
  action_ = Action::kDownconvert;
  requested_ = kNoDlmMode;
  Set(kBusy);
  dlm_.Unlock(node_, resource_, static_cast<bool>(user_.set_lvb));
  while (Has(kBusy)) Sleep(site);
}

void ClusterLock::Sleep(lockdep::Site site) {
  waiting_.PushBack(scheduler_.current());
  scheduler_.Block({OperationKind::kAcquire, dlm_.object(resource_), this, site});
}

void ClusterLock::WakeAll() {
  while (!waiting_.empty()) scheduler_.Wake(waiting_.PopFront());
}

// --- who waits for whom ---

bool ClusterLock::HasConflictingUsers() const {
  return std::any_of(holders_.begin(), holders_.end(),
                     [&](const Holder& holder) { return Conflicts(holder.mode, blocking_); });
}

// Who must act before the lock is given down. An idle worker has left it to the users.
void ClusterLock::AppendGivingDown(Blockers* out) const {
  if (worker_.busy()) out->Add(worker_.task());
  for (const Holder& holder : holders_) {
    if (Conflicts(holder.mode, blocking_)) out->Add(holder.task);
  }
}

void ClusterLock::AppendBlockers(TaskId waiter, Blockers* out) const {
  if (Has(kRefreshing) && refresher_ != waiter &&
      std::any_of(holders_.begin(), holders_.end(), [&](const Holder& holder) { return holder.task == waiter; })) {
    out->Add(refresher_);
  } else if (Has(kBusy)) {
    dlm_.AppendBlockers(node_, resource_, waiter, out);
  } else if (Has(kBlocked)) {
    AppendGivingDown(out);
  }
}

// --- callbacks of the lock manager ---

void ClusterLock::OnAst(DlmStatus status) {
  if (status == DlmStatus::kGranted) {
    OnGranted();
  } else if (status == DlmStatus::kUnlocked) {
    granted_ = kNoDlmMode;
  }
  Clear(kNonblockFinished);
  action_ = Action::kNone;
  canceling_ = false;
  Clear(kBusy);
  Clear(kPending);  // the request has certainly been posted
  ++pending_generation_;
  WakeAll();
  if (Has(kBlocked)) worker_.Kick();
}

void ClusterLock::OnGranted() {
  const DlmMode before = granted_;
  granted_ = requested_;
  if (action_ == Action::kDownconvert) {
    if (!Covers(HighestCompatible(blocking_), granted_)) return;  // somebody wants more meanwhile
    blocking_ = kDlmNull;
    Clear(kBlocked);
    return;
  }
  ++grants_;
  granted_at_ns_ = scheduler_.now_ns();
  if (before == kNoDlmMode || before == kDlmNull) Set(kNeedsRefresh);
  if (action_ != Action::kConvert || bugs_.no_upconvert_finishing) return;
  if (!Has(kNonblockFinished)) Set(kUpconvertFinishing);
}

void ClusterLock::OnBast(DlmMode mode) {
  if (!Has(kBlocked)) admitted_ = 0;
  const bool lower = !Has(kBlocked) || !Covers(HighestCompatible(mode), HighestCompatible(blocking_));
  Set(kBlocked);
  if (lower) {
    blocking_ = mode;
    worker_.Queue(this);
  }
  worker_.Kick();
}

// --- the worker ---

// The table of cluster_lock.h.
bool ClusterLock::GiveDown() {
  for (;;) {
    if (!Has(kBlocked)) return true;
    if (Has(kBusy)) {
      if (!Has(kPending) && !canceling_) {
        canceling_ = true;
        dlm_.Cancel(node_, resource_);
      }
      return false;
    }
    if (Has(kUpconvertFinishing)) return false;
    if (granted_ == kDlmNull || granted_ == kNoDlmMode) {
      blocking_ = kDlmNull;
      Clear(kBlocked);
      WakeAll();
      return true;
    }
    if (HasConflictingUsers() || Has(kRefreshing)) return false;
    if (const int64_t early_ns = granted_at_ns_ + user_.minimum_hold_ns - scheduler_.now_ns(); early_ns > 0) {
      scheduler_.Sleep(early_ns);
      continue;
    }
    bool changed = false;
    if (user_.downconvert && !RunDownconvertHook(&changed)) return false;
    if (changed) continue;
    if (bugs_.admits_while_blocked && (HasConflictingUsers() || Has(kRefreshing))) continue;
    const DlmMode new_mode = HighestCompatible(blocking_);
    if (!Covers(granted_, new_mode) || granted_ == new_mode) {  // it was given down already
      blocking_ = kDlmNull;
      Clear(kBlocked);
      WakeAll();
      return true;
    }
    const bool writes = granted_ == kDlmExclusive && !Has(kNeedsRefresh) && user_.set_lvb;
    if (writes) user_.set_lvb(&dlm_.lvb(node_, resource_));
    Post(new_mode, Action::kDownconvert, false, writes);
    return true;
  }
}

// `changed`: what is wanted, or what there is to give, is not what it was.
bool ClusterLock::RunDownconvertHook(bool* changed) {
  const DlmMode blocking = blocking_;
  const DlmMode granted = granted_;
  dlm_.NoteAcquire(resource_, granted, /*trylock=*/true);
  const DownconvertAnswer answer = user_.downconvert(blocking, HighestCompatible(blocking));
  dlm_.NoteRelease(resource_);
  *changed = blocking != blocking_ || granted != granted_ || Has(kBusy);
  return answer == DownconvertAnswer::kContinue;
}

namespace {

constexpr const char* kWorkerNames[kNodesMax + 1] = {"", "node 1 downconvert", "node 2 downconvert", "node 3 downconvert",
                                                     "node 4 downconvert"};

}  // namespace

DownconvertWorker::DownconvertWorker(Dlm& dlm, NodeId node) : dlm_(dlm), node_(node) {
  Cluster& cluster = dlm.cluster();
  id_ = cluster.scheduler().NewObject("downconvert queue of node", static_cast<uint32_t>(Index(node)));
  task_ = cluster.Spawn(node, kWorkerNames[Index(node)], [this] { Serve(); }, TaskKind::kDaemon);
}

void DownconvertWorker::Kick() {
  ++kicks_;
  if (!idle_) return;
  idle_ = false;
  dlm_.cluster().scheduler().Wake(task_);
}

void DownconvertWorker::Queue(ClusterLock* lock) {
  if (!IsQueued(lock)) queue_.push_back(lock);
}

bool DownconvertWorker::IsQueued(const ClusterLock* lock) const {
  return std::find(queue_.begin(), queue_.end(), lock) != queue_.end();
}

// Each kick is one look at every lock that was queued then; those that are not ready wait for the next one.
void DownconvertWorker::Serve() {
  Scheduler& scheduler = dlm_.cluster().scheduler();
  for (;;) {
    const uint64_t kicks = kicks_;
    for (size_t looks = queue_.size(); looks > 0 && !queue_.empty(); --looks) {
      scheduler.Point(OperationKind::kWrite, id_);
      if (queue_.empty()) break;  // dropped meanwhile
      current_ = queue_.front();
      queue_.erase(queue_.begin());
      const bool done = current_->GiveDown();
      ClusterLock* lock = std::exchange(current_, nullptr);
      if (!done || (lock->blocked() && !lock->busy())) Queue(lock);
      // Nothing changed for those who wait for the lock: they would kick the worker, and it would wake them, for ever.
      if (done || lock->dropping_) lock->WakeAll();
    }
    if (kicks != kicks_) continue;
    idle_ = true;
    // Whoever waited for the worker now waits for the users of the locks that it could not give down.
    scheduler.EndIfDeadlocked();
    scheduler.Block({.kind = OperationKind::kWait, .object = id_});
    idle_ = false;
  }
}

// --- invariants ---

std::optional<std::string> ClusterLock::FindBrokenInvariant() const {
  for (const Holder& holder : holders_) {
    if (!Covers(granted_, holder.mode)) return absl::StrCat("a user has more than the node: ", ToString());
  }
  if (!Has(kBusy) && granted_ != dlm_.granted(node_, resource_)) {
    return absl::StrCat("the lock manager says ", DlmModeName(dlm_.granted(node_, resource_)), ": ", ToString());
  }
  if (Has(kBlocked) && worker_.current() != this && !worker_.IsQueued(this) && !Has(kBusy)) {
    return absl::StrCat("nobody will give it down: ", ToString());
  }
  return std::nullopt;
}

std::string ClusterLock::ToString() const {
  std::string text = absl::StrCat(dlm_.ToString(resource_), "; on node ", Index(node_), ": ", DlmModeName(granted_));
  const std::pair<Flag, const char*> names[] = {{kBusy, "BUSY"},
                                                {kPending, "PENDING"},
                                                {kUpconvertFinishing, "UPCONVERT_FINISHING"},
                                                {kNonblockFinished, "NONBLOCK_FINISHED"},
                                                {kNeedsRefresh, "NEEDS_REFRESH"},
                                                {kRefreshing, "REFRESHING"}};
  for (const auto& [flag, name] : names) {
    if (Has(flag)) absl::StrAppend(&text, ", ", name);
  }
  if (Has(kBlocked)) absl::StrAppend(&text, ", BLOCKED by ", DlmModeName(blocking_));
  return absl::StrCat(text, ", ", holders_.size(), " users");
}

}  // namespace ordeal
