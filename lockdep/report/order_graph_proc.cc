#include "lockdep/report/order_graph_proc.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lockdep/report/proc_revalidation.h"

namespace ordeal::lockdep {
namespace {

OrderNode NodeOf(const ProcClass& one, const SymbolOf& symbol_of) {
  const ProcName parts = SplitProcName(one.name);
  uint64_t address = 0;
  const std::string symbol = symbol_of && absl::SimpleHexAtoi(one.key, &address) ? symbol_of(address) : "";
  if (!symbol.empty()) return {absl::StrCat(parts.base, "@", symbol), parts.subclass, Mode::kExclusive};
  return {parts.version == 1 ? parts.base : absl::StrCat(parts.base, "#", parts.version), parts.subclass, Mode::kExclusive};
}

}  // namespace

OrderGraph OrderGraphFromProc(const ProcLockdep& graph, const ProcChains* chains, const std::string& source,
                              const SymbolOf& symbol_of) {
  OrderGraph result;
  result.source = source;
  const ProcInference inference = InferAcquisitions(graph, chains != nullptr ? *chains : ProcChains());
  for (const ProcClass& one : graph.classes) result.nodes.push_back({NodeOf(one, symbol_of), 0});
  for (const auto& [from, to] : inference.waited_pairs) {
    if (from == to) continue;
    OrderGraph::Edge edge;
    edge.from = NodeOf(graph.classes[from], symbol_of);
    edge.to = NodeOf(graph.classes[to], symbol_of);
    result.edges.push_back(std::move(edge));
  }
  const uint64_t unlisted = uint64_t{graph.unlisted} + (chains != nullptr ? chains->unlisted : 0);
  result.counters.push_back({"lost: locks of unlisted classes", unlisted});
  result.Normalise();
  return result;
}

}  // namespace ordeal::lockdep
