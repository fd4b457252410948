// Recovers a node of a cluster file system that has died: fences it off the device, replays its journal and lets the lock
// manager go on. Until then no survivor is granted anything; what it has already it may use.
//
// The journal of the model is about i_size: whoever has a file's cluster lock exclusively keeps i_size in memory, and each
// change of it is in the journal at once. Extent maps are the same for all nodes and need no replay; data has no journal.
// | step                                             | without it                                                      |
// | the device does what the dead node has submitted | a late write overwrites what a survivor writes                  |
// | the journal is replayed, truncates are finished, | a survivor reads the i_size of before the dead node's fsync     |
// | reservations are freed                           |                                                                 |
// | Dlm::ReplayDone                                  | a survivor waits for ever                                       |
//
// Thread-safety: tasks of one simulation; one a run, made with the file system's state. Recovery is a task of no node: it survives.
// Invariants:    a file is replayed once for each death, before anybody gets a lock that the dead node had (else the bug).
// Example:       NodeRecovery recovery(world, cluster, dlm, [](const Inode& inode) { return OwnedExclusively(inode); });
#ifndef ORDEAL_HARNESS_FILESYSTEMS_NODE_RECOVERY_H_
#define ORDEAL_HARNESS_FILESYSTEMS_NODE_RECOVERY_H_

#include <functional>

#include "harness/cluster/dlm.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {

class NodeRecovery {
 public:
  // `changed_here`: the (dead) node of that inode had it exclusively, so that its i_size is the file's.
  NodeRecovery(pagecache::World& world, Dlm& dlm, std::function<bool(const pagecache::Inode& inode)> changed_here);
  NodeRecovery(const NodeRecovery&) = delete;
  NodeRecovery& operator=(const NodeRecovery&) = delete;

 private:
  void OnDeath(NodeId dead);
  void Recover(int node);

  pagecache::World& world_;
  Dlm& dlm_;
  const std::function<bool(const pagecache::Inode&)> changed_here_;
  const bool grants_before_replay_;  // the bug
};

// Of a file system's clusters: the locks wait for the replay, unless the bug.
inline bool WaitsForReplay(const pagecache::BugSet& bugs) { return !bugs.Has(pagecache::Bug::kGrantBeforeReplay); }

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_NODE_RECOVERY_H_
