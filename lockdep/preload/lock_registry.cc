#include "lockdep/preload/lock_registry.h"

#include <sys/auxv.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "lockdep/preload/call_chain.h"
#include "lockdep/preload/checked_process.h"

namespace ordeal::lockdep {
namespace {

// Four frames tell apart the users of most wrappers (a `mutex_new` of a library) without telling apart every request. A first
// use is told apart more finely: without optimisation std::unique_lock alone is four frames.
constexpr int kCreationFrames = 4;

// Waited for, never held. A semaphore that starts at 0 is a signal from the beginning.
bool IsEvent(PthreadKind kind) {
  return kind == PthreadKind::kBarrier || kind == PthreadKind::kSignal || kind == PthreadKind::kCondition;
}

const char* KindName(PthreadKind kind) {
  switch (kind) {
    case PthreadKind::kMutex: return "mutex";
    case PthreadKind::kRwlock: return "rwlock";
    case PthreadKind::kSpinlock: return "spinlock";
    case PthreadKind::kSemaphore:
    case PthreadKind::kSignal: return "semaphore";
    case PthreadKind::kCondition: return "condition";
    case PthreadKind::kOnce: return "once";
    case PthreadKind::kBarrier: return "barrier";
  }
  return "lock";
}

// Another process's tags, and whatever the memory held before, do not look like ours. Low bits: the entry's number.
uint64_t ProcessCookie() {
  uint64_t random = 0;
  const auto* bytes = reinterpret_cast<const void*>(getauxval(AT_RANDOM));
  if (bytes != nullptr) std::memcpy(&random, bytes, sizeof random);
  return random | (uint64_t{1} << 63);
}

}  // namespace

LockRegistry::LockRegistry(Validator& validator) : validator_(validator), cookie_(ProcessCookie()) {}

void RecordDeclaration(const LockEntry& lock, uint32_t instance, uint32_t count) {
  ThreadState* thread = thread_local_state.state;
  if (!process->record.is_open() || thread == nullptr) return;
  RecordSlot slot;
  slot.op = kRecordDeclareLock;
  slot.object = static_cast<uint32_t>(lock.ordinal);
  slot.mode = static_cast<uint8_t>(lock.kind);
  slot.argument = Index(lock.lock_class) | uint64_t{instance} << 32;
  slot.site = count;
  process->record.AppendSlot(thread->record, slot);
}

// A chain of return addresses is the same role for locks of one kind; the name is made of tokens, so it is stable.
LockRegistry::ClassInfo& LockRegistry::ClassOfChain(PthreadKind kind, bool created) {
  const CallChain chain = CallChain::Here(created ? kCreationFrames : CallChain::kFramesMax);
  const uint64_t key = chain.Hash() * 16 + static_cast<uint64_t>(kind) * 2 + (created ? 1 : 0);
  if (const auto found = classes_.find(key); found != classes_.end()) return found->second;
  return ClassOf(key, kind, absl::StrCat(KindName(kind), created ? "@" : " used@", chain.ToString()));
}

LockRegistry::ClassInfo& LockRegistry::ClassOfStatic(PthreadKind kind, const void* address) {
  const uint64_t key = reinterpret_cast<uintptr_t>(address) * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(kind);
  if (const auto found = classes_.find(key); found != classes_.end()) return found->second;
  return ClassOf(key, kind, DataToken(address));
}

LockRegistry::ClassInfo& LockRegistry::ClassOf(uint64_t key, PthreadKind kind, const std::string& name) {
  ClassInfo& info = classes_[key];
  info.id = validator_.RegisterClass(name, {.is_event = IsEvent(kind)});
  ThreadState* thread = thread_local_state.state;
  if (process->record.is_open() && thread != nullptr) {
    process->record.AppendText(thread->record, RecordText::kClass, Index(info.id), name);
  }
  return info;
}

LockEntry* LockRegistry::NewEntry() {
  if (retired_.size() > kQuarantine) {
    LockEntry* entry = retired_.front();
    retired_.pop_front();
    return entry;
  }
  const uint64_t number = entries_;
  if (number == kEntriesMax) return nullptr;
  ++entries_;
  LockEntry* chunk = chunks_[number / kChunk].load(std::memory_order_relaxed);
  if (chunk == nullptr) {
    chunk = new LockEntry[kChunk];
    chunks_[number / kChunk].store(chunk, std::memory_order_release);
  }
  LockEntry* entry = &chunk[number % kChunk];
  entry->index = static_cast<uint32_t>(number);
  return entry;
}

LockEntry* LockRegistry::Add(const void* address, uint64_t* tag, PthreadKind kind, ClassInfo& lock_class, bool only_one,
                             uint32_t count) {
  LockEntry* entry = NewEntry();
  if (entry == nullptr) return nullptr;
  const uint32_t instance = ++lock_class.instances;
  entry->map() = only_one ? validator_.NewMap(lock_class.id) : validator_.NewMap(lock_class.id, "instance", instance);
  entry->ordinal = next_ordinal_.fetch_add(1, std::memory_order_relaxed);
  entry->kind = kind;
  entry->robust = false;
  entry->inherited = false;
  entry->stale_holder.store(nullptr, std::memory_order_relaxed);
  entry->signals.store(false, std::memory_order_relaxed);
  RecordDeclaration(*entry, only_one ? 0 : instance, count);
  entry->address.store(address, std::memory_order_release);
  if (tag != nullptr) {
    __atomic_store_n(tag, entry->index ^ cookie_, __ATOMIC_RELEASE);
  } else {
    table_.Insert(entry);
  }
  return entry;
}

LockEntry* LockRegistry::AddCreated(const void* address, uint64_t* tag, PthreadKind kind, uint32_t count) {
  const RawLockGuard guard(lock_);
  return Add(address, tag, kind, ClassOfChain(kind, true), false, count);
}

LockEntry* LockRegistry::AddUsed(const void* address, uint64_t* tag, PthreadKind kind) {
  const RawLockGuard guard(lock_);
  LockEntry* known = tag != nullptr ? FindTagged(tag, address) : Find(address);
  if (known != nullptr) return known;
  if (IsStaticStorage(address)) return Add(address, tag, kind, ClassOfStatic(kind, address), true);
  return Add(address, tag, kind, ClassOfChain(kind, false), false);
}

void LockRegistry::Retire(LockEntry* entry, bool may_be_held) {
  const RawLockGuard guard(lock_);
  const void* address = entry->address.load(std::memory_order_relaxed);
  if (address == nullptr) return;
  if (Find(address) == entry) table_.Erase(address);
  entry->address.store(nullptr, std::memory_order_release);
  if (!may_be_held) retired_.push_back(entry);
}

void LockRegistry::RetireUnloaded() {
  const RawLockGuard guard(lock_);
  for (uint64_t number = 0; number < entries_; ++number) {
    LockEntry& entry = chunks_[number / kChunk].load(std::memory_order_relaxed)[number % kChunk];
    const void* address = entry.address.load(std::memory_order_relaxed);
    if (address == nullptr || entry.instance[0] != '\0' || IsStaticStorage(address)) continue;
    if (Find(address) == &entry) table_.Erase(address);
    entry.address.store(nullptr, std::memory_order_release);
  }
}

}  // namespace ordeal::lockdep
