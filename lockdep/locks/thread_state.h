// What one thread carries for the validator. Internal to lockdep/locks.
//
// A thread gets its state at its first tracked operation and loses it behind its last thread_local destructor (by the
// destructor of a pthread key); a state that a thread has left is used again by another and never freed, because
// Validator::FindHolder may still look at it.
//
// Thread-safety: one thread.
// Cost:          Current(): one load from initial-exec thread-local storage.
// Example:       if (Entry entry; entry) entry->validator->Release(entry->task, map);
#ifndef ORDEAL_LOCKDEP_LOCKS_THREAD_STATE_H_
#define ORDEAL_LOCKDEP_LOCKS_THREAD_STATE_H_

#include <cstdint>
#include <vector>

#include "lockdep/locks/lock_tracker.h"
#include "lockdep/runtime/task_context.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

// An acquisition, copied: the lock may be gone.
struct LockTaken {
  LockMap map;
  uint64_t word = 0;
  Site site;
};

// A semaphore acquisition whose release has not been seen, while it is not known whether the semaphore serves as a lock.
struct SemaphoreHold {
  const void* semaphore = nullptr;
  Site site;
  std::vector<LockTaken> since;
};

// What the thread acquired while it held semaphores of which that is not known.
class SemaphoreHolds {
 public:
  bool empty() const { return holds_.empty(); }
  void Acquired(const void* semaphore, const LockMap& map, Site site);
  void Took(const HeldLock& held);
  // Calls depends(hold, taken) for all that was taken since the acquisition; false if the thread has not acquired it.
  template <class Depends>
  bool Released(const void* semaphore, Depends depends) {
    SemaphoreHold* const hold = Find(semaphore);
    if (hold == nullptr) return false;
    for (const LockTaken& taken : hold->since) depends(*hold, taken);
    Forget(hold);
    return true;
  }

 private:
  // Beyond these the oldest is forgotten: a semaphore that nobody releases, or a very long section.
  static constexpr size_t kHoldsMax = 64;
  static constexpr size_t kTakenMax = 256;
  SemaphoreHold* Find(const void* semaphore);
  void Forget(SemaphoreHold* hold);
  void Took(const LockTaken& taken);

  std::vector<SemaphoreHold> holds_;
};

struct ThreadState {
  explicit ThreadState(Validator* process_validator) : validator(process_validator) {}

  // The calling thread's, made if need be; null while the thread is inside the validator or a handler.
  static ThreadState* Enter();
  // Ends what Enter began: delivers new violations.
  void Leave();
  // The same behind an acquisition.
  void LeaveAcquisition();

  // From now on the validator remembers what the thread acquires, for the events that it triggers.
  void FollowEvents() {
    if (__builtin_expect(!follows_events, 0)) validator->RememberAcquisitions(task);
    follows_events = true;
  }
  // `taken` was waited for while the semaphore was held.
  void Depend(const LockMap& semaphore, Site acquired, const LockTaken& taken);

  Validator* const validator;
  bool busy = false;           // inside the validator or a handler: nothing is tracked
  bool attention = false;      // a violation may be new, or semaphores is not empty: Leave must look
  bool news = false;
  bool follows_events = false;
  TaskContext task;
  TaskContext scratch;         // plays acquisitions whose order is known only later; never attached
  SemaphoreHolds semaphores;
  char name[48] = "";
};

namespace internal {
// Null until the first tracked operation.
extern constinit thread_local ThreadState* current_thread __attribute__((tls_model("initial-exec")));
extern constinit thread_local uint32_t untracked_shared_holds __attribute__((tls_model("initial-exec")));

// `number`, if not 0, is what Fork said; `name` null: the native one.
ThreadState* AttachThread(uint32_t number = 0, const char* name = nullptr);
// Also recomputes `attention`.
void DeliverViolations(ThreadState& thread);
// Threads that come to be known from now on follow events.
void NoteThatEventsExist();
}  // namespace internal

inline ThreadState* ThreadState::Enter() {
  ThreadState* thread = internal::current_thread;
  if (__builtin_expect(thread == nullptr, 0)) thread = internal::AttachThread();
  if (__builtin_expect(thread->busy, 0)) return nullptr;
  thread->busy = true;
  return thread;
}

inline void ThreadState::Leave() {
  if (__builtin_expect(attention, 0)) internal::DeliverViolations(*this);
  busy = false;
}

inline void ThreadState::LeaveAcquisition() {
  if (__builtin_expect(attention, 0)) {
    if (!semaphores.empty()) semaphores.Took(task.held().back());
    internal::DeliverViolations(*this);
  }
  busy = false;
}

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_THREAD_STATE_H_
