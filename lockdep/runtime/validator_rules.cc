// Everything that is told of a held lock besides its acquisition: release, re-keying, assertions, pins, freed memory.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lockdep/graph/lock_kind.h"
#include "lockdep/runtime/event_book.h"
#include "lockdep/runtime/held_locks.h"
#include "lockdep/runtime/validator.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

// Index of the newest entry of `map`; held.size() if there is none.
size_t FindHeld(const HeldStack& held, const LockMap& map) {
  for (size_t i = held.size(); i-- > 0;) {
    if (held[i].map == &map) return i;
  }
  return held.size();
}

// A nest lock serialises what is taken after it: a lock of the node below it is plain recursion.
bool Serialises(const HeldStack& held, size_t nest, NodeId node) {
  return nest < held.size() &&
         std::none_of(held.begin(), held.begin() + nest, [&](const HeldLock& older) { return older.node() == node; });
}

bool Contains(const void* begin, size_t size, const LockMap* map) {
  const auto first = reinterpret_cast<uintptr_t>(begin);
  const auto address = reinterpret_cast<uintptr_t>(map);
  return address >= first && address - first < size;
}

}  // namespace

void Validator::RebuildKeys(TaskContext& task, size_t from) {
  for (size_t i = from; i < task.held_.size(); ++i) {
    HeldLock& held = task.held_[i];
    const HeldLock* below = i > 0 && SameIrqContext(task.held_[i - 1].word, held.word) ? &task.held_[i - 1] : nullptr;
    held.previous_key =
        below == nullptr ? task.seed_
                         : KeyAfter(below->previous_key, i > 1 ? &task.held_[i - 2] : nullptr, below->word);
  }
  const size_t depth = task.held_.size();
  if (depth == 0 || !SameIrqContext(task.held_.back().word, task.context_)) {
    task.key_ = task.seed_;
  } else {
    task.key_ = KeyAfter(task.held_.back().previous_key, depth > 1 ? &task.held_[depth - 2] : nullptr,
                         task.held_.back().word);
  }
}

// Takes an entry anew on top of what is held, and judges it.
void Validator::PushAndJudge(TaskContext& task, HeldLock held) {
  const HeldLock* below = task.held_.empty() ? nullptr : &task.held_.back();
  if (below != nullptr && !SameIrqContext(below->word, held.word)) below = nullptr;
  held.previous_key = task.key_;
  const uint64_t key = KeyAfter(task.key_, below, held.word);
  task.held_.Push(held);
  task.key_ = key;
  if (!chains_.Touch(key, run_, !broken_.load(std::memory_order_relaxed))) AcquireUnseen(task);
}

// Acquire, with what most acquisitions have none of: instances in order, a nest lock, a history, a stack that must grow.
void Validator::AcquireUncommon(TaskContext& task, const LockMap& map, Mode mode, const AcquireOptions& options) {
  uint64_t word = ChainWord(NodeOf(map.lock_class, options.subclass), mode) | task.context_ |
                  (options.trylock ? kTrylock : 0) | (options.check ? 0 : kUnchecked);
  if (static_cast<unsigned>(options.subclass) >= kSubclasses) {
    word = BadSubclass(task, map, options.subclass, word, options.site);
  }
  if (map.ordered && OrderAscends(task, map, word)) word |= kOrdered;
  const uint64_t previous = task.key_;
  uint32_t nest = 0;
  const uint64_t key = options.nest != nullptr ? NestKey(task, map, options, &word, &nest)
                                               : MixChainKey(previous ^ SiteSalt(task, options.site), word);
  HeldLock held{&map, previous, word, options.site};
  held.nest = nest;
  task.held_.Push(held);
  task.key_ = key;
  if (task.history_ != nullptr) Remember(task);
  if (!chains_.Touch(key, run_, !broken_.load(std::memory_order_relaxed))) AcquireUnseen(task);
}

uint64_t Validator::NestKey(TaskContext& task, const LockMap& map, const AcquireOptions& options, uint64_t* word,
                            uint32_t* nest) {
  const size_t at = FindHeld(task.held_, *options.nest);
  if (at < task.held_.size()) {
    *nest = static_cast<uint32_t>(at) + 1;
    if (Serialises(task.held_, at, NodeOfWord(*word))) *word |= kNested;
    return KeyAfter(task.key_, task.held_.empty() ? nullptr : &task.held_.back(), *word);
  }
  HeldLock acquired = NotHeld(map, options.site);
  acquired.word = *word;
  ReportSimple(ViolationKind::kNestNotHeld, task, acquired,
               absl::StrCat("the nest lock ", classes_.NodeName(NodeOf(options.nest->lock_class, 0)), " is not held"));
  return MixChainKey(task.key_, *word);
}

