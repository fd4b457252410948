#include "lockdep/report/proc_export.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "lockdep/graph/lock_kind.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

constexpr uint64_t kFirstKey = 0xffff888000000000u;
constexpr Mode kModes[] = {Mode::kExclusive, Mode::kShared, Mode::kSharedRecursive};

bool Gone(const Validator& validator, NodeId node) { return validator.classes().at(ClassOf(node)).unregistered; }

bool IsChecked(const Validator& validator, uint64_t word) {
  return (word & kUnchecked) == 0 && !validator.classes().at(ClassOf(NodeOfWord(word))).options.no_validate;
}

// A class with a lock kind has a node of its own for each group of modes, which get its edges. In the text they are one.
class Owners {
 public:
  explicit Owners(const Validator& validator) {
    for (uint32_t i = 0; i < validator.classes().size(); ++i) {
      const LockClass& one = validator.classes().at(LockClassId{i});
      const bool owns = one.options.kind != nullptr && Index(one.first_group) > i;  // a group has its owner's options
      const uint32_t groups = !owns ? 0 : static_cast<uint32_t>(one.options.kind->modes);
      for (uint32_t group = 0; group < groups; ++group) owners_[Index(one.first_group) + group] = LockClassId{i};
    }
  }
  NodeId Of(NodeId node) const {
    const auto owner = owners_.find(Index(ClassOf(node)));
    return owner == owners_.end() ? node : NodeOf(owner->second, SubclassOf(node));
  }
  // The nodes of the graph that `owner` stands for.
  std::vector<NodeId> NodesOf(const Validator& validator, NodeId owner) const {
    const LockClass& one = validator.classes().at(ClassOf(owner));
    if (one.options.kind == nullptr) return {owner};
    std::vector<NodeId> nodes;
    for (uint32_t group = 0; group < static_cast<uint32_t>(one.options.kind->modes); ++group) {
      nodes.push_back(NodeOf(LockClassId{Index(one.first_group) + group}, SubclassOf(owner)));
    }
    return nodes;
  }

 private:
  std::map<uint32_t, LockClassId> owners_;  // by index of the group's class
};

// The nodes that were ever acquired, ascending; the kernel lists no others either.
std::vector<NodeId> UsedNodes(const Validator& validator, const Owners& owners) {
  std::set<NodeId> used;
  validator.ForEachChain([&](const std::vector<uint64_t>& words) {
    for (const uint64_t word : words) used.insert(NodeOfWord(word));
  });
  for (uint32_t i = 0; i < validator.graph().size(); ++i) {
    const Edge& edge = validator.graph().edge(EdgeId{i});
    if (edge.removed()) continue;
    used.insert(owners.Of(edge.from));
    used.insert(owners.Of(edge.to));
  }
  std::vector<NodeId> nodes;
  for (const NodeId node : used) {
    if (!Gone(validator, node)) nodes.push_back(node);
  }
  return nodes;
}

ProcLock NameOf(const Validator& validator, NodeId node, const std::vector<NodeId>& nodes) {
  ProcLock lock{absl::StrFormat("%016x", kFirstKey + Index(node)), validator.classes().NodeName(node)};
  const auto at = std::lower_bound(nodes.begin(), nodes.end(), node);
  if (at != nodes.end() && *at == node) lock.index = static_cast<uint32_t>(at - nodes.begin());
  return lock;
}

// Kinds of an edge as a step against its direction: the acquirer is then the holder. As in the kernel (calc_depb), so that
// a class may be on a strong path forwards and on none backwards.
uint8_t ReversedKinds(const Edge& edge) {
  uint8_t kinds = 0;
  for (const Mode holder : kModes) {
    for (const Mode acquirer : kModes) {
      if ((edge.mode_pairs & ModePair(holder, acquirer)) != 0) kinds |= EdgeKind(acquirer, holder);
    }
  }
  return kinds;
}

