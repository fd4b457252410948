#include "lockdep/locks/lock_tracker.h"

#include <sched.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "lockdep/locks/thread_state.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {
namespace {

LockClassOptions OptionsOf(LockFlavour flavour) {
  LockClassOptions options;
  if (flavour == LockFlavour::kSpins) options.inner = WaitType::kConfig;
  if (flavour == LockFlavour::kEvent) options.is_event = true;
  return options;
}

// FNV-1a: the same key in every translation unit and shared object that names the class.
uint64_t KeyOf(const std::string& text, LockFlavour flavour) {
  uint64_t key = 0xcbf29ce484222325u ^ static_cast<uint64_t>(flavour);
  for (const char c : text) key = (key ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return key | 1;
}

const char* BaseName(const char* file) {
  const char* slash = std::strrchr(file, '/');
  return slash != nullptr ? slash + 1 : file;
}

// The classes of names and sites that have been asked for: a list for each hash value, only ever prepended to, so that a
// look-up takes no mutex. Two threads may prepend the same class twice, which is harmless.
struct KnownClass {
  const char* text;  // a name, or a site's file
  int line;          // 0: a name
  LockFlavour flavour;
  std::string copy;  // of the text: its memory may have come to hold another name
  LockClassId id;
  KnownClass* next;
};
constinit std::atomic<KnownClass*> known_classes[1024] = {};

std::atomic<KnownClass*>& ListOf(const char* text, int line, LockFlavour flavour) {
  uint64_t hash = reinterpret_cast<uintptr_t>(text) + static_cast<uint64_t>(line) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ static_cast<uint64_t>(flavour)) * 0x9fb21c651e98df25u;
  return known_classes[hash >> 54];
}

LockClassId ClassOfText(Validator& validator, const char* text, int line, LockFlavour flavour) {
  std::atomic<KnownClass*>& list = ListOf(text, line, flavour);
  KnownClass* const first = list.load(std::memory_order_acquire);  // pairs with the exchange below
  for (const KnownClass* known = first; known != nullptr; known = known->next) {
    if (known->text == text && known->line == line && known->flavour == flavour && known->copy == text) return known->id;
  }
  const std::string identity = line != 0 ? absl::StrCat(text, ":", line) : std::string(text);
  const std::string shown = line != 0 ? absl::StrCat(BaseName(text), ":", line) : identity;
  const LockClassId id = validator.RegisterKey(KeyOf(identity, flavour), shown, OptionsOf(flavour));
  auto* known = new KnownClass{text, line, flavour, text, id, first};
  while (!list.compare_exchange_weak(known->next, known, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return id;
}

}  // namespace

void LockTracker::Resolve() {
  uint32_t expected = kNew;
  if (!state_.compare_exchange_strong(expected, kBusy, std::memory_order_relaxed)) {
    while (state_.load(std::memory_order_acquire) != kReady) sched_yield();
    return;
  }
  Validator& validator = ProcessValidator();
  if (origin_ == kKey) {
    map_.lock_class =
        validator.RegisterKey(reinterpret_cast<uintptr_t>(class_key_), class_key_->name_, class_key_->options_);
  } else if (origin_ == kName) {
    map_.lock_class = ClassOfText(validator, name_, 0, flavour_);
  } else {
    map_.lock_class = ClassOfText(validator, site_.file, site_.line, flavour_);
  }
  map_.ordered = validator.classes().at(map_.lock_class).options.ordered();
  state_.store(kReady, std::memory_order_release);
}

bool LockTracker::Acquire(unsigned mode, LockHow how, Site site) {
  ThreadState* thread = ThreadState::Enter();
  if (__builtin_expect(thread == nullptr, 0)) return false;
  AcquireOptions options{.subclass = how.subclass(), .trylock = (mode & kTry) != 0, .site = site};
  if (__builtin_expect(how.nest() != nullptr, 0)) {
    // A nest lock that was taken while validation was off protects, but cannot be seen to.
    options.check = !how.nest()->untracked();
    if (options.check) options.nest = &how.nest()->map_;
  }
  thread->validator->Acquire(thread->task, map(), static_cast<Mode>(mode & 3), options);
  thread->LeaveAcquisition();
  return true;
}

// The common case with everything constant folded in: one check of the thread, one of the lock, the acquisition, one check
// of what it left to do.
template <Mode mode>
inline bool LockTracker::AcquirePlain(Site site) {
  ThreadState* const thread = internal::current_thread;
  if (__builtin_expect(thread == nullptr || thread->busy || state_.load(std::memory_order_acquire) != kReady, 0)) {
    return Acquire(static_cast<unsigned>(mode), {}, site);
  }
  thread->busy = true;
  thread->validator->Acquire(thread->task, map_, mode, {.site = site});
  thread->LeaveAcquisition();
  return true;
}

bool LockTracker::AcquireExclusive(Site site) { return AcquirePlain<Mode::kExclusive>(site); }
bool LockTracker::AcquireShared(Site site) { return AcquirePlain<Mode::kShared>(site); }

void LockTracker::Release(Site site) {
  ThreadState* const thread = internal::current_thread;
  if (__builtin_expect(thread == nullptr || thread->busy || !ValidationEnabled() ||
                           state_.load(std::memory_order_acquire) != kReady, 0)) {
    return ReleaseSlow(site);
  }
  thread->busy = true;
  thread->validator->Release(thread->task, map_, site);
  thread->Leave();
}

void LockTracker::ReleaseSlow(Site site) {
  if (!ValidationEnabled() && !HeldByCaller()) return;
  ThreadState* thread = ThreadState::Enter();
  if (thread == nullptr) return;
  thread->validator->Release(thread->task, map(), site);
  thread->Leave();
}

void LockTracker::CountUntrackedShared() { ++internal::untracked_shared_holds; }

// Readers are many: that a lock is held untracked is counted in the thread.
void LockTracker::BeforeSharedUnlock(Site site) {
  if (__builtin_expect(internal::untracked_shared_holds != 0, 0) && !HeldByCaller()) {
    --internal::untracked_shared_holds;
    return;
  }
  Release(site);
}

bool LockTracker::HeldByCaller() const {
  return internal::current_thread != nullptr && internal::current_thread->task.Holds(map_);
}

void LockTracker::AssertHeld(Site site) {
  if (!ValidationEnabled() || untracked()) return;
  ThreadState* thread = ThreadState::Enter();
  if (thread == nullptr) return;
  thread->validator->AssertHeldExclusive(thread->task, map(), site);
  thread->Leave();
}

void LockTracker::AssertHeldShared(Site site) {
  if (!ValidationEnabled() || untracked() || internal::untracked_shared_holds != 0) return;
  ThreadState* thread = ThreadState::Enter();
  if (thread == nullptr) return;
  thread->validator->AssertHeld(thread->task, map(), site);
  thread->Leave();
}

// The thread must not go on holding what is gone, whether it is reported or not.
void LockTracker::ReportDestroyedHeld(Site site) {
  ThreadState* thread = ThreadState::Enter();
  if (thread == nullptr) return;
  if (ValidationEnabled() && !untracked()) thread->validator->MemoryFreed(thread->task, &map_, sizeof(map_), site);
  while (thread->task.Holds(map_)) thread->validator->HandOver(thread->task, map_);
  thread->Leave();
}

bool RecursiveTracker::AcquireAgain(unsigned mode, LockHow how, Site site) {
  if (internal::current_thread != nullptr && owner_.load(std::memory_order_relaxed) == internal::current_thread) return true;
  return how.plain() && mode == kExclusive ? AcquireExclusive(site) : Acquire(mode, how, site);
}

void RecursiveTracker::AfterLock(bool tracked) {
  if (!tracked) return CountUntracked(1);
  if (owner_.load(std::memory_order_relaxed) == internal::current_thread) {
    ++again_;
  } else {
    owner_.store(internal::current_thread, std::memory_order_relaxed);
  }
}

void RecursiveTracker::BeforeUnlock(Site site) {
  if (untracked()) return CountUntracked(-1);
  if (owner_.load(std::memory_order_relaxed) == internal::current_thread) {
    if (again_ != 0) {
      --again_;
      return;
    }
    owner_.store(nullptr, std::memory_order_relaxed);
  }
  Release(site);
}

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep
