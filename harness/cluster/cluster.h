// Some nodes in one simulation. Each has a daemon task ("node 1 dlm") that receives its messages, one at a time; a task says on
// which node it runs (Spawn, BindCurrentTask). A node dies by Kill or, with the fault kNodeDeath, when it sends a message to
// another node or receives one: its messages are lost and its tasks never run again (Scheduler::Halt: their stacks are kept until
// the run is unwound, so that a death runs no destructor, which would release locks that the dead cannot release). The others
// notice at once.
//
// Thread-safety: tasks of one simulation. One a run: create it after Simulation::BeginRun, destroy it after EndRun.
// Invariants:    a task of a dead node does not run; at least one node is alive.
// Example:
//   Cluster cluster(sim, {.nodes = 2});
//   Dlm dlm(cluster);
//   cluster.Start();
//   cluster.Spawn(NodeId{1}, "reader", [&] { dlm.Lock(inode, lockdep::kDlmProtectedRead); dlm.Unlock(inode); });
#ifndef ORDEAL_HARNESS_CLUSTER_CLUSTER_H_
#define ORDEAL_HARNESS_CLUSTER_CLUSTER_H_

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "harness/cluster/network.h"

namespace ordeal {

struct ClusterOptions {
  int nodes = 2;       // 2..kNodesMax
  int deaths_max = 1;  // by the fault kNodeDeath; the last node never dies of it
};

class Cluster {
 public:
  explicit Cluster(Simulation& sim, ClusterOptions options = {});
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Spawns the daemons. Each calls what set_receiver was given, which must not block.
  void Start();
  void set_receiver(std::function<void(const Delivery&)> receiver) { receiver_ = std::move(receiver); }
  // Called by whoever kills a node, after the node's messages are lost and before its tasks end; must not block.
  void AddDeathObserver(std::function<void(NodeId dead)> observer) { death_observers_.push_back(std::move(observer)); }

  template <typename Body>
  TaskId Spawn(NodeId node, const char* name, Body body, TaskKind kind = TaskKind::kForeground) {
    const TaskId task = sim_.scheduler().Spawn(name, std::move(body), kind);
    Bind(task, node);
    return task;
  }
  void Bind(TaskId task, NodeId node) { node_of_[Index(task)] = node; }
  void BindCurrentTask(NodeId node) { Bind(sim_.scheduler().current(), node); }
  // kNoNode: outside any task, or a task that nobody has bound.
  NodeId NodeOf(TaskId task) const { return task == kNoTask ? kNoNode : node_of_[Index(task)]; }
  NodeId current_node() const { return NodeOf(sim_.scheduler().current()); }
  // "node 1 reader"; the task's own name if it is on no node or already says so.
  std::string TaskName(TaskId task) const;

  int nodes() const { return options_.nodes; }
  bool alive(NodeId node) const { return alive_[Index(node)]; }
  int alive_nodes() const;
  // Does not return if the current task is one of the node's. Nothing if it is dead already.
  void Kill(NodeId node);
  // Sends from a node that is alive; it may die of it (kNodeDeath). Nothing is sent to the dead.
  void Send(NodeId from, NodeId to, const Message& message);

  Simulation& sim() { return sim_; }
  Scheduler& scheduler() { return sim_.scheduler(); }
  Network& network() { return network_; }
  const Network& network() const { return network_; }

 private:
  void Serve(NodeId node);
  void MayDie(NodeId node);

  Simulation& sim_;
  const ClusterOptions options_;
  Network network_;
  std::function<void(const Delivery&)> receiver_;
  std::vector<std::function<void(NodeId)>> death_observers_;
  std::array<NodeId, kTasksMax> node_of_{};
  PerNode<bool> alive_{};
  int deaths_ = 0;  // by fault
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_CLUSTER_H_
