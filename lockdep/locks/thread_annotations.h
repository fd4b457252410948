// Clang's thread-safety attributes under our own names; nothing for other compilers.
//
// Thread-safety: macros. Cost: none at run time.
// Example:
//   Mutex mutex{"account"};
//   int balance ORDEAL_GUARDED_BY(mutex);
//   void Deposit(int amount) ORDEAL_REQUIRES(mutex) { balance += amount; }
#ifndef ORDEAL_LOCKDEP_LOCKS_THREAD_ANNOTATIONS_H_
#define ORDEAL_LOCKDEP_LOCKS_THREAD_ANNOTATIONS_H_

#if defined(__clang__)
#define ORDEAL_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define ORDEAL_THREAD_ATTRIBUTE(x)
#endif

// Of types.
#define ORDEAL_CAPABILITY(kind) ORDEAL_THREAD_ATTRIBUTE(capability(kind))
#define ORDEAL_SCOPED_CAPABILITY ORDEAL_THREAD_ATTRIBUTE(scoped_lockable)

// Of data.
#define ORDEAL_GUARDED_BY(mutex) ORDEAL_THREAD_ATTRIBUTE(guarded_by(mutex))
#define ORDEAL_PT_GUARDED_BY(mutex) ORDEAL_THREAD_ATTRIBUTE(pt_guarded_by(mutex))
#define ORDEAL_ACQUIRED_BEFORE(...) ORDEAL_THREAD_ATTRIBUTE(acquired_before(__VA_ARGS__))
#define ORDEAL_ACQUIRED_AFTER(...) ORDEAL_THREAD_ATTRIBUTE(acquired_after(__VA_ARGS__))

// Of functions.
#define ORDEAL_REQUIRES(...) ORDEAL_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ORDEAL_REQUIRES_SHARED(...) ORDEAL_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define ORDEAL_EXCLUDES(...) ORDEAL_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ORDEAL_ACQUIRE(...) ORDEAL_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define ORDEAL_ACQUIRE_SHARED(...) ORDEAL_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define ORDEAL_RELEASE(...) ORDEAL_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define ORDEAL_RELEASE_SHARED(...) ORDEAL_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define ORDEAL_RELEASE_GENERIC(...) ORDEAL_THREAD_ATTRIBUTE(release_generic_capability(__VA_ARGS__))
#define ORDEAL_TRY_ACQUIRE(...) ORDEAL_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define ORDEAL_TRY_ACQUIRE_SHARED(...) ORDEAL_THREAD_ATTRIBUTE(try_acquire_shared_capability(__VA_ARGS__))
#define ORDEAL_ASSERT_HELD(...) ORDEAL_THREAD_ATTRIBUTE(assert_capability(__VA_ARGS__))
#define ORDEAL_ASSERT_HELD_SHARED(...) ORDEAL_THREAD_ATTRIBUTE(assert_shared_capability(__VA_ARGS__))
#define ORDEAL_RETURNS_LOCK(mutex) ORDEAL_THREAD_ATTRIBUTE(lock_returned(mutex))
#define ORDEAL_NO_THREAD_SAFETY_ANALYSIS ORDEAL_THREAD_ATTRIBUTE(no_thread_safety_analysis)

#endif  // ORDEAL_LOCKDEP_LOCKS_THREAD_ANNOTATIONS_H_
