// The protocol of wound/wait mutexes, checked: many mutexes of one class are taken in any order under an acquire context,
// and who must back off is decided by the contexts' tickets instead of by a lock order.
//
// The rules: all mutexes of a context are of its class; after kDeadlock the task releases everything it holds under the
// context and takes the contended mutex first; nothing is acquired after Done; Fini comes after the last release; two
// contexts of a class, or a context and plain locking, do not mix in one task. The last rule is lock order: the context is
// a pseudo-lock under which its mutexes nest. Every other broken rule is a kApiAssert violation.
// Source: the kernel's ww_mutex (include/linux/ww_mutex.h, kernel/locking/ww_mutex.h) with DEBUG_MUTEXES.
//
// This is a checker: it decides and judges, and never blocks. A primitive calls it and does the waiting.
//
// Thread-safety: as the validator's, but calls for one mutex or context are serialised by the caller.
// Cost:          that of Validator::Acquire and Release.
// Example:
//   WoundWait ww(validator);   WoundWaitClass buffers = ww.NewClass("buffers");
//   AcquireContext context;    ww.Init(task, context, buffers);
//   if (ww.Lock(task, b, &context) == WoundWaitResult::kDeadlock) {
//     ww.Unlock(task, a);   ww.LockSlow(task, b, context);   ww.Lock(task, a, &context);
//   }
//   ww.Done(task, context); ... ww.Unlock(task, a); ww.Unlock(task, b); ww.Fini(task, context);
#ifndef ORDEAL_LOCKDEP_RUNTIME_WOUND_WAIT_H_
#define ORDEAL_LOCKDEP_RUNTIME_WOUND_WAIT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "lockdep/graph/site.h"
#include "lockdep/runtime/task_context.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

enum class WoundWaitAlgorithm : uint8_t {
  kWaitDie,    // the younger backs off when it finds an older one holding the mutex
  kWoundWait,  // the younger backs off when an older one wants what it holds
};

struct WoundWaitClass {
  LockClassId acquire_class{};  // of the contexts' pseudo-locks
  LockClassId mutex_class{};
  WoundWaitAlgorithm algorithm = WoundWaitAlgorithm::kWaitDie;
  uint64_t last_stamp = 0;
};

struct AcquireContext;

// Plain data, as in the kernel, so that tests can break them; all else goes through WoundWait.
struct WoundWaitMutex {
  LockMap map;
  const WoundWaitClass* ww_class = nullptr;
  AcquireContext* context = nullptr;  // under which it is held
  bool locked = false;
};

struct AcquireContext {
  LockMap map;                       // the pseudo-lock that Init takes
  const LockMap* nest = nullptr;     // `map`, or that of the context this one was copied from
  const WoundWaitClass* ww_class = nullptr;
  uint64_t stamp = 0;                // the ticket: smaller is older
  uint32_t acquired = 0;             // mutexes held
  bool wounded = false;              // kWoundWait: an older context waits for a mutex of this one
  bool done = false;
  const WoundWaitMutex* contending = nullptr;  // after kDeadlock: what must be locked next
};

enum class WoundWaitResult : uint8_t {
  kAcquired,
  kWait,      // another holds it: wait, then Retry, or GiveUp
  kDeadlock,  // EDEADLK: release everything held under the context, then lock this one first
  kAlready,   // EALREADY: the context holds it
};
// "0", "EDEADLK", "EALREADY", "wait".
const char* WoundWaitResultName(WoundWaitResult result);

class WoundWait {
 public:
  explicit WoundWait(Validator& validator) : validator_(validator) {}

  WoundWaitClass NewClass(absl::string_view name, WoundWaitAlgorithm algorithm = WoundWaitAlgorithm::kWaitDie);
  // The class must outlive the mutex, `instance` too.
  WoundWaitMutex NewMutex(const WoundWaitClass& ww_class, const char* instance = "", uint32_t number = 0) const;

  void Init(TaskContext& task, AcquireContext& context, WoundWaitClass& ww_class, Site site = {});
  // No more acquisitions. Optional.
  void Done(TaskContext& task, AcquireContext& context, Site site = {});
  void Fini(TaskContext& task, AcquireContext& context, Site site = {});

  // Without a context: a mutex alone, which may not be nested with others of its class.
  WoundWaitResult Lock(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site = {});
  // The contended mutex, after kDeadlock and the release of all others.
  WoundWaitResult LockSlow(TaskContext& task, WoundWaitMutex& mutex, AcquireContext& context, Site site = {});
  // Decides again for a waiter that was woken.
  WoundWaitResult Retry(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site = {});
  // A waiter stops waiting (a signal, a timeout).
  void GiveUp(TaskContext& task, WoundWaitMutex& mutex, Site site = {});
  bool TryLock(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site = {});
  void Unlock(TaskContext& task, WoundWaitMutex& mutex, Site site = {});
  // Release of the mutex inside without the protocol: the context stays as it is, which the next Lock reports.
  void UnlockBase(TaskContext& task, WoundWaitMutex& mutex, Site site = {});

  // Whether `a` gives way to `b`.
  static bool IsYounger(const AcquireContext& a, const AcquireContext& b) {
    return static_cast<int64_t>(a.stamp - b.stamp) > 0;
  }

 private:
  void Acquired(TaskContext& task, WoundWaitMutex& mutex, AcquireContext* context, Site site);
  WoundWaitResult BackOff(TaskContext& task, WoundWaitMutex& mutex, AcquireContext& context, Site site);

  Validator& validator_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_WOUND_WAIT_H_
