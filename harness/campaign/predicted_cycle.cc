#include "harness/campaign/predicted_cycle.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ordeal {

using lockdep::LockClassId;
using lockdep::LockClassTable;
using lockdep::NodeId;
using lockdep::Violation;

namespace {

constexpr size_t kEdgesMax = 64;  // a longer cycle needs more tasks than a run may have

bool IsNodeOf(const LockClassTable& classes, LockClassId lock_class, const std::string& node) {
  for (int subclass = 0; subclass < lockdep::kSubclasses; ++subclass) {
    if (classes.NodeName(lockdep::NodeOf(lock_class, subclass)) == node) return true;
  }
  return false;
}

// Kuhn's algorithm: gives edge `edge` a task, moving other edges to other tasks where that helps.
bool Assign(size_t edge, const std::vector<uint64_t>& tasks, uint64_t* visited, std::map<int, size_t>* taken) {
  for (uint64_t mask = tasks[edge]; mask != 0; mask &= mask - 1) {
    const int task = std::countr_zero(mask);
    if ((*visited >> task & 1) != 0) continue;
    *visited |= uint64_t{1} << task;
    const auto owner = taken->find(task);
    if (owner == taken->end() || Assign(owner->second, tasks, visited, taken)) {
      (*taken)[task] = edge;
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<PredictedCycle::Edge> PredictedCycle::EdgesOf(const Violation& violation) {
  std::vector<Edge> edges;
  if (violation.kind == lockdep::ViolationKind::kRecursive) {
    edges.push_back({violation.conflicting.node, violation.acquiring.node, false, violation.task, false});
  }
  for (const lockdep::DependencyReport& dependency : violation.cycle) {
    if (edges.size() == kEdgesMax) break;
    edges.push_back({dependency.from, dependency.to, dependency.from_event, dependency.task,
                     dependency.from_event || dependency.to_event});
  }
  return edges;
}

PredictedCycle::PredictedCycle(Simulation& sim, const Violation& violation) : sim_(sim), edges_(EdgesOf(violation)) {}

uint64_t PredictedCycle::EdgesFrom(NodeId node) {
  const auto [found, is_new] = from_.try_emplace(node, 0);
  if (is_new) {
    const std::string name = sim_.validator().classes().NodeName(node);
    for (size_t i = 0; i < edges_.size(); ++i) found->second |= static_cast<uint64_t>(edges_[i].from == name) << i;
  }
  return found->second;
}

uint64_t PredictedCycle::EdgesTo(LockClassId lock_class) {
  const auto [found, is_new] = to_.try_emplace(lock_class, 0);
  if (is_new) {
    const LockClassTable& classes = sim_.validator().classes();
    for (size_t i = 0; i < edges_.size(); ++i) {
      found->second |= static_cast<uint64_t>(IsNodeOf(classes, lock_class, edges_[i].to)) << i;
    }
  }
  return found->second;
}

bool PredictedCycle::StandsAtEdge(const Candidate& task) {
  if (task.next.kind != OperationKind::kAcquire && task.next.kind != OperationKind::kWait) return false;
  const Waitable* waitable = sim_.scheduler().object_waitable(task.next.object);
  if (waitable == nullptr || !waitable->lock_class().has_value()) return false;
  const uint64_t to = EdgesTo(*waitable->lock_class());
  const lockdep::TaskContext* context = sim_.context_of(task.task);
  if (to == 0 || context == nullptr) return false;
  uint64_t at = 0;
  for (const lockdep::HeldLock& held : context->held()) at |= EdgesFrom(held.node()) & to;
  // An event is not held: whoever waits for the lock may be the one who triggers it.
  for (size_t i = 0; i < edges_.size(); ++i) {
    if (edges_[i].from_event && edges_[i].task == context->name()) at |= to & uint64_t{1} << i;
  }
  if (at == 0) return false;
  task_names_.try_emplace(Index(task.task), context->name());
  for (size_t i = 0; i < edges_.size(); ++i) {
    if ((at >> i & 1) != 0) edges_[i].seen |= uint64_t{1} << Index(task.task);
  }
  return true;
}

bool PredictedCycle::Predicts(const Deadlock& deadlock, const LockClassTable& classes, const Violation& violation) {
  const std::vector<Edge> edges = EdgesOf(violation);
  const bool has_event = std::any_of(edges.begin(), edges.end(), [](const Edge& edge) { return edge.event; });
  // Who will trigger an event is not always known: then everybody is blocked, and no cycle is drawn.
  if (!deadlock.is_cycle && !has_event) return false;
  std::vector<bool> waited(edges.size());
  for (const Deadlock::Waiter& waiter : deadlock.is_cycle ? deadlock.cycle : deadlock.blocked) {
    bool predicted = false;
    for (size_t i = 0; i < edges.size() && waiter.lock_class.has_value(); ++i) {
      if (!IsNodeOf(classes, *waiter.lock_class, edges[i].to)) continue;
      waited[i] = true;
      predicted = true;
    }
    if (!predicted && deadlock.is_cycle) return false;
  }
  return std::all_of(waited.begin(), waited.end(), [](bool reached) { return reached; });
}

std::string PredictedCycle::MissingTasks() const {
  std::vector<uint64_t> tasks;
  for (const Edge& edge : edges_) {
    if (edge.seen == 0) return "";  // nobody came there: whether there are enough tasks is not known
    tasks.push_back(edge.seen);
  }
  if (tasks.size() == 1) {  // one class against itself: two tasks at one dependency
    const bool alone = std::popcount(tasks[0]) == 1;
    return alone ? absl::StrCat("2 instances of ", task_names_.at(std::countr_zero(tasks[0]))) : "";
  }
  std::map<int, size_t> taken;
  for (size_t edge = 0; edge < tasks.size(); ++edge) {
    uint64_t visited = 0;
    if (Assign(edge, tasks, &visited, &taken)) continue;
    // By Hall's theorem the visited tasks are too few for the edges that only they make.
    int edges = 0;
    for (const uint64_t mask : tasks) edges += (mask & ~visited) == 0;
    std::vector<std::string> names;
    for (uint64_t mask = visited; mask != 0; mask &= mask - 1) names.push_back(task_names_.at(std::countr_zero(mask)));
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return absl::StrCat(edges, " instances of ", absl::StrJoin(names, " or "));
  }
  return "";
}

}  // namespace ordeal
