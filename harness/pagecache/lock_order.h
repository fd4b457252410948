// S12: every acquisition climbs the lock order that the file system declares (FileSystem::lock_order), as a lint of the validator's
// graph: it finds an acquisition against the declared order although no run has yet made the order that contradicts it.
//
// Thread-safety: reads only.
// Invariants:    a lock that was only tried for has no order; within one class and subclass the class's own rule (order_key) is.
// Cost:          O(dependencies); for the end of a campaign.
// Example:       for (const InvariantViolation& v : CheckLockOrder(sim.validator(), fs.lock_order())) Report(v.id, v.message);
#ifndef ORDEAL_HARNESS_PAGECACHE_LOCK_ORDER_H_
#define ORDEAL_HARNESS_PAGECACHE_LOCK_ORDER_H_

#include <vector>

#include "absl/types/span.h"
#include "harness/pagecache/invariants.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::pagecache {

// A violation names both places: `site` acquires, `against` acquired what is held. A class or subclass that is not in the order is
// one, too. Judges all runs that the validator has seen; nothing if `order` is empty.
std::vector<InvariantViolation> CheckLockOrder(const lockdep::Validator& validator, absl::Span<const char* const> order);

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_LOCK_ORDER_H_
