#include "harness/filesystems/gfs2/gfs2.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/filesystems/gfs2/gfs2_io.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FileSystem;
using pagecache::Filemap;
using pagecache::FillKind;
using pagecache::Folio;
using pagecache::Inode;
using pagecache::InodeState;
using pagecache::InodeType;
using pagecache::Io;
using pagecache::kFilePagesMax;
using pagecache::LockMode;
using pagecache::Mm;
using pagecache::Result;
using pagecache::Truncation;
using pagecache::World;
using pagecache::Writeback;

namespace {

constexpr int kWritebackAttemptsMax = 64;         // of a demotion, where I/O errors are injected
constexpr int64_t kPinPollNs = 8 * kStepNs;
// Long enough for the access that a fault was for (Linux: 10 ticks to 200 ms).
constexpr int64_t kHoldNs = 200 * kStepNs;

bool HasPins(const Inode& inode) {
  for (const Folio* folio : inode.mapping.pages) {
    if (folio != nullptr && folio->pins > 0) return true;
  }
  return false;
}

// inode_go_sync. Direct reads into a mapping of the file end first: what they put into a page that has been written back would be
// lost (Linux does not wait, and loses it).
void GoSync(World& world, Inode& inode) {
  if (inode.type == InodeType::kRegular) {
    Filemap(world).UnmapRange(inode, 0, kFilePagesMax);
    inode.dio.WaitZero();
    while (HasPins(inode)) world.scheduler().Sleep(kPinPollNs);
    Error error = Error::kIo;
    for (int i = 0; error != Error::kOk && i < kWritebackAttemptsMax; ++i) {
      error = Writeback(world).Range(inode, 0, kFilePagesMax);
    }
  }
  inode.disk.i_size = inode.i_size;
}

// inode_go_inval.
void GoInvalidate(World& world, Inode& inode) {
  if (inode.type == InodeType::kRegular) Truncation(world).DropPages(inode, 0, kFilePagesMax);
}

}  // namespace

// What a dead node's inode says of the file: from when it has been granted EX until it gives that down.
bool ChangedHere(const Gfs2State& state, const Inode& inode) {
  const NodeId node{static_cast<uint8_t>(inode.node + 1)};
  return GlockOf(inode).state() == GlockState::kExclusive &&
         state.dlm.granted(node, state.ResourceOf(inode)) == lockdep::kDlmExclusive;
}

Gfs2State::Gfs2State(World& world, DlmOptions options)
    : cluster(world.sim(), {.nodes = std::max(2, world.options().nodes), .deaths_max = world.options().nodes > 1 ? 1 : 0}),
      dlm(cluster, options),
      recovery(world, dlm, [this](const Inode& inode) { return ChangedHere(*this, inode); }) {}

Glock& GlockOf(const Inode& inode) { return static_cast<Gfs2Inode&>(*inode.fs_state).glock; }

const char* Gfs2::name() const {
  switch (age_) {
    case Gfs2Age::k2006: return "gfs2-2006";
    case Gfs2Age::k515: return "gfs2-5.15";
    case Gfs2Age::k516: return "gfs2-5.16";
    case Gfs2Age::kNow: return "gfs2";
  }
  return "gfs2";
}

absl::Span<const char* const> Gfs2::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "mmap_lock", "mmap_lock/1",
      "sb_pagefaults", "gl_inode", "mapping.invalidate_lock", "inode_dio", "sb_internal", "folio_lock", "folio_writeback",
      "block_io", "i_data_sem", "i_pages",
  };
  return kOrder;
}

std::unique_ptr<pagecache::FileSystemState> Gfs2::MakeState(World& world) const {
  Simulation& sim = world.sim();
  auto state = std::make_unique<Gfs2State>(
      world, DlmOptions{.detect_conversion_deadlock = !bugs().Has(Bug::kB64ConversionDeadlock),
                        .null_queues = true,
                        .waits_for_replay = WaitsForReplay(bugs())});
  state->glock_class = sim.Class("gl_inode", {.ordered_by_key = true, .kind = &lockdep::kGlock});
  state->dlm_class = sim.Class("dlm lock of inode", {.kind = &lockdep::kDlmLock});
  state->cluster.Start();
  return state;
}

std::unique_ptr<pagecache::FileSystemInodeState> Gfs2::MakeInodeState(World& world, Inode& inode) const {
  auto& state = static_cast<Gfs2State&>(*world.fs_state());
  if (inode.node == 0) {
    state.resources.push_back(
        state.dlm.NewResource({.lock_class = state.dlm_class, .name = "dlm lock of inode", .number = inode.disk.number}));
  }
  GlockOptions options;
  options.hold_ns = age_ == Gfs2Age::k2006 ? 0 : kHoldNs;
  options.deferred_keeps_cache = bugs().Has(Bug::kB61NoInvalidateAtDeferred);
  GlockOperations operations;
  operations.sync = [&world, &inode] { GoSync(world, inode); };
  operations.invalidate = [&world, &inode] { GoInvalidate(world, inode); };
  operations.refresh = [&inode] { inode.i_size = inode.disk.i_size; };
  operations.recursion = [&world, &inode] {
    world.NoteViolation("S16", "no task has two holders of one glock",
                        absl::StrCat("a second holder of the glock of inode ", inode.number));
  };
  operations.illegal_transition = [&world](const std::string& what) {
    world.NoteViolation("S16", "a glock changes its state as the table says", what);
  };
  return std::make_unique<Gfs2Inode>(world.sim(), state, NodeId{static_cast<uint8_t>(inode.node + 1)},
                                     state.ResourceOf(inode), inode.number, options, std::move(operations));
}

