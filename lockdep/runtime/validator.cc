// Judging an acquisition that no run (or not this one) has judged: wait context, usage, recursion, dependencies.

#include "lockdep/runtime/validator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lockdep/graph/lock_kind.h"
#include "lockdep/runtime/event_book.h"
#include "lockdep/runtime/held_locks.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

// Kind and classes, starting with the smallest name, so that a cycle has one signature wherever it is entered.
std::string CycleSignature(const std::vector<DependencyReport>& cycle) {
  std::vector<std::string> nodes;
  for (const DependencyReport& dependency : cycle) nodes.push_back(dependency.from);
  std::rotate(nodes.begin(), std::min_element(nodes.begin(), nodes.end()), nodes.end());
  return absl::StrCat("circular: ", absl::StrJoin(nodes, " > "));
}

}  // namespace

Validator::Validator(ValidatorOptions options) : options_(options) {
  if (options.grade_online) FollowEvents();
}
Validator::~Validator() = default;

LockClassId Validator::RegisterClass(absl::string_view name, LockClassOptions options) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return classes_.Register(name, options);
}

LockClassId Validator::RegisterKey(uint64_t key, absl::string_view name, LockClassOptions options) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return classes_.RegisterKey(key, name, options);
}

void Validator::BeginRun() {
  ++run_;
  violations_.clear();
  reported_.clear();
  witnesses_.Clear();
  reported_cycles_.clear();
  cycles_of_edge_.clear();
  if (events_ != nullptr) events_->Clear();
}

bool Validator::OrderAscends(const TaskContext& task, const LockMap& map, uint64_t word) const {
  const LockClassOptions& rules = classes_.at(map.lock_class).options;
  const NodeId node = NodeOfWord(word);
  return std::all_of(task.held_.begin(), task.held_.end(), [&](const HeldLock& held) {
    if (held.node() != node) return true;
    if (rules.compare != nullptr) return rules.compare(*held.map, map) < 0;
    return held.map->order_key < map.order_key;
  });
}

void Validator::AcquireUnseen(TaskContext& task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  JudgeNewest(task);
}

void Validator::JudgeNewest(TaskContext& task) {
  ++slow_acquires_;
  const HeldLock& acquired = task.held_.back();
  const LockClassOptions& rules = classes_.at(ClassOf(acquired.node())).options;
  const bool checked = (acquired.word & kUnchecked) == 0 && !rules.no_validate;
  bool legal = CheckWaitContext(task);
  std::vector<ChainEdge> edges;
  if (checked) {
    MarkUsage(task, acquired, UsageOf(acquired));
    legal &= CheckRecursion(task);
    AddDependencies(task, &edges);
  }
  if (!chains_.Insert(task.key_, run_, static_cast<uint32_t>(records_.size()), !legal)) return;
  records_.push_back(
      {static_cast<uint32_t>(chain_edges_.size()), static_cast<uint32_t>(edges.size()), acquired.word});
  chain_edges_.insert(chain_edges_.end(), edges.begin(), edges.end());
  const size_t first = FirstOfIrqContext(task.held_, acquired.word);
  uint64_t contents = kEmptyChainKey;
  for (size_t i = first; i < task.held_.size(); ++i) contents = MixChainKey(contents, task.held_[i].word);
  if (!chain_contents_.insert(contents).second) return;
  for (size_t i = first; i < task.held_.size(); ++i) chain_words_.push_back(task.held_[i].word);
  chain_ends_.push_back(static_cast<uint32_t>(chain_words_.size()));
}

