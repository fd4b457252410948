// A glock: GFS2's cluster-wide lock of one inode, as one node has it. The node has it in a state (through the Dlm), local holders
// share that state; both are asked for in one place.
//
// Holders queue in order of arrival. Those whose mode goes together with the holders before them, and that the state allows, are
// granted; the first one that the state does not allow makes the worker fetch a better one (do_xmote). Another node's wish is a
// demote request: when the last holder is gone (and the minimum hold time is over) the worker writes back (go_sync), drops the
// cache (go_inval) and gives the lock down. Two different wishes merge to "unlocked". After each new state the first waiters are
// served before the next demote request.
// The kernel does parts of the worker's job in the task that queues or dequeues; here it is always the worker.
//
// Thread-safety: tasks of one simulation; one worker task ("glock_workqueue") a glock.
// Invariants:    granted holders are a prefix of the queue and go together; the state allows them all (S16); a task has at most
//                one holder of a glock (the kernel's BUG; here noted as S16, and as a deadlock where the holders conflict).
// Lock order:    i_rwsem > mmap_lock > glock > folio_lock; for the validator the worker has the glock, in the state that it
//                leaves.
// Example:
//   glock.Lock(GlockState::kShared); ... glock.Unlock();
#ifndef ORDEAL_HARNESS_FILESYSTEMS_GFS2_GLOCK_H_
#define ORDEAL_HARNESS_FILESYSTEMS_GFS2_GLOCK_H_

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "harness/cluster/dlm.h"

namespace ordeal {

enum class GlockState : uint8_t { kUnlocked, kShared, kDeferred, kExclusive };
const char* GlockStateName(GlockState state);  // "SH"
DlmMode DlmModeOf(GlockState state);           // NL, PR, CW, EX

// What an inode does when the state of its glock changes (glops); called by the worker.
struct GlockOperations {
  std::function<void()> sync;        // before EX is left
  std::function<void()> invalidate;  // before the cache must be gone
  std::function<void()> refresh;     // the node may have missed changes: i_size is read again
  std::function<void()> recursion;   // a task has two holders of the glock
  std::function<void(const std::string&)> illegal_transition;  // S16
};

// A holder, as far as S16 is concerned.
struct GlockHolderState {
  GlockState state = GlockState::kUnlocked;
  bool granted = false;
};
// S16: the granted holders stand in front, go together, and the glock's state allows each. What is wrong, if anything.
const char* FindIllegalHolders(GlockState state, absl::Span<const GlockHolderState> holders);

// Why a glock changes its state: for a holder that waits here, because another node waits, or on the way to another state, when the
// lock manager has refused a conversion.
enum class GlockCause : uint8_t { kPromotion, kDemotion, kLadder };
// S16, protocols 2.6.1 and 2.6.2. p: promotion, d: demotion, l: ladder.
// | from, to | UN | SH | DF | EX |  EX serves every holder here: no promotion leaves it. SH and DF do not go together, neither
// | UN        |    | p  | p  | p  |  here nor between nodes: no demotion leads from one to the other, both end in UN.
// | SH        | dl |    | p  | p  |
// | DF        | dl | p  |    | p  |
// | EX        | dl | d  | d  |    |
bool IsLegalGlockTransition(GlockState from, GlockState to, GlockCause cause);

struct GlockOptions {
  int64_t hold_ns = 0;                // minimum time from a new state to a demotion that comes while holders are queued
  bool deferred_keeps_cache = false;  // B61
  bool ladder_keeps_cache = false;    // B64, the data form
  bool demotes_sideways = false;      // SH to DF for another node: nobody's bug, for the test of S16
};

class Glock : public Waitable {
 public:
  Glock(Simulation& sim, Dlm& dlm, NodeId node, ResourceId resource, lockdep::LockClassId lock_class, uint32_t number,
        GlockOptions options, GlockOperations operations);

  // gfs2_glock_nq and gfs2_glock_dq.
  void Lock(GlockState state, lockdep::Site site = lockdep::Site::Here());
  bool TryLock(GlockState state, lockdep::Site site = lockdep::Site::Here());  // LM_FLAG_TRY: never waits, sends nothing
  void Unlock(lockdep::Site site = lockdep::Site::Here());

  // From here on a conflicting request may take the current task's holder away (HIF_MAY_DEMOTE, 5.16 and 5.17).
  void AllowDemote(lockdep::Site site = lockdep::Site::Here());
  // True: it is still there. False: it has been taken away; there is nothing to unlock.
  bool DisallowDemote(lockdep::Site site = lockdep::Site::Here());

  GlockState state() const { return state_; }
  bool busy() const { return busy_; }  // the state is about to change
  bool unused() const { return holders_.empty(); }
  bool HeldByCurrent() const { return Find(sim_.scheduler().current(), true) >= 0; }
  // The cluster lets this node have it in some mode: what the inode says of the file (i_size) is true.
  bool valid() const { return state_ != GlockState::kUnlocked && dlm_.granted(node_, resource_) > lockdep::kDlmNull; }
  // S16: what is wrong with holders and state, if anything.
  std::optional<std::string> FindBroken() const;
  std::string ToString() const;  // "glock 2 of node 1: SH, holders SH SH, waiting EX"

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 private:
  struct Holder {
    TaskId task = kNoTask;
    GlockState state = GlockState::kUnlocked;
    bool granted = false;
    bool may_demote = false;
  };

  void Declare(GlockState state);
  int Find(TaskId task, bool granted) const;  // the youngest one; -1: none
  bool AnyGranted() const;
  bool AnyStrong() const;
  bool MayGrant(const Holder& holder) const;
  void Promote(bool before_demotion);
  void DropDemotable(GlockState wanted);
  void Remove(int holder);
  void RunQueue();

  void Work();
  bool HasWork() const;
  void Step();
  void Xmote(GlockState target, GlockCause cause);
  void PrepareLeave(GlockState target);
  DlmStatus Convert(GlockState target, GlockCause cause);
  void OnBlocking(DlmMode mode);
  void AppendRemoteBlockers(Blockers* out) const;
  void NoteAcquire(GlockState state, bool trylock, lockdep::Site site);
  bool DemotePending() const {
    return demote_requested_ && state_ != GlockState::kUnlocked && demote_state_ != state_;
  }

  Simulation& sim_;
  Dlm& dlm_;
  const NodeId node_;
  const ResourceId resource_;
  const uint32_t number_;
  const GlockOptions options_;
  const GlockOperations operations_;
  const lockdep::LockMap map_;
  const ObjectId id_;
  TaskId worker_ = kNoTask;
  bool worker_idle_ = false;

  GlockState state_ = GlockState::kUnlocked;
  std::vector<Holder> holders_;  // in order of arrival; the granted ones first
  bool busy_ = false;            // the worker changes the state (GLF_LOCK)
  bool demote_requested_ = false;
  GlockState demote_state_ = GlockState::kUnlocked;
  bool demotion_waits_ = false;  // for the end of the hold time
  int64_t changed_at_ns_ = 0;
  std::array<GlockState, kTasksMax> declared_{};  // by task: what it is about to ask for
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_GFS2_GLOCK_H_
