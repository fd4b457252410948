// Every lock instance that the program has shown, and the class of each.
//
// An instance is found through a *tag*: a word of the lock object that glibc does not use holds the number of its entry and a
// cookie of this process. Making the object anew (std::mutex has no destructor that anybody could see) wipes the tag, so memory
// that is used again never inherits the class of what lay there before. Objects without such a word are found in AddressTable.
//
// Classes: a lock that was initialised by a call has its creation's call chain as class (with the same chain: one role); a
// global that was not, its own address; any other (a std::mutex in an object or on a stack), the chain of its first use.
//
// Thread-safety: Find*: any thread, no lock. The others take the registry's lock.
// Invariants:    entries are never freed; one that was retired is used again only after kQuarantine others, and never if a
//                task may still hold it.
// Cost:          FindTagged: three loads. Add: microseconds.
// Example:       LockEntry* entry = registry.FindTagged(tag, mutex);
#ifndef ORDEAL_LOCKDEP_PRELOAD_LOCK_REGISTRY_H_
#define ORDEAL_LOCKDEP_PRELOAD_LOCK_REGISTRY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "lockdep/preload/address_table.h"
#include "lockdep/preload/raw_lock.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

enum class PthreadKind : uint8_t { kMutex, kRwlock, kSpinlock, kSemaphore, kOnce, kBarrier, kSignal, kCondition };

struct BarrierState;

struct LockEntry : Addressed, LockMap {
  uint64_t ordinal = 0;  // never used again; 0: none yet
  uint32_t index = 0;
  PthreadKind kind = PthreadKind::kMutex;
  // Another task released it, so this one's stack is to forget it. Only compared.
  std::atomic<const TaskContext*> stale_holder{nullptr};
  // Held by the thread that forked, in the child: its memory may be made a lock anew instead of being unlocked.
  bool inherited = false;
  bool robust = false;  // made to be left locked by a thread that ends
  // A semaphore that was posted by a task that did not hold it: a signal, not a lock.
  std::atomic<bool> signals{false};
  BarrierState* barrier = nullptr;  // of a barrier

  LockMap& map() { return *this; }
  static LockEntry* Of(const LockMap* map) { return &static_cast<LockEntry&>(const_cast<LockMap&>(*map)); }
};

class LockRegistry {
 public:
  explicit LockRegistry(Validator& validator);
  LockRegistry(const LockRegistry&) = delete;
  LockRegistry& operator=(const LockRegistry&) = delete;

  LockEntry* FindTagged(const uint64_t* tag, const void* address) const {
    const uint64_t word = __atomic_load_n(tag, __ATOMIC_ACQUIRE);  // pairs with Tag
    const uint64_t number = word ^ cookie_;
    if (__builtin_expect(number >= kEntriesMax, 0)) return nullptr;
    const LockEntry* chunk = chunks_[number / kChunk].load(std::memory_order_acquire);
    if (__builtin_expect(chunk == nullptr, 0)) return nullptr;
    const LockEntry& entry = chunk[number % kChunk];
    if (__builtin_expect(entry.address.load(std::memory_order_acquire) != address, 0)) return nullptr;
    return const_cast<LockEntry*>(&entry);
  }
  LockEntry* Find(const void* address) const { return static_cast<LockEntry*>(table_.Find(address)); }

  // The lock at `address` is being initialised by a call. `tag` is null for objects without one. `count`: of a semaphore.
  LockEntry* AddCreated(const void* address, uint64_t* tag, PthreadKind kind, uint32_t count = 1);
  // It is used without having been initialised by a call. Finds it if another thread was faster.
  LockEntry* AddUsed(const void* address, uint64_t* tag, PthreadKind kind);
  // It exists no more. `may_be_held`: its entry is never used again.
  void Retire(LockEntry* entry, bool may_be_held);
  // Forgets locks in images that were unloaded.
  void RetireUnloaded();

  uint64_t locks() const { return next_ordinal_.load(std::memory_order_relaxed) - 1; }
  // Around fork.
  void Lock() { lock_.Lock(); }
  void Unlock() { lock_.Unlock(); }

 private:
  static constexpr uint64_t kChunk = 1024;
  static constexpr uint64_t kChunks = 1 << 16;
  static constexpr uint64_t kEntriesMax = kChunk * kChunks;
  static constexpr size_t kQuarantine = 4096;
  struct ClassInfo {
    LockClassId id{};
    uint32_t instances = 0;
  };

  LockEntry* Add(const void* address, uint64_t* tag, PthreadKind kind, ClassInfo& lock_class, bool only_one,
                 uint32_t count = 1);
  LockEntry* NewEntry();
  ClassInfo& ClassOfChain(PthreadKind kind, bool created);
  ClassInfo& ClassOfStatic(PthreadKind kind, const void* address);
  ClassInfo& ClassOf(uint64_t key, PthreadKind kind, const std::string& name);

  Validator& validator_;
  uint64_t cookie_;
  RawLock lock_;
  std::atomic<uint64_t> next_ordinal_{1};
  AddressTable table_;
  std::array<std::atomic<LockEntry*>, kChunks> chunks_{};
  // Guarded by lock_.
  uint64_t entries_ = 0;
  std::deque<LockEntry*> retired_;
  absl::flat_hash_map<uint64_t, ClassInfo> classes_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_LOCK_REGISTRY_H_
