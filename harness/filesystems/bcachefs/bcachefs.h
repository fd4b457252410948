// bcachefs' page cache protocol (protocols 2.5): a two-state lock a mapping - who adds folios holds add, who needs the range empty
// (direct writes, truncate, fallocate, remap) holds block - and faults_disabled_mapping, by which a fault under get_user_pages
// learns which mapping its task has blocked.
//
//   kMerged    6.7 to 6.17: reads and buffered writes hold add for the whole call; readahead takes it with its folios locked. A
//              fault waits for add under mmap_lock; in the wrong order it swaps the locks there, fails, and is tried again.
//   kProposed  the series before: add for each folio that is added; direct reads block, too. Faults as merged.
//   kRepaired  as merged, but nobody waits for the lock with mmap_lock, a folio or another block held: a fault only tries; if that
//              fails it drops mmap_lock, lets go of a block that orders later, waits, and faults again; the direct write takes the
//              block back when its pages are pinned. Each of the merged protocol's holes is a switch of this one.
//
// A fault on the blocked mapping itself fails with SIGBUS, so a direct write from a mapping of its own file is an EFAULT.
// "By address" is by inode number. A direct write drops i_rwsem once it holds block, unless it extends the file. Blocks of the
// model are reused in place, so a direct read holds i_rwsem shared, which bcachefs (copy on write, generations) has no need to.
//
// Thread-safety: tasks of one simulation; no state besides the bugs and what hangs off world and inodes.
// Lock order:    i_rwsem > pagecache_lock > mmap_lock > folio_lock > i_data_sem > i_pages (kRepaired). Two mappings: one who holds
//                block waits for add of a higher inode only; nobody waits for block with block or add held.
// Example:       const Bcachefs fs(bugs, BcachefsProtocol::kMerged); World world(sim, fs);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_BCACHEFS_BCACHEFS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_BCACHEFS_BCACHEFS_H_

#include <memory>
#include <vector>

#include "harness/pagecache/file_system.h"

namespace ordeal {

class PagecacheStateLock;

enum class BcachefsProtocol : uint8_t { kMerged, kProposed, kRepaired };

class Bcachefs : public pagecache::FileSystem {
 public:
  explicit Bcachefs(pagecache::BugSet bugs = {}, BcachefsProtocol protocol = BcachefsProtocol::kRepaired);

  const char* name() const override;
  // Of all three: what the merged and the proposed one acquire against it are their holes (B73, B74, B74b).
  absl::Span<const char* const> lock_order() const override;
  std::unique_ptr<pagecache::FileSystemState> MakeState(pagecache::World& world) const override;
  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;
  pagecache::Result FileDirectRead(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileDirectWrite(pagecache::World& world, pagecache::Mm& mm,
                                    const pagecache::Io& io) const override;
  void ReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void ReadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void FillEnter(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  void FillExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error FaultEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void FaultExit(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  pagecache::Error FaultWait(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void MkwriteExit(pagecache::World& world, pagecache::AddressSpace& mapping,
                   pagecache::LockMode mode) const override;
  void WriteEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void WriteExit(pagecache::World& world, pagecache::Inode& inode) const override;
  pagecache::Error WriteBegin(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  void WriteEnd(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  void PinEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  pagecache::Error PinExit(pagecache::World& world, pagecache::Inode& inode, uint32_t begin_page, uint32_t end_page,
                           pagecache::Error error) const override;
  // Block is held until the data is on the device.
  bool InvalidatesAfterDirectWrite() const override { return false; }
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  // B73: readahead inserts its folios before it waits.
  bool InvalidateKeepsFoliosOut() const override { return !bugs().Has(pagecache::Bug::kB73ReadaheadVsFallocate); }
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void TwoInodesExit(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;

  void CheckInvariants(const pagecache::World& world,
                       std::vector<pagecache::InvariantViolation>* found) const override;

 private:
  static PagecacheStateLock& LockOf(pagecache::Inode& inode);
  bool whole_call_adds() const { return protocol_ != BcachefsProtocol::kProposed; }
  bool SwapsLocksInFault() const;
  static pagecache::Error InvalidateUntilGone(pagecache::World& world, pagecache::Inode& inode, uint32_t begin_page,
                                              uint32_t end_page);
  void BlockBoth(pagecache::World& world, pagecache::Inode& low, pagecache::Inode& high) const;

  const BcachefsProtocol protocol_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_BCACHEFS_BCACHEFS_H_
