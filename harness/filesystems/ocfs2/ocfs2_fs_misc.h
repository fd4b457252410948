// OCFS2 with PG_fs_misc, posted in the same thread of 2005 and not merged (protocols 2.10, V11): a task asks for cluster locks with
// the folio locked, as in Ocfs2Naive, but lends the folio to the downconvert worker meanwhile. The bit says that it may be had.
//
// | task (has the folio lock)                      | worker                                                      |
// | sets the bit, wakes who waits for the folio    | waits for the folio lock, or finds the bit set, clears it   |
// | waits for the cluster lock                     | writes the folio, sets the bit again, wakes the task        |
// | waits until the bit is set, clears it, uses it | leaves the folio in the tree; others it drops               |
//
// Meta lock (i_size) and data lock (pages) are two, as in the post. This is the idea, holes closed: the task tests and clears
// the bit in one step (B52: in two), the worker says that what it leaves is not up to date (B53: forgets it), and setting the bit
// wakes the worker (B54: not, as if waiters had keys and the key were the other bit's). As posted it has the first two.
// A readahead has more folios locked than the one it asks for: it only tries. Writes have no lock of the whole cluster, as in 2005.
//
// Thread-safety: tasks of one simulation; the bits are with the inode.
// Invariants:    F1 a folio is used either by its owner or by the worker (noted); F2 what the worker leaves is read again; S5.
// Lock order:    folio_lock (lent) > ocfs2_inode_lock > ocfs2_data_lock; the worker's wait for a folio is no wait for its owner.
//                Who wants folio locks with cluster locks held (truncate, page_mkwrite) breaks it: B46 with one task more.
// Example:       const Ocfs2FsMisc fs_misc(bugs); World world(sim, fs_misc, {.nodes = 2});
#ifndef ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_FS_MISC_H_
#define ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_FS_MISC_H_

#include <array>
#include <memory>

#include "harness/filesystems/ocfs2/ocfs2_historical.h"

namespace ordeal {

// PG_fs_misc of the pages of one node's inode. They share a wait queue, as pages of one hash do.
class FsMiscBits {
 public:
  FsMiscBits(pagecache::World& world, const pagecache::Inode& inode);

  // By the owner of the folio lock.
  void Lend(pagecache::Folio& folio);
  void TakeBack(pagecache::Folio& folio);
  // By the worker. True: it has the folio lock; false: the folio is lent to it.
  bool LockOrBorrow(pagecache::Folio& folio);
  void Return(pagecache::Folio& folio);
  // Of the meta lock of a write, from PrepareWrite to FolioWritten.
  DlmMode& meta_mode(const pagecache::Folio& folio) { return meta_modes_[folio.index]; }

 private:
  void NoteTwoUsers(const pagecache::Folio& folio, const char* who);

  pagecache::World& world_;
  WaitQueue returned_;
  std::array<bool, pagecache::kFilePagesMax> set_{};
  std::array<bool, pagecache::kFilePagesMax> with_worker_{};
  std::array<DlmMode, pagecache::kFilePagesMax> meta_modes_{};
};

class Ocfs2FsMisc : public Ocfs2Naive {
 public:
  explicit Ocfs2FsMisc(pagecache::BugSet bugs = {}) : Ocfs2Naive(bugs) {}
  const char* name() const override { return "ocfs2-fs-misc"; }
  // As Ocfs2Naive's, and broken by the same.
  absl::Span<const char* const> lock_order() const override;
  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;

  pagecache::Result FileWrite(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error ReadaheadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error PrepareWrite(pagecache::World& world, pagecache::Folio& folio) const override;
  void FolioWritten(pagecache::World& world, pagecache::Folio& folio) const override;
  void DirectReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void MkwriteExit(pagecache::World& world, pagecache::AddressSpace& mapping,
                   pagecache::LockMode mode) const override;
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictExit(pagecache::World& world, pagecache::Inode& inode) const override;

 protected:
  // Of the data lock.
  DownconvertAnswer Downconvert(pagecache::World& world, pagecache::Inode& inode, DlmMode blocking) const override;
  // Folio lock first, as all of this file system's fills and writes.
  pagecache::Error ExtendTo(pagecache::World& world, pagecache::Inode& inode, uint32_t offset_cells) const override;

 private:
  static void LockHoldingFolio(pagecache::Folio& folio, DlmMode meta, DlmMode data);
  pagecache::Error ExtendFrom(pagecache::World& world, pagecache::Inode& inode, uint32_t size, uint32_t offset_cells,
                              bool* extended) const;
  static void WriteDirty(pagecache::World& world, pagecache::Inode& inode);
  static void WriteFolio(pagecache::World& world, pagecache::Inode& inode, pagecache::Folio& folio);
  void DropFolio(pagecache::World& world, pagecache::Inode& inode, pagecache::Folio& folio) const;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_FS_MISC_H_
