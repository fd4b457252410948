// A file system: the lock protocol of the page cache, as hook bodies (protocols 1.3, P1 .. P19). The operations exist once,
// in the other files of this room; they call these hooks at fixed places.
//
// The defaults are those of the generic VFS protocol without invalidate_lock; a file system overrides what differs.
// Thread-safety: tasks of one simulation. A file system has no state besides its bugs, and is reused for many runs.
// Invariants:    each Exit releases exactly what its Enter took.
// Example:
//   class Vfs : public FileSystem {
//     void FillEnter(World&, AddressSpace& mapping, FillKind kind) const override { mapping.invalidate_lock.LockShared(); }
//     void FillExit(World&, AddressSpace& mapping, FillKind kind) const override { mapping.invalidate_lock.UnlockShared(); }
//   };
#ifndef ORDEAL_HARNESS_PAGECACHE_FILE_SYSTEM_H_
#define ORDEAL_HARNESS_PAGECACHE_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "harness/pagecache/bug.h"
#include "harness/pagecache/inode.h"
#include "harness/pagecache/result.h"

namespace ordeal::pagecache {

class Mm;
class World;
struct InvariantViolation;

// On whose behalf a folio is filled.
enum class FillKind : uint8_t { kRead, kFault };

// kRefused: the lock could not be had at once and must not be waited for here.
enum class LockMode : uint8_t { kNone, kShared, kExclusive, kRefused };

// Which operation P13 is around.
enum class RangeOperation : uint8_t {
  kTruncate,
  kPunchHole,
  kZeroRange,
  kCollapse,
  kInsert,
  kUnshare,
  kAllocate,  // keeps its pages: only i_rwsem and the drain of direct I/O matter
};

// Whether direct I/O may return before it is complete, with the locks of P9 and P10 released.
enum class AsyncDirectIoRule : uint8_t {
  kNone,       // it is complete when it returns
  kInPlace,    // a write that extends the file is complete when it returns (ext4)
  kMayExtend,  // i_size grows at the completion; who writes behind the end of file waits for it (XFS)
};

class FileSystem {
 public:
  explicit FileSystem(BugSet bugs = {}) : bugs_(bugs) {}
  virtual ~FileSystem() = default;

  virtual const char* name() const = 0;
  virtual LockClassNames lock_class_names() const { return {}; }
  const BugSet& bugs() const { return bugs_; }
  // The order in which its locks are acquired, outermost first, as the validator names them: class, or class/subclass; events
  // where they are waited for. Empty: not declared. For lock_order.h (S12).
  virtual absl::Span<const char* const> lock_order() const { return {}; }

  // Made at the beginning of each run, before any inode, and with each inode of each node.
  virtual std::unique_ptr<FileSystemState> MakeState(World& world) const { return nullptr; }
  virtual std::unique_ptr<FileSystemInodeState> MakeInodeState(World& world, Inode& inode) const { return nullptr; }

  // Whole operations. The defaults take the locks of the Enter hook, do the generic work (generic_file.h) and release them; a
  // file system that drops its locks and retries in between replaces them.
  virtual Result FileRead(World& world, Mm& mm, const Io& io) const;
  virtual Result FileWrite(World& world, Mm& mm, const Io& io) const;
  virtual Result FileDirectRead(World& world, Mm& mm, const Io& io) const;
  virtual Result FileDirectWrite(World& world, Mm& mm, const Io& io) const;