// Source: the kernel's check_wait_context. Locks of an interrupted context do not count; the interrupt itself does.
bool Validator::CheckWaitContext(const TaskContext& task) {
  const HeldLock& acquired = task.held_.back();
  const LockClassOptions& rules = classes_.at(ClassOf(acquired.node())).options;
  const WaitType needed = rules.outer != WaitType::kUnchecked ? rules.outer : rules.inner;
  if (needed == WaitType::kUnchecked || acquired.trylock()) return true;
  WaitType allowed = WaitType::kSleep;
  if ((acquired.word & kInHardirq) != 0) {
    allowed = (acquired.word & kThreadedIrq) != 0 ? WaitType::kConfig : WaitType::kSpin;
  } else if ((acquired.word & kInSoftirq) != 0) {
    allowed = WaitType::kConfig;
  }
  const HeldLock* strictest = nullptr;
  for (size_t i = FirstOfIrqContext(task.held_, acquired.word); i + 1 < task.held_.size(); ++i) {
    const LockClassOptions& held = classes_.at(ClassOf(task.held_[i].node())).options;
    if (held.inner == WaitType::kUnchecked || held.is_event) continue;
    if (!held.wait_override && held.inner >= allowed) continue;
    allowed = held.inner;
    strictest = &task.held_[i];
  }
  if (needed <= allowed) return true;
  Violation violation = NewViolation(ViolationKind::kWaitContext, task, acquired);
  violation.wait_context = allowed;
  if (strictest != nullptr) violation.conflicting = Describe(*strictest);
  violation.signature = absl::StrCat("wait-context: ",
                                     strictest != nullptr ? violation.conflicting.node : std::string("interrupt"), " > ",
                                     violation.acquiring.node);
  Report(std::move(violation));
  return false;
}

// True if the newest lock may be taken beside the held ones of its own node.
bool Validator::CheckRecursion(const TaskContext& task) {
  const HeldLock& acquired = task.held_.back();
  if ((acquired.word & (kTrylock | kOrdered | kNested)) != 0) return true;
  if (classes_.at(ClassOf(acquired.node())).options.no_check_recursion) return true;
  for (size_t i = 0; i + 1 < task.held_.size(); ++i) {
    const HeldLock& held = task.held_[i];
    if (held.node() != acquired.node()) continue;
    if (acquired.mode() == Mode::kSharedRecursive && held.mode() != Mode::kExclusive) continue;
    const LockKind* kind = classes_.at(ClassOf(held.node())).options.kind;
    if (kind != nullptr && (kind->BlockersOf(acquired.lock_mode()) & (1u << held.lock_mode())) == 0) continue;
    Violation violation = NewViolation(ViolationKind::kRecursive, task, acquired);
    violation.conflicting = Describe(held);
    violation.signature = absl::StrCat("recursive: ", violation.acquiring.node);
    Report(std::move(violation));
    return false;
  }
  return true;
}

// From every held lock, not only the nearest: the exported graph then has each order that was really seen. What was taken
// between two locks that a nest lock serialises makes no cycle of them.
void Validator::AddDependencies(const TaskContext& task, std::vector<ChainEdge>* edges) {
  const HeldLock& acquired = task.held_.back();
  if (acquired.trylock()) return;
  const LockKind* kind = classes_.at(ClassOf(acquired.node())).options.kind;
  const NodeId to = kind == nullptr ? acquired.node() : classes_.GroupNode(acquired.node(), acquired.lock_mode());
  const size_t first = FirstOfIrqContext(task.held_, acquired.word);
  size_t end = task.held_.size() - 1;
  if ((acquired.word & kNested) != 0) {
    for (end = first; task.held_[end].node() != acquired.node();) ++end;  // the newest lock itself at the latest
  }
  for (size_t i = end; i-- > first;) {
    const HeldLock& held = task.held_[i];
    if (held.node() == acquired.node() || (held.word & kUnchecked) != 0) continue;
    if (!classes_.at(ClassOf(held.node())).options.no_validate) AddDependencies(task, held, to, edges);
  }
}

// A lock with a kind leads on from each group of acquirers that its mode makes wait.
void Validator::AddDependencies(const TaskContext& task, const HeldLock& holder, NodeId to, std::vector<ChainEdge>* edges) {
  const HeldLock& acquired = task.held_.back();
  const uint8_t edge_kind = EdgeKind(holder.mode(), acquired.mode());
  const LockKind* kind = classes_.at(ClassOf(holder.node())).options.kind;
  if (kind == nullptr) {
    edges->push_back({AddDependency(task, holder, holder.node(), acquired, to), edge_kind});
    return;
  }
  for (int group = 0; group < kind->modes; ++group) {
    if (kind->GroupOf(group) != group || (kind->BlockersOf(group) & (1u << holder.lock_mode())) == 0) continue;
    edges->push_back({AddDependency(task, holder, classes_.GroupNode(holder.node(), group), acquired, to), edge_kind});
  }
}

