#include "lockdep/runtime/reclaim.h"

namespace ordeal::lockdep {

// Allocating where sleeping is not allowed is wrong by itself (outer); holding the pseudo-lock forbids nothing (inner).
FsReclaim::FsReclaim(Validator& validator)
    : validator_(validator),
      map_(validator.NewMap(
          validator.RegisterClass("fs_reclaim", {.inner = WaitType::kUnchecked, .outer = WaitType::kSleep}))) {}

void FsReclaim::ReclaimBegin(TaskContext& task, Site site) {
  validator_.Acquire(task, map_, Mode::kExclusive, {.site = site});
}

void FsReclaim::ReclaimEnd(TaskContext& task, Site site) { validator_.Release(task, map_, site); }

void FsReclaim::Alloc(TaskContext& task, Gfp gfp, Site site) {
  const Gfp effective = Effective(task, gfp);
  if (!effective.may_reclaim || !effective.fs) return;
  validator_.Acquire(task, map_, Mode::kExclusive, {.site = site});
  validator_.Release(task, map_, site);
}

uint8_t FsReclaim::Save(TaskContext& task, Scope scope) {
  const uint8_t saved = task.allocation_scopes_ & scope;
  task.allocation_scopes_ |= scope;
  return saved;
}

void FsReclaim::Restore(TaskContext& task, Scope scope, uint8_t saved) {
  task.allocation_scopes_ = static_cast<uint8_t>((task.allocation_scopes_ & ~scope) | (saved & scope));
}

Gfp FsReclaim::Effective(const TaskContext& task, Gfp gfp) {
  const uint8_t scopes = task.allocation_scopes_;
  if ((scopes & kMemalloc) != 0) gfp.may_reclaim = false;
  if ((scopes & kNoIo) != 0) gfp.io = false;
  if ((scopes & (kNoFs | kNoIo)) != 0) gfp.fs = false;
  return gfp;
}

}  // namespace ordeal::lockdep
