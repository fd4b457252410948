#include "harness/filesystems/gfs2/glock.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

int KindMode(GlockState state) {
  switch (state) {
    case GlockState::kShared: return lockdep::kGlockShared;
    case GlockState::kDeferred: return lockdep::kGlockDeferred;
    default: return lockdep::kGlockExclusive;
  }
}

bool GoTogether(GlockState a, GlockState b) { return a == b && a != GlockState::kExclusive; }

}  // namespace

const char* GlockStateName(GlockState state) {
  switch (state) {
    case GlockState::kUnlocked: return "UN";
    case GlockState::kShared: return "SH";
    case GlockState::kDeferred: return "DF";
    case GlockState::kExclusive: return "EX";
  }
  return "?";
}

DlmMode DlmModeOf(GlockState state) {
  switch (state) {
    case GlockState::kUnlocked: return lockdep::kDlmNull;
    case GlockState::kShared: return lockdep::kDlmProtectedRead;
    case GlockState::kDeferred: return lockdep::kDlmConcurrentWrite;
    case GlockState::kExclusive: return lockdep::kDlmExclusive;
  }
  return lockdep::kDlmNull;
}

Glock::Glock(Simulation& sim, Dlm& dlm, NodeId node, ResourceId resource, lockdep::LockClassId lock_class,
             uint32_t number, GlockOptions options, GlockOperations operations)
    : sim_(sim),
      dlm_(dlm),
      node_(node),
      resource_(resource),
      number_(number),
      options_(options),
      operations_(std::move(operations)),
      map_(sim.validator().NewMap(lock_class, "glock of inode", number, number)),
      id_(sim.scheduler().NewObject("glock of inode", number, this)) {
  dlm_.Attach(node, resource,
              {.on_bast = [this](DlmMode mode) { OnBlocking(mode); },
               .append_blockers = [this](TaskId, Blockers* out) { AppendRemoteBlockers(out); }});
  worker_ = sim.scheduler().Spawn("glock_workqueue", [this] { Work(); }, TaskKind::kDaemon);
  dlm_.cluster().Bind(worker_, node);
}

void Glock::Declare(GlockState state) {
  if (sim_.scheduler().in_task()) declared_[Index(sim_.scheduler().current())] = state;
}

void Glock::NoteAcquire(GlockState state, bool trylock, lockdep::Site site) {
  sim_.validator().AcquireMode(sim_.context(), map_, KindMode(state), {.trylock = trylock, .site = site});
}

int Glock::Find(TaskId task, bool granted) const {
  for (int i = static_cast<int>(holders_.size()) - 1; i >= 0; --i) {
    const Holder& holder = holders_[static_cast<size_t>(i)];
    if (holder.task == task && holder.granted == granted) return i;
  }
  return -1;
}

void Glock::Remove(int holder) { holders_.erase(holders_.begin() + holder); }

// --- holders ---

void Glock::Lock(GlockState state, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  const TaskId self = scheduler.current();
  Declare(state);
  scheduler.Point(OperationKind::kAcquire, id_);
  NoteAcquire(state, false, site);
  const int first = Find(self, true);
  const bool recursive = first >= 0 && !holders_[static_cast<size_t>(first)].may_demote;
  holders_.push_back({self, state});
  DropDemotable(state);
  RunQueue();
  int spurious_left = kSpuriousWakesMax;
  while (Find(self, false) >= 0 && !scheduler.unwinding()) {
    scheduler.BlockRetesting({OperationKind::kAcquire, id_, this, site}, &spurious_left);
  }
  if (recursive) operations_.recursion();
}

bool Glock::TryLock(GlockState state, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_);
  const bool nobody_waits = holders_.empty() || holders_.back().granted;
  const Holder holder{scheduler.current(), state};
  if (busy_ || DemotePending() || !nobody_waits || !MayGrant(holder)) return false;
  holders_.push_back(holder);
  holders_.back().granted = true;
  NoteAcquire(state, true, site);
  return true;
}

void Glock::Unlock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_);
  if (scheduler.unwinding()) return;
  const int holder = Find(scheduler.current(), true);
  LD_CHECK(holder >= 0, absl::StrCat("an unlock by who does not hold it: ", ToString()));
  sim_.validator().Release(sim_.context(), map_, site);
  Remove(holder);
  RunQueue();
}

// What may be taken away is not held as far as lock orders go.
void Glock::AllowDemote(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_);
  if (scheduler.unwinding()) return;
  const int holder = Find(scheduler.current(), true);
  LD_CHECK(holder >= 0, absl::StrCat("only a holder can be demoted: ", ToString()));
  sim_.validator().Release(sim_.context(), map_, site);
  holders_[static_cast<size_t>(holder)].may_demote = true;
  for (size_t i = 0; i < holders_.size(); ++i) {
    if (!holders_[i].granted) DropDemotable(holders_[i].state);
  }
  RunQueue();
}

bool Glock::DisallowDemote(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_);
  const int holder = Find(scheduler.current(), true);
  if (holder < 0) return false;
  Holder& mine = holders_[static_cast<size_t>(holder)];
  mine.may_demote = false;
  NoteAcquire(mine.state, true, site);
  return true;
}

// The holders that may be taken away and do not go together with what is wanted.
void Glock::DropDemotable(GlockState wanted) {
  std::erase_if(holders_, [wanted](const Holder& holder) {
    return holder.granted && holder.may_demote && !GoTogether(holder.state, wanted);
  });
}

bool Glock::AnyGranted() const { return !holders_.empty() && holders_.front().granted; }

// One that cannot be taken away.
bool Glock::AnyStrong() const {
  return std::any_of(holders_.begin(), holders_.end(), [](const Holder& h) { return h.granted && !h.may_demote; });
}

bool Glock::MayGrant(const Holder& holder) const {
  if (AnyGranted() && !GoTogether(holders_.front().state, holder.state)) return false;
  return state_ == holder.state || state_ == GlockState::kExclusive;
}

// Grants from the front. `before_demotion`: the state has just been fetched for the first of them.
void Glock::Promote(bool before_demotion) {
  if (busy_ || (DemotePending() && !before_demotion)) return;
  for (Holder& holder : holders_) {
    if (holder.granted) continue;
    if (!MayGrant(holder)) return;
    holder.granted = true;
    sim_.scheduler().Wake(holder.task);
  }
}

void Glock::RunQueue() {
  if (DemotePending()) DropDemotable(demote_state_);
  Promote(false);
  if (worker_idle_ && HasWork()) sim_.scheduler().Wake(worker_);
}

void Glock::AppendBlockers(TaskId waiter, Blockers* out) const {
  const int self = Find(waiter, false);
  const GlockState wanted = self >= 0 ? holders_[static_cast<size_t>(self)].state : declared_[Index(waiter)];
  const size_t end = self >= 0 ? static_cast<size_t>(self) : holders_.size();
  bool found = false;
  for (size_t i = 0; i < end; ++i) {
    const Holder& holder = holders_[i];
    const bool before_demotion = holder.granted && DemotePending();
    if (holder.may_demote || (GoTogether(holder.state, wanted) && !before_demotion)) continue;
    out->Add(holder.task);
    found = true;
  }
  if (!found) out->Add(worker_);
}

// --- the worker ---

// A wish of another node. Which state goes together with it: none but SH with SH, DF with DF; and DF does not become SH without
// being unlocked in between, so that demotions never wait for other nodes.
void Glock::OnBlocking(DlmMode mode) {
  GlockState wanted = GlockState::kUnlocked;
  if (mode == lockdep::kDlmProtectedRead && state_ == GlockState::kExclusive) wanted = GlockState::kShared;
  if (mode == lockdep::kDlmConcurrentWrite && state_ == GlockState::kExclusive) wanted = GlockState::kDeferred;
  if (options_.demotes_sideways && mode == lockdep::kDlmConcurrentWrite) wanted = GlockState::kDeferred;
  if (demote_requested_ && demote_state_ != wanted) wanted = GlockState::kUnlocked;
  demote_requested_ = true;
  demote_state_ = wanted;
  demotion_waits_ = !holders_.empty();
  RunQueue();
}

void Glock::AppendRemoteBlockers(Blockers* out) const {
  bool found = false;
  for (const Holder& holder : holders_) {
    if (busy_ || !holder.granted || holder.may_demote) continue;
    out->Add(holder.task);
    found = true;
  }
  if (!found) out->Add(worker_);
}

bool Glock::HasWork() const {
  if (DemotePending()) return !AnyStrong();
  return !holders_.empty() && !AnyGranted();
}

void Glock::Work() {
  Scheduler& scheduler = sim_.scheduler();
  for (;;) {
    while (!HasWork()) {
      worker_idle_ = true;
      scheduler.Block({OperationKind::kWait, id_});
      worker_idle_ = false;
    }
    Step();
  }
}

