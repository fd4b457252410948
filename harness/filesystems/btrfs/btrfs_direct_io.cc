#include "harness/filesystems/btrfs/btrfs_direct_io.h"

#include "harness/pagecache/fault.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {

using pagecache::Bug;
using pagecache::Error;
using pagecache::Io;
using pagecache::kFilePagesMax;
using pagecache::kPageCells;
using pagecache::LockMode;
using pagecache::PageOf;
using pagecache::PagesFor;
using pagecache::Result;
using pagecache::Truncation;
using pagecache::UserMemory;
using pagecache::Writeback;

void BtrfsDirectIo::Add(const Result& part) {
  total_.error = part.error;
  total_.cells_done += part.cells_done;
  total_.seen.insert(total_.seen.end(), part.seen.begin(), part.seen.end());
  total_.cache_conflict |= part.cache_conflict;
  total_.site = part.site;
}

// B34: with page faults enabled, one that needs the range waits for this task itself.
template <typename Attempt>
void BtrfsDirectIo::Try(Attempt attempt) {
  Io rest = io_.Rest(total_.cells_done);
  if (world_.bugs().Has(Bug::kB34DirectIoFaultsUnderRangeLock)) return Add(attempt(rest));
  rest.nofault = true;
  ++world_.task().pagefault_disabled;
  const Result part = attempt(rest);
  --world_.task().pagefault_disabled;
  Add(part);
}

bool BtrfsDirectIo::MustFaultIn() {
  if (io_.buffer.mapping == nullptr || left() == 0 || total_.error != Error::kFault) return false;
  fall_back_ = left() == left_before_;
  return !fall_back_;
}

// How much comes in does not matter: the next attempt shows it.
void BtrfsDirectIo::FaultIn(bool writes_user) {
  left_before_ = left();
  const uint32_t cell = io_.buffer.offset_cells + total_.cells_done;
  UserMemory user(world_, mm_);
  if (writes_user) {
    user.FaultInWriteable(*io_.buffer.mapping, cell, left());
  } else {
    user.FaultInReadable(*io_.buffer.mapping, cell, left());
  }
  world_.scheduler().NoteRetry(RetryReason::kNoFault, left());
}

Result BtrfsDirectIo::Read() {
  inode_.i_rwsem.LockShared();
  for (;;) {
    Try([this](const Io& rest) { return GenericDirectRead(world_, mm_, rest); });
    if (!MustFaultIn()) break;
    FaultIn(true);
  }
  inode_.i_rwsem.UnlockShared();
  if (fall_back_) Add(world_.fs().FileRead(world_, mm_, io_.Rest(total_.cells_done)));
  return std::move(total_);
}

// Exclusively if the file grows.
void BtrfsDirectIo::Lock() {
  const auto inside = [this] {
    world_.scheduler().Point(OperationKind::kRead, inode_.id);
    return !appends_ && io_.offset_cells + io_.length_cells <= inode_.i_size;
  };
  if (inside()) {
    inode_.i_rwsem.LockShared();
    mode_ = LockMode::kShared;
    if (inside()) return;
    inode_.i_rwsem.UnlockShared();
  }
  inode_.i_rwsem.LockExclusive();
  mode_ = LockMode::kExclusive;
}

void BtrfsDirectIo::Unlock() {
  if (mode_ == LockMode::kShared) inode_.i_rwsem.UnlockShared();
  if (mode_ == LockMode::kExclusive) inode_.i_rwsem.UnlockExclusive();
  mode_ = LockMode::kNone;
}

// What is left of an append goes where the file ends. False: there is no room.
bool BtrfsDirectIo::Place() {
  world_.scheduler().Point(OperationKind::kRead, inode_.id);
  const uint32_t done = total_.cells_done;
  if (done == 0) total_.offset_cells = inode_.i_size;
  io_ = io_.Placed(inode_.i_size - done);
  io_.renames_stamps = false;
  placed_stamps_ = PlacedStamps(io_);
  io_.stamps = placed_stamps_;
  fall_back_ = io_.offset_cells % kPageCells != 0;
  if (io_.offset_cells + io_.length_cells <= kFilePagesMax * kPageCells) return true;
  total_.error = Error::kNoSpace;
  fall_back_ = false;
  return false;
}

// An append keeps its place: nobody has had i_rwsem since it was found.
void BtrfsDirectIo::WriteBuffered() {
  if (mode_ != LockMode::kExclusive) {
    Unlock();
    inode_.i_rwsem.LockExclusive();
    mode_ = LockMode::kExclusive;
  }
  const uint32_t begin = PageOf(io_.offset_cells + total_.cells_done);
  Add(GenericWrite(world_, mm_, io_.Rest(total_.cells_done)));
  Unlock();
  const uint32_t end = PagesFor(io_.offset_cells + total_.cells_done);
  if (begin < end && Writeback(world_).Range(inode_, begin, end) == Error::kOk) {
    Truncation(world_).Invalidate(inode_, begin, end);  // what somebody has dirtied again stays
  }
}

Result BtrfsDirectIo::Write() {
  const bool places_again = world_.bugs().Has(Bug::kB39AppendRetryRecomputesPosition);
  for (bool room = true; room;) {
    if (mode_ == LockMode::kNone) {
      Lock();
      if (appends_) room = Place();
      if (!room || fall_back_) break;
    }
    Try([this](const Io& rest) { return GenericDirectWrite(world_, mm_, rest, mode_, &fall_back_); });
    if (fall_back_ || !MustFaultIn()) break;
    if (!appends_ || places_again) {
      Unlock();
    } else if (world_.bugs().Has(Bug::kB39bDoubleUnlock)) {
      inode_.i_rwsem.UnlockExclusive();  // as everybody else does before a fault-in; but an append goes on as if it had it
    }
    FaultIn(false);
  }
  if (fall_back_) {
    WriteBuffered();
  } else {
    Unlock();
  }
  return std::move(total_);
}

}  // namespace ordeal
