#include "harness/filesystems/ocfs2/ocfs2.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {

using lockdep::kDlmExclusive;
using lockdep::kDlmProtectedRead;
using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FileSystem;
using pagecache::Filemap;
using pagecache::FillKind;
using pagecache::Folio;
using pagecache::Inode;
using pagecache::InodeState;
using pagecache::Io;
using pagecache::kFilePagesMax;
using pagecache::LockMode;
using pagecache::Mm;
using pagecache::Result;
using pagecache::Truncation;
using pagecache::World;
using pagecache::Writeback;

namespace {

constexpr int kSecondInode = 1;  // SINGLE_DEPTH_NESTING

// The state that a retry depends on: which page it wants.
uint64_t RetryState(const Inode& inode, uint32_t page) { return uint64_t{inode.number} << 32 | page; }

}  // namespace

absl::Span<const char* const> Ocfs2::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "ocfs2_rw_lock", "inode_dio",
      "mmap_lock", "mmap_lock/1", "sb_pagefaults", "mapping.invalidate_lock", "ocfs2_inode_lock", "ip_alloc_sem",
      "ip_alloc_sem/1", "sb_internal", "jbd2_handle", "folio_lock", "folio_writeback", "block_io", "ocfs2_extent_map",
      "ocfs2_extent_map/1", "i_pages",
  };
  return kOrder;
}

std::unique_ptr<pagecache::FileSystemState> Ocfs2::MakeState(World& world) const {
  return std::make_unique<Ocfs2World>(world);
}

Ocfs2LockHooks Ocfs2::LockHooks(World& world, Inode& inode) const {
  Ocfs2LockHooks hooks;
  hooks.meta.downconvert = [this, &world, &inode](DlmMode blocking, DlmMode) {
    return Downconvert(world, inode, blocking);
  };
  hooks.meta.refresh = [&world, &inode](const Lvb* lvb) {
    world.scheduler().Point(OperationKind::kWrite, inode.id);
    inode.i_size = lvb != nullptr ? static_cast<uint32_t>((*lvb)[0]) : inode.disk.i_size;
  };
  hooks.meta.set_lvb = [&inode](Lvb* lvb) {
    inode.disk.i_size = inode.i_size;
    (*lvb)[0] = inode.i_size;
  };
  const bool takes_away_at_once = bugs().Has(Bug::kB62FaultPingPong) || bugs().Has(Bug::kB56UpconvertStolen);
  hooks.meta.minimum_hold_ns = takes_away_at_once ? 0 : minimum_hold_ns();
  hooks.bugs.admits_while_blocked = bugs().Has(Bug::kB48TruncateBeforeLockCapture);
  hooks.bugs.no_upconvert_finishing = bugs().Has(Bug::kB56UpconvertStolen);
  hooks.bugs.nonblock_abandons_busy = bugs().Has(Bug::kB57NonblockAbandonsBusy);
  hooks.bugs.no_holder_tracking = bugs().Has(Bug::kB58RecursiveClusterLock);
  return hooks;
}

const Ocfs2Inode* Ocfs2::First(World& world, const Inode& inode) {
  return inode.node == 0 ? nullptr : &OcfsInode(world.OnNode(inode, 0));
}

std::unique_ptr<pagecache::FileSystemInodeState> Ocfs2::MakeInodeState(World& world, Inode& inode) const {
  return std::make_unique<Ocfs2Inode>(world, inode, First(world, inode), LockHooks(world, inode));
}

// --- the downconvert worker ---

// An injected I/O error leaves the folio dirty: another node must not read what it replaces.
void Ocfs2::WriteAll(World& world, Inode& inode) {
  while (Writeback(world).Range(inode, 0, kFilePagesMax) != Error::kOk) {
  }
}

void Ocfs2::CheckNothingCached(World& world, const Inode& inode) {
  for (const Folio* folio : inode.mapping.pages) {
    if (folio == nullptr || !folio->uptodate) continue;
    world.NoteViolation("S5", "a cached folio that is up to date means that the node has the cluster lock",
                        absl::StrCat("page ", folio->index, " of inode ", inode.number,
                                     " is cached when node ", inode.node + 1, " gives the inode lock away"));
    return;
  }
}

