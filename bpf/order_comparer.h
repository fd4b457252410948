// Compares the lock orders of a model with those of a real kernel: per pair of mapped lock classes (with subclasses), in both,
// only in one, or reversed; the cycles of the two graphs together; and how much of each other they cover.
//
// Thread-safety: pure functions on values.
// Invariants:    a pair is in one list only; lists are sorted; classes that the map leaves out or one side lacks are named, not
//                compared.
// Cost:          linear in the edges, plus the search for cycles.
// Example:
//   const Comparison comparison = CompareOrderGraphs(model, kernel, map);
//   out << FormatComparison(comparison);
//   return comparison.contradicts() ? 1 : 0;
#ifndef ORDEAL_BPF_ORDER_COMPARER_H_
#define ORDEAL_BPF_ORDER_COMPARER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "bpf/class_map.h"
#include "bpf/order_cycles.h"
#include "lockdep/report/order_graph.h"
#include "nlohmann/json.hpp"

namespace ordeal::bpf {

// What one graph says of a pair.
struct PairEvidence {
  uint64_t count = 0;
  std::set<std::string> modes;  // "S->X": held shared, acquired exclusive; R: recursive reader
  std::string from_site;        // of the first edge that has one
  std::string to_site;
};

struct ComparedPair {
  std::string from;  // "ILOCK/1"
  std::string to;
  PairEvidence model;   // empty modes: the model does not have it
  PairEvidence kernel;
  // Only in the model: its ends that the kernel's recording never saw acquired, in any order ("IOLOCK/4": the VFS takes it,
  // and has no event). Without them the workload did not take this path.
  std::vector<std::string> never_acquired;
  std::string explanation;  // of the class map, why one side alone has it; empty: it has none
};

// How much of each other the two have seen, over the classes that both have.
struct Coverage {
  size_t mapped_classes = 0;   // of the map
  size_t shared_classes = 0;   // that both graphs have
  size_t kernel_pairs = 0;     // among those
  size_t model_pairs = 0;
  size_t agreed = 0;           // in both
  size_t kernel_explained = 0;  // only in the kernel, with a reason in the map
  size_t model_explained = 0;
  size_t reversed = 0;
};

struct Comparison {
  std::string model_source;
  std::string kernel_source;
  std::vector<ComparedPair> both;
  std::vector<ComparedPair> only_model;
  std::vector<ComparedPair> only_kernel;
  std::vector<ComparedPair> reversed;        // from -> to in the kernel alone, to -> from (as `model`) in the model alone
  std::vector<OrderCycle> cycles;            // of the union
  std::vector<OrderCycle> reader_cycles;     // that need a queued writer; told, but no contradiction
  std::vector<std::string> unseen_by_kernel;  // mapped classes that only the model has
  std::vector<std::string> unseen_by_model;
  std::vector<std::string> unmapped;  // the model's classes that the map leaves out or does not know, "class: reason"
  Coverage coverage;
  std::vector<lockdep::OrderGraph::Counter> counters;  // of the kernel's recording
  bool directories_folded = false;

  bool contradicts() const { return !reversed.empty() || !cycles.empty(); }
  uint64_t lost() const;  // events that the recording lost
};

Comparison CompareOrderGraphs(const lockdep::OrderGraph& model, const lockdep::OrderGraph& kernel, const ClassMap& map);
std::string FormatComparison(const Comparison& comparison);
nlohmann::ordered_json ComparisonToJson(const Comparison& comparison);
nlohmann::ordered_json OrderGraphToJson(const lockdep::OrderGraph& graph);
// Of a recording's counters.
uint64_t LostEvents(const std::vector<lockdep::OrderGraph::Counter>& counters);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_ORDER_COMPARER_H_
