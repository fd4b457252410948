#include "harness/filesystems/bcachefs/bcachefs.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/filesystems/bcachefs/pagecache_state_lock.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::BugSet;
using pagecache::Error;
using pagecache::FileSystemInodeState;
using pagecache::FileSystemState;
using pagecache::FillKind;
using pagecache::Folio;
using pagecache::Inode;
using pagecache::Io;
using pagecache::LockMode;
using pagecache::Mm;
using pagecache::Result;
using pagecache::Truncation;
using pagecache::World;
using pagecache::Writeback;

namespace {

struct BcachefsState : FileSystemState {
  PagecacheStateLockClasses classes;
  // By task.
  std::array<bool, kTasksMax + 1> reads_directly{};  // its direct I/O is a read
  std::array<bool, kTasksMax + 1> fill_adds{};       // its fill has taken add
};

struct BcachefsInodeState : FileSystemInodeState {
  BcachefsInodeState(Simulation& sim, const PagecacheStateLockClasses& classes, uint32_t number, bool fair)
      : lock(sim, classes, number, fair) {}
  PagecacheStateLock lock;
};

bool& ReadsDirectly(World& world) {
  return static_cast<BcachefsState*>(world.fs_state())->reads_directly[Index(world.scheduler().current())];
}
bool& FillAdds(World& world) {
  return static_cast<BcachefsState*>(world.fs_state())->fill_adds[Index(world.scheduler().current())];
}

BugSet WithHoles(BugSet bugs, BcachefsProtocol protocol) {
  if (protocol == BcachefsProtocol::kRepaired) return bugs;
  bugs.Add(Bug::kB42bRemapBlocksBoth);
  bugs.Add(Bug::kB74BlockThenMmapLock);
  bugs.Add(Bug::kB74bFaultRetakesBlock);
  if (protocol == BcachefsProtocol::kMerged) bugs.Add(Bug::kB73ReadaheadVsFallocate);
  return bugs;
}

// What a retry depends on.
uint64_t PlaceOf(const Inode& inode, uint32_t page) { return (uint64_t{inode.number} << 32) | page; }

}  // namespace

Bcachefs::Bcachefs(BugSet bugs, BcachefsProtocol protocol) : FileSystem(WithHoles(bugs, protocol)), protocol_(protocol) {}

const char* Bcachefs::name() const {
  switch (protocol_) {
    case BcachefsProtocol::kMerged: return "bcachefs";
    case BcachefsProtocol::kProposed: return "bcachefs-proposed";
    case BcachefsProtocol::kRepaired: return "bcachefs-repaired";
  }
  return "bcachefs";
}

absl::Span<const char* const> Bcachefs::lock_order() const {
  static constexpr const char* kOrder[] = {
      "s_vfs_rename",   "i_rwsem/1",    "i_rwsem/5",       "i_rwsem",   "i_rwsem/4",  "pagecache turnstile",
      "pagecache_lock", "inode_dio",    "balance_dirty_pages", "mmap_lock", "mmap_lock/1", "folio_lock",
      "folio_writeback", "block_io",    "i_data_sem",      "i_data_sem/1", "i_data_sem/2", "i_data_sem/3",
      "i_pages",
  };
  return kOrder;
}

std::unique_ptr<FileSystemState> Bcachefs::MakeState(World& world) const {
  auto state = std::make_unique<BcachefsState>();
  state->classes = PagecacheStateLockClasses::Register(world.sim());
  return state;
}

std::unique_ptr<FileSystemInodeState> Bcachefs::MakeInodeState(World& world, Inode& inode) const {
  const auto& state = *static_cast<BcachefsState*>(world.fs_state());
  return std::make_unique<BcachefsInodeState>(world.sim(), state.classes, inode.number,
                                              bugs().Has(Bug::kB76bFairNestedAdd));
}

PagecacheStateLock& Bcachefs::LockOf(Inode& inode) {
  return static_cast<BcachefsInodeState*>(inode.fs_state.get())->lock;
}

// --- adding folios ---

