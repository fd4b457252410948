// A file system of our own: the VFS protocol, and a range lock around buffered reads and writes. It promises more than the VFS
// does: a read sees each write wholly or not at all.
//
// Thread-safety: tasks of one simulation; its state is the range lock of each inode.
// Lock order:    ledger.range_lock > i_rwsem > mmap_lock > mapping.invalidate_lock > folio_lock > i_data_sem > i_pages.
// Bug switch:    L01, a read locks its first page only.
// Example:       registry.Add(LedgerType()); registry.Add(ReadLocksFirstPageOnly());
#ifndef MYTRIAL_LEDGER_H_
#define MYTRIAL_LEDGER_H_

#include <memory>

#include "harness/filesystems/filesystem_type.h"
#include "harness/filesystems/vfs/vfs.h"
#include "harness/pagecache/page_cache.h"
#include "harness/scenario/scenario.h"

namespace mytrial {

class Ledger : public ordeal::Vfs {
 public:
  explicit Ledger(bool read_locks_first_page_only) : read_locks_first_page_only_(read_locks_first_page_only) {}

  const char* name() const override { return "ledger"; }
  std::unique_ptr<ordeal::pagecache::FileSystemInodeState> MakeInodeState(ordeal::pagecache::World& world,
                                                                          ordeal::pagecache::Inode& inode) const override;
  ordeal::pagecache::Result FileRead(ordeal::pagecache::World& world, ordeal::pagecache::Mm& mm,
                                     const ordeal::pagecache::Io& io) const override;
  ordeal::pagecache::Result FileWrite(ordeal::pagecache::World& world, ordeal::pagecache::Mm& mm,
                                      const ordeal::pagecache::Io& io) const override;
  void InvalidateEnter(ordeal::pagecache::World& world, ordeal::pagecache::Inode& inode) const override;
  void InvalidateExit(ordeal::pagecache::World& world, ordeal::pagecache::Inode& inode) const override;

 private:
  const bool read_locks_first_page_only_;
};

ordeal::FileSystemType LedgerType();
ordeal::BugEntry ReadLocksFirstPageOnly();

}  // namespace mytrial

#endif  // MYTRIAL_LEDGER_H_
