#include "harness/pagecache/lock_order.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ordeal::pagecache {
namespace {

constexpr const char* kRule = "locks are acquired in the order that the file system declares";

}  // namespace

std::vector<InvariantViolation> CheckLockOrder(const lockdep::Validator& validator, absl::Span<const char* const> order) {
  std::vector<InvariantViolation> found;
  if (order.empty()) return found;
  const lockdep::DependencyGraph& graph = validator.graph();
  for (uint32_t i = 0; i < graph.size(); ++i) {
    const lockdep::Edge& edge = graph.edge(lockdep::EdgeId{i});
    if (edge.removed()) continue;
    const std::string held = validator.classes().NodeName(edge.from);
    const std::string acquired = validator.classes().NodeName(edge.to);
    const auto rank_of_held = std::find(order.begin(), order.end(), held);
    const auto rank_of_acquired = std::find(order.begin(), order.end(), acquired);
    const char* what = "against the declared order";
    if (rank_of_held == order.end() || rank_of_acquired == order.end()) {
      what = "which the declared order does not know";
    } else if (rank_of_held < rank_of_acquired) {
      continue;
    }
    found.push_back({.id = "S12",
                     .rule = kRule,
                     .message = absl::StrCat(acquired, " is acquired with ", held, " held, ", what),
                     .site = edge.to_site,
                     .against = edge.from_site});
  }
  return found;
}

}  // namespace ordeal::pagecache