// Nodes on strong paths from `roots`, with themselves; backwards: on strong paths to them. Groups count as one.
uint64_t CountReachable(const DependencyGraph& graph, const Owners& owners, const std::vector<NodeId>& roots, bool backward) {
  std::set<std::pair<NodeId, bool>> seen;  // with: arrived weakly
  std::vector<std::pair<NodeId, bool>> queue;
  std::set<NodeId> reached;
  const auto reach = [&](NodeId node, bool weak) {
    reached.insert(owners.Of(node));
    if (seen.insert({node, weak}).second) queue.push_back({node, weak});
  };
  for (const NodeId root : roots) reach(root, false);
  for (size_t i = 0; i < queue.size(); ++i) {
    const auto [node, weak] = queue[i];
    for (const EdgeId id : backward ? graph.InOf(node) : graph.OutOf(node)) {
      const Edge& edge = graph.edge(id);
      uint8_t kinds = backward ? ReversedKinds(edge) : edge.kinds;
      if (weak) kinds &= kEdgeEN | kEdgeER;
      if (kinds != 0) reach(backward ? edge.from : edge.to, (kinds & (kEdgeEN | kEdgeSN)) == 0);
    }
  }
  return reached.size();
}

using NodePair = std::pair<NodeId, NodeId>;

// Dependencies seen only with other locks between, which the kernel does not list. Those that no chain shows (of events) are
// not among them.
std::set<NodePair> IndirectPairs(const Validator& validator) {
  std::set<NodePair> direct;
  std::set<NodePair> indirect;
  validator.ForEachChain([&](const std::vector<uint64_t>& words) {
    for (size_t i = 0; i + 1 < words.size(); ++i) {
      const NodePair pair = {NodeOfWord(words[i]), NodeOfWord(words.back())};
      (i + 2 == words.size() ? direct : indirect).insert(pair);
    }
  });
  for (const NodePair& pair : direct) indirect.erase(pair);
  return indirect;
}

const char* IrqContextOf(uint64_t word) {
  const bool hard = (word & kInHardirq) != 0;
  const bool soft = (word & kInSoftirq) != 0;
  return hard ? (soft ? "hardirq|softirq" : "hardirq") : (soft ? "softirq" : "0");
}

}  // namespace

ProcLockdep ProcLockdepFromValidator(const Validator& validator) {
  const Owners owners(validator);
  const std::vector<NodeId> nodes = UsedNodes(validator, owners);
  const std::set<NodePair> indirect = IndirectPairs(validator);
  const DependencyGraph& graph = validator.graph();
  ProcLockdep result;
  for (const NodeId node : nodes) {
    ProcLock self = NameOf(validator, node, nodes);
    const std::vector<NodeId> parts = owners.NodesOf(validator, node);
    ProcClass one;
    one.key = std::move(self.key);
    one.name = std::move(self.name);
    one.forward = CountReachable(graph, owners, parts, false);
    one.backward = CountReachable(graph, owners, parts, true);
    one.usage = UsageChars(validator.usage().InAllRuns(node));
    std::set<EdgeId> edges;  // ids ascend with time, as the kernel lists them
    for (const NodeId part : parts) edges.insert(graph.OutOf(part).begin(), graph.OutOf(part).end());
    std::set<NodeId> listed = {node};
    for (const EdgeId id : edges) {
      const NodeId to = owners.Of(graph.edge(id).to);
      if (indirect.count({node, to}) == 0 && listed.insert(to).second) one.successors.push_back(NameOf(validator, to, nodes));
    }
    result.classes.push_back(std::move(one));
  }
  return result;
}

ProcChains ProcChainsFromValidator(const Validator& validator) {
  const std::vector<NodeId> nodes = UsedNodes(validator, Owners(validator));
  ProcChains result;
  // The kernel's chain key has context, class and mode alone; ours has more, so that some of our chains are one of its.
  std::set<std::pair<std::string, std::vector<uint64_t>>> seen;
  validator.ForEachChain([&](const std::vector<uint64_t>& words) {
    if (words.empty() || (words.back() & kTrylock) != 0 || !IsChecked(validator, words.back())) return;
    ProcChain chain;
    chain.irq_context = IrqContextOf(words.back());
    std::vector<uint64_t> identity;
    for (const uint64_t word : words) {
      identity.push_back(ChainWord(NodeOfWord(word), ModeOfWord(word)));
      if (!Gone(validator, NodeOfWord(word))) chain.held.push_back(NameOf(validator, NodeOfWord(word), nodes));
    }
    if (!seen.insert({chain.irq_context, identity}).second || chain.held.empty()) return;
    result.chains.push_back(std::move(chain));
  });
  return result;
}

}  // namespace ordeal::lockdep
