// Structural invariants of the page cache (protocols 4.4): S1-S4, S6-S10, S13, S14, S17 and two of our own, as values.
// S12 (lock_order.h) judges all runs of a simulation, S5 and S16 are the file systems' (FileSystem::CheckInvariants).
//
// Thread-safety: tasks of one simulation; reads only, no scheduling point.
// Cost:          O(folios + files * pages); meant for quiescence and for sampled safe points.
// Example:       for (const InvariantViolation& v : CheckInvariants(world)) Report(v.id, v.message);
#ifndef ORDEAL_HARNESS_PAGECACHE_INVARIANTS_H_
#define ORDEAL_HARNESS_PAGECACHE_INVARIANTS_H_

#include <string>
#include <vector>

#include "harness/pagecache/inode.h"
#include "lockdep/graph/site.h"

namespace ordeal::pagecache {

class World;

struct InvariantViolation {
  const char* id = "";   // "S1"
  const char* rule = "";  // the invariant in words; stable, without numbers
  std::string message;   // with the objects: "folio 3 of inode 2, page 0: ..."
  lockdep::Site site;    // of the operation that noticed it; none if a check of the whole world did
  lockdep::Site against;  // of the operation whose rule it breaks, where one is known
  LastOperation last = {};  // of a check of the whole world: what ended last on that file
};

// When the world is looked at. kQuiescent: no operation is under way and I/O has drained: nothing is excused.
enum class CheckMoment { kSafePoint, kQuiescent };

// Violations that operations noticed themselves (S6, S9 at the moment of freeing) followed by those that a scan finds now.
std::vector<InvariantViolation> CheckInvariants(const World& world, CheckMoment moment = CheckMoment::kSafePoint);

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_INVARIANTS_H_