EdgeId Validator::AddDependency(const TaskContext& task, const HeldLock& holder, NodeId from, const HeldLock& acquired,
                                NodeId to) {
  const uint8_t kind = EdgeKind(holder.mode(), acquired.mode());
  const DependencyGraph::Sighting sighting{kind,        holder.mode(), acquired.mode(),
                                           holder.site, acquired.site, task.name_};
  bool new_to_all = false;
  const EdgeId edge = graph_.Add(from, to, sighting, run_, &new_to_all);
  if (new_to_all && (holder.lock_mode() != 0 || acquired.lock_mode() != 0)) {
    edge_modes_.emplace(Index(edge), std::pair<int, int>(holder.lock_mode(), acquired.lock_mode()));
  }
  if (new_to_all && options_.backtrace != nullptr) {
    if (edge_backtraces_.size() <= Index(edge)) edge_backtraces_.resize(Index(edge) + size_t{1});
    if (edge_backtraces_[Index(edge)].empty()) edge_backtraces_[Index(edge)] = options_.backtrace();
  }
  if (options_.grade_online) RecordWitness(task, holder, acquired, edge);
  if (options_.count_sites) census_.Record(from, to, holder.site, acquired.site);
  if (!new_to_all && (!broken_.load(std::memory_order_relaxed) || run_ == 1)) return edge;  // judged before
  std::vector<EdgeId> path;
  if (!broken_.load(std::memory_order_relaxed)) {
    const bool cyclic = graph_.FindCycleInAllRuns(edge, kind, &path);
    if (!cyclic && !BreaksIrqOrder(holder, acquired)) return edge;
    JudgeEachRun();
  }
  if (FindCycle(edge, kind, &path)) ReportCycle(task, holder, acquired, edge, path);
  CheckIrqOrder(task, holder, acquired, edge);
  return edge;
}

void Validator::RecordWitness(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired, EdgeId edge) {
  const auto instance = [](const HeldLock& lock) { return reinterpret_cast<uint64_t>(lock.map); };
  Witness witness{task.id_, task.name_, instance(holder), instance(acquired), holder.mode(), acquired.mode(), {}};
  for (const HeldLock& held : task.held_) {
    if (held.map == acquired.map) continue;
    witness.held.push_back({instance(held), held.mode(), classes_.NodeName(held.node()), held.site});
  }
  witnesses_.Record(Index(edge), std::move(witness));
  const auto known = cycles_of_edge_.find(Index(edge));
  if (known == cycles_of_edge_.end()) return;
  for (const size_t cycle : known->second) Grade(reported_cycles_[cycle]);
}

// The first run's dependencies are those of all runs, whose order the graph maintains.
bool Validator::FindCycle(EdgeId edge, uint8_t kind, std::vector<EdgeId>* path) {
  return run_ == 1 ? graph_.FindCycleInAllRuns(edge, kind, path) : graph_.FindCycle(edge, kind, run_, path);
}

// Until now chains of this run that earlier runs knew were only marked; what they add to the run must be the run's too.
void Validator::JudgeEachRun() {
  broken_.store(true, std::memory_order_relaxed);
  chains_.ForEachSeenIn(run_, [this](uint32_t number) {
    const ChainRecord& record = records_[number];
    for (uint32_t i = 0; i < record.edges_count; ++i) {
      const ChainEdge& made = chain_edges_[record.edges_begin + i];
      graph_.MarkSeen(made.edge, made.kind, run_);
    }
    HeldLock last;
    last.word = record.last_word;
    if ((last.word & kUnchecked) == 0) usage_.MarkSeen(last.node(), UsageOf(last), run_);
  });
  event_pairs_.ForEachSeenIn(run_, [this](uint32_t number) {
    graph_.MarkSeen(event_edges_[number].edge, event_edges_[number].kind, run_);
  });
}

