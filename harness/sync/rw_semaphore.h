// A kernel rw-semaphore: FIFO queue with hand-off; not recursive, since a reader queues behind a waiting writer. Where the
// kernel's rules let a reader pass the queue (optimistic stealing: no writer owner, at most one reader inside), that is a choice
// (ChoiceKind::kReaderSteal; 0, the quiet answer, keeps the order) if StealRule::kLegal.
// Source: kernel/locking/rwsem.c as described in protocols 1.1.1.
//
// Thread-safety: tasks of one simulation.
// Invariants:    a writer excludes everybody; the first waiter is woken first; a woken group of readers is all the
//                readers at the head of the queue. A trylock may fail as a fault (ChoiceKind::kTrylock).
// Example:
//   RwSemaphore lock(sim, sim.Class("i_rwsem"), "i_rwsem of inode", 3);
//   lock.LockShared();  lock.UnlockShared();
//   lock.LockExclusive(4);  lock.Downgrade();  lock.UnlockShared();
#ifndef ORDEAL_HARNESS_SYNC_RW_SEMAPHORE_H_
#define ORDEAL_HARNESS_SYNC_RW_SEMAPHORE_H_

#include "absl/container/inlined_vector.h"
#include "harness/sync/simulation.h"

namespace ordeal {

enum class StealRule : uint8_t { kNever, kLegal };

class RwSemaphore : public Waitable {
 public:
  RwSemaphore(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "rwsem", uint32_t number = 0,
              StealRule steal = StealRule::kNever);

  void LockExclusive(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  bool TryLockExclusive(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  void UnlockExclusive(lockdep::Site site = lockdep::Site::Here());
  void LockShared(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  bool TryLockShared(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  void UnlockShared(lockdep::Site site = lockdep::Site::Here());
  // False, with nothing taken, if a signal (a fault, ChoiceKind::kSignal) ends the wait.
  bool LockExclusiveKillable(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  bool LockSharedKillable(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  void Downgrade(lockdep::Site site = lockdep::Site::Here());

  bool HeldExclusiveByCurrent() const;
  bool HeldByCurrent() const;  // in either mode
  int readers() const { return static_cast<int>(readers_.size()); }
  TaskId writer() const { return writer_; }
  ObjectId id() const { return id_; }
  // For the same-class order of classes with ordered_by_key.
  void set_order_key(uint64_t key) { map_.order_key = key; }

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 private:
  struct Waiter {
    TaskId task;
    bool exclusive;
  };
  bool CanTake(bool exclusive) const;
  void Take(TaskId task, bool exclusive);
  bool Steals();
  bool LockOrQueue(bool exclusive, int subclass, lockdep::Site site);
  void Lock(bool exclusive, int subclass, lockdep::Site site);
  bool LockKillable(bool exclusive, int subclass, lockdep::Site site);
  bool TryLock(bool exclusive, int subclass, lockdep::Site site);
  void Unlock(bool exclusive, lockdep::Site site);
  void WakeHead();

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  StealRule steal_;
  TaskId writer_ = kNoTask;
  absl::InlinedVector<TaskId, 8> readers_;
  absl::InlinedVector<Waiter, 8> waiters_;
  uint64_t declared_shared_ = 0;  // bit t: the acquisition that task t declared last is a shared one
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_RW_SEMAPHORE_H_
