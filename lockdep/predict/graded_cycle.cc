#include "lockdep/predict/graded_cycle.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ordeal::lockdep {

std::string GradedCycle::ToString() const {
  std::string text = absl::StrCat(GradeName(grade), ": ", signature);
  if (!reason.empty()) absl::StrAppend(&text, " (", reason, ")");
  absl::StrAppend(&text, "\n  needs ", absl::StrJoin(instances, ", "), "\n");
  for (const CycleEdge& edge : edges) {
    absl::StrAppend(&text, "  ", edge.task, edge.owes ? " owes " : " holds ", edge.from_lock);
    if (!edge.owes) absl::StrAppend(&text, " (", ModeName(edge.from_mode), ") at ", edge.from_site.ToString());
    absl::StrAppend(&text, edge.queued ? " and queues for " : " and waits for ", edge.to_lock, " (",
                    ModeName(edge.to_mode), ") at ", edge.to_site.ToString(), "\n");
  }
  return text;
}

std::string CycleSignature(std::vector<std::string> nodes) {
  if (nodes.empty()) return "";
  // The least rotation, not just the least node first: a node may occur twice.
  std::vector<std::string> least = nodes;
  for (size_t i = 1; i < nodes.size(); ++i) {
    std::rotate(nodes.begin(), nodes.begin() + 1, nodes.end());
    least = std::min(least, nodes);
  }
  return absl::StrJoin(least, " > ");
}

}  // namespace ordeal::lockdep