// --- system calls ---

Result Gfs2::FileRead(World& world, Mm& mm, const Io& io) const { return Gfs2Io(world, mm, io, age_).Read(); }
Result Gfs2::FileWrite(World& world, Mm& mm, const Io& io) const { return Gfs2Io(world, mm, io, age_).Write(); }
Result Gfs2::FileDirectRead(World& world, Mm& mm, const Io& io) const {
  return Gfs2Io(world, mm, io, age_).DirectRead();
}
Result Gfs2::FileDirectWrite(World& world, Mm& mm, const Io& io) const {
  return Gfs2Io(world, mm, io, age_).DirectWrite();
}

// --- transactions ---

// gfs2_trans_begin. What is left of a dead node is repaired by replaying its journal, without.
void Gfs2::TransactionEnter(World& world, Inode& inode) const {
  if (world.NodeIsDead(inode.node)) return;
  if (world.task().transactions++ == 0) FileSystem::TransactionEnter(world, inode);
}
void Gfs2::TransactionExit(World& world, Inode& inode) const {
  if (world.NodeIsDead(inode.node)) return;
  if (--world.task().transactions == 0) FileSystem::TransactionExit(world, inode);
}

// gfs2_iomap_begin: the blocks are allocated before a folio is locked.
Error Gfs2::WriteBegin(World& world, Inode& inode, uint32_t) const {
  TransactionEnter(world, inode);
  TransactionExit(world, inode);
  return Error::kOk;
}

// --- filling ---

void Gfs2::FillEnter(World&, AddressSpace& mapping, FillKind) const {
  if (age_ != Gfs2Age::k2006) mapping.invalidate_lock.LockShared();
}
void Gfs2::FillExit(World&, AddressSpace& mapping, FillKind) const {
  if (age_ != Gfs2Age::k2006) mapping.invalidate_lock.UnlockShared();
}

// In 2006 the glock was taken here, with the folio locked that a demotion needs.
Error Gfs2::ReadFolio(World& world, Folio& folio) const {
  if (age_ != Gfs2Age::k2006) return FileSystem::ReadFolio(world, folio);
  Glock& glock = GlockOf(folio.mapping->host);
  glock.Lock(GlockState::kShared);
  const Error error = FileSystem::ReadFolio(world, folio);
  glock.Unlock();
  return error;
}
Error Gfs2::ReadaheadFolio(World& world, Folio& folio) const {
  if (age_ != Gfs2Age::k2006) return FileSystem::ReadFolio(world, folio);
  Glock& glock = GlockOf(folio.mapping->host);
  if (!glock.TryLock(GlockState::kShared)) {
    folio.lock.Unlock();
    return Error::kTruncatedPage;
  }
  const Error error = FileSystem::ReadFolio(world, folio);
  glock.Unlock();
  return error;
}

// --- faults ---

Error Gfs2::FaultEnter(World&, AddressSpace& mapping) const {
  if (age_ != Gfs2Age::k2006) GlockOf(mapping.host).Lock(GlockState::kShared);
  return Error::kOk;
}
void Gfs2::FaultExit(World&, AddressSpace& mapping) const {
  if (age_ != Gfs2Age::k2006) GlockOf(mapping.host).Unlock();
}

LockMode Gfs2::MkwriteEnter(World& world, AddressSpace& mapping) const {
  GlockOf(mapping.host).Lock(GlockState::kExclusive);
  TransactionEnter(world, mapping.host);
  return LockMode::kExclusive;
}
Error Gfs2::MkwriteFolio(World& world, Folio& folio) const {
  const Error error = Writeback(world).Reserve(folio.mapping->host, folio.index);
  if (error == Error::kOk && !bugs().Has(Bug::kB47DirtyAfterGlockRelease)) Filemap(world).SetDirty(folio);
  return error;
}
void Gfs2::MkwriteExit(World& world, AddressSpace& mapping, LockMode) const {
  TransactionExit(world, mapping.host);
  GlockOf(mapping.host).Unlock();
}
void Gfs2::MkwriteDone(World& world, Folio& folio) const {
  if (!bugs().Has(Bug::kB47DirtyAfterGlockRelease)) return;
  world.scheduler().Point(OperationKind::kWrite, folio.id());
  Filemap(world).SetDirty(folio);
}

// --- whole files ---