  // P1: around a whole buffered read, copyout included.
  virtual void ReadEnter(World& world, Inode& inode) const {}
  virtual void ReadExit(World& world, Inode& inode) const {}
  // P2: before a folio is inserted (or a folio that is not up to date is filled) until the read is submitted or done.
  virtual void FillEnter(World& world, AddressSpace& mapping, FillKind kind) const {}
  virtual void FillExit(World& world, AddressSpace& mapping, FillKind kind) const {}
  // P3: ->read_folio of a locked folio; the default is Filemap::StartRead. kTruncatedPage: it has unlocked the folio without
  // reading it, because it had to wait for a lock that orders before the folio lock.
  virtual Error ReadFolio(World& world, Folio& folio) const;
  // The same in a readahead, which has more folios locked: must not wait for what orders before a folio lock.
  virtual Error ReadaheadFolio(World& world, Folio& folio) const { return ReadFolio(world, folio); }
  // P4: around ->fault, under mmap_lock (which the fault may drop inside). An error fails the fault; Exit is not called then.
  // kAgain: it is tried again after FaultWait.
  virtual Error FaultEnter(World& world, AddressSpace& mapping) const { return Error::kOk; }
  virtual void FaultExit(World& world, AddressSpace& mapping) const {}
  // P5: around page_mkwrite's work, under mmap_lock and before the folio lock; the mode is handed back to Exit. kRefused: it is
  // tried again after FaultWait; Exit is not called.
  virtual LockMode MkwriteEnter(World& world, AddressSpace& mapping) const { return LockMode::kNone; }
  virtual void MkwriteExit(World& world, AddressSpace& mapping, LockMode mode) const {}
  // After P4 or P5 has put the fault off, without mmap_lock: waits until it is worth another attempt. An error fails the fault.
  virtual Error FaultWait(World& world, AddressSpace& mapping) const { return Error::kOk; }
  // Inside P5: makes the locked, checked folio dirty with a block reserved. The default: Writeback::Reserve, SetDirty. An error
  // (no block is free) fails the fault.
  virtual Error MkwriteFolio(World& world, Folio& folio) const;
  // After Exit, with the folio still locked and before it can be stored to.
  virtual void MkwriteDone(World& world, Folio& folio) const {}
  // P6: around mapping cached pages near a fault.
  virtual void MapPagesEnter(World& world, AddressSpace& mapping) const {}
  virtual void MapPagesExit(World& world, AddressSpace& mapping) const {}
  // P7: around a buffered write.
  virtual void WriteEnter(World& world, Inode& inode) const;
  virtual void WriteExit(World& world, Inode& inode) const;
  // P8: before and after each folio of a buffered write is looked up and locked, and released.
  virtual Error WriteBegin(World& world, Inode& inode, uint32_t page) const { return Error::kOk; }
  virtual void WriteEnd(World& world, Inode& inode, uint32_t page) const {}
  // P8: a buffered write looks up and reserves the extents of its range before it locks a folio (write_mapping.h). False: under it.
  virtual bool MapsBeforeFolioLock() const { return false; }
  // P8, under the folio lock. kTruncatedPage: it has unlocked the folio; look it up again. Released by FolioWritten.
  virtual Error PrepareWrite(World& world, Folio& folio) const { return Error::kOk; }
  // P8: the data is in the folio, dirty, and the folio lock still held.
  virtual void FolioWritten(World& world, Folio& folio) const {}
  // P9: around a direct read.
  virtual void DirectReadEnter(World& world, Inode& inode) const;
  virtual void DirectReadExit(World& world, Inode& inode) const;
  // P10: around a direct write; the mode is handed back to Exit.
  virtual LockMode DirectWriteEnter(World& world, Inode& inode, uint32_t offset_cells, uint32_t length_cells) const;
  virtual void DirectWriteExit(World& world, Inode& inode, LockMode mode) const;
  // P11: around reaching the user pages of one page of a direct read or write of [begin_page, end_page). Exit is told how that
  // went and decides: kOk goes on, kAgain lets go of them and begins again, another error ends the operation there.
  virtual void PinEnter(World& world, Inode& inode) const {}
  virtual Error PinExit(World& world, Inode& inode, uint32_t begin_page, uint32_t end_page, Error error) const {
    return error;
  }
  // Around the I/O of a direct read or write of pages [begin_page, end_page): when they have been written back (and for a write
  // dropped), and when its extents are what they will be. False: it cannot be done directly. Not of asynchronous direct I/O.
  virtual bool DirectIoEnter(World& world, Inode& inode, uint32_t begin_page, uint32_t end_page, bool write) const {
    return true;
  }
  virtual void DirectIoExit(World& world, Inode& inode, uint32_t begin_page, uint32_t end_page, bool write) const {}
  // FileDirectWrite finds the place of an append itself. False: a direct append is done buffered.
  virtual bool PlacesDirectAppends() const { return false; }
  // A direct write may be a part of one block, of which P10 is told; if the block holds no data yet, the rest of it is zeroed.
  virtual bool DirectWritesPartOfBlock() const { return false; }
  virtual AsyncDirectIoRule async_direct_io() const { return AsyncDirectIoRule::kNone; }
  // P12: whether a direct write invalidates its range once more when it is done. Not if nobody could add to it meanwhile.
  virtual bool InvalidatesAfterDirectWrite() const { return true; }
  // P13: around truncate and punch; includes the drain of direct I/O.
  virtual void InvalidateEnter(World& world, Inode& inode) const;
  virtual void InvalidateExit(World& world, Inode& inode) const;
  // P13 with the operation named, for protocols that treat them differently: this is what the operations call.
  virtual void RangeEnter(World& world, Inode& inode, RangeOperation operation) const {
    InvalidateEnter(world, inode);
  }
  virtual void RangeExit(World& world, Inode& inode, RangeOperation operation) const { InvalidateExit(world, inode); }
  // P13 keeps new folios out of the tree (S10). False: one may be inserted meanwhile, but not filled.
  virtual bool InvalidateKeepsFoliosOut() const { return true; }
  // P18: two files of one dedupe; `first` and `second` in argument order.
  virtual void TwoInodesEnter(World& world, Inode& first, Inode& second) const;
  virtual void TwoInodesExit(World& world, Inode& first, Inode& second) const;
  // P18: source and target of a clone.
  virtual void RemapEnter(World& world, Inode& source, Inode& target) const { TwoInodesEnter(world, source, target); }
  // Both are drained and flushed, the target's pages dropped (in a dedupe: found to be equal): from here on the source's extents
  // are only read.
  virtual void RemapPrepared(World& world, Inode& source, Inode& target) const {}
  virtual void RemapExit(World& world, Inode& source, Inode& target) const { TwoInodesExit(world, source, target); }
  // The transaction that shares a block holds the extent locks of both files. False: it looks the source's extent up before, and
  // holds the target's.
  virtual bool RemapLocksBothExtents() const { return true; }
  // Files may share blocks. False: clone, dedupe and unshare are refused (kInvalid).
  virtual bool SharesBlocks() const { return true; }
  // Around the change of both files' extents, in a clone before the target's pages are dropped.
  virtual void SharingEnter(World& world, Inode& source, Inode& target) const {}
  virtual void SharingExit(World& world, Inode& source, Inode& target) const {}
  // The extents of pages [begin_page, end_page) change under a lock of their range, which is taken after the last folio lock and
  // keeps folios from being filled, but not from being inserted: what has come back meanwhile is dropped once more, without it.
  // Where pages stay as they are (dedupe) nothing is dropped.
  virtual bool HasRangeLock() const { return false; }
  virtual void ExtentsEnter(World& world, Inode& inode, uint32_t begin_page, uint32_t end_page) const {}
  virtual void ExtentsExit(World& world, Inode& inode) const {}
  // Around forced readahead (fadvise, madvise WILLNEED).
  virtual void ForceReadaheadEnter(World& world, Inode& inode) const {}
  virtual void ForceReadaheadExit(World& world, Inode& inode) const {}
  // P14: around writing back dirty folios of an inode, before the first folio lock.
  virtual void WritepagesEnter(World& world, Inode& inode) const {}
  virtual void WritepagesExit(World& world, Inode& inode) const {}
  // P16: around the eviction of an inode that nobody refers to, before its pages are dropped.
  virtual void EvictEnter(World& world, Inode& inode) const {}
  virtual void EvictExit(World& world, Inode& inode) const {}
  // Around the directory update of link and unlink: extent locks (XFS ILOCK) of both.
  virtual void LinkEnter(World& world, Inode& directory, Inode& inode) const {}
  virtual void LinkExit(World& world, Inode& directory, Inode& inode) const {}
  // Around the change of directory entries of a rename, with the directories locked: i_rwsem of both files (i_rwsem of one only
  // where they are the same).
  virtual void RenameEnter(World& world, Inode& source, Inode& target) const;
  virtual void RenameExit(World& world, Inode& source, Inode& target) const;
  // Around making a new file in a directory, whose i_rwsem is held; nobody else knows the file yet.
  virtual void CreateEnter(World& world, Inode& directory, Inode& inode) const {}
  virtual void CreateExit(World& world, Inode& directory, Inode& inode) const {}
  // Around each change of an inode's extents that becomes durable as one transaction; before the extent lock, never nested. Whoever
  // only reserves space needs none. The default: the freeze level of transactions.
  virtual void TransactionEnter(World& world, Inode& inode) const;
  virtual void TransactionExit(World& world, Inode& inode) const;
  // Write-back allocates, in such a transaction, under the folio lock. False: whoever wrote has allocated, or P14 has begun one.
  virtual bool WritebackIsTransaction() const { return true; }
  // The pages of an fsync are written back: what else it waits for.
  virtual void FsyncExit(World& world, Inode& inode) const {}
  // Renames between directories exclude each other (s_vfs_rename_mutex).
  virtual bool SerializesRenames() const { return true; }

