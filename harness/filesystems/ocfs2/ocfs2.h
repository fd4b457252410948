// OCFS2 as merged (protocols 2.11, V12m): the cluster's inode lock protects the pages of a file on each node; who gives it down
// unmaps and writes them, and drops them if another node wants to write.
//
// A read of a folio may only try for the inode lock and ip_alloc_sem, which order before the folio lock: where it would wait it
// unlocks the folio, waits for the lock and lets go of it, and has the page looked up again (AOP_TRUNCATED_PAGE).
// Other than in Linux a node that was given the inode lock keeps it for a minimum time (B62: not).
// Whoever changes something does it in a transaction: freeze protection (sb_internal) and a handle of the node's journal (jbd2).
// Deviations: direct writes are buffered, flushed and dropped, and so are direct reads into a mapping, because the downconvert does
// not see pins; the extent map has a lock of its own below the folio lock (ocfs2_extent_map).
//
// Thread-safety: tasks of one simulation; no state besides the bugs.
// Invariants:    A1 nobody waits for a cluster lock under a folio lock; S5 an up-to-date folio means that the node has the inode
//                lock in PR or more (noted when it is given down); A3 before each AOP_TRUNCATED_PAGE the lock was waited for.
// Lock order:    i_rwsem > ocfs2_rw_lock > mmap_lock > mapping.invalidate_lock (of fills; nobody takes it exclusively) >
//                ocfs2_inode_lock > ip_alloc_sem > sb_internal > jbd2_handle > folio_lock > ocfs2_extent_map; under a folio
//                lock inode lock and ip_alloc_sem are only tried. Two files: rw and inode locks by disk inode, ip_alloc_sem as they
//                come (i_rwsem of both excludes others).
// Example:       const Ocfs2 ocfs2(bugs); World world(sim, ocfs2, {.nodes = 2});
#ifndef ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_H_
#define ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_H_

#include <memory>
#include <vector>

#include "harness/filesystems/ocfs2/ocfs2_state.h"
#include "harness/pagecache/file_system.h"

namespace ordeal {

class Ocfs2 : public pagecache::FileSystem {
 public:
  explicit Ocfs2(pagecache::BugSet bugs = {}) : FileSystem(bugs) {}

  const char* name() const override { return "ocfs2"; }
  absl::Span<const char* const> lock_order() const override;
  pagecache::LockClassNames lock_class_names() const override {
    return {"i_rwsem", "mapping.invalidate_lock", "ocfs2_extent_map"};
  }
  std::unique_ptr<pagecache::FileSystemState> MakeState(pagecache::World& world) const override;
  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;

  pagecache::Result FileWrite(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileDirectRead(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileDirectWrite(pagecache::World& world, pagecache::Mm& mm,
                                    const pagecache::Io& io) const override;
  void ReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void FillEnter(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  void FillExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error ReadaheadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void MkwriteExit(pagecache::World& world, pagecache::AddressSpace& mapping,
                   pagecache::LockMode mode) const override;
  pagecache::Error WriteBegin(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  void WriteEnd(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  void DirectReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void DirectReadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  bool InvalidateKeepsFoliosOut() const override { return false; }
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void TwoInodesExit(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void SharingEnter(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void SharingExit(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void TransactionEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void TransactionExit(pagecache::World& world, pagecache::Inode& inode) const override;
  bool WritebackIsTransaction() const override { return false; }
  void FsyncExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void LinkEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void LinkExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void RenameEnter(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void RenameExit(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void BindTask(pagecache::World& world, TaskId task, int node) const override;

 protected:
  // As merged. False: a protocol of 2005, of which only what it says of cluster locks and folio locks is modelled.
  virtual bool merged() const { return true; }
  // P17, in the downconvert worker: nobody local uses the inode lock in a mode that conflicts with `blocking`.
  virtual DownconvertAnswer Downconvert(pagecache::World& world, pagecache::Inode& inode, DlmMode blocking) const;
  // Writes the dirty pages of an inode until none is left.
  static void WriteAll(pagecache::World& world, pagecache::Inode& inode);
  // How long a node keeps an inode lock at least: long enough for a task to do what it wanted the lock for. Linux has none (B62).
  virtual int64_t minimum_hold_ns() const { return 50 * kStepNs; }
  // The locks of an inode: what the lock manager's glue calls.
  Ocfs2LockHooks LockHooks(pagecache::World& world, pagecache::Inode& inode) const;
  void ExtendDirectory(pagecache::World& world, pagecache::Inode& directory) const;
  // The same file's state on node 0, whose resources other nodes share; null on node 0.
  static const Ocfs2Inode* First(pagecache::World& world, const pagecache::Inode& inode);
  // What lies between the end of file and a write behind it reads as zeros, on all nodes.
  virtual pagecache::Error ExtendTo(pagecache::World& world, pagecache::Inode& inode, uint32_t offset_cells) const;
  // Notes it if a folio could still be read from the cache although the lock is about to be given away.
  // What the lock protects is here again: somebody has been let in meanwhile (B48).
  static bool IsLeft(const pagecache::Inode& inode, DlmMode blocking);
  static void CheckNothingCached(pagecache::World& world, const pagecache::Inode& inode);

  void CheckInvariants(const pagecache::World& world,
                       std::vector<pagecache::InvariantViolation>* found) const override;
  static void CheckPages(const pagecache::World& world, const pagecache::Inode& inode, const ClusterLock& lock,
                         std::vector<pagecache::InvariantViolation>* found);
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_H_
