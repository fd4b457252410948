// At how many places each order is taken: what the majority does is usually what was meant, and the odd place is the bug.
//
// A place is a pair of sites, where the first lock was acquired and where the second. Record is idempotent, so it may be
// called for every acquisition or only for unseen ones; in the latter case places that share a chain count once.
//
// Thread-safety: none; the validator's mutex guards it.
// Invariants:    at most places_max places a pair of nodes are kept; a pair that reached it is shown as "1024+".
// Cost:          Record: one look-up, and an insertion for a new place.
// Example:
//   census.Record(a, b, {"x.cc", 10}, {"x.cc", 11});
//   violation.hint = census.Hint({{a, b}, {b, a}}, classes);  // "47 of 48 sites take A before B; the odd one is x.cc:21"
#ifndef ORDEAL_LOCKDEP_RUNTIME_SITE_CENSUS_H_
#define ORDEAL_LOCKDEP_RUNTIME_SITE_CENSUS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"

namespace ordeal::lockdep {

class SiteCensus {
 public:
  explicit SiteCensus(size_t places_max = 1024) : places_max_(places_max) {}

  // `to` was acquired at `to_site` while `from`, acquired at `from_site`, was held.
  void Record(NodeId from, NodeId to, const Site& from_site, const Site& to_site);
  // The class of `node` is gone.
  void Forget(NodeId node);
  // Distinct places that take `from` before `to`.
  size_t Count(NodeId from, NodeId to) const;

  // What stands out in a cycle of dependencies: the one that the fewest places take. Empty if none does.
  std::string Hint(const std::vector<std::pair<NodeId, NodeId>>& cycle, const LockClassTable& classes) const;
  size_t MemoryBytes() const;  // approximate

 private:
  struct Place {
    uint64_t from = 0;  // number of the file << 32 | line
    uint64_t to = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  using Places = absl::btree_set<Place>;

  static uint64_t PairKey(NodeId from, NodeId to) { return (static_cast<uint64_t>(Index(from)) << 32) | Index(to); }
  uint64_t NumberOf(const Site& site);
  std::string SiteText(uint64_t number) const;
  const Places* Find(NodeId from, NodeId to) const;
  std::string CountText(size_t count) const;
  std::string OddPlaces(const Places& places) const;

  const size_t places_max_;
  absl::flat_hash_map<uint64_t, Places> places_;           // by PairKey; iterated only to forget and to add up
  absl::flat_hash_map<std::string, uint32_t> file_numbers_;  // by name; in order of first sight
  std::vector<const char*> files_;
  size_t place_count_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_SITE_CENSUS_H_