  // False: another node may have changed i_size; an access that is not mapped faults, which asks.
  virtual bool SizeIsKnown(const Inode& inode) const { return true; }
  // get_user_pages without leave to fault looks again under mmap_lock, which it waits for.
  virtual bool NofaultTakesMmapLock() const { return true; }
  // On a cluster: the task is one of the node's, and ends with it.
  virtual void BindTask(World& world, TaskId task, int node) const {}
  // Of the file system's own state; called with the page cache's (invariants.h).
  virtual void CheckInvariants(const World& world, std::vector<InvariantViolation>* found) const {}

 protected:
  // Both directories and both files of a rename, each once, by disk inode.
  static absl::InlinedVector<Inode*, 4> InodesOfRename(World& world, Inode& source, Inode& target);
  // Both i_rwsem exclusively, by creation ordinal (argument order with B67), the second with subclass 4 (I_MUTEX_NONDIR2).
  void LockTwoNondirectories(Inode& first, Inode& second) const;
  static void UnlockTwoNondirectories(Inode& first, Inode& second);
  // Both invalidate_locks exclusively, by creation ordinal (argument order with B67), the second with subclass 1.
  void InvalidateLockTwo(Inode& first, Inode& second) const;
  static void InvalidateUnlockTwo(Inode& first, Inode& second);

  // The second of two inodes is locked first.
  bool Swap(const Inode& first, const Inode& second) const;

 private:
  const BugSet bugs_;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_FILE_SYSTEM_H_
