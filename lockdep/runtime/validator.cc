#include "lockdep/runtime/validator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ordeal::lockdep {
namespace {

uint64_t WordOf(const HeldLock& held) { return ChainWord(held.node, held.mode, held.trylock, held.ordered); }

// Kind and classes, starting with the smallest name, so that a cycle has one signature wherever it is entered.
std::string CycleSignature(const std::vector<DependencyReport>& cycle) {
  std::vector<std::string> nodes;
  for (const DependencyReport& dependency : cycle) nodes.push_back(dependency.from);
  std::rotate(nodes.begin(), std::min_element(nodes.begin(), nodes.end()), nodes.end());
  return absl::StrCat("circular: ", absl::StrJoin(nodes, " > "));
}

}  // namespace

std::string LockMap::InstanceName() const {
  return instance_number == 0 ? std::string(instance) : absl::StrCat(instance, " ", instance_number);
}

bool TaskContext::Holds(const LockMap& map) const {
  return std::any_of(held_.begin(), held_.end(), [&](const HeldLock& held) { return held.map == &map; });
}

Validator::Validator() = default;
Validator::~Validator() = default;

LockClassId Validator::RegisterClass(absl::string_view name, LockClassOptions options) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return classes_.Register(name, options);
}

void Validator::BeginRun() {
  ++run_;
  violations_.clear();
}

bool Validator::OrderAscends(const TaskContext& task, NodeId node, uint64_t order_key) {
  return std::all_of(task.held_.begin(), task.held_.end(), [&](const HeldLock& held) {
    return held.node != node || held.order_key < order_key;
  });
}

void Validator::RebuildKeys(TaskContext& task, size_t from) {
  uint64_t key = kEmptyChainKey;
  if (from > 0) key = MixChainKey(task.held_[from - 1].previous_key, WordOf(task.held_[from - 1]));
  for (size_t i = from; i < task.held_.size(); ++i) {
    task.held_[i].previous_key = key;
    key = MixChainKey(key, WordOf(task.held_[i]));
  }
  task.key_ = key;
}

void Validator::AcquireUnseen(TaskContext& task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++slow_acquires_;
  const bool legal = CheckRecursion(task);
  std::vector<EdgeId> edges;
  AddDependencies(task, &edges);
  if (!legal) return;  // a chain that breaks a rule by itself is never cached, so that every run reports it
  const auto begin = static_cast<uint32_t>(chain_edges_.size());
  chain_edges_.insert(chain_edges_.end(), edges.begin(), edges.end());
  chains_.Insert(task.key_, run_, begin, static_cast<uint32_t>(edges.size()));
}

// True if the newest lock may be taken beside the held ones of its own node.
bool Validator::CheckRecursion(const TaskContext& task) {
  const HeldLock& acquired = task.held_.back();
  if (acquired.trylock || acquired.ordered) return true;
  for (size_t i = 0; i + 1 < task.held_.size(); ++i) {
    const HeldLock& held = task.held_[i];
    if (held.node != acquired.node) continue;
    if (acquired.mode == Mode::kSharedRecursive && held.mode != Mode::kExclusive) continue;
    Violation violation = NewViolation(ViolationKind::kRecursive, task, Describe(acquired));
    violation.conflicting = Describe(held);
    violation.signature = absl::StrCat("recursive: ", violation.acquiring.node);
    Report(std::move(violation));
    return false;
  }
  return true;
}

// From every held lock, not only the nearest: the exported graph then has each order that was really seen.
void Validator::AddDependencies(const TaskContext& task, std::vector<EdgeId>* edges) {
  const HeldLock& acquired = task.held_.back();
  if (acquired.trylock) return;
  for (size_t i = task.held_.size() - 1; i-- > 0;) {
    if (task.held_[i].node != acquired.node) AddDependency(task, task.held_[i], edges);
  }
}

void Validator::AddDependency(const TaskContext& task, const HeldLock& holder, std::vector<EdgeId>* edges) {
  const HeldLock& acquired = task.held_.back();
  const uint8_t kind = EdgeKind(holder.mode, acquired.mode);
  const DependencyGraph::Sighting sighting{kind,          holder.mode,   acquired.mode,
                                           holder.site,   acquired.site, task.name_};
  bool new_to_all = false;
  const EdgeId edge = graph_.Add(holder.node, acquired.node, sighting, run_, &new_to_all);
  edges->push_back(edge);
  std::vector<EdgeId> path;
  if (new_to_all && !cyclic_.load(std::memory_order_relaxed) && graph_.FindCycleInAllRuns(edge, kind, &path)) {
    StartCycleSearches();
  }
  if (cyclic_.load(std::memory_order_relaxed) && graph_.FindCycle(edge, kind, run_, &path)) {
    ReportCycle(task, holder, edge, path);
  }
}

