// Memory reclaim as a pseudo-lock: whatever reclaim takes must not be held, or waited for, across an allocation that may
// reclaim. Reclaim holds `fs_reclaim`; such an allocation takes and releases it, so an ordinary cycle search finds the rest.
//
// Reclaim enters file systems only for allocations that allow it (gfp.fs) and that no scope of the task restricts; a
// task that frees memory itself (kMemalloc) never reclaims again.
// Source: the kernel's fs_reclaim_acquire and memalloc_nofs_save (mm/page_alloc.c, include/linux/sched/mm.h).
//
// Thread-safety: as the validator's; scopes belong to their task.
// Invariants:    scopes of one task are restored in the reverse order of their saving.
// Cost:          an allocation that may reclaim: one acquire and release; any other: two tests.
// Example:
//   FsReclaim reclaim(validator);
//   reclaim.Alloc(task, kGfpKernel, Site::Here());          // fs_reclaim depends on every lock the task holds
//   {
//     AllocationScope nofs(task, FsReclaim::kNoFs);
//     reclaim.Alloc(task, kGfpKernel, Site::Here());        // no dependency
//   }
#ifndef ORDEAL_LOCKDEP_RUNTIME_RECLAIM_H_
#define ORDEAL_LOCKDEP_RUNTIME_RECLAIM_H_

#include <cstdint>

#include "lockdep/graph/site.h"
#include "lockdep/runtime/task_context.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

// What an allocation allows reclaim to do on its behalf.
struct Gfp {
  bool may_reclaim = true;
  bool fs = true;  // enter file systems
  bool io = true;  // start I/O
};
inline constexpr Gfp kGfpKernel{};
inline constexpr Gfp kGfpNoFs{.fs = false};
inline constexpr Gfp kGfpNoIo{.fs = false, .io = false};
inline constexpr Gfp kGfpAtomic{.may_reclaim = false, .fs = false, .io = false};

class FsReclaim {
 public:
  // kNoIo implies kNoFs. kMemalloc: the task is freeing memory, its allocations may use reserves and never reclaim.
  enum Scope : uint8_t { kNoFs = 1, kNoIo = 2, kMemalloc = 4 };

  explicit FsReclaim(Validator& validator);

  // The task reclaims memory between the two. Alone they leave nested allocations judged; the kernel adds kMemalloc.
  void ReclaimBegin(TaskContext& task, Site site = {});
  void ReclaimEnd(TaskContext& task, Site site = {});
  // An allocation, whether or not memory is short.
  void Alloc(TaskContext& task, Gfp gfp, Site site = {});

  // Starts a scope; the result is what Restore needs to end it.
  static uint8_t Save(TaskContext& task, Scope scope);
  static void Restore(TaskContext& task, Scope scope, uint8_t saved);
  // What is left of `gfp` in the task's scopes.
  static Gfp Effective(const TaskContext& task, Gfp gfp);

  const LockMap& map() const { return map_; }

 private:
  Validator& validator_;
  LockMap map_;
};

class AllocationScope {
 public:
  AllocationScope(TaskContext& task, FsReclaim::Scope scope)
      : task_(task), scope_(scope), saved_(FsReclaim::Save(task, scope)) {}
  ~AllocationScope() { FsReclaim::Restore(task_, scope_, saved_); }
  AllocationScope(const AllocationScope&) = delete;
  AllocationScope& operator=(const AllocationScope&) = delete;

 private:
  TaskContext& task_;
  const FsReclaim::Scope scope_;
  const uint8_t saved_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_RECLAIM_H_
