#include "lockdep/runtime/wound_wait.h"

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {

const char* WoundWaitResultName(WoundWaitResult result) {
  switch (result) {
    case WoundWaitResult::kAcquired: return "0";
    case WoundWaitResult::kWait: return "wait";
    case WoundWaitResult::kDeadlock: return "EDEADLK";
    case WoundWaitResult::kAlready: return "EALREADY";
  }
  return "unknown";
}

WoundWaitClass WoundWait::NewClass(absl::string_view name, WoundWaitAlgorithm algorithm) {
  WoundWaitClass ww_class;
  ww_class.acquire_class =
      validator_.RegisterClass(absl::StrCat(name, "_acquire"), {.inner = WaitType::kUnchecked});
  ww_class.mutex_class = validator_.RegisterClass(absl::StrCat(name, "_mutex"));
  ww_class.algorithm = algorithm;
  return ww_class;
}

WoundWaitMutex WoundWait::NewMutex(const WoundWaitClass& ww_class, const char* instance, uint32_t number) const {
  WoundWaitMutex mutex;
  mutex.map = validator_.NewMap(ww_class.mutex_class, instance, number);
  mutex.ww_class = &ww_class;
  return mutex;
}

void WoundWait::Init(TaskContext& task, AcquireContext& context, WoundWaitClass& ww_class, Site site) {
  const char* const instance = context.map.instance;
  context = AcquireContext{};
  context.map = validator_.NewMap(ww_class.acquire_class, instance);
  context.nest = &context.map;
  context.ww_class = &ww_class;
  context.stamp = ++ww_class.last_stamp;
  validator_.Acquire(task, context.map, Mode::kExclusive, {.site = site});
}

void WoundWait::Done(TaskContext& task, AcquireContext& context, Site site) {
  LD_CHECK(context.nest != nullptr, "Done of an acquire context that was never initialised");
  validator_.AssertHeld(task, *context.nest, site);
  if (context.done) validator_.ApiAssert(task, *context.nest, "the context was said to be done before", site);
  context.done = true;
}

void WoundWait::Fini(TaskContext& task, AcquireContext& context, Site site) {
  LD_CHECK(context.nest != nullptr, "Fini of an acquire context that was never initialised");
  validator_.Release(task, *context.nest, site);
  if (context.acquired != 0) {
    validator_.ApiAssert(task, *context.nest,
                         absl::StrCat("the context ends while it holds ", context.acquired, " mutexes"), site);
  }
}

WoundWaitResult WoundWait::Lock(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site) {
  if (context != nullptr) {
    if (mutex.context == context) return WoundWaitResult::kAlready;
    if (context->acquired == 0) context->wounded = false;  // it has backed off: nobody waits for it any more
  }
  validator_.Acquire(task, mutex.map, Mode::kExclusive,
                     {.site = site, .nest = context == nullptr ? nullptr : context->nest});
  return Retry(task, mutex, context, site);
}

WoundWaitResult WoundWait::LockSlow(TaskContext& task, WoundWaitMutex& mutex, AcquireContext& context, Site site) {
  if (context.contending == nullptr) {
    validator_.ApiAssert(task, mutex.map, "the slow path was taken although no mutex had been contended", site);
  }
  return Lock(task, mutex, &context, site);
}

WoundWaitResult WoundWait::Retry(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site) {
  if (!mutex.locked) {
    Acquired(task, mutex, context, site);
    return WoundWaitResult::kAcquired;
  }
  if (context == nullptr) return WoundWaitResult::kWait;
  AcquireContext* const holder = mutex.context;
  if (mutex.ww_class->algorithm == WoundWaitAlgorithm::kWaitDie) {
    const bool dies = context->acquired > 0 && holder != nullptr && IsYounger(*context, *holder);
    return dies ? BackOff(task, mutex, *context, site) : WoundWaitResult::kWait;
  }
  if (context->acquired > 0 && context->wounded) return BackOff(task, mutex, *context, site);
  if (context->acquired > 0 && holder != nullptr && IsYounger(*holder, *context)) holder->wounded = true;
  return WoundWaitResult::kWait;
}

void WoundWait::GiveUp(TaskContext& task, WoundWaitMutex& mutex, Site site) {
  validator_.Release(task, mutex.map, site);
}

bool WoundWait::TryLock(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site) {
  if (context != nullptr && context->acquired == 0) context->wounded = false;
  if (mutex.locked) return false;
  validator_.Acquire(task, mutex.map, Mode::kExclusive,
                     {.trylock = true, .site = site, .nest = context == nullptr ? nullptr : context->nest});
  Acquired(task, mutex, context, site);
  return true;
}

void WoundWait::Unlock(TaskContext& task, WoundWaitMutex& mutex, Site site) {
  if (AcquireContext* const context = mutex.context; context != nullptr) {
    if (context->acquired == 0) {
      validator_.ApiAssert(task, mutex.map, "a mutex is released under a context that holds none", site);
    } else {
      --context->acquired;
    }
    mutex.context = nullptr;
  }
  UnlockBase(task, mutex, site);
}

void WoundWait::UnlockBase(TaskContext& task, WoundWaitMutex& mutex, Site site) {
  mutex.locked = false;
  validator_.Release(task, mutex.map, site);
}

void WoundWait::Acquired(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site) {
  mutex.locked = true;
  if (context == nullptr) return;
  if (mutex.context != nullptr) {
    validator_.ApiAssert(task, mutex.map, "a free mutex still belongs to a context: it was released past the protocol",
                         site);
  }
  if (context->done) validator_.ApiAssert(task, mutex.map, "a mutex is acquired after the context was done", site);
  if (context->contending != nullptr) {
    if (context->contending != &mutex) {
      validator_.ApiAssert(task, mutex.map, "another mutex than the contended one is acquired after EDEADLK", site);
    }
    if (context->acquired > 0) {
      validator_.ApiAssert(task, mutex.map, "a mutex is acquired after EDEADLK before all others were released", site);
    }
    context->contending = nullptr;
  }
  if (context->ww_class != mutex.ww_class) {
    validator_.ApiAssert(task, mutex.map, "mutex and context are of different classes", site);
  }
  ++context->acquired;
  mutex.context = context;
}

WoundWaitResult WoundWait::BackOff(TaskContext& task, WoundWaitMutex& mutex, AcquireContext& context, Site site) {
  if (context.contending != nullptr) {
    validator_.ApiAssert(task, mutex.map, "EDEADLK again before all others were released", site);
  }
  context.contending = &mutex;
  validator_.Release(task, mutex.map, site);
  return WoundWaitResult::kDeadlock;
}

}  // namespace ordeal::lockdep
