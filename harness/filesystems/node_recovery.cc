#include "harness/filesystems/node_recovery.h"

#include <utility>

namespace ordeal {

using pagecache::Inode;
using pagecache::World;

namespace {

constexpr int64_t kJournalReadNs = 40 * kStepNs;  // the survivors have enough time to do something wrong

}  // namespace

NodeRecovery::NodeRecovery(World& world, Dlm& dlm, std::function<bool(const Inode&)> changed_here)
    : world_(world),
      dlm_(dlm),
      changed_here_(std::move(changed_here)),
      grants_before_replay_(!WaitsForReplay(world.bugs())) {
  dlm_.cluster().AddDeathObserver([this](NodeId dead) { OnDeath(dead); });
}

void NodeRecovery::OnDeath(NodeId dead) {
  const int node = static_cast<int>(Index(dead)) - 1;
  world_.NodeDied(node);
  world_.scheduler().Spawn("journal recovery", [this, node] { Recover(node); }, TaskKind::kDaemon);
}

void NodeRecovery::Recover(int node) {
  Scheduler& scheduler = world_.scheduler();
  world_.WaitForFence(node);
  scheduler.Sleep(kJournalReadNs);
  for (int i = 0; i < world_.inodes(); ++i) {
    Inode& inode = world_.inode(i);
    if (inode.node != node) continue;
    scheduler.Point(OperationKind::kWrite, inode.id);
    if (!changed_here_(inode)) continue;
    inode.disk.i_size = inode.i_size;
    world_.ReleaseReservations(inode);
    world_.FinishTruncate(inode);
  }
  world_.ForgetNode(node);
  if (!grants_before_replay_) dlm_.ReplayDone();
}

}  // namespace ordeal
