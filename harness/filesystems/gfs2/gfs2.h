// GFS2 on a cluster: every read, write, fault and truncation under the inode's glock (protocols 2.6, 2.7). Four of its ages:
//   2006      the glock is taken in readpage, under the folio lock (V8b)
//   5.15      around whole calls, with page faults enabled: user memory is faulted in under the glock (V8)
//   5.16      page faults disabled under the glock; a holder may lose it while it faults user memory in (V6)
//   now       page faults disabled, the glock is dropped while user memory is faulted in (V7, 5.18 and later)
// "Now" closes four holes that Linux has; each is a switch: B36 (direct read onto itself), B47 (dirty after the glock), B65 (an
// append is placed before the glock), B74c (mmap_lock under the glock).
//
// Thread-safety: tasks of one simulation. What a run needs is in Gfs2State and Gfs2Inode, made with the world.
// Invariants:    G1 no user page fault is served under a glock (not 5.15); G2 a cached page: SH or EX; G3 a dirty page: EX
//                (checked as S5 and S4); G5 each retry makes progress, or the call falls back to buffered I/O.
// A transaction holds sb_internal; it is begun with the glock held and before any folio lock, since blocks are allocated when a
// page is written to, not when it is written back. Files do not share blocks.
// Lock order:    i_rwsem > mmap_lock > gl_inode > mapping.invalidate_lock (of fills, since 5.15; nobody takes it exclusively) >
//                sb_internal > folio_lock > i_data_sem > i_pages. Glocks of several inodes by number.
// Example:       const Gfs2 gfs2(bugs, Gfs2Age::kNow); World world(sim, gfs2, {.nodes = 2});
#ifndef ORDEAL_HARNESS_FILESYSTEMS_GFS2_GFS2_H_
#define ORDEAL_HARNESS_FILESYSTEMS_GFS2_GFS2_H_

#include <memory>
#include <utility>
#include <vector>

#include "harness/filesystems/gfs2/glock.h"
#include "harness/filesystems/node_recovery.h"
#include "harness/pagecache/file_system.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {

enum class Gfs2Age : uint8_t { k2006, k515, k516, kNow };

// Of a run.
struct Gfs2State : pagecache::FileSystemState {
  // A cluster has two nodes at least, also where only one of them has tasks.
  Gfs2State(pagecache::World& world, DlmOptions options);

  Cluster cluster;
  Dlm dlm;
  NodeRecovery recovery;
  lockdep::LockClassId glock_class{};
  lockdep::LockClassId dlm_class{};
  ResourceId ResourceOf(const pagecache::Inode& inode) const { return resources[inode.disk.number - 1]; }
  std::vector<ResourceId> resources;  // by disk inode
};

// Of an inode, on each node.
struct Gfs2Inode : pagecache::FileSystemInodeState {
  Gfs2Inode(Simulation& sim, Gfs2State& state, NodeId node, ResourceId resource, uint32_t number, GlockOptions options,
            GlockOperations operations)
      : glock(sim, state.dlm, node, resource, state.glock_class, number, options, std::move(operations)) {}

  Glock glock;
};
Glock& GlockOf(const pagecache::Inode& inode);

class Gfs2 : public pagecache::FileSystem {
 public:
  explicit Gfs2(pagecache::BugSet bugs = {}, Gfs2Age age = Gfs2Age::kNow) : FileSystem(bugs), age_(age) {}

  const char* name() const override;
  // Of all ages: what 2006 and 5.15 acquire against it are their holes (B46 and B60; B33).
  absl::Span<const char* const> lock_order() const override;
  std::unique_ptr<pagecache::FileSystemState> MakeState(pagecache::World& world) const override;
  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;
  pagecache::Result FileRead(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileWrite(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileDirectRead(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileDirectWrite(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  void FillEnter(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  void FillExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error ReadaheadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error FaultEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void FaultExit(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  pagecache::Error WriteBegin(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  pagecache::Error MkwriteFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  void MkwriteExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::LockMode mode) const override;
  void MkwriteDone(pagecache::World& world, pagecache::Folio& folio) const override;
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  bool SharesBlocks() const override { return false; }
  void TransactionEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void TransactionExit(pagecache::World& world, pagecache::Inode& inode) const override;
  bool WritebackIsTransaction() const override { return false; }
  void ForceReadaheadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void ForceReadaheadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void LinkEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void LinkExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void RenameEnter(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void RenameExit(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  bool SizeIsKnown(const pagecache::Inode& inode) const override;
  bool NofaultTakesMmapLock() const override;
  void BindTask(pagecache::World& world, TaskId task, int node) const override;
  void CheckInvariants(const pagecache::World& world,
                       std::vector<pagecache::InvariantViolation>* found) const override;

  // gfs2_lookup_by_inum: is there still such a file? Waits for an eviction under way: not with the glock, unless B63.
  bool Lookup(pagecache::Inode& inode) const;

 private:
  const Gfs2Age age_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_GFS2_GFS2_H_
