#include "lockdep/predict/order_grader.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "lockdep/graph/dependency_graph.h"

namespace ordeal::lockdep {
namespace {

constexpr uint32_t CauseBit(OrderCause cause) { return 1u << static_cast<unsigned>(cause); }
constexpr uint32_t kForkJoin = CauseBit(OrderCause::kFork) | CauseBit(OrderCause::kJoin);
constexpr uint32_t kEvents = kForkJoin | CauseBit(OrderCause::kEvent) | CauseBit(OrderCause::kBarrier) |
                             CauseBit(OrderCause::kSemaphore) | CauseBit(OrderCause::kHandOver);
constexpr uint32_t kAll = kEvents | CauseBit(OrderCause::kRead);

}  // namespace

std::vector<std::string> InstancesOf(const std::vector<CycleEdge>& edges) {
  std::map<std::string, int> roles;
  for (const CycleEdge& edge : edges) ++roles[edge.role];
  std::vector<std::string> instances;
  for (const auto& [role, count] : roles) instances.push_back(absl::StrCat(count, " x ", role));
  return instances;
}

std::vector<GuardReport> GuardsAt(const LockHistory& history, const AbstractAcquire& node, const Occurrence& at) {
  std::vector<GuardReport> guards;
  for (const HeldInstance& held : history.lock_set(node.held)) {
    GuardReport guard{history.NodeName(held.node), history.InstanceName(held.instance), held.mode, {}};
    if (const Section* section = history.SectionAround(held.instance, node.task, at.event)) {
      guard.site = history.trace().symbols.SiteOf(history.trace().events[section->acquire_event].site);
    }
    guards.push_back(std::move(guard));
  }
  return guards;
}

OrderGrader::OrderGrader(const LockHistory* history) : history_(*history) {
  // What each task will trigger, and until which position.
  std::map<uint32_t, std::map<uint32_t, uint32_t>> owed;  // task, instance, last position
  for (uint32_t instance = 0; instance < history_.instances(); ++instance) {
    for (const Trigger& trigger : history_.triggers(instance)) {
      owed[trigger.point.task][instance] = trigger.point.position;
    }
  }
  std::map<uint32_t, NodeId> event_nodes;
  for (const AbstractAcquire& node : history_.nodes()) {
    if (node.kind == WaitsFor::kEvent || node.kind == WaitsFor::kBarrier) event_nodes[node.object] = node.node;
  }
  for (uint32_t id = 0; id < history_.nodes().size(); ++id) {
    const AbstractAcquire& node = history_.nodes()[id];
    if (node.kind == WaitsFor::kTaskEnd) continue;
    names_.try_emplace(history_.NodeName(node.node), node.node);
    for (const HeldInstance& held : history_.lock_set(node.held)) {
      if (held.node == node.node && node.nested) continue;
      names_.try_emplace(history_.NodeName(held.node), held.node);
      dependencies_[{Index(held.node), Index(node.node)}].push_back({id, held.instance, held.mode, false});
    }
    const auto owes = owed.find(node.task);
    if (owes == owed.end()) continue;
    for (const auto& [instance, position] : owes->second) {
      const auto event = event_nodes.find(instance);
      if (event == event_nodes.end() || node.occurrences.front().position >= position) continue;
      dependencies_[{Index(event->second), Index(node.node)}].push_back({id, instance, Mode::kExclusive, true});
    }
  }
}

bool OrderGrader::FindNode(const std::string& name, NodeId* node) const {
  const auto found = names_.find(name);
  if (found == names_.end()) return false;
  *node = found->second;
  return true;
}

std::vector<std::vector<ClassEdge>> OrderGrader::Cycles() const {
  struct Sighting {
    uint32_t node;
    ClassEdge edge;
    uint32_t from_instance;
    Mode from_mode;
  };
  std::vector<Sighting> sightings;
  for (const auto& [ends, list] : dependencies_) {
    for (const Dependency& dependency : list) {
      sightings.push_back({dependency.node,
                           {NodeId{ends.first}, NodeId{ends.second}},
                           dependency.owes ? kNoIndex : dependency.from_instance,
                           dependency.from_mode});
    }
  }
  // Nodes are numbered as the trace first showed them.
  std::stable_sort(sightings.begin(), sightings.end(),
                   [](const Sighting& a, const Sighting& b) { return a.node < b.node; });
  std::vector<std::vector<ClassEdge>> cycles;
  std::set<std::pair<uint32_t, bool>> tried;
  DependencyGraph graph;
  for (const Sighting& sighting : sightings) {
    const Mode to_mode = history_.nodes()[sighting.node].mode;
    const uint8_t kind = EdgeKind(sighting.from_mode, to_mode);
    if (sighting.edge.first == sighting.edge.second) {
      // One lock taken again, or two tasks that each hold one of the class and wait for the other's.
      if (kind == kEdgeSR) continue;
      const bool same = history_.nodes()[sighting.node].object == sighting.from_instance;
      if (!tried.emplace(Index(sighting.edge.first), same).second) continue;
      cycles.push_back(std::vector<ClassEdge>(same ? 1 : 2, sighting.edge));
      continue;
    }
    bool is_new = false;
    const EdgeId edge = graph.Add(sighting.edge.first, sighting.edge.second,
                                  {.kind = kind, .from_mode = sighting.from_mode, .to_mode = to_mode}, 1, &is_new);
    if (!is_new) continue;
    std::vector<EdgeId> path;
    if (!graph.FindCycle(edge, kind, 1, &path)) continue;
    std::vector<ClassEdge> cycle = {sighting.edge};
    for (const EdgeId step : path) cycle.emplace_back(graph.edge(step).from, graph.edge(step).to);
    cycles.push_back(std::move(cycle));
  }
  return cycles;
}

GradedCycle OrderGrader::Grade(const std::vector<ClassEdge>& edges) const {
  GradedCycle cycle;
  std::vector<std::string> nodes;
  for (const ClassEdge& edge : edges) nodes.push_back(history_.NodeName(edge.first));
  cycle.signature = CycleSignature(nodes);
  Search search;
  for (const ClassEdge& edge : edges) {
    const auto found = dependencies_.find({Index(edge.first), Index(edge.second)});
    if (found == dependencies_.end()) {
      cycle.reason = "no task of the trace made all of its dependencies";
      return cycle;
    }
    search.edges.push_back(&found->second);
  }
  for (const Relax relax :
       {Relax::kOrder, Relax::kGate, Relax::kTasks, Relax::kTasksAndGate, Relax::kInstances}) {
    search.relax = relax;
    search.chosen.clear();
    search.steps = 0;
    const bool found = Extend(&search);
    if (search.steps > kStepsMax) {
      cycle.reason = "not decided: too many sightings of its dependencies to compare";
      return cycle;
    }
    if (!found) continue;
    for (const Dependency* dependency : search.chosen) cycle.edges.push_back(Describe(*dependency));
    cycle.instances = InstancesOf(cycle.edges);
    cycle.reason = ReasonOf(search);
    return cycle;
  }
  cycle.reason = "its dependencies block each other in no combination of the modes that were seen";
  return cycle;
}

bool OrderGrader::Extend(Search* search) const {
  if (search->chosen.size() == search->edges.size()) return true;
  for (const Dependency& next : *search->edges[search->chosen.size()]) {
    if (++search->steps > kStepsMax) return false;
    if (!Fits(next, *search)) continue;
    search->chosen.push_back(&next);
    if (Extend(search)) return true;
    search->chosen.pop_back();
  }
  return false;
}

// Whether `first` waits for what `second` holds or owes.
bool OrderGrader::Joins(const Dependency& first, const Dependency& second, Relax relax) const {
  const AbstractAcquire& waits = NodeAt(first);
  if (!second.owes && waits.mode == Mode::kSharedRecursive && second.from_mode != Mode::kExclusive) return false;
  return relax == Relax::kInstances || waits.object == second.from_instance;
}

bool OrderGrader::Fits(const Dependency& next, const Search& search) const {
  if (!search.chosen.empty() && !Joins(*search.chosen.back(), next, search.relax)) return false;
  if (search.chosen.size() + 1 == search.edges.size()) {
    const Dependency& first = search.chosen.empty() ? next : *search.chosen.front();
    if (!Joins(next, first, search.relax)) return false;
  }
  const bool gates = search.relax == Relax::kOrder || search.relax == Relax::kTasks;
  const bool tasks = search.relax == Relax::kOrder || search.relax == Relax::kGate;
  for (const Dependency* other : search.chosen) {
    if (tasks && NodeAt(*other).task == NodeAt(next).task) return false;
    if (gates && !Disjoint(history_.lock_set(NodeAt(*other).held), history_.lock_set(NodeAt(next).held))) return false;
  }
  return true;
}

std::string OrderGrader::ReasonOf(const Search& search) const {
  switch (search.relax) {
    case Relax::kOrder: return OrderReason(search);
    case Relax::kGate:
    case Relax::kTasksAndGate: return GateReason(search);
    case Relax::kTasks: return TaskReason(search);
    case Relax::kInstances: return "the locks were different ones of their classes";
  }
  return "";
}

std::string OrderGrader::OrderReason(const Search& search) const {
  std::string readers = ReaderReason(search);
  if (!readers.empty()) return readers;
  for (const uint32_t mask : {kForkJoin, kEvents, kAll}) {
    for (const Dependency* first : search.chosen) {
      for (const Dependency* second : search.chosen) {
        if (first == second) continue;
        const std::string reason = Explain(*first, *second, mask);
        if (!reason.empty()) return reason;
      }
    }
  }
  const std::string reason = EventReason(search);
  if (!reason.empty()) return reason;
  return "not sync-preserving: only a change of the order of its critical sections could reach it";
}

// Readers wait for readers only behind a queued writer.
std::string OrderGrader::ReaderReason(const Search& search) const {
  std::string locks, unwritten;
  for (size_t i = 0; i < search.chosen.size(); ++i) {
    const AbstractAcquire& waits = NodeAt(*search.chosen[i]);
    const Dependency& next = *search.chosen[(i + 1) % search.chosen.size()];
    if (next.owes || waits.mode != Mode::kShared || next.from_mode == Mode::kExclusive) continue;
    const std::string name = history_.InstanceName(waits.object);
    absl::StrAppend(&locks, locks.empty() ? "" : " and ", name);
    const bool written = std::any_of(history_.nodes().begin(), history_.nodes().end(), [&](const AbstractAcquire& n) {
      return n.kind == WaitsFor::kLock && n.object == waits.object && n.mode == Mode::kExclusive;
    });
    if (!written) absl::StrAppend(&unwritten, unwritten.empty() ? "" : " and ", name);
  }
  if (locks.empty()) return "";
  return absl::StrCat("needs writers queued for ", locks, " between the readers; ",
                      unwritten.empty() ? "no reordering has them all there at once"
                                        : absl::StrCat("none of ", unwritten, " was seen"));
}

// Why what the second waits in comes after the first; empty if it need not.
std::string OrderGrader::Explain(const Dependency& first, const Dependency& second, uint32_t mask) const {
  const AbstractAcquire& from = NodeAt(first);
  const AbstractAcquire& to = NodeAt(second);
  const Occurrence& last = to.occurrences.back();
  const std::vector<CrossEdge> path = history_.order().Explain(from.task, from.occurrences.front().position, to.task,
                                                               last.position - 1, mask);
  if (path.empty()) return "";
  const TraceSymbols& symbols = history_.trace().symbols;
  const auto site = [&](const CrossEdge& edge) {
    const LockEvent& event = history_.trace().events[edge.event];
    return event.site == kNoIndex ? absl::StrCat("event ", edge.event + 1) : symbols.SiteText(event.site);
  };
  const std::string& first_task = symbols.task_name(from.task);
  const std::string& second_task = symbols.task_name(to.task);
  for (const CrossEdge& edge : path) {
    const LockEvent& event = history_.trace().events[edge.event];
    switch (edge.cause) {
      case OrderCause::kEvent: return absl::StrCat("ordered by event ", symbols.lock_name(event.object), " at ", site(edge));
      case OrderCause::kBarrier:
        return absl::StrCat("ordered by barrier ", symbols.lock_name(event.object), " at ", site(edge));
      case OrderCause::kSemaphore:
        return absl::StrCat("ordered by semaphore ", symbols.lock_name(event.object), " at ", site(edge));
      case OrderCause::kHandOver:
        return absl::StrCat("ordered by the hand-over of ", symbols.lock_name(event.object), " at ", site(edge));
      case OrderCause::kRead:
        return event.op == EventOp::kRead
                   ? absl::StrCat("ordered by the read of ", symbols.variable_name(event.object), " at ", site(edge))
                   : absl::StrCat("ordered by a failed trylock of ", symbols.lock_name(event.object));
      case OrderCause::kFork:
      case OrderCause::kJoin: break;
    }
  }
  const auto is_join = [](const CrossEdge& edge) { return edge.cause == OrderCause::kJoin; };
  const auto join = std::find_if(path.begin(), path.end(), is_join);
  const bool starts = path.back().cause == OrderCause::kFork;
  if (join != path.end()) {
    return absl::StrCat(second_task, starts ? " starts" : " goes there", " after ",
                        symbols.task_name(history_.trace().events[join->event].object), " was joined at ", site(*join));
  }
  return absl::StrCat(second_task, " is forked after ", first_task, " was there, at ", site(path.back()));
}

std::string OrderGrader::EventReason(const Search& search) const {
  for (const Dependency* dependency : search.chosen) {
    const AbstractAcquire& node = NodeAt(*dependency);
    if (node.kind != WaitsFor::kEvent) continue;
    for (const Trigger& trigger : history_.triggers(node.object)) {
      const bool theirs = std::any_of(search.chosen.begin(), search.chosen.end(), [&](const Dependency* d) {
        return NodeAt(*d).task == trigger.point.task;
      });
      if (theirs) continue;
      return absl::StrCat("event ", history_.InstanceName(node.object), " is also triggered by ",
                          history_.trace().symbols.task_name(trigger.point.task), " at ",
                          history_.trace().symbols.SiteText(history_.trace().events[trigger.event].site));
    }
  }
  return "";
}

std::string OrderGrader::GateReason(const Search& search) const {
  for (size_t i = 0; i < search.chosen.size(); ++i) {
    for (size_t j = i + 1; j < search.chosen.size(); ++j) {
      const AbstractAcquire& a = NodeAt(*search.chosen[i]);
      const AbstractAcquire& b = NodeAt(*search.chosen[j]);
      const AbstractAcquire& earlier = a.occurrences.front().event < b.occurrences.front().event ? a : b;
      for (const HeldInstance& held : history_.lock_set(a.held)) {
        if (Disjoint({held}, history_.lock_set(b.held))) continue;
        const Section* section =
            history_.SectionAround(held.instance, earlier.task, earlier.occurrences.front().event);
        const uint32_t site = section == nullptr ? kNoIndex : history_.trace().events[section->acquire_event].site;
        return absl::StrCat("gate lock ", history_.InstanceName(held.instance), " at ",
                            history_.trace().symbols.SiteText(site));
      }
    }
  }
  return "";
}

std::string OrderGrader::TaskReason(const Search& search) const {
  std::map<uint32_t, int> tasks;
  for (const Dependency* dependency : search.chosen) ++tasks[NodeAt(*dependency).task];
  const TraceSymbols& symbols = history_.trace().symbols;
  if (tasks.size() == 1) return absl::StrCat("one task only: ", symbols.task_name(tasks.begin()->first));
  std::string reason = "needs ";
  for (const auto& [task, count] : tasks) {
    if (count < 2) continue;
    absl::StrAppend(&reason, reason.size() > 6 ? " and " : "", count, " instances of ", symbols.task_name(task));
  }
  return reason;
}

CycleEdge OrderGrader::Describe(const Dependency& dependency) const {
  const AbstractAcquire& node = NodeAt(dependency);
  const TraceSymbols& symbols = history_.trace().symbols;
  const Occurrence& at = node.occurrences.front();
  CycleEdge edge;
  edge.task = symbols.task_name(node.task);
  edge.role = symbols.role(node.task);
  edge.to = history_.NodeName(node.node);
  edge.to_lock = history_.InstanceName(node.object);
  edge.to_mode = node.mode;
  edge.to_site = symbols.SiteOf(history_.trace().events[at.event].site);
  edge.waits_for_event = node.kind != WaitsFor::kLock;
  edge.from_lock = history_.InstanceName(dependency.from_instance);
  edge.from = symbols.lock_name(history_.instance(dependency.from_instance).lock);
  edge.from_mode = dependency.from_mode;
  edge.owes = dependency.owes;
  for (const HeldInstance& held : history_.lock_set(node.held)) {
    if (held.instance == dependency.from_instance) edge.from = history_.NodeName(held.node);
  }
  if (const Section* section = history_.SectionAround(dependency.from_instance, node.task, at.event)) {
    edge.from_site = symbols.SiteOf(history_.trace().events[section->acquire_event].site);
  }
  edge.held = GuardsAt(history_, node, at);
  return edge;
}

}  // namespace ordeal::lockdep