void Bcachefs::ReadEnter(World&, Inode& inode) const {
  if (whole_call_adds()) LockOf(inode).Lock(TwoState::kAdd);
}
void Bcachefs::ReadExit(World&, Inode& inode) const {
  if (whole_call_adds()) LockOf(inode).Unlock(TwoState::kAdd);
}

void Bcachefs::WriteEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockExclusive();
  if (whole_call_adds()) LockOf(inode).Lock(TwoState::kAdd);
}
void Bcachefs::WriteExit(World&, Inode& inode) const {
  if (whole_call_adds()) LockOf(inode).Unlock(TwoState::kAdd);
  inode.i_rwsem.UnlockExclusive();
}
Error Bcachefs::WriteBegin(World&, Inode& inode, uint32_t) const {
  if (!whole_call_adds()) LockOf(inode).Lock(TwoState::kAdd);
  return Error::kOk;
}
void Bcachefs::WriteEnd(World&, Inode& inode, uint32_t) const {
  if (!whole_call_adds()) LockOf(inode).Unlock(TwoState::kAdd);
}

// A fault has taken it already, and so has a read, but for forced readahead and the proposal. The merged protocol takes it in
// ReadFolio.
void Bcachefs::FillEnter(World& world, AddressSpace& mapping, FillKind kind) const {
  PagecacheStateLock& lock = LockOf(mapping.host);
  if (kind == FillKind::kFault || bugs().Has(Bug::kB73ReadaheadVsFallocate)) return;
  if (lock.HeldByCurrent(TwoState::kAdd)) return;
  lock.Lock(TwoState::kAdd);
  FillAdds(world) = true;
}
void Bcachefs::FillExit(World& world, AddressSpace& mapping, FillKind kind) const {
  if (kind == FillKind::kFault || !FillAdds(world)) return;
  FillAdds(world) = false;
  LockOf(mapping.host).Unlock(TwoState::kAdd);
}

// B73: readahead comes here with its folios locked and in the tree. Who has the mapping blocked himself (remap's compare) reads
// below the lock.
Error Bcachefs::ReadFolio(World& world, Folio& folio) const {
  PagecacheStateLock& lock = LockOf(folio.mapping->host);
  const bool adds = bugs().Has(Bug::kB73ReadaheadVsFallocate) && !lock.HeldByCurrent(TwoState::kBlock);
  if (adds) lock.Lock(TwoState::kAdd);
  pagecache::Filemap(world).StartRead(folio);
  if (adds) lock.Unlock(TwoState::kAdd);
  return Error::kOk;
}

// --- faults ---

// In the wrong order: lets go of block, waits for add, releases that, takes block back and fails, all of it under mmap_lock. The
// page is not faulted in; the direct write tries again, and whether it gets on is up to the others (B44).
bool Bcachefs::SwapsLocksInFault() const { return bugs().Has(Bug::kB74bFaultRetakesBlock); }

Error Bcachefs::FaultEnter(World& world, AddressSpace& mapping) const {
  pagecache::TaskState& task = world.task();
  AddressSpace* blocked = task.faults_disabled_mapping;
  if (blocked == &mapping && !bugs().Has(Bug::kB43NoSameMappingTest)) return Error::kSigBus;
  PagecacheStateLock& lock = LockOf(mapping.host);
  const bool wrong_order = blocked != nullptr && blocked->host.number > mapping.host.number;
  if (!wrong_order && bugs().Has(Bug::kB74BlockThenMmapLock)) {
    lock.Lock(TwoState::kAdd);
    return Error::kOk;
  }
  if (lock.TryLock(TwoState::kAdd)) return Error::kOk;
  if (!wrong_order || !SwapsLocksInFault()) return Error::kAgain;
  PagecacheStateLock& block = LockOf(blocked->host);
  const bool held = block.HeldByCurrent(TwoState::kBlock);  // not if FaultWait has let go of it for an earlier fault
  if (held) block.Unlock(TwoState::kBlock);
  lock.Lock(TwoState::kAdd);
  lock.Unlock(TwoState::kAdd);
  if (held) block.Lock(TwoState::kBlock);
  task.faults_disabled_dropped = true;
  return Error::kSigBus;
}
void Bcachefs::FaultExit(World&, AddressSpace& mapping) const { LockOf(mapping.host).Unlock(TwoState::kAdd); }

