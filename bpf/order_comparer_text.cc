// Comparisons as text for people and as JSON for programs.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bpf/order_comparer.h"

namespace ordeal::bpf {
namespace {

using nlohmann::ordered_json;

std::string Sites(const PairEvidence& evidence) {
  if (evidence.from_site.empty() && evidence.to_site.empty()) return "";
  return absl::StrCat("  [", evidence.from_site.empty() ? "?" : evidence.from_site, " -> ",
                      evidence.to_site.empty() ? "?" : evidence.to_site, "]");
}

std::string Evidence(const char* who, const PairEvidence& evidence) {
  const std::string count = evidence.count == 0 ? "-" : absl::StrCat(evidence.count);  // a model's are not counted
  return absl::StrFormat("      %-6s %10s  %s%s\n", who, count, absl::StrJoin(evidence.modes, " "), Sites(evidence));
}

// Those with an explanation are told by AppendExplained.
void AppendPairs(const char* title, const std::vector<ComparedPair>& pairs, bool reversed, std::string* text) {
  const auto unexplained = [](const ComparedPair& pair) { return pair.explanation.empty(); };
  absl::StrAppendFormat(text, "\n%s (%d)\n", title, std::count_if(pairs.begin(), pairs.end(), unexplained));
  for (const ComparedPair& pair : pairs) {
    if (!unexplained(pair)) continue;
    absl::StrAppend(text, "  ", pair.from, " -> ", pair.to);
    if (reversed) absl::StrAppend(text, " in the kernel; ", pair.to, " -> ", pair.from, " in the model");
    if (!pair.never_acquired.empty()) {
      absl::StrAppend(text, "  (no event for ", absl::StrJoin(pair.never_acquired, ", "), ")");
    }
    absl::StrAppend(text, "\n");
    if (!pair.model.modes.empty()) absl::StrAppend(text, Evidence("model", pair.model));
    if (!pair.kernel.modes.empty()) absl::StrAppend(text, Evidence("kernel", pair.kernel));
  }
}

void AppendExplained(const char* title, const std::vector<ComparedPair>& pairs, std::string* text) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const ComparedPair& pair : pairs) {
    if (!pair.explanation.empty()) by_reason[pair.explanation].push_back(absl::StrCat(pair.from, " -> ", pair.to));
  }
  if (by_reason.empty()) return;
  absl::StrAppend(text, "\n", title, "\n");
  for (const auto& [reason, names] : by_reason) {
    absl::StrAppend(text, "  ", reason, "\n    ", absl::StrJoin(names, ", "), "\n");
  }
}

std::string Percent(size_t part, size_t whole) {
  return whole == 0 ? "-" : absl::StrFormat("%d %%", part * 100 / whole);
}

std::string FormatCoverage(const Coverage& coverage) {
  const size_t kernel_known = coverage.agreed + coverage.kernel_explained;
  const size_t model_known = coverage.agreed + coverage.model_explained;
  return absl::StrFormat(
      "\ncoverage\n  classes: %d in the map, %d on both sides\n"
      "  the kernel's %d pairs: %d also in the model (%s), %d explained, %d not (%s accounted for)\n"
      "  the model's %d pairs: %d also in the kernel (%s), %d explained, %d not (%s accounted for)\n  reversed: %d\n",
      coverage.mapped_classes, coverage.shared_classes, coverage.kernel_pairs, coverage.agreed,
      Percent(coverage.agreed, coverage.kernel_pairs), coverage.kernel_explained, coverage.kernel_pairs - kernel_known,
      Percent(kernel_known, coverage.kernel_pairs), coverage.model_pairs, coverage.agreed,
      Percent(coverage.agreed, coverage.model_pairs), coverage.model_explained, coverage.model_pairs - model_known,
      Percent(model_known, coverage.model_pairs), coverage.reversed);
}

void AppendCycles(const char* title, const std::vector<OrderCycle>& cycles, std::string* text) {
  absl::StrAppendFormat(text, "\n%s (%d)\n", title, cycles.size());
  for (size_t i = 0; i < cycles.size(); ++i) {
    absl::StrAppendFormat(text, "  cycle %d\n%s", i + 1, cycles[i].ToString());
  }
}

ordered_json EvidenceToJson(const PairEvidence& evidence) {
  return {{"count", evidence.count},
          {"modes", evidence.modes},
          {"from_site", evidence.from_site},
          {"to_site", evidence.to_site}};
}

ordered_json PairsToJson(const std::vector<ComparedPair>& pairs) {
  ordered_json list = ordered_json::array();
  for (const ComparedPair& pair : pairs) {
    ordered_json item = {{"from", pair.from}, {"to", pair.to}};
    if (!pair.model.modes.empty()) item["model"] = EvidenceToJson(pair.model);
    if (!pair.kernel.modes.empty()) item["kernel"] = EvidenceToJson(pair.kernel);
    if (!pair.never_acquired.empty()) item["never_acquired"] = pair.never_acquired;
    if (!pair.explanation.empty()) item["explanation"] = pair.explanation;
    list.push_back(std::move(item));
  }
  return list;
}