void Validator::ReportCycle(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired, EdgeId closing,
                            const std::vector<EdgeId>& path) {
  ReportCycle(task, holder, acquired, path, closing, {NewDependency(task, holder, acquired, closing)});
}

void Validator::ReportCycle(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired,
                            const std::vector<EdgeId>& path, EdgeId edge, std::vector<DependencyReport> closing) {
  Violation violation = NewViolation(ViolationKind::kCircular, task, acquired);
  violation.conflicting = Describe(holder);
  for (const EdgeId id : path) AppendDescription(id, &violation.cycle);
  violation.cycle.insert(violation.cycle.end(), closing.begin(), closing.end());
  violation.signature = CycleSignature(violation.cycle);
  const size_t number = violations_.size();
  Report(std::move(violation));
  if (violations_.size() == number || edge == kNoEdge) return;
  ReportedCycle cycle{number, {}};
  for (const EdgeId id : path) cycle.edges.push_back(Index(id));
  cycle.edges.push_back(Index(edge));
  if (options_.count_sites) violations_.back().hint = HintOf(cycle);
  if (options_.grade_online) {
    for (const uint32_t id : cycle.edges) cycles_of_edge_[id].push_back(reported_cycles_.size());
    Grade(cycle);
  }
  reported_cycles_.push_back(std::move(cycle));
}

std::string Validator::HintOf(const ReportedCycle& cycle) const {
  std::vector<std::pair<NodeId, NodeId>> ends;
  for (const uint32_t id : cycle.edges) ends.emplace_back(graph_.edge(EdgeId{id}).from, graph_.edge(EdgeId{id}).to);
  return census_.Hint(ends, classes_);
}

// A later witness can only make a cycle more likely: the grade never falls.
void Validator::Grade(const ReportedCycle& cycle) {
  Violation& violation = violations_[cycle.violation];
  if (violation.grade != lockdep::Grade::kOrder) return;
  CycleGrade grade = witnesses_.GradeCycle(cycle.edges);
  violation.grade = grade.grade;
  violation.grade_reason = std::move(grade.reason);
  violation.instances = std::move(grade.instances);
}

// An edge by way of an event is the wait for it and what its trigger came after.
void Validator::AppendDescription(EdgeId id, std::vector<DependencyReport>* cycle) const {
  const auto route = event_routes_.find(Index(id));
  if (route == event_routes_.end()) {
    cycle->push_back(Describe(id));
  } else {
    cycle->insert(cycle->end(), route->second.begin(), route->second.end());
  }
}

DependencyReport Validator::NewDependency(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired,
                                          EdgeId edge) const {
  DependencyReport dependency = Describe(edge);
  dependency.from_mode = holder.mode();
  dependency.to_mode = acquired.mode();
  dependency.from_site = holder.site;
  dependency.to_site = acquired.site;
  dependency.task = task.name_;
  dependency.from_mode_name = ModeNameOf(holder.node(), holder.lock_mode());
  dependency.to_mode_name = ModeNameOf(acquired.node(), acquired.lock_mode());
  dependency.to_sync = (acquired.word & kSync) != 0;
  if (options_.backtrace != nullptr) dependency.backtrace = options_.backtrace();
  return dependency;
}

std::string Validator::ModeNameOf(NodeId node, int lock_mode) const {
  const LockKind* kind = classes_.at(ClassOf(node)).options.kind;
  return kind == nullptr ? std::string() : std::string(kind->mode_names[static_cast<size_t>(lock_mode)]);
}

HeldLockReport Validator::Describe(const HeldLock& held) const {
  const LockClassOptions& rules = classes_.at(ClassOf(held.node())).options;
  HeldLockReport report{classes_.NodeName(held.node()), held.map->InstanceName(), held.mode(), held.trylock(), held.site};
  report.sync = (held.word & kSync) != 0;
  report.event = rules.is_event;
  report.mode_name = ModeNameOf(held.node(), held.lock_mode());
  report.nested = (held.word & kNested) != 0;
  report.usage = UsageChars(usage_.InAllRuns(held.node()));
  report.inner = rules.inner;
  report.outer = rules.outer != WaitType::kUnchecked ? rules.outer : rules.inner;
  return report;
}