void Gfs2::InvalidateEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockExclusive();
  GlockOf(inode).Lock(GlockState::kExclusive);
  inode.dio.WaitZero();
}
void Gfs2::InvalidateExit(World&, Inode& inode) const {
  GlockOf(inode).Unlock();
  inode.i_rwsem.UnlockExclusive();
}

void Gfs2::ForceReadaheadEnter(World&, Inode& inode) const { GlockOf(inode).Lock(GlockState::kShared); }
void Gfs2::ForceReadaheadExit(World&, Inode& inode) const { GlockOf(inode).Unlock(); }

void Gfs2::EvictEnter(World& world, Inode& inode) const {
  inode.freeing.set_trigger(world.scheduler().current());
  if (inode.nlink == 0) GlockOf(inode).Lock(GlockState::kExclusive);
}
void Gfs2::EvictExit(World&, Inode& inode) const {
  if (inode.nlink == 0) GlockOf(inode).Unlock();
}

bool Gfs2::Lookup(Inode& inode) const {
  const auto freed = [&inode] { return inode.state == InodeState::kFreed; };
  Glock& glock = GlockOf(inode);
  glock.Lock(GlockState::kShared);
  if (inode.state == InodeState::kFreeing) {
    const bool keeps_glock = bugs().Has(Bug::kB63IgetVsEvict);
    if (!keeps_glock) glock.Unlock();
    inode.freeing.WaitUntil(freed);
    if (!keeps_glock) glock.Lock(GlockState::kShared);
  }
  const bool found = inode.nlink > 0 && !freed();
  glock.Unlock();
  return found;
}

// The root has the lowest number.
void Gfs2::LinkEnter(World& world, Inode& directory, Inode& inode) const {
  const bool swap = inode.number < directory.number;
  GlockOf(swap ? inode : directory).Lock(GlockState::kExclusive);
  GlockOf(swap ? directory : inode).Lock(GlockState::kExclusive);
  TransactionEnter(world, directory);
}
void Gfs2::LinkExit(World& world, Inode& directory, Inode& inode) const {
  TransactionExit(world, directory);
  GlockOf(inode).Unlock();
  GlockOf(directory).Unlock();
}

// Nobody else knows the new inode: its glock is not waited for.
void Gfs2::CreateEnter(World& world, Inode& directory, Inode&) const {
  GlockOf(directory).Lock(GlockState::kExclusive);
  TransactionEnter(world, directory);
}
void Gfs2::CreateExit(World& world, Inode& directory, Inode&) const {
  TransactionExit(world, directory);
  GlockOf(directory).Unlock();
}

void Gfs2::RenameEnter(World& world, Inode& source, Inode& target) const {
  FileSystem::RenameEnter(world, source, target);
  for (Inode* inode : InodesOfRename(world, source, target)) GlockOf(*inode).Lock(GlockState::kExclusive);
  TransactionEnter(world, source);
}
void Gfs2::RenameExit(World& world, Inode& source, Inode& target) const {
  TransactionExit(world, source);
  for (Inode* inode : InodesOfRename(world, source, target)) GlockOf(*inode).Unlock();
  FileSystem::RenameExit(world, source, target);
}

bool Gfs2::SizeIsKnown(const Inode& inode) const { return GlockOf(inode).valid(); }
void Gfs2::BindTask(World& world, TaskId task, int node) const {
  static_cast<Gfs2State&>(*world.fs_state()).cluster.Bind(task, NodeId{static_cast<uint8_t>(node + 1)});
}
bool Gfs2::NofaultTakesMmapLock() const { return bugs().Has(Bug::kB74cGlockThenMmapLock); }

// --- invariants ---

void Gfs2::CheckInvariants(const World& world, std::vector<pagecache::InvariantViolation>* found) const {
  const auto& state = static_cast<const Gfs2State&>(*world.fs_state());
  if (const auto broken = state.dlm.FindIncompatibleGrant(); broken.has_value()) {
    found->push_back({"S16", "what nodes have been granted goes together", *broken});
  }
  for (int i = 0; i < world.inodes(); ++i) {
    const Inode& inode = world.inode(i);
    if (world.NodeIsDead(inode.node)) continue;
    const Glock& glock = GlockOf(inode);
    if (const auto broken = glock.FindBroken(); broken.has_value()) {
      found->push_back({"S16", "a glock's holders go together and its state allows them", *broken});
    }
    if (inode.state == InodeState::kFreed && !glock.unused()) {
      found->push_back({"S17", "nobody refers to the glock of an evicted inode", glock.ToString()});
    }
    if (glock.busy()) continue;
    for (const Folio* folio : inode.mapping.pages) {
      if (folio == nullptr || folio->lock.locked()) continue;
      const bool readable = glock.state() == GlockState::kShared || glock.state() == GlockState::kExclusive;
      if (folio->uptodate && !readable) {
        found->push_back({"S5", "a node that caches a page has the glock shared or exclusively", glock.ToString()});
      }
      if (folio->dirty && glock.state() != GlockState::kExclusive) {
        found->push_back({"S4", "a node with a dirty page has the glock exclusively", glock.ToString()});
      }
    }
  }
}

}  // namespace ordeal
