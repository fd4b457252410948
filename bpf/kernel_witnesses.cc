#include "bpf/kernel_witnesses.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bpf/order_comparer.h"

namespace ordeal::bpf {
namespace {

using lockdep::OrderGraph;

std::set<std::string> PairsOf(const OrderGraph& graph, const ClassMap& map) {
  std::set<std::string> pairs;
  for (const OrderGraph::Edge& edge : map.Mapped(graph, /*fold_directories=*/false).edges) {
    if (edge.from.Name() != edge.to.Name()) pairs.insert(absl::StrCat(edge.from.Name(), " -> ", edge.to.Name()));
  }
  return pairs;
}

std::vector<std::string> Minus(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::vector<std::string> result;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
  return result;
}

}  // namespace

WitnessComparison CompareWitnesses(const OrderGraph& lockdep, const OrderGraph& record, const ClassMap& map) {
  const std::set<std::string> listed = PairsOf(lockdep, map);
  const std::set<std::string> recorded = PairsOf(record, map);
  WitnessComparison witnesses;
  witnesses.lockdep_pairs = listed.size();
  witnesses.recorded_pairs = recorded.size();
  witnesses.only_recorded = Minus(recorded, listed);
  witnesses.only_lockdep = Minus(listed, recorded);
  witnesses.in_both = recorded.size() - witnesses.only_recorded.size();
  witnesses.lost = LostEvents(record.counters);
  return witnesses;
}

std::string FormatWitnesses(const WitnessComparison& witnesses) {
  std::string text = absl::StrFormat(
      "witnesses\n  of %d pairs that the kernel's validator has, eBPF recorded %d, and %d that it lacks; %d events were lost\n",
      witnesses.lockdep_pairs, witnesses.in_both, witnesses.only_recorded.size(), witnesses.lost);
  if (!witnesses.only_recorded.empty()) {
    absl::StrAppend(&text, "  recorded, not in /proc/lockdep (a fault of the recorder): ",
                    absl::StrJoin(witnesses.only_recorded, ", "), "\n");
  }
  if (!witnesses.only_lockdep.empty()) {
    absl::StrAppend(&text, "  not while it recorded: ", absl::StrJoin(witnesses.only_lockdep, ", "), "\n");
  }
  return text;
}

nlohmann::ordered_json WitnessesToJson(const WitnessComparison& witnesses) {
  return {{"lockdep_pairs", witnesses.lockdep_pairs}, {"recorded_pairs", witnesses.recorded_pairs},
          {"in_both", witnesses.in_both},             {"only_recorded", witnesses.only_recorded},
          {"only_lockdep", witnesses.only_lockdep},   {"lost", witnesses.lost}};
}

OrderGraph UniteWitnesses(OrderGraph lockdep, const OrderGraph& record) {
  OrderGraph both = record;  // first: of equal edges the sites are kept
  both.source = absl::StrCat(lockdep.source, " (/proc/lockdep and eBPF)");
  std::move(lockdep.nodes.begin(), lockdep.nodes.end(), std::back_inserter(both.nodes));
  std::move(lockdep.edges.begin(), lockdep.edges.end(), std::back_inserter(both.edges));
  std::move(lockdep.counters.begin(), lockdep.counters.end(), std::back_inserter(both.counters));
  both.Normalise();
  return both;
}

}  // namespace ordeal::bpf