DependencyReport Validator::Describe(EdgeId id) const {
  const Edge& edge = graph_.edge(id);
  DependencyReport report{classes_.NodeName(edge.from), classes_.NodeName(edge.to), edge.from_mode, edge.to_mode,
                          edge.from_site,               edge.to_site,               edge.task};
  const auto modes = edge_modes_.find(Index(id));
  const std::pair<int, int> lock_modes = modes == edge_modes_.end() ? std::pair<int, int>(0, 0) : modes->second;
  report.from_mode_name = ModeNameOf(edge.from, lock_modes.first);
  report.to_mode_name = ModeNameOf(edge.to, lock_modes.second);
  report.from_event = classes_.at(ClassOf(edge.from)).options.is_event;
  report.to_event = classes_.at(ClassOf(edge.to)).options.is_event;
  if (Index(id) < edge_backtraces_.size()) report.backtrace = edge_backtraces_[Index(id)];
  return report;
}

Violation Validator::NewViolation(ViolationKind kind, const TaskContext& task, const HeldLock& acquiring) const {
  Violation violation;
  violation.kind = kind;
  violation.task = task.name_;
  violation.acquiring = Describe(acquiring);
  if (options_.backtrace != nullptr) violation.acquiring.backtrace = options_.backtrace();
  violation.state = {(task.context_ & kInHardirq) != 0, (task.context_ & kInSoftirq) != 0,
                     (task.context_ & kHardirqsOn) != 0, (task.context_ & kSoftirqsOn) != 0,
                     (task.context_ & kInReclaim) != 0};
  for (const HeldLock& held : task.held_) violation.held.push_back(Describe(held));
  return violation;
}

void Validator::Report(Violation violation) {
  if (!reported_.insert(violation.signature).second) {
    ++suppressed_;
    return;
  }
  violations_.push_back(std::move(violation));
}

std::vector<Violation> Validator::Violations() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Violation> violations = violations_;
  if (!options_.count_sites) return violations;
  for (const ReportedCycle& cycle : reported_cycles_) violations[cycle.violation].hint = HintOf(cycle);
  return violations;
}

void Validator::ForEachChain(absl::FunctionRef<void(const std::vector<uint64_t>&)> visit) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  uint32_t begin = 0;
  for (const uint32_t end : chain_ends_) {
    visit(std::vector<uint64_t>(chain_words_.begin() + begin, chain_words_.begin() + end));
    begin = end;
  }
}

ValidatorStats Validator::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  ValidatorStats stats;
  stats.classes = classes_.size();
  stats.dependencies = graph_.size();
  stats.chains = chains_.size();
  stats.slow_acquires = slow_acquires_;
  stats.searches = graph_.searches() + usage_searches_;
  stats.violations = violations_.size();
  stats.suppressed = suppressed_;
  stats.tasks = tasks_.size();
  stats.memory_bytes = classes_.MemoryBytes() + usage_.MemoryBytes() + chains_.MemoryBytes() +
                       records_.capacity() * sizeof(ChainRecord) + chain_edges_.capacity() * sizeof(ChainEdge) +
                       (chain_words_.capacity() + chain_contents_.capacity()) * sizeof(uint64_t) +
                       chain_ends_.capacity() * sizeof(uint32_t) + census_.MemoryBytes() + graph_.MemoryBytes() +
                       witnesses_.MemoryBytes();
  if (events_ != nullptr) {
    stats.forgotten = events_->forgotten();
    stats.memory_bytes += events_->MemoryBytes() + event_pairs_.MemoryBytes() + event_edges_.capacity() * sizeof(ChainEdge);
  }
  for (const TaskContext* task : tasks_) stats.memory_bytes += task->held_.MemoryBytes();
  return stats;
}

std::string ValidatorStats::ToString() const {
  return absl::StrCat(classes, " classes, ", dependencies, " dependencies, ", chains, " chains, ", slow_acquires,
                      " unseen acquisitions, ", searches, " searches, ", violations, " violations (", suppressed,
                      " repeated), ", tasks, " tasks, ", memory_bytes / 1024, " KiB");
}

}  // namespace ordeal::lockdep
