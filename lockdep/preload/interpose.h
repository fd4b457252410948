// Defines an interposed function: exported under the real name, so that glibc's own declaration of it (with attributes that
// differ from version to version) need not be repeated.
//
// Example:  ORDEAL_INTERPOSE(int, pthread_mutex_lock, (pthread_mutex_t * mutex)) { ... }
#ifndef ORDEAL_LOCKDEP_PRELOAD_INTERPOSE_H_
#define ORDEAL_LOCKDEP_PRELOAD_INTERPOSE_H_

#ifdef __cplusplus
#define ORDEAL_LINKAGE extern "C"
#else
#define ORDEAL_LINKAGE
#endif

#define ORDEAL_INTERPOSE(result, name, parameters)                                                            \
  ORDEAL_LINKAGE __attribute__((visibility("default"))) result ordeal_interposed_##name parameters __asm__(#name); \
  ORDEAL_LINKAGE result ordeal_interposed_##name parameters

// The interposed function's own frame: its return address lies in it, and behind it the caller's frame (UserSite). Functions that
// take a `frame` want this.
#define ORDEAL_FRAME() __builtin_frame_address(0)

#endif  // ORDEAL_LOCKDEP_PRELOAD_INTERPOSE_H_
