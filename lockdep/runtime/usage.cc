#include "lockdep/runtime/usage.h"

#include "lockdep/support/check.h"

namespace ordeal::lockdep {

std::string UsageBitName(UsageBit bit) {
  static constexpr const char* kStates[] = {"HARDIRQ", "SOFTIRQ", "RECLAIM"};
  const std::string state = kStates[static_cast<unsigned>(StateOf(bit))];
  const std::string letter = (bit & kUsageReader) != 0 ? "-R" : "-W";
  return (bit & kUsageEnabled) != 0 ? state + "-ON" + letter : "IN-" + state + letter;
}

std::string UsageStateName(UsageBit bit) {
  static constexpr const char* kStates[] = {"hard", "soft", "reclaim"};
  const std::string state = kStates[static_cast<unsigned>(StateOf(bit))];
  return (bit & kUsageReader) != 0 ? state + ",read" : state;
}

std::string UsageChars(UsageMask mask) {
  std::string chars;
  for (const UsageState state : {UsageState::kHardirq, UsageState::kSoftirq}) {
    for (const bool reader : {false, true}) {
      const bool used_in = (mask & MaskOf(MakeUsageBit(state, false, reader))) != 0;
      const bool enabled = (mask & MaskOf(MakeUsageBit(state, true, reader))) != 0;
      chars += used_in ? (enabled ? '?' : '-') : (enabled ? '+' : '.');
    }
  }
  return chars;
}

bool UsageTable::Mark(NodeId node, UsageBit bit, uint32_t run, const Site& site, const char* task) {
  if (nodes_.size() <= Index(node)) nodes_.resize(Index(node) + size_t{1});
  Node& known = nodes_[Index(node)];
  if (known.run != run) {
    known.run = run;
    known.in_run = 0;
  }
  if ((known.in_run & MaskOf(bit)) != 0) return false;
  known.in_run |= MaskOf(bit);
  if ((known.all & MaskOf(bit)) == 0) {
    known.all |= MaskOf(bit);
    if (known.first.size() <= bit) known.first.resize(bit + size_t{1});
    known.first[bit] = {site, task};
  }
  return true;
}

void UsageTable::MarkSeen(NodeId node, UsageMask mask, uint32_t run) {
  if (Index(node) >= nodes_.size()) return;
  Node& known = nodes_[Index(node)];
  mask &= known.all;  // locks that are not validated have usage that was never recorded
  if (mask == 0) return;
  if (known.run != run) {
    known.run = run;
    known.in_run = 0;
  }
  known.in_run |= mask;
}

UsageMask UsageTable::InRun(NodeId node, uint32_t run) const {
  if (Index(node) >= nodes_.size() || nodes_[Index(node)].run != run) return 0;
  return nodes_[Index(node)].in_run;
}

UsageMask UsageTable::InAllRuns(NodeId node) const {
  return Index(node) < nodes_.size() ? nodes_[Index(node)].all : UsageMask{0};
}

const UsageTable::Sighting& UsageTable::First(NodeId node, UsageBit bit) const {
  LD_CHECK((InAllRuns(node) & MaskOf(bit)) != 0, "usage bit " + UsageBitName(bit) + " was never seen");
  return nodes_[Index(node)].first[bit];
}

size_t UsageTable::MemoryBytes() const {
  size_t bytes = nodes_.capacity() * sizeof(Node);
  for (const Node& node : nodes_) bytes += node.first.capacity() * sizeof(Sighting);
  return bytes;
}

}  // namespace ordeal::lockdep
