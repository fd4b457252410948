#include "harness/filesystems/nfs/nfs.h"

#include "absl/strings/str_cat.h"
#include "harness/pagecache/direct_io.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {
namespace {

using pagecache::Bug;
using pagecache::DirectIo;
using pagecache::Error;
using pagecache::Inode;
using pagecache::Io;
using pagecache::kFilePagesMax;
using pagecache::LockMode;
using pagecache::Mm;
using pagecache::Result;
using pagecache::Truncation;
using pagecache::World;
using pagecache::Writeback;

// Guarded by i_rwsem.
struct NfsInode : pagecache::FileSystemInodeState {
  bool direct = false;
};
bool& InDirectMode(const Inode& inode) { return static_cast<NfsInode&>(*inode.fs_state).direct; }

// From here on only i_dio_count tells of the I/O; what its end waits for, a drain waits for.
void WaitInFlight(DirectIo& direct, Inode& inode) {
  inode.dio.TakeOver();
  direct.WaitAll();
}

}  // namespace

std::unique_ptr<pagecache::FileSystemInodeState> Nfs::MakeInodeState(World&, Inode&) const {
  return std::make_unique<NfsInode>();
}

// --- the mode, under i_rwsem held exclusively ---

void Nfs::SwitchToBuffered(Inode& inode) const {
  if (!InDirectMode(inode)) return;
  InDirectMode(inode) = false;
  inode.dio.WaitZero();
}

// A page that cannot be written back stays dirty: each direct I/O writes its own range back once more, and fails.
// B25: nobody says that direct I/O is about to be done.
void Nfs::SwitchToDirect(World& world, Inode& inode) const {
  if (InDirectMode(inode) || bugs().Has(Bug::kB25UnlockedDirectIo)) return;
  InDirectMode(inode) = true;
  if (Writeback(world).Range(inode, 0, kFilePagesMax) == Error::kOk) Truncation(world).Invalidate(inode, 0, kFilePagesMax);
}

// --- nfs_start_io_read and its kin ---

void Nfs::ReadEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockShared();
  if (!InDirectMode(inode)) return;
  inode.i_rwsem.UnlockShared();
  inode.i_rwsem.LockExclusive();
  SwitchToBuffered(inode);
  inode.i_rwsem.Downgrade();
}
void Nfs::ReadExit(World&, Inode& inode) const { inode.i_rwsem.UnlockShared(); }

void Nfs::WriteEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockExclusive();
  SwitchToBuffered(inode);
}

void Nfs::DirectReadEnter(World& world, Inode& inode) const {
  inode.i_rwsem.LockShared();
  if (InDirectMode(inode) || bugs().Has(Bug::kB25UnlockedDirectIo)) return;
  inode.i_rwsem.UnlockShared();
  inode.i_rwsem.LockExclusive();
  SwitchToDirect(world, inode);
  inode.i_rwsem.Downgrade();
}

LockMode Nfs::DirectWriteEnter(World& world, Inode& inode, uint32_t offset_cells, uint32_t length_cells) const {
  DirectReadEnter(world, inode);
  world.scheduler().Point(OperationKind::kRead, inode.id);
  if (offset_cells + length_cells <= inode.i_size) return LockMode::kShared;
  inode.i_rwsem.UnlockShared();
  inode.i_rwsem.LockExclusive();
  SwitchToDirect(world, inode);
  return LockMode::kExclusive;
}

// --- calls ---

Result Nfs::FileDirectRead(World& world, Mm& mm, const Io& io) const {
  Result result;
  DirectIo direct(world, mm, io);
  DirectReadEnter(world, *io.file);
  const bool started = direct.StartRead(&result);
  DirectReadExit(world, *io.file);
  if (!started) return result;
  WaitInFlight(direct, *io.file);
  direct.FinishRead(&result);
  return result;
}

Result Nfs::FileDirectWrite(World& world, Mm& mm, const Io& io) const {
  Result result;
  DirectIo direct(world, mm, io);
  const LockMode mode = DirectWriteEnter(world, *io.file, io.offset_cells, io.length_cells);
  const bool started = direct.StartWrite(mode, &result);
  const bool grows = mode == LockMode::kExclusive;
  if (started && grows) {
    direct.WaitAll();
    direct.FinishWrite(&result);
  }
  DirectWriteExit(world, *io.file, mode);
  if (started && !grows) {
    WaitInFlight(direct, *io.file);
    direct.FinishWrite(&result);
  }
  return direct.must_fall_back() ? FallBackToBuffered(world, mm, io) : result;
}

void Nfs::InvalidateEnter(World& world, Inode& inode) const {
  Vfs::InvalidateEnter(world, inode);
  SwitchToBuffered(inode);
}

void Nfs::TwoInodesEnter(World& world, Inode& first, Inode& second) const {
  LockTwoNondirectories(first, second);
  SwitchToBuffered(first);
  SwitchToBuffered(second);
  InvalidateLockTwo(first, second);
}

void Nfs::CheckInvariants(const World& world, std::vector<pagecache::InvariantViolation>* found) const {
  if (bugs().Has(Bug::kB25UnlockedDirectIo)) return;  // the mode is never direct: the data oracle shows what follows
  for (int i = 0; i < world.inodes(); ++i) {
    const Inode& inode = world.inode(i);
    if (inode.dio.count() == 0 || InDirectMode(inode) || inode.i_rwsem.writer() != kNoTask) continue;
    found->push_back({"S9", "direct I/O is in flight only in direct mode", absl::StrCat("inode ", inode.number)});
  }
}

}  // namespace ordeal
