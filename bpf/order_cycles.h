// Cycles in the union of several order graphs. A cycle can deadlock only if at each of its locks the one who arrives has to
// wait for the one who holds: an exclusive mode on either side. Where two plain readers meet, the one who arrives waits
// only if a writer has queued between them: such cycles are told apart (needs_queued_writer). Where a recursive reader
// meets a reader, nobody waits: no cycle.
//
// Thread-safety: pure function.
// Invariants:    cycles are shortest, one for each set of nodes, in an order that the edges alone decide.
// Cost:          a breadth-first search for each edge that lies in a strongly connected component.
// Example:
//   for (const OrderCycle& cycle : FindOrderCycles(union_of_edges)) out << cycle.ToString();
#ifndef ORDEAL_BPF_ORDER_CYCLES_H_
#define ORDEAL_BPF_ORDER_CYCLES_H_

#include <string>
#include <vector>

#include "lockdep/report/order_graph.h"

namespace ordeal::bpf {

struct UnionEdge {
  lockdep::OrderGraph::Edge edge;
  std::string source;  // "model", "kernel", "both"
};

struct OrderCycle {
  std::vector<UnionEdge> edges;  // each starts where the one before ended; the last ends where the first starts
  bool needs_queued_writer = false;
  std::string ToString() const;  // one line an edge
};

std::vector<OrderCycle> FindOrderCycles(const std::vector<UnionEdge>& edges);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_ORDER_CYCLES_H_
