// OCFS2 as it was, or was proposed to be, while the order of page locks and cluster locks was argued about in 2005 (protocols 2.8,
// 2.9, 2.11). They differ from ocfs2.h in who takes the inode lock for a folio that the page cache has locked already, and in how
// the downconvert worker gets at the folios. None has ip_alloc_sem around fills: punching holes is not their business.
//
// | class              | read_folio (P3)                       | write (P8)                    | worker                    |
// | Ocfs2Naive (V9)    | inode lock under the folio lock       | the same                      | waits for folio locks     |
// | Ocfs2SkipLocked (V9m) | as naive                           | as naive                      | skips locked folios, again |
// | Ocfs2Guard (V10)   | inode lock before the folio is locked | before, until it is unlocked  | waits for folio locks     |
// | Ocfs2Atp (V12)     | tries; else unlock and look up again  | the same                      | waits for folio locks     |
//
// Thread-safety: tasks of one simulation; no state besides the bugs.
// Lock order:    naive: folio_lock > ocfs2_inode_lock, against the worker's (B46). guard: ocfs2_inode_lock > folio_lock.
// Example:       const Ocfs2Guard guard(bugs); World world(sim, guard, {.nodes = 2});
#ifndef ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_HISTORICAL_H_
#define ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_HISTORICAL_H_

#include "harness/filesystems/ocfs2/ocfs2.h"

namespace ordeal {

// V9: B46 without any switch.
class Ocfs2Naive : public Ocfs2 {
 public:
  explicit Ocfs2Naive(pagecache::BugSet bugs = {}) : Ocfs2(bugs) {}
  const char* name() const override { return "ocfs2-naive"; }
  // Of reads and writes. Whoever has the inode lock and wants a folio (the worker, a truncate, a store) breaks it: B46.
  absl::Span<const char* const> lock_order() const override;
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error ReadaheadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error WriteBegin(pagecache::World&, pagecache::Inode&, uint32_t) const override {
    return pagecache::Error::kOk;
  }
  void WriteEnd(pagecache::World&, pagecache::Inode&, uint32_t) const override {}
  pagecache::Error PrepareWrite(pagecache::World& world, pagecache::Folio& folio) const override;
  void FolioWritten(pagecache::World& world, pagecache::Folio& folio) const override;

 protected:
  bool merged() const override { return false; }
  int64_t minimum_hold_ns() const override { return 0; }
};

// V9m, Morton's question in the thread: why does the worker not skip what is locked, and try again? B49 without any switch.
class Ocfs2SkipLocked : public Ocfs2Naive {
 public:
  explicit Ocfs2SkipLocked(pagecache::BugSet bugs = {}) : Ocfs2Naive(bugs) {}
  const char* name() const override { return "ocfs2-skip-locked"; }

 protected:
  DownconvertAnswer Downconvert(pagecache::World& world, pagecache::Inode& inode, DlmMode blocking) const override;

 private:
  static bool Pass(pagecache::World& world, pagecache::Inode& inode, bool drop);
};

// V10, guard_page_locks and page_locks_done around every use of locked pages. B50: the copy of a write may fault in between.
// B51: the way out of a fill that found the page read already forgets page_locks_done.
class Ocfs2Guard : public Ocfs2 {
 public:
  explicit Ocfs2Guard(pagecache::BugSet bugs = {}) : Ocfs2(bugs) {}
  const char* name() const override { return "ocfs2-guard"; }
  void FillEnter(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  void FillExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error ReadaheadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error WriteBegin(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  void WriteEnd(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;

 protected:
  bool merged() const override { return false; }
  int64_t minimum_hold_ns() const override { return 0; }
};

// V12 as posted: who cannot have the lock at once retries at once, without having waited for it (B55, found
// with random priorities: a grant is taken away again before the retry).
class Ocfs2Atp : public Ocfs2Naive {
 public:
  explicit Ocfs2Atp(pagecache::BugSet bugs = {}) : Ocfs2Naive(bugs) {}
  const char* name() const override { return "ocfs2-atp"; }
  absl::Span<const char* const> lock_order() const override { return Ocfs2::lock_order(); }  // it only tries under folio locks
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error ReadaheadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error PrepareWrite(pagecache::World& world, pagecache::Folio& folio) const override;

 private:
  static pagecache::Error TryOrRetry(pagecache::World& world, pagecache::Folio& folio, DlmMode mode);
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_HISTORICAL_H_
