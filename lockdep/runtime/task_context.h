// What one task (thread, fiber, CPU's interrupt) holds: its stack of held locks and the state that acquisitions depend on.
//
// Thread-safety: one task. Another thread may look for the holder of a lock (Validator::FindHolder) while the owner pushes
//                and pops; it then sees locks that are held or waited for, or were a moment ago.
// Invariants:    chain_key() names exactly the held locks of the innermost interrupt context.
// Cost:          push and pop are a few stores; the stack grows without limit and keeps what it outgrew.
// Example:       TaskContext task("writer");   for (const HeldLock& held : task.held()) ...
#ifndef ORDEAL_LOCKDEP_RUNTIME_TASK_CONTEXT_H_
#define ORDEAL_LOCKDEP_RUNTIME_TASK_CONTEXT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lockdep/graph/chain_key.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"

namespace ordeal::lockdep {

// What the validator knows of one lock instance. Lives in the lock; made by Validator::NewMap.
struct LockMap {
  LockClassId lock_class{};
  bool ordered = false;          // the class orders its instances (a copy, so that the hot path need not look)
  uint64_t order_key = 0;        // compared when the class is ordered_by_key
  const char* instance = "";     // shown in reports; must outlive the lock
  uint32_t instance_number = 0;  // shown behind `instance` when not 0

  std::string InstanceName() const;
};

struct HeldLock {
  const LockMap* map = nullptr;
  uint64_t previous_key = kEmptyChainKey;  // the task's chain key without this lock
  uint64_t word = 0;                       // chain_key.h: node, mode, how and in which context it was taken
  Site site;
  uint32_t pins = 0;
  uint32_t nest = 0;  // 1 + the index of its nest lock on the stack; 0: none

  NodeId node() const { return NodeOfWord(word); }
  Mode mode() const { return ModeOfWord(word); }
  int lock_mode() const { return LockModeOfWord(word); }  // of a class with a LockKind
  bool trylock() const { return (word & kTrylock) != 0; }
  bool owed() const { return (word & kOwed) != 0; }
};

// A stack that other threads may scan: what it outgrows stays readable until destruction.
class HeldStack {
 public:
  HeldStack() { Grow(); }
  HeldStack(const HeldStack&) = delete;
  HeldStack& operator=(const HeldStack&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const HeldLock* begin() const { return data_; }
  const HeldLock* end() const { return data_ + size_; }
  const HeldLock& operator[](size_t i) const { return data_[i]; }
  HeldLock& operator[](size_t i) { return data_[i]; }
  const HeldLock& back() const { return data_[size_ - 1]; }
  HeldLock& back() { return data_[size_ - 1]; }
  const HeldLock& front() const { return data_[0]; }

  bool full() const { return size_ == capacity_; }
  // The slot of a new newest lock, to be filled member by member; only if not full(). A copy of a struct that was just
  // written would stall on its own stores (measured: 15 ns).
  HeldLock& PushUnset(const LockMap* map) {
    HeldLock& slot = data_[size_];
    __atomic_store_n(&slot.map, map, __ATOMIC_RELAXED);
    SetSize(size_ + 1);
    return slot;
  }
  void Push(const HeldLock& held) {
    if (full()) Grow();
    HeldLock& slot = PushUnset(held.map);
    slot.previous_key = held.previous_key;
    slot.word = held.word;
    slot.site = held.site;
    slot.pins = held.pins;
    slot.nest = held.nest;
  }
  void Pop() { SetSize(size_ - 1); }
  void Erase(size_t i);
  void Truncate(size_t size) { SetSize(size); }
  // For other threads than the owner: whether the map of some lock that is held, or was a moment ago, matches.
  template <typename Match>
  const LockMap* FindFromOutside(const Match& match) const {
    const size_t size = __atomic_load_n(&size_, __ATOMIC_ACQUIRE);  // pairs with SetSize: the block is at least as new
    const HeldLock* data = __atomic_load_n(&data_, __ATOMIC_RELAXED);
    for (size_t i = 0; i < size; ++i) {
      const LockMap* map = __atomic_load_n(&data[i].map, __ATOMIC_RELAXED);
      if (match(map)) return map;
    }
    return nullptr;
  }
  size_t MemoryBytes() const { return capacity_ * 2 * sizeof(HeldLock); }

 private:
  void Grow();
  void SetSize(size_t size) { __atomic_store_n(&size_, size, __ATOMIC_RELEASE); }  // a plain store on x86

  HeldLock* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  std::vector<std::unique_ptr<HeldLock[]>> blocks_;  // the last is data_
};

// Recent acquisitions of a task, so that an event it triggers can be made to depend on them. Defined by the event rules.
class AcquisitionHistory;

class TaskContext {
 public:
  // `name` is shown in reports and must outlive the context. `id` names the task in traces and grades.
  explicit TaskContext(const char* name = "", uint32_t id = 0);
  ~TaskContext();
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;

  const char* name() const { return name_; }
  uint32_t id() const { return id_; }
  const HeldStack& held() const { return held_; }
  uint64_t chain_key() const { return key_; }
  // kInHardirq, kHardirqsOn ...: the bits that the next acquisition's chain word gets.
  uint64_t context() const { return context_; }
  bool Holds(const LockMap& map) const;
  // For the next run: forgets everything; keeps the memory.
  void Reset(const char* name, uint32_t id = 0);

 private:
  friend class Validator;
  friend class FsReclaim;

  const char* name_;
  uint32_t id_;
  uint64_t key_ = kEmptyChainKey;
  uint64_t seed_ = kEmptyChainKey;  // the key of "nothing held": per task when tasks are told apart
  uint64_t site_mask_ = 0;  // all ones when places are told apart
  uint64_t context_ = kHardirqsOn | kSoftirqsOn;
  HeldStack held_;
  uint32_t hardirq_depth_ = 0;
  uint32_t softirq_depth_ = 0;
  uint8_t allocation_scopes_ = 0;
  std::unique_ptr<AcquisitionHistory> history_;  // null: events triggered here depend only on what was said to be owed
  std::unique_ptr<AcquisitionHistory> spare_history_;  // of an earlier run
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_TASK_CONTEXT_H_
