#include "lockdep/report/order_graph_proc.h"

#include "absl/strings/str_cat.h"
#include "lockdep/report/proc_revalidation.h"

namespace ordeal::lockdep {
namespace {

OrderNode NodeOfName(const std::string& name) {
  const ProcName parts = SplitProcName(name);
  return {parts.version == 1 ? parts.base : absl::StrCat(parts.base, "#", parts.version), parts.subclass, Mode::kExclusive};
}

}  // namespace

OrderGraph OrderGraphFromProc(const ProcLockdep& graph, const ProcChains* chains, const std::string& source) {
  OrderGraph result;
  result.source = source;
  const ProcInference inference = InferAcquisitions(graph, chains != nullptr ? *chains : ProcChains());
  for (const ProcClass& one : graph.classes) result.nodes.push_back({NodeOfName(one.name), 0});
  for (const auto& [from, to] : inference.waited_pairs) {
    if (from == to) continue;
    OrderGraph::Edge edge;
    edge.from = NodeOfName(graph.classes[from].name);
    edge.to = NodeOfName(graph.classes[to].name);
    result.edges.push_back(std::move(edge));
  }
  const uint64_t unlisted = uint64_t{graph.unlisted} + (chains != nullptr ? chains->unlisted : 0);
  result.counters.push_back({"lost: locks of unlisted classes", unlisted});
  result.Normalise();
  return result;
}

}  // namespace ordeal::lockdep
