// The interposer's own heap. The program's malloc may itself lock pthread mutexes (jemalloc does, in redis) and the validator
// runs inside those locks, so nothing in libordeal_preload.so may call it: its operator new comes here.
//
// Thread-safety: any thread; one lock, taken only when the validator learns something new.
// Invariants:    never fails: a process without memory is ended with a message, as the kernel would soon do.
// Cost:          a power-of-two free list; large blocks are mapped.
// Example:       PrivateHeapLock(); ...fork...; PrivateHeapUnlock();
#ifndef ORDEAL_LOCKDEP_PRELOAD_PRIVATE_HEAP_H_
#define ORDEAL_LOCKDEP_PRELOAD_PRIVATE_HEAP_H_

#include <cstddef>

namespace ordeal::lockdep {

void* PrivateAllocate(size_t size, size_t alignment);
void PrivateFree(void* block);

// Around fork, so that the child's heap is consistent.
void PrivateHeapLock();
void PrivateHeapUnlock();

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_PRIVATE_HEAP_H_