bool Ocfs2::IsLeft(const Inode& inode, DlmMode blocking) {
  return std::any_of(inode.mapping.pages.begin(), inode.mapping.pages.end(), [&](const Folio* folio) {
    return folio != nullptr && (folio->dirty || (blocking == kDlmExclusive && folio->uptodate));
  });
}

DownconvertAnswer Ocfs2::Downconvert(World& world, Inode& inode, DlmMode blocking) const {
  for (;;) {
    Filemap(world).UnmapRange(inode, 0, kFilePagesMax);
    WriteAll(world, inode);
    if (blocking == kDlmExclusive) Truncation(world).DropPages(inode, 0, kFilePagesMax);
    if (!bugs().Has(Bug::kB48TruncateBeforeLockCapture) || !IsLeft(inode, blocking) || world.scheduler().unwinding()) break;
    world.scheduler().NoteRetry(RetryReason::kInvalidateBusy, inode.number);
  }
  if (blocking == kDlmExclusive) CheckNothingCached(world, inode);
  return DownconvertAnswer::kContinue;
}

// --- transactions ---

// ocfs2_start_trans. What is left of a dead node is repaired by replaying its journal, without.
void Ocfs2::TransactionEnter(World& world, Inode& inode) const {
  if (!merged() || world.NodeIsDead(inode.node)) return;
  if (world.task().transactions == 0) FileSystem::TransactionEnter(world, inode);
  OcfsWorld(world).journal(inode).Start(world);
}
void Ocfs2::TransactionExit(World& world, Inode& inode) const {
  if (!merged() || world.NodeIsDead(inode.node)) return;
  OcfsWorld(world).journal(inode).Stop(world);
  if (world.task().transactions == 0) FileSystem::TransactionExit(world, inode);
}

void Ocfs2::FsyncExit(World& world, Inode& inode) const {
  if (merged()) OcfsWorld(world).journal(inode).Commit();
}

// --- reads ---

void Ocfs2::FillEnter(World&, AddressSpace& mapping, FillKind) const {
  if (merged()) mapping.invalidate_lock.LockShared();
}
void Ocfs2::FillExit(World&, AddressSpace& mapping, FillKind) const {
  if (merged()) mapping.invalidate_lock.UnlockShared();
}

// Brings i_size up to date (ocfs2_inode_lock_atime); the pages have their own lock calls.
void Ocfs2::ReadEnter(World&, Inode& inode) const {
  OcfsInode(inode).LockMeta(kDlmProtectedRead);
  OcfsInode(inode).UnlockMeta(kDlmProtectedRead);
}

// ocfs2_inode_lock_with_page: having waited, the next try is likely to find the lock cached.
Error Ocfs2::ReadFolio(World& world, Folio& folio) const {
  Inode& inode = folio.mapping->host;
  Ocfs2Inode& state = OcfsInode(inode);
  const uint32_t page = folio.index;
  if (!state.TryLockMeta(kDlmProtectedRead)) {
    folio.lock.Unlock();
    state.LockMeta(kDlmProtectedRead);
    state.UnlockMeta(kDlmProtectedRead);
    world.scheduler().NoteRetry(RetryReason::kTruncatedPage, RetryState(inode, page));
    return Error::kTruncatedPage;
  }
  if (!state.alloc.TryLockShared()) {
    folio.lock.Unlock();
    state.alloc.LockShared();
    state.alloc.UnlockShared();
    state.UnlockMeta(kDlmProtectedRead);
    world.scheduler().NoteRetry(RetryReason::kTruncatedPage, RetryState(inode, page));
    return Error::kTruncatedPage;
  }
  Filemap(world).StartRead(folio);
  state.alloc.UnlockShared();
  state.UnlockMeta(kDlmProtectedRead);
  return Error::kOk;
}