void Glock::Step() {
  if (!DemotePending()) {
    demote_requested_ = false;
    Promote(false);
    if (HasWork()) Xmote(holders_.front().state, GlockCause::kPromotion);
    return;
  }
  const int64_t rest_ns = changed_at_ns_ + options_.hold_ns - sim_.scheduler().now_ns();
  if (demotion_waits_ && options_.hold_ns > 0 && rest_ns > 0 && state_ != GlockState::kUnlocked) {
    // Until then it is nobody's wish (GLF_PENDING_DEMOTE): local requests go on.
    const GlockState wanted = demote_state_;
    demote_requested_ = false;
    Promote(false);
    sim_.scheduler().Sleep(rest_ns);
    if (demote_requested_ && demote_state_ != wanted) demote_state_ = GlockState::kUnlocked;
    if (!demote_requested_) demote_state_ = wanted;
    demote_requested_ = true;
    if (!HasWork()) return;
  }
  Xmote(demote_state_, GlockCause::kDemotion);
}

void Glock::PrepareLeave(GlockState target) {
  if (state_ == GlockState::kUnlocked) return;
  NoteAcquire(state_, true, lockdep::Site::Here());
  if (state_ == GlockState::kExclusive && target != GlockState::kExclusive) operations_.sync();
  const bool drops = target == GlockState::kUnlocked ||
                     (target == GlockState::kDeferred && !options_.deferred_keeps_cache);
  if (drops) operations_.invalidate();
  sim_.validator().Release(sim_.context(), map_, lockdep::Site::Here());
}

DlmStatus Glock::Convert(GlockState target, GlockCause cause) {
  dlm_.Request(node_, resource_, DlmModeOf(target));
  const DlmStatus status = dlm_.Wait(node_, resource_);
  if (status != DlmStatus::kGranted) return status;
  if (!IsLegalGlockTransition(state_, target, cause) && operations_.illegal_transition) {
    operations_.illegal_transition(absl::StrCat("to ", GlockStateName(target), ": ", ToString()));
  }
  state_ = target;
  return status;
}

void Glock::Xmote(GlockState target, GlockCause cause) {
  busy_ = true;
  const GlockState from = state_;
  PrepareLeave(target);
  if (Convert(target, cause) == DlmStatus::kDeadlock) {  // the retry ladder: by way of unlocked
    if (!options_.ladder_keeps_cache) PrepareLeave(GlockState::kUnlocked);
    Convert(GlockState::kUnlocked, GlockCause::kLadder);
    Convert(target, cause);
  }
  LD_CHECK(state_ == target || sim_.scheduler().unwinding(), absl::StrCat("a conversion that failed: ", ToString()));
  if (target != GlockState::kUnlocked && from != GlockState::kExclusive) operations_.refresh();
  changed_at_ns_ = sim_.scheduler().now_ns();
  if (demote_requested_ && demote_state_ == state_) demote_requested_ = false;
  busy_ = false;
  Promote(true);
}

// --- S16 ---

bool IsLegalGlockTransition(GlockState from, GlockState to, GlockCause cause) {
  if (from == to) return false;
  switch (cause) {
    case GlockCause::kPromotion: return to != GlockState::kUnlocked && from != GlockState::kExclusive;
    case GlockCause::kDemotion: return to == GlockState::kUnlocked || from == GlockState::kExclusive;
    case GlockCause::kLadder: return to == GlockState::kUnlocked;
  }
  return false;
}

const char* FindIllegalHolders(GlockState state, absl::Span<const GlockHolderState> holders) {
  bool waiting = false;
  for (const GlockHolderState& holder : holders) {
    waiting |= !holder.granted;
    if (waiting && holder.granted) return "a granted holder behind a waiting one";
    if (!holder.granted) continue;
    if (state != holder.state && state != GlockState::kExclusive) return "a holder that the state does not allow";
    if (&holder != &holders.front() && !GoTogether(holders.front().state, holder.state)) {
      return "holders that do not go together";
    }
  }
  return nullptr;
}

std::optional<std::string> Glock::FindBroken() const {
  std::vector<GlockHolderState> holders;
  for (const Holder& holder : holders_) holders.push_back({holder.state, holder.granted});
  const char* const broken = FindIllegalHolders(state_, holders);
  if (broken == nullptr) return std::nullopt;
  return absl::StrCat(broken, ": ", ToString());
}

std::string Glock::ToString() const {
  std::string text = absl::StrCat("glock ", number_, " of node ", Index(node_), ": ", GlockStateName(state_));
  for (const Holder& holder : holders_) {
    absl::StrAppend(&text, holder.granted ? ", holder " : ", waiter ", GlockStateName(holder.state));
  }
  return text;
}

}  // namespace ordeal
