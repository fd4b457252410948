// A SIX lock (shared, intent, exclusive): what bcachefs' btree nodes have. One task at a time may intend to change what the lock
// guards; readers go on meanwhile. Only for the change itself it takes the lock exclusively, on top of its intent, and
// waits for the readers; new ones queue behind it.
//
// The sequence number counts exclusive sections: who has dropped the lock gets it back (Relock) only if nobody has changed
// anything since. Where a wait would deadlock, LockOrRestart says so instead of waiting: the caller drops all it holds and
// begins again (a transaction restart).
// Source: fs/bcachefs/six.h as described in protocols 2.5.3.
//
// Thread-safety: tasks of one simulation.
// Invariants:    exclusive: its owner holds intent and nobody shares; intent: one owner; intents are served in order of
//                arrival; sequence() grows by one with each exclusive section.
// Lock order:    the class is registered with .kind = &lockdep::kSixLock; a subclass tells the levels of a tree apart.
// Example:
//   SixLock node(sim, sim.Class("btree node", {.kind = &lockdep::kSixLock}), "node", 7);
//   node.Lock(SixMode::kIntent);
//   node.Lock(SixMode::kExclusive);    // waits for the readers
//   node.Unlock(SixMode::kExclusive);  // sequence() + 1
//   node.Unlock(SixMode::kIntent);
#ifndef ORDEAL_HARNESS_SYNC_SIX_LOCK_H_
#define ORDEAL_HARNESS_SYNC_SIX_LOCK_H_

#include <array>

#include "absl/container/inlined_vector.h"
#include "harness/sync/simulation.h"
#include "lockdep/graph/lock_kind.h"

namespace ordeal {

enum class SixMode : uint8_t {
  kShared = lockdep::kSixShared,
  kIntent = lockdep::kSixIntent,
  kExclusive = lockdep::kSixExclusive,
};

class SixLock : public Waitable {
 public:
  SixLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "six lock", uint32_t number = 0);

  // kExclusive: the current task must hold intent, and not exclusive already.
  void Lock(SixMode mode, int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  // False, with nothing taken, if waiting would close a cycle of waiting tasks.
  bool LockOrRestart(SixMode mode, int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  // May also fail as a fault (ChoiceKind::kTrylock).
  bool TryLock(SixMode mode, int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  void Unlock(SixMode mode, lockdep::Site site = lockdep::Site::Here());

  // A trylock that also fails if there was an exclusive section since sequence() was `sequence`. Not for kExclusive.
  bool Relock(SixMode mode, uint64_t sequence, int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  // One share of the current task becomes intent, at once or not at all: nothing can change in between.
  bool TryUpgrade(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  // Intent becomes a share; not while exclusive is held.
  void Downgrade(int subclass = 0, lockdep::Site site = lockdep::Site::Here());

  uint64_t sequence() const { return sequence_; }
  int readers() const { return static_cast<int>(readers_.size()); }
  TaskId intent_owner() const { return intent_; }
  bool is_exclusive() const { return exclusive_; }
  bool HeldByCurrent(SixMode mode) const { return Holds(sim_.scheduler().current(), mode); }
  ObjectId id() const { return id_; }
  void CheckInvariants() const;  // crashes

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return maps_[0].lock_class; }

 private:
  struct Waiter {
    TaskId task;
    SixMode mode;
  };
  const lockdep::LockMap& Map(SixMode mode) const { return maps_[static_cast<size_t>(mode)]; }
  bool Holds(TaskId task, SixMode mode) const;
  bool CanTake(SixMode mode) const;
  bool IsWaiting(SixMode mode) const;
  void Declare(OperationKind operation, SixMode mode, lockdep::Site site);
  void Tell(SixMode mode, bool trylock, int subclass, lockdep::Site site);
  void Take(TaskId task, SixMode mode);
  void GiveUp(SixMode mode);
  bool TryTake(SixMode mode, int subclass, lockdep::Site site);
  void Wait(SixMode mode, lockdep::Site site);
  void HandOff();

  Simulation& sim_;
  std::array<lockdep::LockMap, 3> maps_;  // one a mode, so that each can be released in any order
  ObjectId id_;
  uint64_t sequence_ = 0;
  bool exclusive_ = false;
  TaskId intent_ = kNoTask;
  absl::InlinedVector<TaskId, 8> readers_;  // a task is in it once a share
  absl::InlinedVector<Waiter, 8> waiters_;  // in order of arrival
  std::array<SixMode, kTasksMax> declared_{};  // by task: the mode of the acquisition that it declared last
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_SIX_LOCK_H_
