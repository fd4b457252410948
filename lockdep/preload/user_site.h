// The place that a report should show for a lock call: the caller, or, in a C++ program that is built without optimisation, the
// caller of the C++ library's wrappers (`std::lock_guard` alone is three functions around pthread_mutex_lock).
//
// A wrapper is recognised once per call site, by the name of its function; its callers are found through frame pointers, which
// such code keeps. Optimised programs have the wrappers inlined, and no function of theirs is ever looked up by name.
//
// Thread-safety: any thread; the cache belongs to the thread.
// Invariants:    reads only the thread's own stack, below its base.
// Cost:          one compare when the site is known to the thread.
// Example:       const void* site = UserSite(thread.sites, ORDEAL_CALLER(), __builtin_frame_address(0));
#ifndef ORDEAL_LOCKDEP_PRELOAD_USER_SITE_H_
#define ORDEAL_LOCKDEP_PRELOAD_USER_SITE_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace ordeal::lockdep {

struct SiteCache {
  static constexpr size_t kSlots = 128;
  std::array<const void*, kSlots> plain{};  // return addresses that lie in no wrapper
};

const void* UserSiteSlow(SiteCache& cache, const void* caller, const void* frame);

// `frame` is the frame address of the function that `caller` called.
inline const void* UserSite(SiteCache& cache, const void* caller, const void* frame) {
  const size_t slot = (reinterpret_cast<uintptr_t>(caller) >> 2) % SiteCache::kSlots;
  if (__builtin_expect(cache.plain[slot] == caller, 1)) return caller;
  return UserSiteSlow(cache, caller, frame);
}

// Around fork.
void UserSiteLock();
void UserSiteUnlock();

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_USER_SITE_H_
