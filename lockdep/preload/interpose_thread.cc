// Thread creation, and the validator's side of interpose_wait.c. The start routines have no clean-up of their own: a thread
// that ends by pthread_exit is unwound through them by the program's runtime, not by ours.
#include <pthread.h>
#include <threads.h>

#include "lockdep/preload/checked_process.h"
#include "lockdep/preload/interpose.h"
#include "lockdep/preload/real_functions.h"

using namespace ordeal::lockdep;  // NOLINT: this file defines C functions only

namespace {

template <typename Routine>
struct Start {
  Routine routine;
  void* argument;
  ThreadState* thread;
};

template <typename Routine>
Start<Routine>* NewStart(Routine routine, void* argument) {
  ThreadState* parent = Enter();
  if (parent == nullptr) return nullptr;
  ThreadState* child = NewThread(parent, reinterpret_cast<const void*>(routine));
  auto* start = new Start<Routine>{routine, argument, child};
  Leave(*parent);
  return start;
}

template <typename Routine>
void DropStart(Start<Routine>* start) {
  ThreadState* parent = Enter();
  if (parent == nullptr) return;
  DropThread(start->thread);
  delete start;
  Leave(*parent);
}

template <typename Routine>
Start<Routine> TakeStart(void* argument) {
  auto* given = static_cast<Start<Routine>*>(argument);
  const Start<Routine> start = *given;
  thread_local_state.inside = true;
  delete given;
  AdoptThread(start.thread);
  thread_local_state.inside = false;
  return start;
}

void* StartPthread(void* argument) {
  const auto start = TakeStart<void* (*)(void*)>(argument);
  return start.routine(start.argument);
}

int StartThrd(void* argument) {
  const auto start = TakeStart<int (*)(void*)>(argument);
  return start.routine(start.argument);
}

}  // namespace

ORDEAL_INTERPOSE(int, pthread_create,
                 (pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*), void* argument)) {
  auto* start = NewStart(routine, argument);
  if (start == nullptr) return ordeal_real.pthread_create(thread, attributes, routine, argument);
  const int result = ordeal_real.pthread_create(thread, attributes, &StartPthread, start);
  if (result != 0) DropStart(start);
  return result;
}

ORDEAL_INTERPOSE(int, thrd_create, (thrd_t* thread, int (*routine)(void*), void* argument)) {
  auto* start = NewStart(routine, argument);
  if (start == nullptr) return ordeal_real.thrd_create(thread, routine, argument);
  const int result = ordeal_real.thrd_create(thread, &StartThrd, start);
  if (result != thrd_success) DropStart(start);
  return result;
}

extern "C" unsigned ordeal_thread_number(pthread_t handle) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return 0;
  const unsigned number = ThreadNumber(handle);
  Leave(*thread);
  return number;
}

extern "C" void ordeal_joined(pthread_t handle, unsigned number) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  Joined(*thread, handle, number);
  Leave(*thread);
}
