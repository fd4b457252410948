// The validator of this process: on and off, what happens with a violation, and the names of threads.
//
// Every lock of lockdep/locks reports to one Validator, which is made at the first tracked acquisition and never destroyed.
// A new violation goes to the handler, in the thread that caused it and outside every mutex of ours; without a handler it is
// printed to stderr. Locks that a handler takes are not tracked. The environment variable ORDEAL_LOCKDEP, read once, may be
// "off" (start with validation off), "abort" (abort behind the first violation) or "backtrace" (keep back traces), or a
// list of these with commas.
//
// With ORDEAL_LOCKDEP_OFF defined, everything here is an empty inline function, and every lock is the plain lock.
//
// Thread-safety: all functions: any thread.
// Invariants:    locks held across a switch of validation give no report, in either direction.
// Cost:          off at run time: one load of a read-mostly flag for an acquisition, and a count in the lock.
// Example:
//   SetViolationHandler([](const Violation& v) { LogError(RenderSplat(v)); });
//   SetValidation(false);
#ifndef ORDEAL_LOCKDEP_LOCKS_VALIDATION_H_
#define ORDEAL_LOCKDEP_LOCKS_VALIDATION_H_

#include <atomic>
#include <functional>

// Code that is compiled with and without ORDEAL_LOCKDEP_OFF may be linked together: its locks are different types.
#if defined(ORDEAL_LOCKDEP_OFF)
#define ORDEAL_LOCKS_NAMESPACE locks_off
#else
#define ORDEAL_LOCKS_NAMESPACE locks_on
#endif

namespace ordeal::lockdep {

class Validator;
struct Violation;

inline namespace ORDEAL_LOCKS_NAMESPACE {

using ViolationHandler = std::function<void(const Violation&)>;

#if defined(ORDEAL_LOCKDEP_OFF)

inline void SetValidation(bool) {}
inline bool ValidationEnabled() { return false; }
inline void SetViolationHandler(ViolationHandler) {}
inline void SetAbortOnViolation(bool) {}
inline void SetBacktraces(bool) {}
inline bool SetThreadName(const char*) { return true; }

#else

namespace internal {
struct alignas(64) ValidationFlag {  // alone on its cache line, which is all but never written
  std::atomic<bool> on{true};
};
inline constinit ValidationFlag validation_flag;
}  // namespace internal

void SetValidation(bool on);
inline bool ValidationEnabled() { return internal::validation_flag.on.load(std::memory_order_relaxed); }

// Null: print to stderr again.
void SetViolationHandler(ViolationHandler handler);
// Abort when the handler has returned.
void SetAbortOnViolation(bool abort);
// Keep a back trace of each new dependency and each violation from now on.
void SetBacktraces(bool on);
// The name that reports show for the calling thread; without it, its pthread name and a number. False, and no effect, while
// the thread holds locks.
bool SetThreadName(const char* name);
// For statistics, the graph, and rules that the locks have no form for.
Validator& ProcessValidator();

#endif

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_VALIDATION_H_