// Until now chains of this run that earlier runs knew were only marked; their dependencies must be this run's too.
void Validator::StartCycleSearches() {
  cyclic_.store(true, std::memory_order_relaxed);
  chains_.ForEachSeenIn(run_, [this](uint32_t begin, uint32_t count) {
    for (uint32_t i = begin; i < begin + count; ++i) graph_.MarkSeen(chain_edges_[i], run_);
  });
}

void Validator::ReportCycle(const TaskContext& task, const HeldLock& holder, EdgeId closing,
                            const std::vector<EdgeId>& path) {
  Violation violation = NewViolation(ViolationKind::kCircular, task, Describe(task.held_.back()));
  violation.conflicting = Describe(holder);
  for (const EdgeId id : path) violation.cycle.push_back(Describe(graph_.edge(id)));
  DependencyReport last = Describe(graph_.edge(closing));
  last.from_mode = holder.mode;
  last.to_mode = task.held_.back().mode;
  last.from_site = holder.site;
  last.to_site = task.held_.back().site;
  last.task = task.name_;
  violation.cycle.push_back(std::move(last));
  violation.signature = CycleSignature(violation.cycle);
  Report(std::move(violation));
}

void Validator::SleepInAtomic(TaskContext& task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const HeldLock& acquired = task.held_.back();
  const auto spin = std::find_if(task.held_.begin(), task.held_.end(), [](const HeldLock& held) { return held.spins; });
  Violation violation = NewViolation(ViolationKind::kSleepInAtomic, task, Describe(acquired));
  violation.conflicting = Describe(*spin);
  violation.signature = absl::StrCat("sleep-in-atomic: ", violation.conflicting.node, " > ", violation.acquiring.node);
  Report(std::move(violation));
}

void Validator::ReleaseOutOfOrder(TaskContext& task, const LockMap& map, Site site) {
  for (size_t i = task.held_.size(); i-- > 0;) {
    if (task.held_[i].map != &map) continue;
    task.spins_held_ -= task.held_[i].spins;
    task.held_.erase(task.held_.begin() + static_cast<std::ptrdiff_t>(i));
    RebuildKeys(task, i);
    return;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  HeldLock released;
  released.map = &map;
  released.node = NodeOf(map.lock_class, 0);
  released.site = site;
  Violation violation = NewViolation(ViolationKind::kUnlockBalance, task, Describe(released));
  violation.signature = absl::StrCat("unlock-balance: ", violation.acquiring.node);
  Report(std::move(violation));
}

void Validator::Downgrade(TaskContext& task, const LockMap& map, Mode mode) {
  for (size_t i = task.held_.size(); i-- > 0;) {
    if (task.held_[i].map != &map) continue;
    task.held_[i].mode = mode;
    RebuildKeys(task, i);
    return;
  }
}

void Validator::TaskExit(TaskContext& task) {
  if (task.held_.empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  Violation violation = NewViolation(ViolationKind::kHeldAtExit, task, Describe(task.held_.front()));
  violation.signature = absl::StrCat("held-at-exit: ", violation.acquiring.node);
  Report(std::move(violation));
  task.held_.clear();
  task.key_ = kEmptyChainKey;
  task.spins_held_ = 0;
}

ValidatorStats Validator::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {classes_.size(), graph_.size(), chains_.size(), slow_acquires_, graph_.searches()};
}

HeldLockReport Validator::Describe(const HeldLock& held) const {
  return {classes_.NodeName(held.node), held.map->InstanceName(), held.mode, held.trylock, held.site};
}

DependencyReport Validator::Describe(const Edge& edge) const {
  return {classes_.NodeName(edge.from), classes_.NodeName(edge.to), edge.from_mode, edge.to_mode,
          edge.from_site,               edge.to_site,               edge.task};
}

Violation Validator::NewViolation(ViolationKind kind, const TaskContext& task, const HeldLockReport& acquiring) const {
  Violation violation;
  violation.kind = kind;
  violation.task = task.name_;
  violation.acquiring = acquiring;
  for (const HeldLock& held : task.held_) violation.held.push_back(Describe(held));
  return violation;
}

void Validator::Report(Violation violation) {
  const auto same = [&](const Violation& known) { return known.signature == violation.signature; };
  if (std::any_of(violations_.begin(), violations_.end(), same)) return;
  violations_.push_back(std::move(violation));
}

}  // namespace ordeal::lockdep
