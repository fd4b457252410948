#include "harness/filesystems/btrfs/btrfs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/filesystems/btrfs/btrfs_direct_io.h"
#include "harness/pagecache/filemap.h"

namespace ordeal {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FileSystem;
using pagecache::FillKind;
using pagecache::Folio;
using pagecache::Inode;
using pagecache::Io;
using pagecache::LockMode;
using pagecache::Mm;
using pagecache::RangeOperation;
using pagecache::Result;
using pagecache::World;

namespace {

constexpr int kSecondInode = 1;  // SINGLE_DEPTH_NESTING

}  // namespace

BtrfsInode& BtrfsOf(const Inode& inode) { return static_cast<BtrfsInode&>(*inode.fs_state); }

void BtrfsInode::LockRange(uint32_t begin, uint32_t end) {
  for (;;) {
    range_lock.LockExclusive(begin, end);
    OrderedExtent* extent = ordered.Find(begin, end);
    if (extent == nullptr) return;
    range_lock.Unlock();
    extent->Wait();
  }
}

absl::Span<const char* const> Btrfs::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "mmap_lock", "mmap_lock/1",
      "sb_pagefaults", "btrfs_i_mmap_lock", "btrfs_i_mmap_lock/1", "mapping.invalidate_lock", "inode_dio",
      "balance_dirty_pages", "folio_lock", "folio_writeback", "btrfs_ordered_extent", "btrfs_range_lock", "block_io",
      "sb_internal", "em_tree", "em_tree/1", "em_tree/2", "em_tree/3", "i_pages",
  };
  return kOrder;
}

std::unique_ptr<pagecache::FileSystemInodeState> Btrfs::MakeInodeState(World& world, Inode& inode) const {
  return std::make_unique<BtrfsInode>(world.sim(), inode.number, world.options().steal);
}

Result Btrfs::FileDirectRead(World& world, Mm& mm, const Io& io) const { return BtrfsDirectIo(world, mm, io).Read(); }
Result Btrfs::FileDirectWrite(World& world, Mm& mm, const Io& io) const { return BtrfsDirectIo(world, mm, io).Write(); }

// --- filling ---

void Btrfs::FillEnter(World&, AddressSpace& mapping, FillKind) const { mapping.invalidate_lock.LockShared(); }
void Btrfs::FillExit(World&, AddressSpace& mapping, FillKind) const { mapping.invalidate_lock.UnlockShared(); }

// --- one locked folio ---

// A folio that is in the tree with its read under way keeps direct writes and truncation waiting by its own lock.
Error Btrfs::ReadFolio(World& world, Folio& folio) const {
  BtrfsInode& inode = BtrfsOf(folio.mapping->host);
  inode.LockRange(folio.index, folio.index + 1);
  const Error error = FileSystem::ReadFolio(world, folio);
  inode.range_lock.Unlock();
  return error;
}

// The time is updated before the lock is taken, in a transaction of its own.
LockMode Btrfs::MkwriteEnter(World& world, AddressSpace& mapping) const {
  TransactionEnter(world, mapping.host);
  TransactionExit(world, mapping.host);
  BtrfsOf(mapping.host).mmap_lock.LockShared();
  return LockMode::kShared;
}
void Btrfs::MkwriteExit(World&, AddressSpace& mapping, LockMode) const { BtrfsOf(mapping.host).mmap_lock.UnlockShared(); }

Error Btrfs::MkwriteFolio(World& world, Folio& folio) const {
  BtrfsInode& inode = BtrfsOf(folio.mapping->host);
  inode.ordered.MightWait();
  inode.LockRange(folio.index, folio.index + 1);
  const Error error = FileSystem::MkwriteFolio(world, folio);
  inode.range_lock.Unlock();
  return error;
}

// The copy is atomic: it does not fault under the range lock.
Error Btrfs::PrepareWrite(World&, Folio& folio) const {
  BtrfsOf(folio.mapping->host).LockRange(folio.index, folio.index + 1);
  return Error::kOk;
}
void Btrfs::FolioWritten(World&, Folio& folio) const { BtrfsOf(folio.mapping->host).range_lock.Unlock(); }

// --- direct I/O ---

