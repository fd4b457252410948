#include "lockdep/preload/checked_process.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lockdep/preload/call_chain.h"
#include "lockdep/preload/private_heap.h"
#include "lockdep/preload/real_functions.h"
#include "lockdep/preload/record_hooks.h"
#include "lockdep/preload/violation_codec.h"

namespace ordeal::lockdep {

CheckedProcess* process = nullptr;
__thread ThreadLocal thread_local_state = {nullptr, false, false, false};

namespace {

alignas(CheckedProcess) char process_storage[sizeof(CheckedProcess)];  // never destroyed: threads outlive destructors
bool backtraces_wanted = false;
pthread_key_t exit_key;
pid_t process_id = 0;
uint64_t locks_counted = 0;  // of this process's, already in the channel's counter; guarded by sent_lock

// What was sent, so that a violation is sent again when its grade or its reason has changed. Guarded by sent_lock.
RawLock sent_lock;
std::vector<std::string>* sent = nullptr;

pid_t OwnTid() { return static_cast<pid_t>(syscall(SYS_gettid)); }

bool Wanted(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::strcmp(value, "1") == 0;
}

// The validator's hook for new dependencies and violations.
std::vector<std::string> NoteNews() {
  thread_local_state.news = true;
  return backtraces_wanted ? BacktraceTokens() : std::vector<std::string>();
}

void Link(ThreadState* thread) {
  const RawLockGuard guard(process->threads_lock);
  thread->next = process->threads;
  if (thread->next != nullptr) thread->next->previous = thread;
  process->threads = thread;
}

void Unlink(ThreadState* thread) {
  const RawLockGuard guard(process->threads_lock);
  if (thread->next != nullptr) thread->next->previous = thread->previous;
  (thread->previous != nullptr ? thread->previous->next : process->threads) = thread->next;
}

void Destroy(ThreadState* thread) {
  process->validator.Detach(thread->task);
  Unlink(thread);
  delete thread;
}

// Robust mutexes are made to be left locked by a thread that ends: the next owner is told so.
void ReleaseRobust(ThreadState& thread) {
  for (size_t i = thread.task.held().size(); i-- > 0;) {
    LockEntry* lock = LockEntry::Of(thread.task.held()[i].map);
    if (!lock->robust) continue;
    Release(thread, *lock, {});
    Record(thread, *lock, EventOp::kRelease, {});
  }
}

// The destructor of exit_key. Destructors of thread-specific data and of thread_local objects may still lock and unlock, so
// the thread counts as ended only in the last round.
void ThreadExits(void* argument) {
  auto* thread = static_cast<ThreadState*>(argument);
  thread_local_state.inside = true;
  if (--thread->exit_rounds > 0) {
    pthread_setspecific(exit_key, thread);
    thread_local_state.inside = false;
    return;
  }
  ReleaseRobust(*thread);
  process->validator.TaskExit(thread->task);
  if (process->record.is_open()) process->record.Append(thread->record, EventOp::kTaskExit, {});
  if (thread_local_state.news) SendNews();
  thread_local_state.state = nullptr;
  thread_local_state.ended = true;
  Destroy(thread);
  thread_local_state.inside = false;
}

// Around fork: no lock of ours may be held by a thread that the child does not have. Ours are the last prepare handler and
// the first child handler to run (they were registered first), so the program's own handlers are still checked.
void BeforeFork() {
  thread_local_state.inside = true;
  process->registry.Lock();
  process->record.Lock();
  process->nesting.Lock();
  process->threads_lock.Lock();
  sent_lock.Lock();
  UserSiteLock();
  process->validator.LockForFork();
  PrivateHeapLock();
}

void UnlockAfterFork() {
  PrivateHeapUnlock();
  process->validator.UnlockAfterFork();
  UserSiteUnlock();
  sent_lock.Unlock();
  process->threads_lock.Unlock();
  process->nesting.Unlock();
  process->record.Unlock();
  process->registry.Unlock();
}

void AfterForkInParent() {
  UnlockAfterFork();
  thread_local_state.inside = false;
}

void RecordThread(ThreadState& thread) {
  if (!process->record.is_open()) return;
  process->record.AppendText(thread.record, RecordText::kThread, thread.task.id(), thread.name);
  process->record.Append(thread.record, EventOp::kTaskBegin, {});
}

void RecordHeldLock(ThreadState& thread, const HeldLock& held, EventOp op, uint8_t flags) {
  RecordSlot slot;
  slot.site = held.site.is_address() ? reinterpret_cast<uintptr_t>(held.site.address()) : 0;
  slot.object = static_cast<uint32_t>(LockEntry::Of(held.map)->ordinal);
  slot.mode = static_cast<uint8_t>(held.mode());
  slot.subclass = static_cast<uint8_t>(SubclassOf(held.node()));
  slot.flags = flags | (held.trylock() ? kFlagTrylock : 0) | ((held.word & kUnchecked) != 0 ? kFlagUnchecked : 0);
  process->record.Append(thread.record, op, slot);
}

// The thread that forked goes on as another task, of another process, that has locks already.
void RecordForkedThread(ThreadState& thread) {
  if (!process->record.is_open()) return;
  thread.record = {};
  thread.record.thread = thread.task.id();
  RecordSlot forked;
  forked.op = kRecordForked;
  forked.object = thread.task.id();
  process->record.AppendSlot(thread.record, forked);
  RecordThread(thread);
  for (const HeldLock& held : thread.task.held()) {
    if (LockEntry::Of(held.map)->kind == PthreadKind::kSemaphore) continue;
    RecordHeldLock(thread, held, EventOp::kAcquire, kFlagTrylock);
  }
}

// The child has one thread: the one that called fork, with what it holds. The others hold nothing any more.
void AfterForkInChild() {
  UnlockAfterFork();
  process_id = getpid();
  locks_counted = process->registry.locks();
  process->record.BecomeChild();
  for (ThreadState* thread = process->threads; thread != nullptr;) {
    ThreadState* next = thread->next;
    if (thread != thread_local_state.state) Destroy(thread);
    thread = next;
  }
  if (ThreadState* thread = thread_local_state.state; thread != nullptr) {
    thread->tid = OwnTid();
    for (const HeldLock& held : thread->task.held()) LockEntry::Of(held.map)->inherited = true;
    RecordForkedThread(*thread);
  }
  process->thread_numbers.clear();
  process->channel.counters().processes.fetch_add(1, std::memory_order_relaxed);
  thread_local_state.inside = false;
}

void SetUp() {
  ordeal_resolve_real_functions();
  const char* path = std::getenv("ORDEAL_LOCKDEP_CHANNEL");
  Channel channel;
  if (path == nullptr || !channel.Open(path)) return;
  InitialiseCallChains();
  process_id = getpid();
  backtraces_wanted = Wanted("ORDEAL_LOCKDEP_BACKTRACES");
  SetSiteNamer(&CodeToken);
  ValidatorOptions options;
  options.grade_online = !Wanted("ORDEAL_LOCKDEP_NO_GRADES");
  options.backtrace = &NoteNews;
  sent = new std::vector<std::string>;
  auto* made = new (process_storage) CheckedProcess(options);
  made->channel = channel;
  made->strict_nesting = Wanted("ORDEAL_LOCKDEP_STRICT_NESTING");
  made->posix_rwlocks = Wanted("ORDEAL_LOCKDEP_POSIX_RWLOCKS");
  made->channel.counters().processes.fetch_add(1, std::memory_order_relaxed);
  pthread_key_create(&exit_key, ThreadExits);
  const char* events = std::getenv("ORDEAL_LOCKDEP_EVENTS");
  if (events != nullptr && made->record.Open(events)) InstallRecordHooks();
  process = made;
  pthread_atfork(BeforeFork, AfterForkInParent, AfterForkInChild);
}

// Once, by the first thread that gets here, which is the only one: libraries start before threads do.
void SetUpOnce() {
  static std::atomic<bool> begun{false};
  if (begun.exchange(true)) return;
  const int error = errno;
  thread_local_state.inside = true;
  SetUp();
  thread_local_state.inside = false;
  errno = error;
}

__attribute__((constructor(101))) void Constructor() {
  SetUpOnce();
  const bool was_inside = thread_local_state.inside;
  thread_local_state.inside = true;
  ordeal_resolve_next_functions();
  if (process != nullptr && process->record.is_open()) InstallRecordHooks();
  thread_local_state.inside = was_inside;
}

// After main and the program's exit handlers. Locks still held then are no finding: the process ends.
__attribute__((destructor)) void Destructor() {
  if (process == nullptr || process_id != getpid()) return;
  const bool was_inside = thread_local_state.inside;
  thread_local_state.inside = true;
  SendNews();
  thread_local_state.inside = was_inside;
}

void RecordTask(ThreadState& thread, EventOp op, uint32_t other) {
  if (!process->record.is_open()) return;
  RecordSlot slot;
  slot.object = other;
  process->record.Append(thread.record, op, slot);
}

std::string ThreadName(uint32_t number, const void* start_routine) {
  if (number == 0) return "main thread";
  if (start_routine == nullptr) return absl::StrCat("thread ", number);
  return absl::StrCat("thread ", number, " (", FunctionToken(start_routine), ")");
}

}  // namespace

void SendNews() {
  const int error = errno;
  thread_local_state.news = false;
  const std::vector<Violation> violations = process->validator.Violations();
  const RawLockGuard guard(sent_lock);
  const uint64_t locks = process->registry.locks();
  process->channel.counters().locks.fetch_add(locks - locks_counted, std::memory_order_relaxed);
  locks_counted = locks;
  for (size_t i = 0; i < violations.size(); ++i) {
    // An event between two locks of one class says nothing about others of it, unless each nesting is to be reported.
    if (!process->strict_nesting && violations[i].grade_reason == "the locks were different ones of their class") continue;
    std::string state = absl::StrCat(violations[i].grade, violations[i].grade_reason);
    if (i < sent->size() && (*sent)[i] == state) continue;
    if (i >= sent->size()) sent->resize(i + 1);
    (*sent)[i] = std::move(state);
    process->channel.Append(RecordType::kViolation, EncodeViolation(violations[i]));
  }
  errno = error;
}

ThreadState* EnterFirst() {
  ThreadLocal& local = thread_local_state;
  if (process == nullptr) SetUpOnce();
  if (process == nullptr || local.ended || local.inside) return nullptr;
  const int error = errno;
  local.inside = true;
  const bool is_main = OwnTid() == getpid();
  ThreadState* thread = nullptr;
  if (is_main) {
    thread = new ThreadState(ThreadName(0, nullptr), 0);
    Link(thread);
    process->validator.Attach(thread->task);
  } else {
    thread = NewThread(nullptr, nullptr);
  }
  AdoptThread(thread);
  local.inside = false;
  errno = error;
  return thread;
}

ThreadState* NewThread(ThreadState* parent, const void* start_routine) {
  const uint32_t number = process->next_thread.fetch_add(1, std::memory_order_relaxed);
  auto* thread = new ThreadState(ThreadName(number, start_routine), number);
  Link(thread);
  process->validator.Attach(thread->task);
  if (parent == nullptr) return thread;
  process->validator.Fork(parent->task, number);
  RecordTask(*parent, EventOp::kFork, number);
  return thread;
}

void AdoptThread(ThreadState* thread) {
  thread->tid = OwnTid();
  thread->exit_rounds = PTHREAD_DESTRUCTOR_ITERATIONS;
  thread->releases_seen = process->foreign_releases.load(std::memory_order_relaxed);
  thread_local_state.state = thread;
  pthread_setspecific(exit_key, thread);
  FollowEvents(*thread);
  RecordThread(*thread);
  const RawLockGuard guard(process->threads_lock);
  process->thread_numbers[pthread_self()] = thread->task.id();
}

void DropThread(ThreadState* thread) { Destroy(thread); }

uint32_t ThreadNumber(pthread_t thread) {
  const RawLockGuard guard(process->threads_lock);
  const auto found = process->thread_numbers.find(thread);
  return found == process->thread_numbers.end() ? 0 : found->second;
}

void Joined(ThreadState& thread, pthread_t handle, uint32_t joined) {
  if (joined == 0) joined = ThreadNumber(handle);
  if (joined == 0) return;
  process->validator.Join(thread.task, joined);
  RecordTask(thread, EventOp::kJoin, joined);
  const RawLockGuard guard(process->threads_lock);
  const auto found = process->thread_numbers.find(handle);
  if (found != process->thread_numbers.end() && found->second == joined) process->thread_numbers.erase(found);
}

void RecordHeld(ThreadState& thread, const LockEntry& lock, EventOp op) {
  if (!process->record.is_open()) return;
  for (size_t i = thread.task.held().size(); i-- > 0;) {
    const HeldLock& held = thread.task.held()[i];
    if (held.map == &lock) return RecordHeldLock(thread, held, op, 0);
  }
}

void FollowEvents() {
  if (process->events_used.exchange(true, std::memory_order_relaxed)) return;
  process->foreign_releases.fetch_add(1, std::memory_order_release);
}

void FollowEvents(ThreadState& thread) {
  if (thread.follows_events || !process->events_used.load(std::memory_order_relaxed)) return;
  thread.follows_events = true;
  process->validator.RememberAcquisitions(thread.task);
}

void NoticeOthers(ThreadState& thread) {
  thread.releases_seen = process->foreign_releases.load(std::memory_order_acquire);
  FollowEvents(thread);
  for (size_t i = thread.task.held().size(); i-- > 0;) {
    LockEntry* lock = LockEntry::Of(thread.task.held()[i].map);
    if (lock->stale_holder.load(std::memory_order_acquire) != &thread.task) continue;
    lock->stale_holder.store(nullptr, std::memory_order_relaxed);
    Release(thread, *lock, {});
    i = thread.task.held().size();
  }
}

void ReleaseForOther(ThreadState& thread, LockEntry& lock, Site site, bool report) {
  const TaskContext* holder = process->validator.FindHolder(lock.map(), &thread.task);
  if (report) process->validator.Release(thread.task, lock.map(), site);
  thread_local_state.news = thread_local_state.news || report;
  if (holder == nullptr) return;
  lock.stale_holder.store(holder, std::memory_order_release);
  process->foreign_releases.fetch_add(1, std::memory_order_release);
}

void Reinitialised(ThreadState& thread, LockEntry& lock, bool held_now, Site site) {
  if (lock.inherited && Holds(thread, lock)) {
    Release(thread, lock, site);
    Record(thread, lock, EventOp::kRelease, site);
    held_now = false;
  }
  if (held_now) {
    process->validator.Reinitialised(thread.task, lock.map(), site);
    thread_local_state.news = true;
  }
  Record(thread, lock, EventOp::kDestroy, site);
  process->validator.ForgetEvent(lock.map());
  process->nesting.Remove(lock.ordinal);
  process->registry.Retire(&lock, held_now);
}

// A lock of the class is (probably) held already. The instance itself: the validator judges it. Another: by their instances,
// or as the kernel would if asked to.
void AcquireNested(ThreadState& thread, LockEntry& lock, Mode mode, bool trylock, Site site) {
  AcquireOptions options;
  options.trylock = trylock;
  options.site = site;
  int deepest = -1;
  for (const HeldLock& held : thread.task.held()) {
    if (held.map->lock_class != lock.lock_class) continue;
    const int subclass = SubclassOf(held.node());
    const LockEntry& outer = *LockEntry::Of(held.map);
    const bool contradicts = &outer == &lock ||
        (!trylock && mode != Mode::kSharedRecursive && !process->nesting.Add(outer.ordinal, lock.ordinal));
    if (process->strict_nesting || contradicts) {
      options.subclass = subclass;
      process->validator.Acquire(thread.task, lock.map(), mode, options);
      return;
    }
    deepest = std::max(deepest, subclass);
  }
  options.subclass = std::min(deepest + 1, kSubclasses - 1);
  options.check = deepest + 1 < kSubclasses;  // deeper than there are subclasses: held, but no longer judged
  process->validator.Acquire(thread.task, lock.map(), mode, options);
}

}  // namespace ordeal::lockdep
