// Abstract deadlock patterns are checked as SPDOffline does (Tunc, Mathur, Pavlogiannis, Viswanathan, PLDI 2023): walk the
// occurrences of all nodes of the pattern together; close what precedes the current ones; an occurrence inside the closure
// is too early for the others, so step past it. The closure only grows, which makes the walk linear.
#include "lockdep/predict/predictor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/predict/order_grader.h"

namespace ordeal::lockdep {

Predictor::Predictor(const Trace& trace, PredictorOptions options)
    : options_(options), history_(trace), closure_(&history_), grader_(&history_) {
  stats_.abstract_acquires = history_.nodes().size();
  stats_.memory_bytes = history_.MemoryBytes();
  FindFeasible();
  FindOrderCycles();
}

void Predictor::FindFeasible() {
  PatternSearch search(&history_, options_.search_steps_max);
  search.ForEach([&](const Pattern& pattern) {
    ++stats_.patterns;
    if (std::all_of(pattern.begin(), pattern.end(),
                    [this](const PatternNode& member) { return history_.nodes()[member.node].backs_off; })) {
      return true;
    }
    const std::string signature = Signature(pattern);
    if (!options_.every_pattern && signatures_.contains(signature)) return true;
    if (stats_.checked >= options_.patterns_max || closure_.steps() > options_.closure_steps_max) {
      stats_.complete = false;
      return false;
    }
    ++stats_.checked;
    GradedCycle cycle;
    if (!Check(pattern, &cycle)) return true;
    cycle.signature = signature;
    signatures_.insert(signature);
    cycles_.push_back(std::move(cycle));
    return true;
  });
  if (search.exhausted()) stats_.complete = false;
  stats_.closure_steps = closure_.steps();
}

bool Predictor::Check(const Pattern& pattern, GradedCycle* cycle) {
  std::vector<size_t> at(pattern.size(), 0);
  closure_.Reset();
  for (;;) {
    for (size_t i = 0; i < pattern.size(); ++i) {
      const AbstractAcquire& node = history_.nodes()[pattern[i].node];
      const Occurrence& occurrence = node.occurrences[at[i]];
      closure_.Add({node.task, occurrence.position - 1, occurrence.row});
      if (occurrence.handed == kNoIndex) continue;
      for (const uint32_t id : history_.handed_sections(occurrence.handed)) {
        closure_.Add(history_.sections()[id].acquire);
      }
    }
    if (!closure_.Close()) return false;
    bool moved = false;
    for (size_t i = 0; i < pattern.size(); ++i) {
      const AbstractAcquire& node = history_.nodes()[pattern[i].node];
      while (at[i] < node.occurrences.size() && closure_.Contains(node.task, node.occurrences[at[i]].position)) {
        ++at[i];
        moved = true;
      }
      if (at[i] == node.occurrences.size()) return false;
    }
    if (moved) continue;
    size_t culprit = 0;
    if (Deadlocked(pattern, at, &culprit)) break;
    if (++at[culprit] == history_.nodes()[pattern[culprit].node].occurrences.size()) return false;
  }
  *cycle = Describe(pattern, at);
  return true;
}

// The tasks are where the pattern wants them and what they hold is held; do waits for events last, too?
bool Predictor::Deadlocked(const Pattern& pattern, const std::vector<size_t>& at, size_t* culprit) const {
  for (size_t i = 0; i < pattern.size(); ++i) {
    const AbstractAcquire& node = history_.nodes()[pattern[i].node];
    if (node.kind != WaitsFor::kEvent && node.kind != WaitsFor::kBarrier) continue;
    *culprit = i;
    if (node.kind == WaitsFor::kEvent && !EventStaysUntriggered(pattern, at, i)) return false;
    // The next task of the pattern must be one that it waits for.
    const size_t next = (i + 1) % pattern.size();
    const AbstractAcquire& owes = history_.nodes()[pattern[next].node];
    const uint32_t blocked = owes.occurrences[at[next]].position;
    const std::vector<Trigger>& triggers = history_.triggers(node.object);
    const uint32_t event = node.occurrences[at[i]].event;
    const bool waits = std::any_of(triggers.begin(), triggers.end(), [&](const Trigger& trigger) {
      return !closure_.Contains(trigger.point) && (node.kind == WaitsFor::kEvent || trigger.event < event) &&
             history_.order().PositionAt(trigger.point, owes.task) >= blocked;
    });
    if (!waits) return false;
  }
  return true;
}

// Every trigger that the schedule contains was used up in it, and every other comes after a task of the pattern is through.
bool Predictor::EventStaysUntriggered(const Pattern& pattern, const std::vector<size_t>& at, size_t i) const {
  for (const Trigger& trigger : history_.triggers(history_.nodes()[pattern[i].node].object)) {
    if (closure_.Contains(trigger.point)) {
      if (trigger.consumer.task == kNoTask || !closure_.Contains(trigger.consumer)) return false;
      continue;
    }
    bool stuck = false;
    for (size_t j = 0; j < pattern.size() && !stuck; ++j) {
      const AbstractAcquire& node = history_.nodes()[pattern[j].node];
      stuck = history_.order().PositionAt(trigger.point, node.task) >= node.occurrences[at[j]].position;
    }
    if (!stuck) return false;
  }
  return true;
}

std::string Predictor::Signature(const Pattern& pattern) const {
  std::vector<std::string> nodes;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const PatternNode& previous = pattern[(i + pattern.size() - 1) % pattern.size()];
    if (previous.queued) continue;  // a writer that holds nothing of the cycle
    const AbstractAcquire& waits = history_.nodes()[previous.node];
    if (waits.kind == WaitsFor::kTaskEnd) {
      nodes.push_back(absl::StrCat("end of ", history_.trace().symbols.role(waits.object)));
      continue;
    }
    NodeId name = waits.node;  // of an event; a lock goes by the class that its holder took it as
    for (const HeldInstance& held : history_.lock_set(history_.nodes()[pattern[i].node].held)) {
      if (held.instance == waits.object && waits.kind == WaitsFor::kLock) name = held.node;
    }
    nodes.push_back(history_.NodeName(name));
  }
  return CycleSignature(std::move(nodes));
}

