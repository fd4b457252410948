#include "bpf/order_comparer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace ordeal::bpf {
namespace {

using lockdep::Mode;
using lockdep::OrderGraph;

using Pair = std::pair<std::string, std::string>;

const char* ModeLetter(Mode mode) {
  switch (mode) {
    case Mode::kExclusive: return "X";
    case Mode::kShared: return "S";
    case Mode::kSharedRecursive: return "R";
  }
  return "?";
}

std::set<std::string> ClassesOf(const OrderGraph& graph) {
  std::set<std::string> classes;
  for (const OrderGraph::Acquired& acquired : graph.nodes) classes.insert(acquired.node.lock_class);
  return classes;
}

std::vector<std::string> Difference(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::vector<std::string> result;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
  return result;
}

// The edges between classes that both sides know.
std::map<Pair, PairEvidence> Pairs(const OrderGraph& graph, const std::set<std::string>& a,
                                   const std::set<std::string>& b) {
  std::map<Pair, PairEvidence> pairs;
  for (const OrderGraph::Edge& edge : graph.edges) {
    const bool shared = a.count(edge.from.lock_class) && b.count(edge.from.lock_class) &&
                        a.count(edge.to.lock_class) && b.count(edge.to.lock_class);
    if (!shared) continue;
    PairEvidence& evidence = pairs[{edge.from.Name(), edge.to.Name()}];
    if (evidence.from_site.empty() && evidence.to_site.empty()) {
      evidence.from_site = edge.from_site;
      evidence.to_site = edge.to_site;
    }
    evidence.count += edge.count;
    evidence.modes.insert(absl::StrCat(ModeLetter(edge.from.mode), "->", ModeLetter(edge.to.mode)));
  }
  return pairs;
}

std::vector<UnionEdge> Union(const OrderGraph& model, const OrderGraph& kernel) {
  const auto key = [](const OrderGraph::Edge& edge) {
    return std::make_pair(std::make_pair(edge.from, edge.to), edge.instances);
  };
  std::map<decltype(key(model.edges[0])), UnionEdge> edges;
  for (const OrderGraph::Edge& edge : model.edges) edges.emplace(key(edge), UnionEdge{edge, "model"});
  for (const OrderGraph::Edge& edge : kernel.edges) {
    const auto [at, added] = edges.emplace(key(edge), UnionEdge{edge, "kernel"});
    if (!added) at->second.source = "both";
  }
  std::vector<UnionEdge> result;
  for (auto& [ignored, edge] : edges) result.push_back(std::move(edge));
  return result;
}

std::vector<std::string> Unmapped(const OrderGraph& model, const ClassMap& map) {
  std::vector<std::string> result;
  for (const std::string& lock_class : ClassesOf(model)) {
    if (!map.TokenOf(lock_class).empty()) continue;
    const auto reason = map.unmapped().find(lock_class);
    result.push_back(absl::StrCat(lock_class, ": ", reason == map.unmapped().end() ? "the map does not know it" : reason->second));
  }
  return result;
}

Coverage CoverageOf(const Comparison& comparison, const ClassMap& map) {
  const auto explained = [](const std::vector<ComparedPair>& pairs) {
    return static_cast<size_t>(
        std::count_if(pairs.begin(), pairs.end(), [](const ComparedPair& pair) { return !pair.explanation.empty(); }));
  };
  Coverage coverage;
  coverage.mapped_classes = map.tokens().size();
  coverage.agreed = comparison.both.size();
  coverage.reversed = comparison.reversed.size();
  coverage.kernel_pairs = coverage.agreed + coverage.reversed + comparison.only_kernel.size();
  coverage.model_pairs = coverage.agreed + coverage.reversed + comparison.only_model.size();
  coverage.kernel_explained = explained(comparison.only_kernel);
  coverage.model_explained = explained(comparison.only_model);
  return coverage;
}

}  // namespace

uint64_t LostEvents(const std::vector<OrderGraph::Counter>& counters) {
  uint64_t lost = 0;
  for (const OrderGraph::Counter& counter : counters) {
    if (counter.name.rfind("lost: ", 0) == 0) lost += counter.value;
  }
  return lost;
}

uint64_t Comparison::lost() const { return LostEvents(counters); }

Comparison CompareOrderGraphs(const OrderGraph& model_graph, const OrderGraph& kernel_graph, const ClassMap& map) {
  Comparison comparison;
  comparison.model_source = model_graph.source;
  comparison.kernel_source = kernel_graph.source;
  comparison.counters = kernel_graph.counters;
  const bool fold = map.TellsDirectoriesApart(model_graph) != map.TellsDirectoriesApart(kernel_graph);
  comparison.directories_folded = fold;
  const OrderGraph model = map.Mapped(model_graph, fold);
  const OrderGraph kernel = map.Mapped(kernel_graph, fold);
  comparison.unmapped = Unmapped(model_graph, map);
  const std::set<std::string> model_classes = ClassesOf(model);
  const std::set<std::string> kernel_classes = ClassesOf(kernel);
  comparison.unseen_by_kernel = Difference(model_classes, kernel_classes);
  comparison.unseen_by_model = Difference(kernel_classes, model_classes);

  const std::map<Pair, PairEvidence> in_model = Pairs(model, model_classes, kernel_classes);
  const std::map<Pair, PairEvidence> in_kernel = Pairs(kernel, model_classes, kernel_classes);
  const auto find = [](const std::map<Pair, PairEvidence>& pairs, const Pair& pair) {
    const auto at = pairs.find(pair);
    return at == pairs.end() ? nullptr : &at->second;
  };
  for (const auto& [pair, kernel_evidence] : in_kernel) {
    const Pair opposite(pair.second, pair.first);
    ComparedPair compared;
    compared.from = pair.first;
    compared.to = pair.second;
    compared.kernel = kernel_evidence;
    if (const PairEvidence* same = find(in_model, pair)) {
      compared.model = *same;
      comparison.both.push_back(std::move(compared));
    } else if (const PairEvidence* other = find(in_model, opposite); other != nullptr && !find(in_kernel, opposite)) {
      compared.model = *other;
      comparison.reversed.push_back(std::move(compared));
    } else {
      compared.explanation = map.Explanation(/*only_model=*/false, compared.from, compared.to);
      comparison.only_kernel.push_back(std::move(compared));
    }
  }
  std::set<std::string> kernel_nodes;
  for (const OrderGraph::Acquired& acquired : kernel.nodes) kernel_nodes.insert(acquired.node.Name());
  for (const auto& [pair, model_evidence] : in_model) {
    const Pair opposite(pair.second, pair.first);
    if (find(in_kernel, pair)) continue;
    if (find(in_kernel, opposite) && !find(in_model, opposite)) continue;  // reversed: told above
    comparison.only_model.emplace_back();
    comparison.only_model.back().from = pair.first;
    comparison.only_model.back().to = pair.second;
    comparison.only_model.back().model = model_evidence;
    comparison.only_model.back().explanation = map.Explanation(/*only_model=*/true, pair.first, pair.second);
    for (const std::string& node : {pair.first, pair.second}) {
      if (!kernel_nodes.count(node)) comparison.only_model.back().never_acquired.push_back(node);
    }
  }
  for (OrderCycle& cycle : FindOrderCycles(Union(model, kernel))) {
    (cycle.needs_queued_writer ? comparison.reader_cycles : comparison.cycles).push_back(std::move(cycle));
  }
  comparison.coverage = CoverageOf(comparison, map);
  comparison.coverage.shared_classes = model_classes.size() - comparison.unseen_by_kernel.size();
  return comparison;
}

}  // namespace ordeal::bpf
