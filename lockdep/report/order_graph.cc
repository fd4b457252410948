#include "lockdep/report/order_graph.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

constexpr Mode kModes[] = {Mode::kExclusive, Mode::kShared, Mode::kSharedRecursive};

const char* ShortModeName(Mode mode) {
  switch (mode) {
    case Mode::kExclusive: return "exclusive";
    case Mode::kShared: return "shared";
    case Mode::kSharedRecursive: return "shared-recursive";
  }
  return "?";
}

bool SameKey(const OrderGraph::Edge& a, const OrderGraph::Edge& b) {
  return a.from == b.from && a.to == b.to && a.instances == b.instances;
}

void MergeNodes(std::vector<OrderGraph::Acquired>* nodes, const std::vector<OrderGraph::Edge>& edges) {
  std::map<OrderNode, uint64_t> counts;
  for (const OrderGraph::Acquired& acquired : *nodes) counts[acquired.node] += acquired.count;
  for (const OrderGraph::Edge& edge : edges) {
    counts.try_emplace(edge.from, 0);
    counts.try_emplace(edge.to, 0);
  }
  nodes->clear();
  for (auto& [node, count] : counts) nodes->push_back({node, count});
}

void MergeEdges(std::vector<OrderGraph::Edge>* edges) {
  std::stable_sort(edges->begin(), edges->end(), [](const OrderGraph::Edge& a, const OrderGraph::Edge& b) {
    if (a.from != b.from) return a.from < b.from;
    if (a.to != b.to) return a.to < b.to;
    return a.instances < b.instances;
  });
  std::vector<OrderGraph::Edge> merged;
  for (OrderGraph::Edge& edge : *edges) {
    if (!merged.empty() && SameKey(merged.back(), edge)) {
      merged.back().count += edge.count;
    } else {
      merged.push_back(std::move(edge));
    }
  }
  *edges = std::move(merged);
}

std::string SiteString(const Site& site) { return site.line == 0 ? "" : site.ToString(); }

}  // namespace

const char* InstancesName(Instances instances) {
  switch (instances) {
    case Instances::kUnrelated: return "";
    case Instances::kSame: return "same";
    case Instances::kAscending: return "ascending";
    case Instances::kDescending: return "descending";
  }
  return "?";
}

std::string OrderNode::Name() const {
  return subclass == 0 ? lock_class : absl::StrCat(lock_class, "/", subclass);
}

std::string OrderNode::ToString() const { return absl::StrCat(Name(), " (", ShortModeName(mode), ")"); }

void OrderGraph::Normalise() {
  MergeNodes(&nodes, edges);
  MergeEdges(&edges);
}

std::string OrderGraph::ToString() const {
  std::string text = absl::StrCat("order graph of ", source, "\n\nacquired\n");
  for (const Acquired& acquired : nodes) {
    absl::StrAppendFormat(&text, "  %10d  %s\n", acquired.count, acquired.node.ToString());
  }
  absl::StrAppend(&text, "\nedges (acquired while held)\n");
  for (const Edge& edge : edges) {
    absl::StrAppendFormat(&text, "  %10d  %s -> %s", edge.count, edge.from.ToString(), edge.to.ToString());
    if (edge.instances != Instances::kUnrelated) absl::StrAppend(&text, "  ", InstancesName(edge.instances));
    if (!edge.from_site.empty() || !edge.to_site.empty()) {
      absl::StrAppend(&text, "  [", edge.from_site.empty() ? "?" : edge.from_site, " -> ",
                      edge.to_site.empty() ? "?" : edge.to_site, "]");
    }
    absl::StrAppend(&text, "\n");
  }
  if (!counters.empty()) absl::StrAppend(&text, "\ncounters\n");
  for (const Counter& counter : counters) {
    absl::StrAppendFormat(&text, "  %10d  %s\n", counter.value, counter.name);
  }
  return text;
}

OrderGraph OrderGraphFromValidator(const Validator& validator, const std::string& source) {
  OrderGraph result;
  result.source = source;
  const LockClassTable& classes = validator.classes();
  const auto node_of = [&classes](NodeId id, Mode mode) {
    return OrderNode{classes.NodeName(NodeOf(ClassOf(id), 0)), SubclassOf(id), mode};  // "name#2" of a second key
  };
  for (uint32_t i = 0; i < validator.graph().size(); ++i) {
    const Edge& edge = validator.graph().edge(EdgeId{i});
    if (edge.removed()) continue;
    for (const Mode from : kModes) {
      for (const Mode to : kModes) {
        if ((edge.mode_pairs & ModePair(from, to)) == 0) continue;
        result.edges.push_back({.from = node_of(edge.from, from),
                                .to = node_of(edge.to, to),
                                .instances = Instances::kUnrelated,
                                .count = 0,  // the validator does not count
                                .from_site = SiteString(edge.from_site),
                                .to_site = SiteString(edge.to_site)});
      }
    }
  }
  result.Normalise();
  return result;
}

}  // namespace ordeal::lockdep