// Nothing but the block of this direct I/O is held, which goes if it orders later. PinExit takes it back.
Error Bcachefs::FaultWait(World& world, AddressSpace& mapping) const {
  pagecache::TaskState& task = world.task();
  AddressSpace* blocked = task.faults_disabled_mapping;
  if (blocked == &mapping && !bugs().Has(Bug::kB43NoSameMappingTest)) return Error::kFault;
  const bool wrong_order = blocked != nullptr && blocked->host.number > mapping.host.number;
  if (wrong_order && LockOf(blocked->host).HeldByCurrent(TwoState::kBlock)) {
    LockOf(blocked->host).Unlock(TwoState::kBlock);
    task.faults_disabled_dropped = true;
  }
  LockOf(mapping.host).Lock(TwoState::kAdd);
  LockOf(mapping.host).Unlock(TwoState::kAdd);
  return Error::kOk;
}

// Not under the direct writes of the merged protocol, which only read their buffers.
LockMode Bcachefs::MkwriteEnter(World& world, AddressSpace& mapping) const {
  PagecacheStateLock& lock = LockOf(mapping.host);
  const bool waits = bugs().Has(Bug::kB74BlockThenMmapLock) && world.task().faults_disabled_mapping == nullptr;
  if (!waits) return lock.TryLock(TwoState::kAdd) ? LockMode::kShared : LockMode::kRefused;
  lock.Lock(TwoState::kAdd);
  return LockMode::kShared;
}
void Bcachefs::MkwriteExit(World&, AddressSpace& mapping, LockMode) const {
  LockOf(mapping.host).Unlock(TwoState::kAdd);
}

// --- direct I/O ---

// B42: the lock keeps faults out, and the faults do not know whose task they are in.
void Bcachefs::PinEnter(World& world, Inode& inode) const {
  if (bugs().Has(Bug::kB42DirectIoRing) || !LockOf(inode).HeldByCurrent(TwoState::kBlock)) return;
  world.task().faults_disabled_mapping = &inode.mapping;
  world.task().faults_disabled_dropped = false;
}

Error Bcachefs::PinExit(World& world, Inode& inode, uint32_t begin_page, uint32_t end_page, Error error) const {
  pagecache::TaskState& task = world.task();
  if (task.faults_disabled_mapping == nullptr) return error;
  const bool dropped = task.faults_disabled_dropped;
  task.faults_disabled_mapping = nullptr;
  task.faults_disabled_dropped = false;
  if (!dropped) return error;
  PagecacheStateLock& lock = LockOf(inode);
  if (!lock.HeldByCurrent(TwoState::kBlock)) lock.Lock(TwoState::kBlock);
  Error again = Error::kOk;  // others may have added, and dirtied, folios of the range meanwhile
  if (ReadsDirectly(world)) {
    again = Writeback(world).Range(inode, begin_page, end_page);
  } else if (!bugs().Has(Bug::kB45DroppedFlagIgnored)) {
    again = InvalidateUntilGone(world, inode, begin_page, end_page);
  }
  if (again != Error::kOk) return again;
  if (error != Error::kFault || !SwapsLocksInFault()) return error;
  world.scheduler().NoteRetry(RetryReason::kFaultsDropped, PlaceOf(inode, begin_page));
  return Error::kAgain;
}

// Spins while folios are in use. It lets go of the block in between: the model keeps a folio that a direct read has pinned, and
// that read may be waiting to add the next one.
Error Bcachefs::InvalidateUntilGone(World& world, Inode& inode, uint32_t begin_page, uint32_t end_page) {
  for (;;) {
    const Error error = Writeback(world).Range(inode, begin_page, end_page);
    if (error != Error::kOk || Truncation(world).Invalidate(inode, begin_page, end_page)) return error;
    LockOf(inode).Unlock(TwoState::kBlock);
    world.scheduler().NoteRetry(RetryReason::kInvalidateBusy, PlaceOf(inode, begin_page));
    LockOf(inode).Lock(TwoState::kBlock);
  }
}