Error Ocfs2::ReadaheadFolio(World& world, Folio& folio) const {
  Ocfs2Inode& state = OcfsInode(folio.mapping->host);
  if (!state.TryLockMeta(kDlmProtectedRead)) {
    folio.lock.Unlock();
    return Error::kTruncatedPage;
  }
  const bool allocation_stable = state.alloc.TryLockShared();
  if (allocation_stable) {
    Filemap(world).StartRead(folio);
    state.alloc.UnlockShared();
  } else {
    folio.lock.Unlock();
  }
  state.UnlockMeta(kDlmProtectedRead);
  return allocation_stable ? Error::kOk : Error::kTruncatedPage;
}

Result Ocfs2::FileDirectRead(World& world, Mm& mm, const Io& io) const {
  if (io.buffer.mapping != nullptr) return FileRead(world, mm, io);
  return FileSystem::FileDirectRead(world, mm, io);
}

// Taking the inode lock makes the other nodes write their dirty pages.
void Ocfs2::DirectReadEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockShared();
  OcfsInode(inode).LockRw(kDlmProtectedRead);
  OcfsInode(inode).LockMeta(kDlmProtectedRead);
  OcfsInode(inode).UnlockMeta(kDlmProtectedRead);
}
void Ocfs2::DirectReadExit(World&, Inode& inode) const {
  OcfsInode(inode).UnlockRw(kDlmProtectedRead);
  inode.i_rwsem.UnlockShared();
}

// --- writes ---

// ocfs2_zero_extend: what lies between the old end of file and the write reads as zeros, on all nodes.
Error Ocfs2::ExtendTo(World& world, Inode& inode, uint32_t offset_cells) const {
  Ocfs2Inode& state = OcfsInode(inode);
  Error error = Error::kOk;
  state.LockMeta(kDlmExclusive);
  state.alloc.LockExclusive();
  if (offset_cells > inode.i_size) {
    TransactionEnter(world, inode);
    error = Truncation(world).ZeroToPageEnd(inode, inode.i_size);
    world.scheduler().Point(OperationKind::kWrite, inode.id);
    if (error == Error::kOk) inode.i_size = offset_cells;
    TransactionExit(world, inode);
  }
  state.alloc.UnlockExclusive();
  state.UnlockMeta(kDlmExclusive);
  return error;
}

Result Ocfs2::FileWrite(World& world, Mm& mm, const Io& io) const {
  Inode& inode = *io.file;
  Result result;
  inode.i_rwsem.LockExclusive();
  OcfsInode(inode).LockRw(kDlmExclusive);
  result.error = ExtendTo(world, inode, io.offset_cells);
  if (result.error == Error::kOk) result = GenericWrite(world, mm, io);
  OcfsInode(inode).UnlockRw(kDlmExclusive);
  inode.i_rwsem.UnlockExclusive();
  return result;
}

Result Ocfs2::FileDirectWrite(World& world, Mm& mm, const Io& io) const { return FallBackToBuffered(world, mm, io); }

Error Ocfs2::WriteBegin(World& world, Inode& inode, uint32_t) const {
  OcfsInode(inode).LockMeta(kDlmExclusive);
  OcfsInode(inode).alloc.LockExclusive();
  TransactionEnter(world, inode);
  return Error::kOk;
}
void Ocfs2::WriteEnd(World& world, Inode& inode, uint32_t) const {
  TransactionExit(world, inode);
  OcfsInode(inode).alloc.UnlockExclusive();
  OcfsInode(inode).UnlockMeta(kDlmExclusive);
}

LockMode Ocfs2::MkwriteEnter(World& world, AddressSpace& mapping) const {
  OcfsInode(mapping.host).LockMeta(kDlmExclusive);
  OcfsInode(mapping.host).alloc.LockExclusive();
  TransactionEnter(world, mapping.host);
  return LockMode::kExclusive;
}
void Ocfs2::MkwriteExit(World& world, AddressSpace& mapping, LockMode) const {
  TransactionExit(world, mapping.host);
  OcfsInode(mapping.host).alloc.UnlockExclusive();
  OcfsInode(mapping.host).UnlockMeta(kDlmExclusive);
}

// --- invalidation, two files, names ---

