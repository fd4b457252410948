#include "lockdep/locks/validation.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lockdep/locks/thread.h"
#include "lockdep/locks/thread_state.h"
#include "lockdep/report/splat.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

namespace internal {
constinit thread_local ThreadState* current_thread = nullptr;
constinit thread_local uint32_t untracked_shared_holds = 0;
}  // namespace internal

namespace {

constinit std::atomic<bool> events_exist{false};
constinit std::atomic<bool> abort_on_violation{false};
constinit std::atomic<bool> backtraces_kept{false};

// "Transfer() [./bank+0x1234]": what addr2line -e ./bank 0x1234 names by file and line.
std::string NameOfAddress(const void* return_address) {
  const char* instruction = static_cast<const char*>(return_address) - 1;
  char function[256];
  const bool named = absl::Symbolize(instruction, function, sizeof(function));
  Dl_info object;
  if (dladdr(instruction, &object) == 0 || object.dli_fname == nullptr) return named ? function : "an unknown place";
  const auto offset = static_cast<uint64_t>(instruction - static_cast<const char*>(object.dli_fbase));
  return absl::StrCat(named ? function : "", named ? " " : "", "[", object.dli_fname, "+0x", absl::Hex(offset), "]");
}

// The validator asks for a back trace of every new dependency and every violation: that tells us that there may be news.
std::vector<std::string> NoteNews() {
  if (internal::current_thread != nullptr) {
    internal::current_thread->news = true;
    internal::current_thread->attention = true;
  }
  std::vector<std::string> frames;
  if (!backtraces_kept.load(std::memory_order_relaxed)) return frames;
  void* addresses[32];
  const int count = backtrace(addresses, 32);  // Abseil's needs frame pointers
  for (int i = 1; i < count; ++i) frames.push_back(NameOfAddress(addresses[i]));
  return frames;
}

void PrintViolation(const Violation& violation) {
  const std::string text = RenderSplat(violation);
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void DetachThread(void* state);

struct Process {
  Process() : validator({.grade_online = false, .backtrace = &NoteNews}) {
    pthread_key_create(&key, &DetachThread);
    SetSiteNamer(&NameOfAddress);
    const char* settings = std::getenv("ORDEAL_LOCKDEP");
    for (const absl::string_view setting : absl::StrSplit(settings != nullptr ? settings : "", ',')) {
      if (setting == "off") SetValidation(false);
      if (setting == "abort") SetAbortOnViolation(true);
      if (setting == "backtrace") SetBacktraces(true);
    }
  }

  Validator validator;
  pthread_key_t key{};
  std::mutex mutex;  // a leaf. Guards all below
  ViolationHandler handler;
  size_t delivered = 0;                   // violations that the handler has seen
  uint32_t threads = 0;                   // attached so far
  std::vector<ThreadState*> left_states;  // that their threads have left
};

Process& TheProcess() {
  static Process* const process = new Process;  // outlives every static destructor that locks
  return *process;
}

// The environment is read before the first lock decides whether it is tracked.
[[maybe_unused]] const bool process_made = (TheProcess(), true);

uint32_t NextThreadNumber() {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  return ++process.threads;
}

// `name`: null for the native one with the number behind it.
void AttachAs(ThreadState& state, uint32_t number, const char* name) {
  if (name != nullptr) {
    std::snprintf(state.name, sizeof(state.name), "%s", name);
  } else {
    char native[32] = "thread";
    pthread_getname_np(pthread_self(), native, sizeof(native));
    std::snprintf(state.name, sizeof(state.name), "%s/%u", native, number);
  }
  state.task.Reset(state.name, number);
  state.scratch.Reset(state.name, number);
  Validator& validator = *state.validator;
  validator.Attach(state.task);
  state.follows_events = false;
  if (events_exist.load(std::memory_order_relaxed)) state.FollowEvents();
}

// Behind the thread's last thread_local destructor. A destructor of another key may lock again; that attaches it anew.
void DetachThread(void* data) {
  ThreadState& state = *static_cast<ThreadState*>(data);
  Process& process = TheProcess();
  state.busy = true;
  while (true) {  // what is merely owed is no lock that is held
    const HeldLock* owed = nullptr;
    for (const HeldLock& held : state.task.held()) owed = held.owed() ? &held : owed;
    if (owed == nullptr) break;
    process.validator.HandOver(state.task, *owed->map);
  }
  process.validator.TaskExit(state.task);
  state.Leave();
  process.validator.Detach(state.task);
  state.semaphores = SemaphoreHolds();
  internal::current_thread = nullptr;
  const std::lock_guard<std::mutex> lock(process.mutex);
  process.left_states.push_back(&state);
}

}  // namespace

namespace internal {

ThreadState* AttachThread(uint32_t number, const char* name) {
  Process& process = TheProcess();
  ThreadState* state = nullptr;
  {
    const std::lock_guard<std::mutex> lock(process.mutex);
    if (!process.left_states.empty()) {
      state = process.left_states.back();
      process.left_states.pop_back();
    }
  }
  if (state == nullptr) state = new ThreadState(&process.validator);
  state->news = state->attention = false;
  current_thread = state;
  state->busy = true;
  AttachAs(*state, number != 0 ? number : NextThreadNumber(), name);
  state->busy = false;
  pthread_setspecific(process.key, state);
  return state;
}

uint32_t ForkThread() {
  if (!ValidationEnabled()) return 0;
  ThreadState* parent = ThreadState::Enter();
  if (parent == nullptr) return 0;
  const uint32_t number = NextThreadNumber();
  parent->validator->Fork(parent->task, number);
  parent->Leave();
  return number;
}

void BeginThread(uint32_t number, const char* name) {
  if (number != 0) AttachThread(number, name);
}

void JoinThread(uint32_t number) {
  if (number == 0 || !ValidationEnabled()) return;
  ThreadState* parent = ThreadState::Enter();
  if (parent == nullptr) return;
  parent->validator->Join(parent->task, number);
  parent->Leave();
}

void DeliverViolations(ThreadState& thread) {
  thread.attention = !thread.semaphores.empty();
  if (!std::exchange(thread.news, false)) return;
  Process& process = TheProcess();
  const std::vector<Violation> violations = process.validator.Violations();
  ViolationHandler handler;
  size_t first;
  {
    const std::lock_guard<std::mutex> lock(process.mutex);
    first = process.delivered <= violations.size() ? process.delivered : 0;  // fewer: a new run has begun
    process.delivered = violations.size();
    handler = process.handler;
  }
  for (size_t i = first; i < violations.size(); ++i) {
    if (handler) {
      handler(violations[i]);
    } else {
      PrintViolation(violations[i]);
    }
    if (abort_on_violation.load(std::memory_order_relaxed)) std::abort();
  }
}

void NoteThatEventsExist() {
  if (!events_exist.load(std::memory_order_relaxed)) events_exist.store(true, std::memory_order_relaxed);
  if (current_thread != nullptr) current_thread->FollowEvents();
}

}  // namespace internal

void SetValidation(bool on) { internal::validation_flag.on.store(on, std::memory_order_relaxed); }
void SetAbortOnViolation(bool abort) { abort_on_violation.store(abort, std::memory_order_relaxed); }
void SetBacktraces(bool on) { backtraces_kept.store(on, std::memory_order_relaxed); }

void SetViolationHandler(ViolationHandler handler) {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  process.handler = std::move(handler);
}

bool SetThreadName(const char* name) {
  ThreadState* thread = ThreadState::Enter();
  if (thread == nullptr) return false;
  const bool idle = thread->task.held().empty();
  if (idle) {
    TheProcess().validator.Detach(thread->task);
    AttachAs(*thread, thread->task.id(), name);
  }
  thread->Leave();
  return idle;
}

Validator& ProcessValidator() { return TheProcess().validator; }

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep
