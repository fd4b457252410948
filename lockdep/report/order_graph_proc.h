// The text of /proc/lockdep and /proc/lockdep_chains as an order graph, which bpf/'s comparer lays beside a model's.
//
// The text has no modes: every node is exclusive, and a comparison must ignore modes. With chains, each lock that was held
// when another was waited for gives an edge, as in the graphs of models; without, only neighbours do.
//
// Thread-safety: pure function.
// Example:       const OrderGraph kernel = OrderGraphFromProc(graph, &chains, "kernel 6.1.192 xfs");
#ifndef ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_PROC_H_
#define ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_PROC_H_

#include <string>

#include "lockdep/report/order_graph.h"
#include "lockdep/report/proc_lockdep.h"

namespace ordeal::lockdep {

OrderGraph OrderGraphFromProc(const ProcLockdep& graph, const ProcChains* chains, const std::string& source);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_PROC_H_
