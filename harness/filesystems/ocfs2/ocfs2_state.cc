#include "harness/filesystems/ocfs2/ocfs2_state.h"

#include <algorithm>
#include <utility>

#include "lockdep/support/check.h"

namespace ordeal {

using pagecache::Inode;
using pagecache::World;

namespace {

// What a dead node's inode says of the file: from when it is up to date after a grant of EX until it gives that down.
bool ChangedHere(const Dlm& dlm, const Inode& inode) {
  const ClusterLock& meta = OcfsInode(inode).meta();
  return meta.granted() == lockdep::kDlmExclusive && meta.fresh() &&
         dlm.granted(Ocfs2World::NodeOf(inode), meta.resource()) == lockdep::kDlmExclusive;
}

}  // namespace

Ocfs2World::Ocfs2World(World& world)
    : cluster_(world.sim(), {.nodes = std::max(world.options().nodes, 2), .deaths_max = world.options().nodes > 1 ? 1 : 0}),
      dlm_(cluster_, {.null_queues = true, .waits_for_replay = WaitsForReplay(world.bugs())}),
      recovery_(world, dlm_, [this](const Inode& inode) { return ChangedHere(dlm_, inode); }) {
  Simulation& sim = world.sim();
  rw_class_ = sim.Class("ocfs2_rw_lock", {.ordered_by_key = true, .kind = &lockdep::kDlmLock});
  meta_class_ = sim.Class("ocfs2_inode_lock", {.ordered_by_key = true, .kind = &lockdep::kDlmLock});
  alloc_class_ = sim.Class("ip_alloc_sem");
  cluster_.Start();
  for (int node = 1; node <= world.options().nodes; ++node) {
    workers_[static_cast<size_t>(node)] =
        std::make_unique<DownconvertWorker>(dlm_, NodeId{static_cast<uint8_t>(node)});
    journals_[static_cast<size_t>(node)] = std::make_unique<Journal>(sim);
  }
}

ResourceId Ocfs2World::NewResource(LockKind kind, uint32_t number) {
  const char* name = "inode lock of disk inode";
  lockdep::LockClassId lock_class = meta_class_;
  if (kind == LockKind::kRw) {
    name = "rw lock of disk inode";
    lock_class = rw_class_;
  } else if (kind == LockKind::kData) {
    name = "data lock of disk inode";
    if (!data_class_.has_value()) {
      const lockdep::LockClassOptions options{.ordered_by_key = true, .kind = &lockdep::kDlmLock};
      data_class_ = cluster_.sim().Class("ocfs2_data_lock", options);
    }
    lock_class = *data_class_;
  }
  return dlm_.NewResource({.lock_class = lock_class, .name = name, .number = number, .order_key = number});
}

Ocfs2Inode::Ocfs2Inode(World& world, Inode& inode, const Ocfs2Inode* first, Ocfs2LockHooks hooks)
    : alloc(world.sim(), OcfsWorld(world).alloc_class(), "ip_alloc_sem of inode", inode.number, world.options().steal),
      cluster_(OcfsWorld(world).cluster()),
      node_(Ocfs2World::NodeOf(inode)),
      rw_resource_(OcfsWorld(world).ResourceOf(Ocfs2World::LockKind::kRw, inode,
                                               first == nullptr ? nullptr : &first->rw_resource_)),
      meta_resource_(OcfsWorld(world).ResourceOf(Ocfs2World::LockKind::kMeta, inode,
                                                 first == nullptr ? nullptr : &first->meta_resource_)),
      rw_(OcfsWorld(world).worker(node_), rw_resource_, {}, hooks.bugs),
      meta_(OcfsWorld(world).worker(node_), meta_resource_, std::move(hooks.meta), hooks.bugs) {
  if (!hooks.data.has_value()) return;
  data_resource_ = OcfsWorld(world).ResourceOf(Ocfs2World::LockKind::kData, inode,
                                               first == nullptr ? nullptr : &first->data_resource_);
  data_.emplace(OcfsWorld(world).worker(node_), data_resource_, *std::move(hooks.data), hooks.bugs);
}

void Ocfs2Inode::LockRw(DlmMode mode, lockdep::Site site) {
  cluster_.BindCurrentTask(node_);
  const ClusterLockStatus status = rw_.Lock(mode, {}, site);
  LD_CHECK(status == ClusterLockStatus::kGranted, "a task wants more of an rw lock than it has");
}

void Ocfs2Inode::LockMeta(DlmMode mode, lockdep::Site site) {
  cluster_.BindCurrentTask(node_);
  const ClusterLockStatus status = meta_.Lock(mode, {}, site);
  LD_CHECK(status == ClusterLockStatus::kGranted, "a task wants more of an inode lock than it has");
}

void Ocfs2Inode::LockData(DlmMode mode, lockdep::Site site) {
  cluster_.BindCurrentTask(node_);
  const ClusterLockStatus status = data_->Lock(mode, {}, site);
  LD_CHECK(status == ClusterLockStatus::kGranted, "a task wants more of a data lock than it has");
}

bool Ocfs2Inode::TryLockData(DlmMode mode, lockdep::Site site) {
  cluster_.BindCurrentTask(node_);
  return data_->Lock(mode, {.nonblock = true}, site) == ClusterLockStatus::kGranted;
}

bool Ocfs2Inode::TryLockMeta(DlmMode mode, lockdep::Site site) {
  cluster_.BindCurrentTask(node_);
  return meta_.Lock(mode, {.nonblock = true}, site) == ClusterLockStatus::kGranted;
}

}  // namespace ordeal
