// The bug catalogue (protocols 3) as data: what each entry is, who would see it and where it is from. Entries that nothing here
// can express have a row, too; docs/bugs.md says why.
//
// Thread-safety: immutable.
// Example:       for (const BugEntry& bug : BugTable()) ...
#ifndef ORDEAL_HARNESS_CATALOGUE_BUG_TABLE_H_
#define ORDEAL_HARNESS_CATALOGUE_BUG_TABLE_H_

#include <vector>

#include "harness/scenario/scenario.h"

namespace ordeal {

// In order of their ids, then those without a number. `filesystems` is empty: the registry fills it.
const std::vector<BugEntry>& BugTable();

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_BUG_TABLE_H_
