// An address space of a process: mmap_lock, and one shared mapping a file with its page-table entries.
//
// Thread-safety: tasks of one simulation. The page table is changed between scheduling points (the pte lock is a leaf).
// Invariants:    a present entry holds a reference and counts in mapcount; writable implies that the folio was dirtied.
// Example:       mm.mmap_lock.LockShared(); Vma* vma = mm.FindVma(inode); ... mm.mmap_lock.UnlockShared();
#ifndef ORDEAL_HARNESS_PAGECACHE_MM_H_
#define ORDEAL_HARNESS_PAGECACHE_MM_H_

#include <array>

#include "absl/container/inlined_vector.h"
#include "harness/pagecache/inode.h"
#include "harness/sync/rw_semaphore.h"

namespace ordeal::pagecache {

struct Pte {
  Folio* folio = nullptr;  // null: not present
  bool writable = false;
  bool dirty = false;
};

struct Vma {
  Inode* file = nullptr;
  std::array<Pte, kFilePagesMax> table{};
  bool mapped = true;    // false between munmap and mmap: nobody sees it
  bool writable = true;  // PROT_WRITE
};

class Mm {
 public:
  Mm(Simulation& sim, const LockClasses& classes, uint32_t mm_number, StealRule steal, int node_number = 0)
      : number(mm_number), node(node_number), mmap_lock(sim, classes.mmap_lock, "mmap_lock of mm", mm_number, steal) {}
  Mm(const Mm&) = delete;
  Mm& operator=(const Mm&) = delete;

  Vma* FindVma(const Inode& file) {
    for (Vma& vma : vmas) {
      if (vma.file == &file && vma.mapped) return &vma;
    }
    return nullptr;
  }

  const uint32_t number;
  const int node;
  RwSemaphore mmap_lock;
  absl::InlinedVector<Vma, 3> vmas;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_MM_H_