// A page that was cached again since the range was invalidated cannot be invalidated here: its owner may wait for the range.
bool Btrfs::DirectIoEnter(World& world, Inode& inode, uint32_t begin_page, uint32_t end_page, bool write) const {
  BtrfsInode& state = BtrfsOf(inode);
  state.LockRange(begin_page, end_page);
  if (!write) return true;
  world.scheduler().Point(OperationKind::kRead, inode.mapping.i_pages.id());
  const auto first = inode.mapping.pages.begin();
  const bool cached = std::any_of(first + begin_page, first + end_page, [](const Folio* folio) { return folio != nullptr; });
  // B24: nothing keeps others out of the range until the write is done.
  if (!cached && !bugs().Has(Bug::kB24RangeLockReleasedEarly)) state.ordered.Add(begin_page, end_page);
  // B39: the file ends where the write will end, before it is known how far it gets.
  if (!cached && bugs().Has(Bug::kB39AppendRetryRecomputesPosition)) {
    world.scheduler().Point(OperationKind::kWrite, inode.id);
    inode.i_size = std::max(inode.i_size, end_page * pagecache::kPageCells);
  }
  state.range_lock.Unlock();
  return !cached;
}

// btrfs_finish_ordered_io.
void Btrfs::DirectIoExit(World&, Inode& inode, uint32_t begin_page, uint32_t end_page, bool write) const {
  BtrfsInode& state = BtrfsOf(inode);
  if (write) state.range_lock.LockExclusive(begin_page, end_page);
  state.range_lock.Unlock();
  if (write) state.ordered.Finish(begin_page, end_page);
}

// --- ranges and two inodes ---

void Btrfs::RangeEnter(World&, Inode& inode, RangeOperation operation) const {
  inode.i_rwsem.LockExclusive();
  inode.dio.WaitZero();
  if (operation != RangeOperation::kTruncate) BtrfsOf(inode).mmap_lock.LockExclusive();
  BtrfsOf(inode).ordered.WaitForAll();
}
void Btrfs::RangeExit(World&, Inode& inode, RangeOperation operation) const {
  if (operation != RangeOperation::kTruncate) BtrfsOf(inode).mmap_lock.UnlockExclusive();
  inode.i_rwsem.UnlockExclusive();
}

void Btrfs::ExtentsEnter(World&, Inode& inode, uint32_t begin_page, uint32_t end_page) const {
  BtrfsOf(inode).LockRange(begin_page, end_page);
}
void Btrfs::ExtentsExit(World&, Inode& inode) const { BtrfsOf(inode).range_lock.Unlock(); }

void Btrfs::TwoInodesEnter(World&, Inode& first, Inode& second) const {
  LockTwoNondirectories(first, second);
  const bool swap = Swap(first, second);
  BtrfsOf(swap ? second : first).mmap_lock.LockExclusive();
  if (&first != &second) BtrfsOf(swap ? first : second).mmap_lock.LockExclusive(kSecondInode);
  BtrfsOf(first).ordered.WaitForAll();
  if (&first != &second) BtrfsOf(second).ordered.WaitForAll();
}
void Btrfs::TwoInodesExit(World&, Inode& first, Inode& second) const {
  if (&first != &second) BtrfsOf(second).mmap_lock.UnlockExclusive();
  BtrfsOf(first).mmap_lock.UnlockExclusive();
  UnlockTwoNondirectories(first, second);
}

// --- names ---

void Btrfs::LinkEnter(World& world, Inode& directory, Inode&) const { TransactionEnter(world, directory); }
void Btrfs::LinkExit(World& world, Inode& directory, Inode&) const { TransactionExit(world, directory); }

void Btrfs::CreateEnter(World& world, Inode& directory, Inode&) const { TransactionEnter(world, directory); }
void Btrfs::CreateExit(World& world, Inode& directory, Inode&) const { TransactionExit(world, directory); }

void Btrfs::RenameEnter(World& world, Inode& source, Inode& target) const {
  FileSystem::RenameEnter(world, source, target);
  TransactionEnter(world, world.DirectoryOf(source));
}
void Btrfs::RenameExit(World& world, Inode& source, Inode& target) const {
  TransactionExit(world, world.DirectoryOf(source));
  FileSystem::RenameExit(world, source, target);
}

// --- invariants ---

void Btrfs::CheckInvariants(const World& world, std::vector<pagecache::InvariantViolation>* found) const {
  for (int i = 0; i < world.inodes(); ++i) {
    const Inode& inode = world.inode(i);
    if (inode.fs_state == nullptr) continue;
    const BtrfsInode& state = BtrfsOf(inode);
    for (const Folio* folio : inode.mapping.pages) {
      if (folio == nullptr || !folio->uptodate || state.ordered.Find(folio->index, folio->index + 1) == nullptr) continue;
      found->push_back({"S10", "no page is up to date in a range that a direct write is on its way to",
                        absl::StrCat("page ", folio->index, " of inode ", inode.number)});
    }
    if (inode.state == pagecache::InodeState::kFreed && !(state.range_lock.unused() && state.ordered.empty())) {
      found->push_back({"S17", "nobody uses the ranges of an evicted inode", absl::StrCat("inode ", inode.number)});
    }
  }
}

}  // namespace ordeal
