#include "harness/campaign/cross_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lockdep/graph/dependency_graph.h"

namespace ordeal {
namespace {

using lockdep::DependencyGraph;
using lockdep::DependencyReport;
using lockdep::Edge;
using lockdep::EdgeId;
using lockdep::Violation;

DependencyReport Describe(const lockdep::Validator& validator, const Edge& edge) {
  const lockdep::LockClassTable& classes = validator.classes();
  DependencyReport report{classes.NodeName(edge.from), classes.NodeName(edge.to), edge.from_mode, edge.to_mode,
                          edge.from_site,              edge.to_site,              edge.task};
  report.from_event = classes.at(lockdep::ClassOf(edge.from)).options.is_event;
  report.to_event = classes.at(lockdep::ClassOf(edge.to)).options.is_event;
  return report;
}

// As the validator writes it: the same cycle has one signature, whether a run showed it or all of them together.
std::string Signature(const std::vector<DependencyReport>& cycle) {
  std::vector<std::string> nodes;
  for (const DependencyReport& dependency : cycle) nodes.push_back(dependency.from);
  std::rotate(nodes.begin(), std::min_element(nodes.begin(), nodes.end()), nodes.end());
  return absl::StrCat("circular: ", absl::StrJoin(nodes, " > "));
}

// `path` leads from closing.to back to closing.from.
Violation MakeViolation(const lockdep::Validator& validator, const DependencyGraph& graph, EdgeId closing,
                        const std::vector<EdgeId>& path) {
  Violation violation;
  violation.kind = lockdep::ViolationKind::kCircular;
  for (const EdgeId id : path) violation.cycle.push_back(Describe(validator, graph.edge(id)));
  violation.cycle.push_back(Describe(validator, graph.edge(closing)));
  const DependencyReport& last = violation.cycle.back();
  violation.task = last.task;
  violation.acquiring = {last.to, "", last.to_mode, false, last.to_site};
  violation.conflicting = {last.from, "", last.from_mode, false, last.from_site};
  violation.held = {violation.conflicting, violation.acquiring};
  violation.signature = Signature(violation.cycle);
  violation.grade_reason = "seen across schedules: no single one showed it";
  return violation;
}

bool Explains(const CycleNodes& smaller, const CycleNodes& larger) {
  return std::includes(larger.begin(), larger.end(), smaller.begin(), smaller.end());
}

}  // namespace

CycleNodes NodesOfCycle(const Violation& violation) {
  CycleNodes nodes;
  for (const DependencyReport& dependency : violation.cycle) nodes.push_back(dependency.from);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<Violation> InversionsAcrossRuns(const lockdep::Validator& validator, const std::set<CycleNodes>& shown) {
  std::vector<Violation> inversions;
  if (validator.graph().acyclic()) return inversions;
  DependencyGraph graph = validator.graph();  // a search counts itself
  std::set<CycleNodes> known = shown;
  for (uint32_t i = 0; i < graph.size() && inversions.size() < kInversionsAcrossRunsMax; ++i) {
    const EdgeId id{i};
    for (const uint8_t kind : {lockdep::kEdgeEN, lockdep::kEdgeER, lockdep::kEdgeSN, lockdep::kEdgeSR}) {
      std::vector<EdgeId> path;
      if ((graph.edge(id).kinds & kind) == 0 || !graph.OnCycleInAllRuns(id, kind)) continue;
      if (!graph.FindCycleInAllRuns(id, kind, &path)) continue;
      Violation violation = MakeViolation(validator, graph, id, path);
      CycleNodes nodes = NodesOfCycle(violation);
      if (std::any_of(known.begin(), known.end(), [&](const CycleNodes& other) { return Explains(other, nodes); })) continue;
      known.insert(std::move(nodes));
      inversions.push_back(std::move(violation));
    }
  }
  return inversions;
}

}  // namespace ordeal
