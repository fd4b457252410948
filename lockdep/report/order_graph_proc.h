// The text of /proc/lockdep and /proc/lockdep_chains as an order graph, which bpf/'s comparer lays beside a model's.
//
// The text has no modes: every node is exclusive, and a comparison must ignore modes. With chains, each lock that was held
// when another was waited for gives an edge, as in the graphs of models; without, only neighbours do.
//
// Thread-safety: pure function.
// Example:       const OrderGraph kernel = OrderGraphFromProc(graph, &chains, "kernel 6.1.192 xfs");
#ifndef ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_PROC_H_
#define ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_PROC_H_

#include <cstdint>
#include <functional>
#include <string>

#include "lockdep/report/order_graph.h"
#include "lockdep/report/proc_lockdep.h"

namespace ordeal::lockdep {

// The name of the kernel object that an address lies in; "" if it says nothing.
using SymbolOf = std::function<std::string(uint64_t address)>;

// With `symbol_of`, a class whose key lies in a named object is called after it instead of by its number.
OrderGraph OrderGraphFromProc(const ProcLockdep& graph, const ProcChains* chains, const std::string& source,
                              const SymbolOf& symbol_of = nullptr);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_PROC_H_
