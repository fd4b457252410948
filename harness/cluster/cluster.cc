#include "harness/cluster/cluster.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr const char* kDaemonNames[kNodesMax + 1] = {"", "node 1 dlm", "node 2 dlm", "node 3 dlm", "node 4 dlm"};

}  // namespace

Cluster::Cluster(Simulation& sim, ClusterOptions options) : sim_(sim), options_(options), network_(sim) {
  LD_CHECK(options.nodes >= 2 && options.nodes <= kNodesMax, "a cluster has 2 to 4 nodes");
  for (size_t node = 1; node <= static_cast<size_t>(options.nodes); ++node) alive_[node] = true;
}

void Cluster::Start() {
  for (uint8_t n = 1; n <= options_.nodes; ++n) {
    const NodeId node{n};
    network_.set_daemon(node, Spawn(node, kDaemonNames[n], [this, node] { Serve(node); }, TaskKind::kDaemon));
  }
}

std::string Cluster::TaskName(TaskId task) const {
  const absl::string_view name = sim_.scheduler().task_name(task);
  const NodeId node = NodeOf(task);
  if (node == kNoNode || name.substr(0, 5) == "node ") return std::string(name);
  return absl::StrCat("node ", Index(node), " ", name);
}

int Cluster::alive_nodes() const { return static_cast<int>(std::count(alive_.begin(), alive_.end(), true)); }

void Cluster::Serve(NodeId node) {
  Scheduler& scheduler = sim_.scheduler();
  const ObjectId inbox = network_.object(node);
  for (;;) {
    const int64_t ready_ns = network_.NextReadyNs(node);
    if (ready_ns < 0) {
      scheduler.Block({.kind = OperationKind::kWait, .object = inbox});
      continue;
    }
    if (ready_ns > scheduler.now_ns()) {
      scheduler.BlockFor({.kind = OperationKind::kWait, .object = inbox}, ready_ns - scheduler.now_ns());
      continue;
    }
    scheduler.Point(OperationKind::kIo, inbox);
    const std::optional<Delivery> delivery = network_.Take(node);
    if (!delivery.has_value()) continue;
    if (delivery->from != node) MayDie(node);
    if (receiver_) receiver_(*delivery);
    network_.Finish(node);
    // What is now known of the resource may have turned waits for progress into waits for each other.
    if (!network_.HasPending(delivery->message.resource)) scheduler.EndIfDeadlocked();
  }
}

// Only a task of the node itself can be told: it does not return.
void Cluster::MayDie(NodeId node) {
  if (deaths_ >= options_.deaths_max || alive_nodes() < 2 || current_node() != node) return;
  if (sim_.scheduler().ChooseFault(ChoiceKind::kNodeDeath, 2, network_.object(node)) == 0) return;
  ++deaths_;
  Kill(node);
}

void Cluster::Send(NodeId from, NodeId to, const Message& message) {
  if (from != to) MayDie(from);
  if (!alive(from) || !alive(to)) return;
  network_.Send(from, to, message);
}

void Cluster::Kill(NodeId node) {
  if (!alive(node)) return;
  LD_CHECK(alive_nodes() > 1, "the last node of a cluster is killed");
  sim_.scheduler().NoteTrace(absl::StrCat("node ", Index(node), " dies"));
  alive_[Index(node)] = false;
  network_.Drop(node);
  for (const auto& observer : death_observers_) observer(node);
  std::vector<TaskId> tasks;
  for (int i = 0; i < sim_.scheduler().tasks(); ++i) {
    const TaskId task{static_cast<uint16_t>(i)};
    if (NodeOf(task) == node) tasks.push_back(task);
  }
  sim_.scheduler().Halt(tasks);
}

}  // namespace ordeal
