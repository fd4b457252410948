// Order graphs: which locks were acquired while which others were held, with modes and counts. The exchange format
// between the model, whose graph a Validator accumulates, and a real kernel, whose graph eBPF programs accumulate.
//
// A file is protobuf text behind one comment line. Its first field is `format`; a file of another format is refused before
// anything else of it is looked at. `checksum` covers everything after it, so a truncated or edited file is refused, while a
// changed comment or indentation is not an edit. Files are replaced atomically (written beside, synced, renamed).
//
// Thread-safety: plain values; the functions keep no state.
// Invariants:    edges name nodes of the graph; a node is (class, subclass, mode), once; Normalise() fixes all orders, so
//                equal graphs give equal bytes.
// Cost:          linear in the graph; parsing refuses more than 64 MiB.
// Example:
//   const OrderGraph graph = OrderGraphFromValidator(validator, "model xfs");
//   RETURN_IF_ERROR(WriteOrderGraph(graph, "xfs.txtpb"));
//   ASSIGN_OR_RETURN(const OrderGraph again, ReadOrderGraph("xfs.txtpb"));
#ifndef ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_H_
#define ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lockdep/graph/lock_class.h"

namespace ordeal::lockdep {

class Validator;

inline constexpr uint32_t kOrderGraphFormat = 2;  // 1: without stacks; still read, and written where there are none

// Which instances of the two classes an edge connects. Numbers are those of the file.
enum class Instances : uint8_t { kUnrelated = 0, kSame = 1, kAscending = 2, kDescending = 3 };
const char* InstancesName(Instances instances);  // "", "same", "ascending", "descending"

struct OrderNode {
  std::string lock_class;
  int subclass = 0;
  Mode mode = Mode::kExclusive;

  // "xfs_ilock/1 (shared)", "mmap_lock (exclusive)".
  std::string ToString() const;
  // "xfs_ilock/1": without the mode.
  std::string Name() const;
  friend bool operator==(const OrderNode&, const OrderNode&) = default;
  friend auto operator<=>(const OrderNode&, const OrderNode&) = default;
};

struct OrderGraph {
  struct Acquired {
    OrderNode node;
    uint64_t count = 0;  // 0: not counted
    friend bool operator==(const Acquired&, const Acquired&) = default;
  };
  struct Edge {
    OrderNode from;
    OrderNode to;
    Instances instances = Instances::kUnrelated;
    uint64_t count = 0;  // 0: not counted
    std::string from_site;  // of the first sighting; empty if not known
    std::string to_site;
    std::vector<std::string> from_stack = {};  // example call stacks of one sighting, innermost function first
    std::vector<std::string> to_stack = {};
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct Counter {
    std::string name;
    uint64_t value = 0;
    friend bool operator==(const Counter&, const Counter&) = default;
  };

  std::string source;  // "model xfs", "kernel 6.18.44 xfs"
  std::vector<Acquired> nodes;
  std::vector<Edge> edges;
  std::vector<Counter> counters;  // lost events and the like; kept in the order given

  // Adds the nodes that only edges name, sorts nodes and edges, merges equal ones. What the readers return is normalised.
  void Normalise();
  std::string ToString() const;  // for people: one edge a line
  friend bool operator==(const OrderGraph&, const OrderGraph&) = default;
};

// The graph of all runs: one edge for each pair of modes it was seen with. The sites are those of the first sighting.
OrderGraph OrderGraphFromValidator(const Validator& validator, const std::string& source);

// The text of a file; `graph` is normalised first.
std::string FormatOrderGraph(OrderGraph graph);
// `name` is what errors call the text. InvalidArgument: "NAME:LINE: what is wrong; what to do".
absl::StatusOr<OrderGraph> ParseOrderGraph(const std::string& text, const std::string& name);

absl::Status WriteOrderGraph(const OrderGraph& graph, const std::string& path);
absl::StatusOr<OrderGraph> ReadOrderGraph(const std::string& path);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_ORDER_GRAPH_H_