void Ocfs2::InvalidateEnter(World&, Inode& inode) const {
  Ocfs2Inode& state = OcfsInode(inode);
  inode.i_rwsem.LockExclusive();
  state.LockRw(kDlmExclusive);
  inode.dio.WaitZero();
  state.LockMeta(kDlmExclusive);
  state.alloc.LockExclusive();
}
void Ocfs2::InvalidateExit(World&, Inode& inode) const {
  Ocfs2Inode& state = OcfsInode(inode);
  state.alloc.UnlockExclusive();
  state.UnlockMeta(kDlmExclusive);
  state.UnlockRw(kDlmExclusive);
  inode.i_rwsem.UnlockExclusive();
}

// Each page that is compared has its own lock calls (ReadFolio).
void Ocfs2::TwoInodesEnter(World&, Inode& first, Inode& second) const {
  LockTwoNondirectories(first, second);
  Inode* low = &first;
  Inode* high = &second;
  if (low->disk.number > high->disk.number) std::swap(low, high);
  OcfsInode(*low).LockRw(kDlmExclusive);
  if (low != high) OcfsInode(*high).LockRw(kDlmExclusive);
  for (Inode* inode : {low, high}) {
    OcfsInode(*inode).LockMeta(kDlmProtectedRead);
    OcfsInode(*inode).UnlockMeta(kDlmProtectedRead);
  }
}
void Ocfs2::TwoInodesExit(World&, Inode& first, Inode& second) const {
  if (&first != &second) OcfsInode(second).UnlockRw(kDlmExclusive);
  OcfsInode(first).UnlockRw(kDlmExclusive);
  UnlockTwoNondirectories(first, second);
}

// ocfs2_reflink_inodes_lock has the inode locks from the beginning; here they are taken when what is compared has been read, which
// takes them, too.
void Ocfs2::SharingEnter(World&, Inode& source, Inode& target) const {
  if (!merged()) return;
  Inode* low = &source;
  Inode* high = &target;
  if (low->disk.number > high->disk.number) std::swap(low, high);
  OcfsInode(*low).LockMeta(kDlmExclusive);
  if (low != high) OcfsInode(*high).LockMeta(kDlmExclusive);
  OcfsInode(source).alloc.LockExclusive();
  if (&source != &target) OcfsInode(target).alloc.LockExclusive(kSecondInode);
}
void Ocfs2::SharingExit(World&, Inode& source, Inode& target) const {
  if (!merged()) return;
  if (&source != &target) OcfsInode(target).alloc.UnlockExclusive();
  OcfsInode(source).alloc.UnlockExclusive();
  if (&source != &target) OcfsInode(target).UnlockMeta(kDlmExclusive);
  OcfsInode(source).UnlockMeta(kDlmExclusive);
}

// Only ocfs2_delete_inode locks: an inode that only leaves the memory may do so while its evictor reclaims in a transaction.
void Ocfs2::EvictEnter(World&, Inode& inode) const {
  if (inode.nlink == 0) OcfsInode(inode).LockMeta(kDlmExclusive);
}
void Ocfs2::EvictExit(World&, Inode& inode) const {
  if (inode.nlink == 0) OcfsInode(inode).UnlockMeta(kDlmExclusive);
}

// May the caller write to the directory? ocfs2_permission has its inode lock while ocfs2_get_acl takes it once more (B58).
void Ocfs2::LinkEnter(World& world, Inode& directory, Inode& inode) const {
  Ocfs2Inode& parent = OcfsInode(directory);
  parent.LockMeta(kDlmProtectedRead);
  parent.LockMeta(kDlmProtectedRead);
  parent.UnlockMeta(kDlmProtectedRead);
  parent.UnlockMeta(kDlmProtectedRead);
  const bool swap = inode.disk.number < directory.disk.number;  // not of the root, which has the lowest number
  OcfsInode(swap ? inode : directory).LockMeta(kDlmExclusive);
  OcfsInode(swap ? directory : inode).LockMeta(kDlmExclusive);
  ExtendDirectory(world, directory);
  TransactionEnter(world, directory);
}
void Ocfs2::LinkExit(World& world, Inode& directory, Inode& inode) const {
  TransactionExit(world, directory);
  OcfsInode(inode).UnlockMeta(kDlmExclusive);
  OcfsInode(directory).UnlockMeta(kDlmExclusive);
}

