// NFS's local locking (c:a9ab5e840669): an inode is in one of two modes, buffered or direct. Users of the mode that it is in share
// i_rwsem as they like; the first one of the other kind takes it exclusively, waits until the I/O of the old kind has ended, and
// switches: to direct, what is cached is written back and dropped; to buffered, direct I/O in flight is drained.
//
//   buffered read    i_rwsem shared, mode buffered        buffered write    i_rwsem exclusive, mode buffered
//   direct I/O       i_rwsem shared, mode direct; dropped when it is submitted; what grows the file keeps it exclusively
// The rest is the VFS's (../vfs); the server is a local device.
//
// Thread-safety: tasks of one simulation. The mode changes under i_rwsem held exclusively.
// Invariants:    direct I/O is in flight only in mode direct; nobody but a mapping dirties a page in it.
// Lock order:    as in vfs.h; inode_dio is waited for under i_rwsem.
// Example:       const Nfs nfs(bugs); World world(sim, nfs);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_NFS_NFS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_NFS_NFS_H_

#include <memory>

#include "harness/filesystems/vfs/vfs.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {

class Nfs : public Vfs {
 public:
  explicit Nfs(pagecache::BugSet bugs = {}) : Vfs(bugs) {}

  const char* name() const override { return "nfs"; }
  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;
  pagecache::Result FileDirectRead(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileDirectWrite(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  void ReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void ReadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void WriteEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void DirectReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  pagecache::LockMode DirectWriteEnter(pagecache::World& world, pagecache::Inode& inode, uint32_t offset_cells,
                                       uint32_t length_cells) const override;
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void CheckInvariants(const pagecache::World& world,
                       std::vector<pagecache::InvariantViolation>* found) const override;

 private:
  void SwitchToBuffered(pagecache::Inode& inode) const;
  void SwitchToDirect(pagecache::World& world, pagecache::Inode& inode) const;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_NFS_NFS_H_