ordered_json EdgeToJson(const lockdep::OrderGraph::Edge& edge) {
  ordered_json json = {{"from", edge.from.ToString()},
                       {"to", edge.to.ToString()},
                       {"instances", lockdep::InstancesName(edge.instances)},
                       {"count", edge.count},
                       {"from_site", edge.from_site},
                       {"to_site", edge.to_site}};
  if (!edge.from_stack.empty()) json["from_stack"] = edge.from_stack;
  if (!edge.to_stack.empty()) json["to_stack"] = edge.to_stack;
  return json;
}

ordered_json CyclesToJson(const std::vector<OrderCycle>& cycles) {
  ordered_json list = ordered_json::array();
  for (const OrderCycle& cycle : cycles) {
    ordered_json edges = ordered_json::array();
    for (const UnionEdge& step : cycle.edges) {
      ordered_json edge = EdgeToJson(step.edge);
      edge["in"] = step.source;
      edges.push_back(std::move(edge));
    }
    list.push_back(std::move(edges));
  }
  return list;
}

ordered_json CountersToJson(const std::vector<lockdep::OrderGraph::Counter>& counters) {
  ordered_json object = ordered_json::object();
  for (const lockdep::OrderGraph::Counter& counter : counters) object[counter.name] = counter.value;
  return object;
}

}  // namespace

std::string FormatComparison(const Comparison& comparison) {
  std::string text =
      absl::StrCat("model   ", comparison.model_source, "\nkernel  ", comparison.kernel_source,
                   "\n(X exclusive, S shared, R recursive reader; \"A -> B\": B was acquired while A was held)\n");
  AppendPairs("in both", comparison.both, false, &text);
  AppendPairs("only in the model: the kernel's workload did not get there, or there is no event", comparison.only_model,
              false, &text);
  AppendPairs("only in the kernel: the model lacks this path", comparison.only_kernel, false, &text);
  AppendPairs("reversed", comparison.reversed, true, &text);
  AppendCycles("cycles in the union", comparison.cycles, &text);
  if (!comparison.reader_cycles.empty()) {
    AppendCycles("cycles of readers: deadlocks only if a writer queues between them; not counted",
                 comparison.reader_cycles, &text);
  }
  AppendExplained("only in the model, explained by the map", comparison.only_model, &text);
  AppendExplained("only in the kernel, explained by the map", comparison.only_kernel, &text);
  absl::StrAppend(&text, FormatCoverage(comparison.coverage), "\nnot compared\n  only the model sees: ",
                  comparison.unseen_by_kernel.empty() ? "-" : absl::StrJoin(comparison.unseen_by_kernel, ", "),
                  "\n  only the kernel sees: ",
                  comparison.unseen_by_model.empty() ? "-" : absl::StrJoin(comparison.unseen_by_model, ", "), "\n");
  for (const std::string& unmapped : comparison.unmapped) absl::StrAppend(&text, "  ", unmapped, "\n");
  if (comparison.directories_folded) {
    absl::StrAppend(&text, "  (one side does not tell directories apart: their locks are counted with those of files)\n");
  }
  absl::StrAppend(&text, "\nrecording lost ", comparison.lost(), " events\n",
                  comparison.contradicts() ? "The orders contradict each other.\n" : "No order is reversed.\n");
  return text;
}

ordered_json ComparisonToJson(const Comparison& comparison) {
  return {{"model", comparison.model_source},
          {"kernel", comparison.kernel_source},
          {"both", PairsToJson(comparison.both)},
          {"only_model", PairsToJson(comparison.only_model)},
          {"only_kernel", PairsToJson(comparison.only_kernel)},
          {"reversed", PairsToJson(comparison.reversed)},
          {"cycles", CyclesToJson(comparison.cycles)},
          {"reader_cycles", CyclesToJson(comparison.reader_cycles)},
          {"unseen_by_kernel", comparison.unseen_by_kernel},
          {"unseen_by_model", comparison.unseen_by_model},
          {"unmapped", comparison.unmapped},
          {"coverage",
           {{"mapped_classes", comparison.coverage.mapped_classes},
            {"shared_classes", comparison.coverage.shared_classes},
            {"kernel_pairs", comparison.coverage.kernel_pairs},
            {"model_pairs", comparison.coverage.model_pairs},
            {"agreed", comparison.coverage.agreed},
            {"kernel_explained", comparison.coverage.kernel_explained},
            {"model_explained", comparison.coverage.model_explained},
            {"reversed", comparison.coverage.reversed}}},
          {"directories_folded", comparison.directories_folded},
          {"counters", CountersToJson(comparison.counters)},
          {"lost", comparison.lost()},
          {"contradicts", comparison.contradicts()}};
}

ordered_json OrderGraphToJson(const lockdep::OrderGraph& graph) {
  ordered_json nodes = ordered_json::array();
  for (const lockdep::OrderGraph::Acquired& acquired : graph.nodes) {
    nodes.push_back({{"node", acquired.node.ToString()}, {"acquired", acquired.count}});
  }
  ordered_json edges = ordered_json::array();
  for (const lockdep::OrderGraph::Edge& edge : graph.edges) edges.push_back(EdgeToJson(edge));
  return {{"source", graph.source},
          {"nodes", std::move(nodes)},
          {"edges", std::move(edges)},
          {"counters", CountersToJson(graph.counters)}};
}

}  // namespace ordeal::bpf