uint64_t Validator::BadSubclass(TaskContext& task, const LockMap& map, int subclass, uint64_t word, Site site) {
  ReportSimple(ViolationKind::kApiAssert, task, NotHeld(map, site),
               absl::StrCat("subclass ", subclass, " is outside 0..7; taken as 7"));
  return ChainWord(NodeOf(map.lock_class, kSubclasses - 1), ModeOfWord(word)) | (word & 0xfffffffcu);
}

void Validator::AcquireMode(TaskContext& task, const LockMap& map, int lock_mode, const AcquireOptions& options) {
  HeldLock acquired = NotHeld(map, options.site);
  const LockKind* kind = classes_.at(map.lock_class).options.kind;
  LD_CHECK(kind != nullptr && lock_mode >= 0 && lock_mode < kind->modes,
           absl::StrCat("mode ", lock_mode, " of lock class '", classes_.at(map.lock_class).name, "'"));
  acquired.word = ChainWord(NodeOf(map.lock_class, options.subclass), Mode::kExclusive) | task.context_ |
                  (static_cast<uint64_t>(lock_mode) << kLockModeShift) | (options.trylock ? kTrylock : 0) |
                  (options.check ? 0 : kUnchecked);
  if (options.nest != nullptr) NestKey(task, map, options, &acquired.word, &acquired.nest);
  if (map.ordered && OrderAscends(task, map, acquired.word)) acquired.word |= kOrdered;
  PushAndJudge(task, acquired);
}

void Validator::ReleaseSlow(TaskContext& task, const LockMap& map, Site site) {
  const size_t i = FindHeld(task.held_, map);
  if (i < task.held_.size()) {
    if (task.held_[i].pins != 0) {
      HeldLock released = task.held_[i];
      released.site = site;
      ReportSimple(ViolationKind::kPinned, task, released, "a pinned lock is released");
    }
    task.held_.Erase(i);
    for (size_t above = i; above < task.held_.size(); ++above) {
      uint32_t& nest = task.held_[above].nest;
      if (nest == i + 1) {
        nest = 0;
        ReportSimple(ViolationKind::kNestNotHeld, task, task.held_[above],
                     absl::StrCat("its nest lock ", classes_.NodeName(NodeOf(map.lock_class, 0)), " is released before it"));
      } else if (nest > i + 1) {
        --nest;
      }
    }
    RebuildKeys(task, i);
    return;
  }
  const TaskContext* holder = FindHolder(map, &task);
  ReportSimple(holder != nullptr ? ViolationKind::kForeignUnlock : ViolationKind::kBadUnlock, task, NotHeld(map, site),
               holder != nullptr ? absl::StrCat("it is held by ", holder->name()) : "nobody holds it");
}

void Validator::Sync(TaskContext& task, const LockMap& map, Mode mode, const AcquireOptions& options) {
  HeldLock waited = NotHeld(map, options.site);
  waited.word = ChainWord(NodeOf(map.lock_class, options.subclass), mode) | task.context_ | kSync |
                (options.check ? 0 : kUnchecked);
  if (options.nest != nullptr && Serialises(task.held_, FindHeld(task.held_, *options.nest), waited.node())) {
    waited.word |= kNested;
  }
  if (map.ordered && OrderAscends(task, map, waited.word)) waited.word |= kOrdered;
  PushAndJudge(task, waited);
  if (task.history_ != nullptr) Remember(task);
  Release(task, map, options.site);
}

void Validator::Downgrade(TaskContext& task, const LockMap& map, Mode mode, Site site) {
  const size_t i = FindHeld(task.held_, map);
  if (i == task.held_.size()) {
    ReportSimple(ViolationKind::kBadUnlock, task, NotHeld(map, site), "downgrade of a lock that is not held");
    return;
  }
  HeldLock& held = task.held_[i];
  if (held.mode() != Mode::kExclusive) {
    ReportSimple(ViolationKind::kApiAssert, task, held, "downgrade of a lock that is held shared already");
  }
  held.word = (held.word & ~uint64_t{3}) | static_cast<uint64_t>(mode);
  RebuildKeys(task, i);
}

