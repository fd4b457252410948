#include "ledger.h"

#include <algorithm>
#include <limits>

#include "range_lock.h"

namespace mytrial {

using ordeal::pagecache::FileSystemInodeState;
using ordeal::pagecache::Inode;
using ordeal::pagecache::Io;
using ordeal::pagecache::kPageCells;
using ordeal::pagecache::Mm;
using ordeal::pagecache::Result;
using ordeal::pagecache::World;

namespace {

constexpr char kBugId[] = "L01";
constexpr uint32_t kWholeFile = std::numeric_limits<uint32_t>::max();

struct LedgerInode : FileSystemInodeState {
  LedgerInode(ordeal::Simulation& sim, uint32_t inode_number)
      : range_lock(sim, sim.Class("ledger.range_lock"), "range lock of inode", inode_number) {}
  RangeLock range_lock;
};

RangeLock& RangeLockOf(Inode& inode) { return static_cast<LedgerInode&>(*inode.fs_state).range_lock; }

}  // namespace

std::unique_ptr<FileSystemInodeState> Ledger::MakeInodeState(World& world, Inode& inode) const {
  return std::make_unique<LedgerInode>(world.sim(), inode.number);
}

Result Ledger::FileRead(World& world, Mm& mm, const Io& io) const {
  uint32_t end = io.offset_cells + io.length_cells;
  if (read_locks_first_page_only_) end = std::min(end, (io.offset_cells / kPageCells + 1) * kPageCells);
  RangeLock& lock = RangeLockOf(*io.file);
  lock.Lock(io.offset_cells, end);
  Result result = Vfs::FileRead(world, mm, io);
  lock.Unlock();
  return result;
}

Result Ledger::FileWrite(World& world, Mm& mm, const Io& io) const {
  RangeLock& lock = RangeLockOf(*io.file);
  lock.Lock(io.offset_cells, io.offset_cells + io.length_cells);
  Result result = Vfs::FileWrite(world, mm, io);
  lock.Unlock();
  return result;
}

// Truncate and punch hole: a read that has seen a part of the range must not find the rest gone.
void Ledger::InvalidateEnter(World& world, Inode& inode) const {
  RangeLockOf(inode).Lock(0, kWholeFile);
  Vfs::InvalidateEnter(world, inode);
}

void Ledger::InvalidateExit(World& world, Inode& inode) const {
  Vfs::InvalidateExit(world, inode);
  RangeLockOf(inode).Unlock();
}

ordeal::FileSystemType LedgerType() {
  ordeal::FileSystemType type;
  type.name = "ledger";
  type.summary = "VFS with a range lock: reads see each write wholly or not at all";
  type.bugs = {kBugId};
  type.make = [](absl::Span<const std::string> bugs) -> std::unique_ptr<ordeal::pagecache::FileSystem> {
    for (const std::string& id : bugs) {
      if (id != kBugId) return nullptr;
    }
    return std::make_unique<Ledger>(!bugs.empty());
  };
  type.atomic_calls = true;  // what the data oracle holds it to
  return type;
}

ordeal::BugEntry ReadLocksFirstPageOnly() {
  ordeal::BugEntry bug;
  bug.id = kBugId;
  bug.slug = "read-locks-first-page-only";
  bug.kind = "torn read";
  bug.oracle = "data";
  bug.classic_lockdep = "no";
  bug.reference = "this example";
  bug.summary = "a read locks its first page only, and sees one half of a write beyond it";
  return bug;
}

}  // namespace mytrial
