// One read or write on GFS2, of any age: attempts under the glock with page faults disabled, and between them the user memory that
// was missing is faulted in (should_fault_in_pages).
//
//   now     the glock is dropped before user memory is faulted in, and taken again
//   5.16    it may be taken away meanwhile; if it is still there the call goes on at once
//   5.15    one attempt, with page faults enabled
//   2006    the same for writes; direct I/O takes i_rwsem after the glock (B60); reads leave the glock to readpage
// The window that is faulted in is what is left, or one page if the last fault-in made no progress; always one page in 5.16
// (B37). A direct transfer that makes no progress with a window of one page goes on buffered.
//
// Thread-safety: tasks of one simulation; lives on the stack of one call.
// Invariants:    returns without glock and i_rwsem; cells_done and seen add up over the attempts.
// Example:       return Gfs2Io(world, mm, io, Gfs2Age::kNow).DirectWrite();
#ifndef ORDEAL_HARNESS_FILESYSTEMS_GFS2_GFS2_IO_H_
#define ORDEAL_HARNESS_FILESYSTEMS_GFS2_GFS2_IO_H_

#include <functional>

#include "harness/filesystems/gfs2/gfs2.h"

namespace ordeal {

class Gfs2Io {
 public:
  Gfs2Io(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io, Gfs2Age age)
      : world_(world), mm_(mm), io_(io), inode_(*io.file), glock_(GlockOf(*io.file)), age_(age) {}

  pagecache::Result Read();
  pagecache::Result Write();
  pagecache::Result DirectRead();
  pagecache::Result DirectWrite();

 private:
  // What is done under the glock with the rest of the transfer.
  using Attempt = std::function<pagecache::Result(const pagecache::Io& rest)>;
  struct Plan {
    GlockState state = GlockState::kShared;
    bool writes_user = false;  // user memory is the destination
    bool direct = false;
    bool gives_up = true;      // a direct transfer without progress goes on buffered
    bool prefaults = false;    // user memory is faulted in before the first attempt
  };

  void Cached();
  bool Place();
  void Buffered(bool write);
  void Run(const Plan& plan, const Attempt& attempt);
  pagecache::Result Try(const Attempt& attempt);
  void Add(const pagecache::Result& part);
  void FreeUnwritten(const pagecache::Io& part, uint32_t cells_done);
  // One attempt, faults and all.
  bool once() const { return age_ == Gfs2Age::k515 || age_ == Gfs2Age::k2006; }
  bool FaultIn(const Plan& plan, bool stuck);
  uint32_t Window(bool stuck);
  bool MustFallBack(const pagecache::Io& rest) const;
  uint32_t left() const { return io_.length_cells - total_.cells_done; }

  pagecache::World& world_;
  pagecache::Mm& mm_;
  pagecache::Io io_;  // an append gets its place
  pagecache::Inode& inode_;
  Glock& glock_;
  const Gfs2Age age_;
  const bool appends_ = io_.append;
  pagecache::Result total_;
  uint32_t last_cells_ = 0;    // of the last attempt
  uint32_t left_before_ = 0;   // at the last fault-in; 0: none yet
  uint32_t window_cells_ = 0;  // of the last fault-in
  uint32_t write_cells_ = 0;   // of the next attempt of a buffered write: what has been faulted in; 0: all
  bool fall_back_ = false;     // the rest is to be done buffered
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_GFS2_GFS2_IO_H_