void Validator::SetClass(TaskContext& task, LockMap& map, LockClassId lock_class, int subclass, Site site) {
  map.lock_class = lock_class;
  map.ordered = classes_.at(lock_class).options.ordered();
  const size_t first = FindHeld(task.held_, map);
  if (first == task.held_.size()) return;
  std::vector<HeldLock> above(task.held_.begin() + first, task.held_.end());
  const uint64_t context = task.context_;
  task.held_.Truncate(first);
  RebuildKeys(task, 0);
  above[0].word = ChainWord(NodeOf(lock_class, subclass), above[0].mode()) | (above[0].word & 0xfffffffcu);
  if (site.line != 0) above[0].site = site;
  for (HeldLock& held : above) {
    if (!task.held_.empty() && !SameIrqContext(task.held_.back().word, held.word)) task.key_ = task.seed_;
    PushAndJudge(task, held);
  }
  task.context_ = context;
  RebuildKeys(task, first);
}

// ---- tasks

void Validator::Attach(TaskContext& task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(&task);
  task.site_mask_ = options_.count_sites ? ~uint64_t{0} : 0;
  if (!options_.grade_online) return;
  task.seed_ = MixChainKey(kEmptyChainKey, task.id_ + uint64_t{1});
  RebuildKeys(task, 0);
}

void Validator::Detach(TaskContext& task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.erase(std::remove(tasks_.begin(), tasks_.end(), &task), tasks_.end());
  if (events_ != nullptr && task.id_ == 0) events_->Retire(EventBook::TaskName(task));
}

void Validator::Fork(TaskContext& parent, uint32_t child) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (options_.grade_online) witnesses_.Fork(parent.id_, child);
  if (events_ != nullptr) events_->Fork(EventBook::TaskName(parent), parent.history_.get(), child);
}

void Validator::Join(TaskContext& parent, uint32_t child) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (options_.grade_online) witnesses_.Join(parent.id_, child);
  if (events_ != nullptr) events_->Join(EventBook::TaskName(parent), child);
}

const TaskContext* Validator::FindHolder(const LockMap& map, const TaskContext* except) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const TaskContext* task : tasks_) {
    if (task == except) continue;
    if (task->held_.FindFromOutside([&](const LockMap* held) { return held == &map; }) != nullptr) return task;
  }
  return nullptr;
}

void Validator::TaskExit(TaskContext& task, Site site) {
  if (!task.held_.empty()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Violation violation = NewViolation(ViolationKind::kHeldAtExit, task, task.held_.front());
    violation.signature = absl::StrCat("held-at-exit: ", violation.acquiring.node);
    Report(std::move(violation));
  }
  task.held_.Truncate(0);
  task.key_ = task.seed_;
}

void Validator::UnregisterClass(TaskContext& task, LockClassId lock_class, Site site) {
  for (const HeldLock& held : task.held_) {
    if (ClassOf(held.node()) != lock_class) continue;
    HeldLock freed = held;
    if (site.line != 0) freed.site = site;
    ReportSimple(ViolationKind::kHeldFreed, task, freed, "its lock class is unregistered");
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  const LockClass& gone = classes_.at(lock_class);
  const uint32_t groups = gone.options.kind == nullptr ? 0 : static_cast<uint32_t>(gone.options.kind->modes);
  for (int subclass = 0; subclass < kSubclasses; ++subclass) {
    graph_.RemoveNode(NodeOf(lock_class, subclass));
    census_.Forget(NodeOf(lock_class, subclass));
    for (uint32_t group = 0; group < groups; ++group) {
      graph_.RemoveNode(NodeOf(LockClassId{Index(gone.first_group) + group}, subclass));
    }
  }
  classes_.Unregister(lock_class);
}

// ---- assertions

bool Validator::FailAssertion(TaskContext& task, const LockMap& map, ViolationKind kind, const char* what, Site site) {
  ReportSimple(kind, task, NotHeld(map, site), what);
  return false;
}

bool Validator::AssertHeld(TaskContext& task, const LockMap& map, Site site) {
  return task.Holds(map) || FailAssertion(task, map, ViolationKind::kAssertHeld, "must be held", site);
}

bool Validator::AssertHeldExclusive(TaskContext& task, const LockMap& map, Site site) {
  const size_t i = FindHeld(task.held_, map);
  if (i < task.held_.size() && task.held_[i].mode() == Mode::kExclusive) return true;
  return FailAssertion(task, map, ViolationKind::kAssertHeld, "must be held exclusively", site);
}

bool Validator::AssertHeldShared(TaskContext& task, const LockMap& map, Site site) {
  const size_t i = FindHeld(task.held_, map);
  if (i < task.held_.size() && task.held_[i].mode() != Mode::kExclusive) return true;
  return FailAssertion(task, map, ViolationKind::kAssertHeld, "must be held shared", site);
}

bool Validator::AssertHeldOnce(TaskContext& task, const LockMap& map, Site site) {
  const auto times = std::count_if(task.held_.begin(), task.held_.end(), [&](const HeldLock& h) { return h.map == &map; });
  return times == 1 || FailAssertion(task, map, ViolationKind::kAssertHeld, "must be held exactly once", site);
}

bool Validator::AssertNotHeld(TaskContext& task, const LockMap& map, Site site) {
  return !task.Holds(map) || FailAssertion(task, map, ViolationKind::kAssertNotHeld, "must not be held", site);
}

bool Validator::IsClassHeld(const TaskContext& task, LockClassId lock_class) {
  return std::any_of(task.held_.begin(), task.held_.end(),
                     [&](const HeldLock& held) { return ClassOf(held.node()) == lock_class; });
}

bool Validator::AssertClassNotHeld(TaskContext& task, LockClassId lock_class, Site site) {
  for (const HeldLock& held : task.held_) {
    if (ClassOf(held.node()) != lock_class) continue;
    HeldLock asserted = held;
    asserted.site = site;
    ReportSimple(ViolationKind::kAssertNotHeld, task, asserted, "no lock of its class must be held");
    return false;
  }
  return true;
}

// ---- pins and memory

uint32_t Validator::Pin(TaskContext& task, const LockMap& map, Site site) {
  uint32_t cookie;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    cookie = next_cookie_;
    next_cookie_ = next_cookie_ * 5 % 65521 + 1;  // small, never 0, differs between pins; sums tell mismatches
  }
  Repin(task, map, cookie, site);
  return cookie;
}