// Nobody else knows the new inode: its locks are not waited for.
void Ocfs2::CreateEnter(World& world, Inode& directory, Inode&) const {
  OcfsInode(directory).LockMeta(kDlmExclusive);
  ExtendDirectory(world, directory);
  TransactionEnter(world, directory);
}
void Ocfs2::CreateExit(World& world, Inode& directory, Inode&) const {
  TransactionExit(world, directory);
  OcfsInode(directory).UnlockMeta(kDlmExclusive);
}

// ocfs2_prepare_dir_for_insert, when there is no room for the entry; before the transaction that inserts it.
void Ocfs2::ExtendDirectory(World& world, Inode& directory) const {
  if (!merged()) return;
  OcfsInode(directory).alloc.LockExclusive();
  TransactionEnter(world, directory);
  world.scheduler().Point(OperationKind::kWrite, directory.id);
  TransactionExit(world, directory);
  OcfsInode(directory).alloc.UnlockExclusive();
}

void Ocfs2::RenameEnter(World& world, Inode& source, Inode& target) const {
  FileSystem::RenameEnter(world, source, target);
  for (Inode* inode : InodesOfRename(world, source, target)) OcfsInode(*inode).LockMeta(kDlmExclusive);
  ExtendDirectory(world, world.DirectoryOf(target));
  TransactionEnter(world, source);
}
void Ocfs2::RenameExit(World& world, Inode& source, Inode& target) const {
  TransactionExit(world, source);
  for (Inode* inode : InodesOfRename(world, source, target)) OcfsInode(*inode).UnlockMeta(kDlmExclusive);
  FileSystem::RenameExit(world, source, target);
}

void Ocfs2::BindTask(World& world, TaskId task, int node) const {
  OcfsWorld(world).cluster().Bind(task, NodeId{static_cast<uint8_t>(node + 1)});
}

// --- invariants ---

// S5 and S4, but not while the lock is on its way up or down, nor of a folio that somebody has locked: he may just have filled
// it, or be about to drop it.
void Ocfs2::CheckPages(const World& world, const Inode& inode, const ClusterLock& lock,
                       std::vector<pagecache::InvariantViolation>* found) {
  const NodeId node = Ocfs2World::NodeOf(inode);
  if (lock.busy() || OcfsWorld(world).worker(node).current() == &lock) return;
  for (const Folio* folio : inode.mapping.pages) {
    if (folio == nullptr || folio->lock.locked()) continue;
    if (folio->uptodate && lock.granted() != kDlmProtectedRead && lock.granted() != kDlmExclusive) {
      found->push_back({"S5", "a node that caches a page has the inode lock shared or exclusively", lock.ToString()});
    }
    if (folio->dirty && lock.granted() != kDlmExclusive) {
      found->push_back({"S4", "a node with a dirty page has the inode lock exclusively", lock.ToString()});
    }
  }
}

void Ocfs2::CheckInvariants(const World& world, std::vector<pagecache::InvariantViolation>* found) const {
  if (const auto broken = OcfsWorld(world).dlm().FindIncompatibleGrant(); broken.has_value()) {
    found->push_back({"S16", "what nodes have been granted goes together", *broken});
  }
  for (int i = 0; i < world.inodes(); ++i) {
    const Inode& inode = world.inode(i);
    if (world.NodeIsDead(inode.node)) continue;
    if (inode.type == pagecache::InodeType::kRegular) CheckPages(world, inode, OcfsInode(inode).of_pages(), found);
    for (const ClusterLock* lock : {&OcfsInode(inode).rw(), &OcfsInode(inode).meta()}) {
      if (const auto broken = lock->FindBrokenInvariant(); broken.has_value()) {
        found->push_back({"S16", "a cluster lock's users are covered by what the node has been granted", *broken});
      }
      if (inode.state == InodeState::kFreed && lock->users() > 0) {
        found->push_back({"S17", "nobody has a cluster lock of an evicted inode", lock->ToString()});
      }
    }
  }
}

}  // namespace ordeal
