// One direct read or write call on btrfs: attempts under the inode lock with page faults disabled (their range is locked
// inside), and between them the user memory that was missing is faulted in.
//
//   read   i_rwsem stays shared over all attempts
//   write  i_rwsem is dropped to fault user memory in, and taken again: shared if the rest lies inside the file
//   append i_rwsem stays exclusive, so that its place is found once; who dropped it would find another one (B39)
// A transfer of which a fault-in brought nothing forward goes on buffered, as does a write whose range is cached again.
//
// Thread-safety: tasks of one simulation; lives on the stack of one call.
// Invariants:    returns without any lock; cells_done and seen add up over the attempts.
// Example:       return BtrfsDirectIo(world, mm, io).Write();
#ifndef ORDEAL_HARNESS_FILESYSTEMS_BTRFS_BTRFS_DIRECT_IO_H_
#define ORDEAL_HARNESS_FILESYSTEMS_BTRFS_BTRFS_DIRECT_IO_H_

#include "absl/container/inlined_vector.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {

class BtrfsDirectIo {
 public:
  BtrfsDirectIo(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io)
      : world_(world), mm_(mm), io_(io), inode_(*io.file) {}

  pagecache::Result Read();
  pagecache::Result Write();

 private:
  template <typename Attempt>
  void Try(Attempt attempt);
  void Add(const pagecache::Result& part);
  bool MustFaultIn();
  void FaultIn(bool writes_user);

  void Lock();
  void Unlock();
  bool Place();
  void WriteBuffered();
  uint32_t left() const { return io_.length_cells - total_.cells_done; }

  pagecache::World& world_;
  pagecache::Mm& mm_;
  pagecache::Io io_;  // an append gets its place
  pagecache::Inode& inode_;
  const bool appends_ = io_.append;
  absl::InlinedVector<pagecache::Stamp, 8> placed_stamps_;
  pagecache::LockMode mode_ = pagecache::LockMode::kNone;  // of i_rwsem
  pagecache::Result total_;
  uint32_t left_before_ = 0;  // at the last fault-in; 0: none yet
  bool fall_back_ = false;    // the rest is to be done buffered
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_BTRFS_BTRFS_DIRECT_IO_H_