void Validator::Repin(TaskContext& task, const LockMap& map, uint32_t cookie, Site site) {
  const size_t i = FindHeld(task.held_, map);
  if (i == task.held_.size()) {
    ReportSimple(ViolationKind::kPinned, task, NotHeld(map, site), "a lock that is not held is pinned");
    return;
  }
  task.held_[i].pins += cookie;
}

void Validator::Unpin(TaskContext& task, const LockMap& map, uint32_t cookie, Site site) {
  const size_t i = FindHeld(task.held_, map);
  const char* wrong = nullptr;
  if (i == task.held_.size()) {
    wrong = "a lock that is not held is unpinned";
  } else if (task.held_[i].pins == 0) {
    wrong = "a lock that is not pinned is unpinned";
  } else if (task.held_[i].pins < cookie) {
    wrong = "a lock is unpinned with a cookie that is not its pin's";
    task.held_[i].pins = 0;
  } else {
    task.held_[i].pins -= cookie;
  }
  if (wrong != nullptr) ReportSimple(ViolationKind::kPinned, task, NotHeld(map, site), wrong);
}

void Validator::MemoryFreed(TaskContext& task, const void* begin, size_t size, Site site) {
  for (const HeldLock& held : task.held_) {
    if (!Contains(begin, size, held.map)) continue;
    HeldLock freed = held;
    if (site.line != 0) freed.site = site;
    ReportSimple(ViolationKind::kHeldFreed, task, freed, "its memory is freed or initialised");
  }
  const auto contained = [&](const LockMap* map) { return Contains(begin, size, map); };
  const LockMap* elsewhere = nullptr;
  std::string holder;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < tasks_.size() && elsewhere == nullptr; ++i) {
      if (tasks_[i] == &task) continue;
      elsewhere = tasks_[i]->held_.FindFromOutside(contained);
      holder = tasks_[i]->name();
    }
  }
  if (elsewhere == nullptr) return;
  ReportSimple(ViolationKind::kHeldFreed, task, NotHeld(*elsewhere, site),
               absl::StrCat("its memory is freed or initialised while ", holder, " holds it"));
}

void Validator::Reinitialised(TaskContext& task, const LockMap& map, Site site) {
  MemoryFreed(task, &map, sizeof(map), site);
}

void Validator::ApiAssert(TaskContext& task, const LockMap& map, const std::string& message, Site site) {
  ReportSimple(ViolationKind::kApiAssert, task, NotHeld(map, site), message);
}

// ---- reports

HeldLock Validator::NotHeld(const LockMap& map, Site site) const {
  HeldLock lock;
  lock.map = &map;
  lock.word = ChainWord(NodeOf(map.lock_class, 0), Mode::kExclusive);
  lock.site = site;
  return lock;
}

void Validator::ReportSimple(ViolationKind kind, TaskContext& task, const HeldLock& lock, const std::string& message) {
  const std::lock_guard<std::mutex> guard(mutex_);
  Violation violation = NewViolation(kind, task, lock);
  violation.message = message;
  violation.signature = absl::StrCat(ViolationKindName(kind), ": ", violation.acquiring.node);
  if (kind == ViolationKind::kApiAssert || kind == ViolationKind::kPinned) absl::StrAppend(&violation.signature, ": ", message);
  Report(std::move(violation));
}

}  // namespace ordeal::lockdep
