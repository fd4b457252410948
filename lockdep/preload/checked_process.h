// The validator inside a checked program: one per process, and the state of each thread.
//
// Every interposed function begins with Enter() and ends with Leave(). Between them the thread counts as being inside the
// validator: locks that the validator's own code takes, and those of a signal handler that interrupts it, are passed through
// unseen. Enter() is null when there is nothing to do: no launcher asked for a check, start-up is under way, the thread is
// ending, or it is inside already.
//
// Thread-safety: any thread. Thread states belong to their thread; another looks at them only in a forked child.
// Invariants:    between Enter and Leave no function of the program runs; errno is kept.
// Cost:          Enter and Leave: a thread-local load, a shared load that is never written, two stores.
// Example:
//   if (ThreadState* thread = Enter()) {
//     Acquire(*thread, *entry, Mode::kExclusive, false, site);
//     Leave(*thread);
//   }
#ifndef ORDEAL_LOCKDEP_PRELOAD_CHECKED_PROCESS_H_
#define ORDEAL_LOCKDEP_PRELOAD_CHECKED_PROCESS_H_

#include <pthread.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lockdep/preload/channel.h"
#include "lockdep/preload/lock_registry.h"
#include "lockdep/preload/nesting_order.h"
#include "lockdep/preload/record_writer.h"
#include "lockdep/preload/user_site.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

struct ThreadState {
  explicit ThreadState(std::string thread_name, uint32_t id) : name(std::move(thread_name)), task(name.c_str(), id) {
    record.thread = id;
  }

  std::string name;  // before task, which points into it
  TaskContext task;
  SiteCache sites;
  pid_t tid = 0;
  uint32_t releases_seen = 0;                // of CheckedProcess::foreign_releases
  int exit_rounds = 0;                       // destructor rounds left to wait before the thread counts as ended
  std::array<uint16_t, 64> held_by_class{};  // locks held, by class modulo 64: is a scan for the same class needed?
  ThreadState* next = nullptr;
  ThreadState* previous = nullptr;
  RecordBuffer record;
  // Calls of pthread_once that have not returned, innermost last; when recording only.
  struct Once {
    LockEntry* lock;
    void (*routine)();
    bool runs;
  };
  std::vector<Once> onces;
  bool follows_events = false;  // what it acquires is remembered, see FollowEvents
};

struct CheckedProcess {
  explicit CheckedProcess(const ValidatorOptions& options) : validator(options), registry(validator) {}

  Validator validator;
  LockRegistry registry;
  NestingOrder nesting;
  Channel channel;
  RecordWriter record;
  bool strict_nesting = false;
  bool posix_rwlocks = false;
  std::atomic<bool> events_used{false};  // the program has something that threads wait for and others trigger
  // Raised when a task releases what another holds, or when the first event is made: each thread then notices at its next Enter.
  std::atomic<uint32_t> foreign_releases{0};
  std::atomic<uint32_t> next_thread{1};

  RawLock threads_lock;  // a leaf but for the heap's
  ThreadState* threads = nullptr;
  absl::flat_hash_map<uintptr_t, uint32_t> thread_numbers;  // by pthread_t, of threads that can still be joined
};

// Null until the process is set up, and in a process that no launcher asked to check.
extern CheckedProcess* process;

struct ThreadLocal {
  ThreadState* state;
  bool inside;
  bool ended;
  bool news;  // the validator may have found something
};
extern __thread ThreadLocal thread_local_state __attribute__((tls_model("initial-exec")));

ThreadState* EnterFirst();
void NoticeOthers(ThreadState& thread);
void SendNews();

inline ThreadState* Enter() {
  ThreadLocal& local = thread_local_state;
  if (__builtin_expect(local.inside, 0)) return nullptr;
  ThreadState* thread = local.state;
  if (__builtin_expect(thread == nullptr, 0)) {
    thread = EnterFirst();
    if (thread == nullptr) return nullptr;
  }
  local.inside = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (__builtin_expect(thread->releases_seen != process->foreign_releases.load(std::memory_order_relaxed), 0)) {
    NoticeOthers(*thread);
  }
  return thread;
}

inline void Leave(ThreadState&) {
  ThreadLocal& local = thread_local_state;
  if (__builtin_expect(local.news, 0)) SendNews();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  local.inside = false;
}

// ---- between Enter and Leave

// The place of the lock call whose interposed function has the frame `frame`: frame pointer, then return address.
inline Site SiteAt(ThreadState& thread, const void* frame) {
  return Site::FromAddress(UserSite(thread.sites, static_cast<const void* const*>(frame)[1], frame));
}

// What the thread holds of the lock, as an acquisition or a request for one, if a recording was asked for.
void RecordHeld(ThreadState& thread, const LockEntry& lock, EventOp op);
inline void Record(ThreadState& thread, const LockEntry& lock, EventOp op, Site site, uint8_t flags = 0) {
  if (__builtin_expect(!process->record.is_open(), 1)) return;
  RecordSlot slot;
  slot.site = site.is_address() ? reinterpret_cast<uintptr_t>(site.address()) : 0;
  slot.object = static_cast<uint32_t>(lock.ordinal);
  slot.flags = flags;
  process->record.Append(thread.record, op, slot);
}

// Judges and notes an acquisition: before it blocks, or after it succeeded without blocking (`trylock`).
void AcquireNested(ThreadState& thread, LockEntry& lock, Mode mode, bool trylock, Site site);
inline void Acquire(ThreadState& thread, LockEntry& lock, Mode mode, bool trylock, Site site) {
  uint16_t& held = thread.held_by_class[Index(lock.lock_class) % 64];
  if (__builtin_expect(held++ != 0, 0)) {
    AcquireNested(thread, lock, mode, trylock, site);
  } else {
    AcquireOptions options;
    options.trylock = trylock;
    options.site = site;
    process->validator.Acquire(thread.task, lock.map(), mode, options);
  }
  // Of the others nobody knows yet when they will be held (record_hooks.h); a semaphore's events are its waits and posts.
  if (trylock && lock.kind != PthreadKind::kSemaphore) RecordHeld(thread, lock, EventOp::kAcquire);
}

inline void Release(ThreadState& thread, LockEntry& lock, Site site) {
  const size_t before = thread.task.held().size();
  process->validator.Release(thread.task, lock.map(), site);
  if (thread.task.held().size() < before) --thread.held_by_class[Index(lock.lock_class) % 64];
}

inline bool Holds(const ThreadState& thread, const LockEntry& lock) {
  const HeldStack& held = thread.task.held();
  return (!held.empty() && held.back().map == &lock) || thread.task.Holds(lock);
}

// A release of a lock that this thread does not hold. The holder's stack is its own, so it forgets the lock by itself.
void ReleaseForOther(ThreadState& thread, LockEntry& lock, Site site, bool report);
// The lock's memory is made a lock anew, or destroyed.
void Reinitialised(ThreadState& thread, LockEntry& lock, bool held_now, Site site);

// From now on each thread remembers what it acquires, so that an event can be judged by what its trigger came after.
void FollowEvents();
void FollowEvents(ThreadState& thread);

// ---- threads

// A state for a thread that is about to be created by `parent`, which may be null.
ThreadState* NewThread(ThreadState* parent, const void* start_routine);
// In the new thread, first.
void AdoptThread(ThreadState* thread);
// A thread that was never started.
void DropThread(ThreadState* thread);
// `joined`: what ThreadNumber gave before the join, 0 if unknown.
uint32_t ThreadNumber(pthread_t thread);
void Joined(ThreadState& thread, pthread_t handle, uint32_t joined);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_CHECKED_PROCESS_H_
