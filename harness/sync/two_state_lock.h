// A two-state lock: any number of holders of one state, none of the other. bcachefs has one a mapping: who adds folios to the
// page cache holds "add", who must keep the cache empty (direct writes, truncate) holds "block".
//
// Not fair: who arrives in the state that is held joins its holders past all who wait for the other one, and a release to zero
// wakes everybody; the schedule says who gets it. So nested holds of one state never wait for each other, and one state can
// starve the other (B76). A hold is a number of units. It may be handed over to an asynchronous I/O and is then released by
// the task of its completion. One task in both states is a deadlock with itself.
// Source: fs/bcachefs/two_state_shared_lock.c as described in protocols 2.5.1.
//
// Thread-safety: tasks of one simulation.
// Invariants:    units of add * units of block == 0 (S11); a waiter re-tests after each wake-up.
// Cost:          a scheduling point and a validator acquisition each unit; a release to zero wakes all waiters.
// Lock order:    the class is registered with .kind = &lockdep::kTwoStateLock; several mappings: .ordered_by_key and order_key.
// Example:
//   TwoStateLock pagecache_lock(sim, sim.Class("pagecache_lock", {.kind = &lockdep::kTwoStateLock}), "pagecache_lock", 3);
//   pagecache_lock.Lock(TwoState::kBlock);
//   pagecache_lock.HandOver(TwoState::kBlock);  // submits; the I/O has it now
//   ... in the completion's task:
//   pagecache_lock.TakeOver(TwoState::kBlock);
//   pagecache_lock.Unlock(TwoState::kBlock);
#ifndef ORDEAL_HARNESS_SYNC_TWO_STATE_LOCK_H_
#define ORDEAL_HARNESS_SYNC_TWO_STATE_LOCK_H_

#include <optional>
#include <string>

#include "absl/container/inlined_vector.h"
#include "harness/sync/simulation.h"
#include "lockdep/graph/lock_kind.h"

namespace ordeal {

enum class TwoState : uint8_t { kAdd = lockdep::kTwoStateAdd, kBlock = lockdep::kTwoStateBlock };

// The units of a two-state lock, by state: all of them, and whose they are.
struct TwoStateUnits {
  int all[2] = {0, 0};
  int of_io[2] = {0, 0};
  int of_tasks[2] = {0, 0};
};
// S11 and S16: one state at a time (the kernel's word has one sign), and every unit has an owner. What is wrong, if anything.
std::optional<std::string> FindIllegalUnits(const TwoStateUnits& units);

class TwoStateLock : public Waitable {
 public:
  TwoStateLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "two-state lock",
               uint32_t number = 0, uint64_t order_key = 0);

  void Lock(TwoState state, int units = 1, lockdep::Site site = lockdep::Site::Here());
  // Fails if the other state is held; and, as a fault (ChoiceKind::kTrylock), without a reason.
  bool TryLock(TwoState state, int units = 1, lockdep::Site site = lockdep::Site::Here());
  // Units that the current task holds; of others', nothing happens but the validator's report.
  void Unlock(TwoState state, int units = 1, lockdep::Site site = lockdep::Site::Here());

  // Units of the current task now belong to an I/O, which no task is known to complete.
  void HandOver(TwoState state, int units = 1);
  // The I/O's completion begins: its units are the current task's, which unlocks them. What it waits for before, who wants the
  // other state waits for.
  void TakeOver(TwoState state, int units = 1, lockdep::Site site = lockdep::Site::Here());

  // Units held in a state, by tasks and I/O.
  int units(TwoState state) const { return units_[Index(state)]; }
  bool HeldByCurrent(TwoState state) const { return UnitsOf(sim_.scheduler().current(), state) > 0; }
  bool has_waiters() const { return !waiters_.empty(); }
  ObjectId id() const { return id_; }
  void set_order_key(uint64_t key) { map_.order_key = key; }
  std::optional<std::string> FindBroken() const;  // as FindIllegalUnits
  void CheckInvariants() const;                   // crashes

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 private:
  struct Hold {
    TaskId task;
    TwoState state;
    int units;
  };
  struct Waiter {
    TaskId task;
    TwoState state;
  };
  static size_t Index(TwoState state) { return static_cast<size_t>(state); }
  static TwoState Other(TwoState state) { return state == TwoState::kAdd ? TwoState::kBlock : TwoState::kAdd; }
  int UnitsOf(TaskId task, TwoState state) const;
  bool Free(TwoState state) const { return units_[Index(Other(state))] == 0; }
  void Declare(TwoState state);
  void Tell(TwoState state, int units, bool trylock, lockdep::Site site);
  void Take(TwoState state, int units);
  bool GiveUp(TwoState state, int units, lockdep::Site site);
  void AddHold(TwoState state, int units);
  void LeaveQueue(TwoState state);
  void WakeAll();

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  int units_[2] = {0, 0};
  int units_of_io_[2] = {0, 0};  // of units_, those that were handed over
  absl::InlinedVector<Hold, 4> holds_;  // of tasks
  absl::InlinedVector<Waiter, 4> waiters_;  // in order of arrival, until they have it
  uint64_t declared_block_ = 0;  // bit t: the acquisition that task t declared last is for kBlock
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_TWO_STATE_LOCK_H_
