#include "lockdep/runtime/usage_search.h"

#include <algorithm>
#include <limits>

#include "absl/container/flat_hash_map.h"

namespace ordeal::lockdep {
namespace {

constexpr uint32_t kNoParent = std::numeric_limits<uint32_t>::max();
// Forwards, a weak arrival (into a recursive reader) may go on out of exclusive holders only. Backwards, a weak departure
// (out of a shared holder) may be reached by steps into non-recursive acquirers only. The roles of the two letters swap.
constexpr uint8_t kStrongForwards = kEdgeEN | kEdgeSN;
constexpr uint8_t kAfterWeakForwards = kEdgeEN | kEdgeER;
constexpr uint8_t kStrongBackwards = kEdgeEN | kEdgeER;
constexpr uint8_t kAfterWeakBackwards = kEdgeEN | kEdgeSN;

}  // namespace

struct UsageSearch::Step {
  NodeId node;
  bool weak;
  EdgeId edge;
  uint32_t parent;
};

uint8_t UsageSearch::KindsOf(const Edge& edge) const {
  if (run_ == 0) return edge.kinds;
  return edge.last_run == run_ ? edge.run_kinds : uint8_t{0};
}

bool UsageSearch::Skipped(NodeId node) const {
  const LockClassOptions& options = classes_.at(ClassOf(node)).options;
  return options.per_cpu || options.wait_override;
}

template <typename Match>
std::optional<NodeId> UsageSearch::Search(NodeId start, bool weak, bool forwards, const Match& match,
                                          std::vector<EdgeId>* path) const {
  const uint8_t strong = forwards ? kStrongForwards : kStrongBackwards;
  const uint8_t after_weak = forwards ? kAfterWeakForwards : kAfterWeakBackwards;
  absl::flat_hash_map<uint32_t, uint8_t> visited;  // node -> bit 0: strongly, bit 1: weakly; never iterated
  std::vector<Step> steps = {{start, weak, EdgeId{}, kNoParent}};
  visited[Index(start)] = weak ? 2 : 1;
  for (uint32_t next = 0; next < steps.size(); ++next) {
    const Step step = steps[next];
    if (Skipped(step.node)) continue;
    if (match(step.node, step.weak)) {
      path->clear();
      for (uint32_t at = next; steps[at].parent != kNoParent; at = steps[at].parent) path->push_back(steps[at].edge);
      if (forwards) std::reverse(path->begin(), path->end());
      return step.node;
    }
    for (const EdgeId id : forwards ? graph_.OutOf(step.node) : graph_.InOf(step.node)) {
      const Edge& edge = graph_.edge(id);
      uint8_t kinds = KindsOf(edge);
      if (step.weak) kinds &= after_weak;
      if (kinds == 0) continue;
      const NodeId to = forwards ? edge.to : edge.from;
      const bool arrives_weak = (kinds & strong) == 0;
      uint8_t& seen = visited[Index(to)];
      if ((seen & 1) != 0 || (arrives_weak && (seen & 2) != 0)) continue;
      seen |= arrives_weak ? 2 : 1;
      steps.push_back({to, arrives_weak, id, next});
    }
  }
  return std::nullopt;
}

std::optional<NodeId> UsageSearch::Forwards(NodeId start, bool weak, UsageMask mask, std::vector<EdgeId>* path) const {
  const auto match = [&](NodeId node, bool arrived_weak) {
    return (UsageOf(node) & mask & (arrived_weak ? ~kReaderMask : ~0)) != 0;
  };
  return Search(start, weak, true, match, path);
}

std::optional<NodeId> UsageSearch::Backwards(NodeId start, bool weak, UsageMask mask, std::vector<EdgeId>* path) const {
  const auto match = [&](NodeId node, bool arrived_weak) {
    return (UsageOf(node) & mask & (arrived_weak ? ~kReaderMask : ~0)) != 0;
  };
  return Search(start, weak, false, match, path);
}

UsageMask UsageSearch::AccumulateBackwards(NodeId start, bool weak) const {
  UsageMask all = 0;
  std::vector<EdgeId> path;
  const auto collect = [&](NodeId node, bool arrived_weak) {
    all |= static_cast<UsageMask>(UsageOf(node) & (arrived_weak ? ~kReaderMask : ~0));
    return false;
  };
  Search(start, weak, false, collect, &path);
  return all;
}

}  // namespace ordeal::lockdep