GradedCycle Predictor::Describe(const Pattern& pattern, const std::vector<size_t>& at) const {
  const TraceSymbols& symbols = history_.trace().symbols;
  const std::vector<LockEvent>& events = history_.trace().events;
  GradedCycle cycle;
  cycle.grade = Grade::kFeasible;
  cycle.schedule = closure_.reached();
  for (size_t i = 0; i < pattern.size(); ++i) {
    const AbstractAcquire& node = history_.nodes()[pattern[i].node];
    const Occurrence& occurrence = node.occurrences[at[i]];
    cycle.witness.push_back(occurrence.event);
    CycleEdge edge;
    edge.task = symbols.task_name(node.task);
    edge.role = symbols.role(node.task);
    edge.to_mode = node.mode;
    edge.to_site = symbols.SiteOf(events[occurrence.event].site);
    edge.queued = pattern[i].queued;
    edge.waits_for_event = node.kind != WaitsFor::kLock;
    edge.held = GuardsAt(history_, node, occurrence);
    edge.to = node.kind == WaitsFor::kTaskEnd ? absl::StrCat("end of ", symbols.role(node.object))
                                              : history_.NodeName(node.node);
    edge.to_lock = node.kind == WaitsFor::kTaskEnd ? absl::StrCat("end of ", symbols.task_name(node.object))
                                                   : history_.InstanceName(node.object);
    cycle.edges.push_back(std::move(edge));
  }
  for (size_t i = 0; i < pattern.size(); ++i) {
    const size_t before = (i + pattern.size() - 1) % pattern.size();
    CycleEdge& edge = cycle.edges[i];
    edge.from = cycle.edges[before].to;
    edge.from_lock = cycle.edges[before].to_lock;
    edge.from_site = edge.to_site;
    edge.owes = cycle.edges[before].waits_for_event;
    for (const GuardReport& guard : edge.held) {
      if (edge.owes || pattern[before].queued || guard.lock != edge.from_lock) continue;
      edge.from = guard.node;
      edge.from_mode = guard.mode;
      edge.from_site = guard.site;
    }
  }
  cycle.instances = InstancesOf(cycle.edges);
  return cycle;
}

void Predictor::FindOrderCycles() {
  for (const std::vector<ClassEdge>& edges : grader_.Cycles()) {
    std::vector<std::string> nodes;
    for (const ClassEdge& edge : edges) nodes.push_back(history_.NodeName(edge.first));
    const bool itself = edges[0].first == edges[0].second && signatures_.contains(nodes[0]);
    if (itself || !signatures_.insert(CycleSignature(nodes)).second) continue;
    cycles_.push_back(grader_.Grade(edges));
  }
}

GradedCycle Predictor::GradeViolation(const Violation& violation) const {
  std::vector<std::string> nodes;
  if (violation.kind == ViolationKind::kCircular) {
    for (const DependencyReport& dependency : violation.cycle) nodes.push_back(dependency.from);
  } else if (violation.kind == ViolationKind::kRecursive) {
    nodes = {violation.acquiring.node, violation.acquiring.node};
  } else {
    return {};
  }
  const std::string signature = CycleSignature(nodes);
  for (const GradedCycle& cycle : cycles_) {
    if (cycle.signature == signature) return cycle;
    if (violation.kind == ViolationKind::kRecursive && cycle.signature == nodes[0]) return cycle;
  }
  std::vector<ClassEdge> edges(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!grader_.FindNode(nodes[i], &edges[i].first) ||
        !grader_.FindNode(nodes[(i + 1) % nodes.size()], &edges[i].second)) {
      GradedCycle unknown;
      unknown.signature = signature;
      unknown.reason = "no task of the trace made all of its dependencies";
      return unknown;
    }
  }
  return grader_.Grade(edges);
}

void Predictor::GradeInPlace(Violation* violation) const {
  const GradedCycle cycle = GradeViolation(*violation);
  violation->grade = cycle.grade;
  violation->grade_reason = cycle.reason;
  violation->instances = cycle.instances;
}

}  // namespace ordeal::lockdep