Result Bcachefs::FileDirectRead(World& world, Mm& mm, const Io& io) const {
  Inode& inode = *io.file;
  DirectReadEnter(world, inode);
  ReadsDirectly(world) = true;
  if (!whole_call_adds()) LockOf(inode).Lock(TwoState::kBlock);
  Result result = GenericDirectRead(world, mm, io);
  if (!whole_call_adds()) LockOf(inode).Unlock(TwoState::kBlock);
  ReadsDirectly(world) = false;
  DirectReadExit(world, inode);
  return result;
}

Result Bcachefs::FileDirectWrite(World& world, Mm& mm, const Io& io) const {
  Inode& inode = *io.file;
  PagecacheStateLock& lock = LockOf(inode);
  inode.i_rwsem.LockExclusive();
  const uint32_t end_cells = io.offset_cells + io.length_cells;
  const bool extending = end_cells > inode.i_size;
  inode.dio.Begin();  // truncate waits for it once i_rwsem is dropped
  lock.Lock(TwoState::kBlock);
  if (!extending) inode.i_rwsem.UnlockExclusive();
  Result result;
  for (bool busy = true; busy && result.error == Error::kOk;) {
    result.error = InvalidateUntilGone(world, inode, pagecache::PageOf(io.offset_cells), pagecache::PagesFor(end_cells));
    if (result.error != Error::kOk) break;
    result = GenericDirectWrite(world, mm, io, extending ? LockMode::kExclusive : LockMode::kNone, &busy);
  }
  lock.Unlock(TwoState::kBlock);
  inode.dio.End();
  if (extending) inode.i_rwsem.UnlockExclusive();
  return result;
}

// --- invalidation ---

void Bcachefs::InvalidateEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockExclusive();
  inode.dio.WaitZero();
  LockOf(inode).Lock(TwoState::kBlock);
}
void Bcachefs::InvalidateExit(World&, Inode& inode) const {
  LockOf(inode).Unlock(TwoState::kBlock);
  inode.i_rwsem.UnlockExclusive();
}

// Direct I/O in flight may yet fault in its buffer from the other file: it is drained before that is blocked. As merged (B42b) it
// is drained with both blocked.
void Bcachefs::TwoInodesEnter(World& world, Inode& first, Inode& second) const {
  LockTwoNondirectories(first, second);
  if (!bugs().Has(Bug::kB42bRemapBlocksBoth)) {
    first.dio.WaitZero();
    if (&first != &second) second.dio.WaitZero();
  }
  const bool swap = first.number > second.number;
  BlockBoth(world, swap ? second : first, swap ? first : second);
}
void Bcachefs::TwoInodesExit(World&, Inode& first, Inode& second) const {
  if (&first != &second) LockOf(second).Unlock(TwoState::kBlock);
  LockOf(first).Unlock(TwoState::kBlock);
  UnlockTwoNondirectories(first, second);
}

// In order, as merged, is not enough (B42b): a read of the higher file that copies to a mapping of the lower one holds add of the
// one that is waited for, and waits for the one that is blocked.
void Bcachefs::BlockBoth(World& world, Inode& low, Inode& high) const {
  PagecacheStateLock* held = &LockOf(low);
  PagecacheStateLock* wanted = &LockOf(high);
  held->Lock(TwoState::kBlock);
  if (held == wanted) return;
  if (bugs().Has(Bug::kB42bRemapBlocksBoth)) return wanted->Lock(TwoState::kBlock);
  while (!wanted->TryLock(TwoState::kBlock)) {
    held->Unlock(TwoState::kBlock);
    std::swap(held, wanted);
    world.scheduler().NoteRetry(RetryReason::kAgain, PlaceOf(low, high.number));
    held->Lock(TwoState::kBlock);
  }
}

void Bcachefs::CheckInvariants(const World& world, std::vector<pagecache::InvariantViolation>* found) const {
  for (int i = 0; i < world.inodes(); ++i) {
    Inode& inode = world.inode(i);
    const auto broken = LockOf(inode).FindBroken();
    if (!broken.has_value()) continue;
    found->push_back({.id = "S16",
                      .rule = "a two-state lock is in one state, and its units have owners",
                      .message = absl::StrCat("inode ", inode.number, ": ", *broken),
                      .last = inode.last_operation});
  }
}

}  // namespace ordeal
