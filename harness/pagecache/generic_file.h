// The generic bodies of reads and writes (generic_file_read_iter and its kin): what FileSystem's whole-operation hooks call
// between taking and releasing the file system's locks. A file system that retries around its locks calls them repeatedly,
// with Io::Rest of what is left.
//
// Thread-safety: tasks of one simulation.
// Invariants:    they take no lock of the hooks P1, P7, P9, P10; folios, extents and memory are as before when they return.
// Example:
//   inode.i_rwsem.LockShared();
//   const Result result = GenericRead(world, mm, io);
//   inode.i_rwsem.UnlockShared();
#ifndef ORDEAL_HARNESS_PAGECACHE_GENERIC_FILE_H_
#define ORDEAL_HARNESS_PAGECACHE_GENERIC_FILE_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

// Protocols 1.4.1 steps 2 to 8.
Result GenericRead(World& world, Mm& mm, const Io& io);
// 1.4.2 step 2. With page faults disabled it does not fault in its source: it stops at a page that is not present.
Result GenericWrite(World& world, Mm& mm, const Io& io);
// 1.4.6 steps 2 to 6. With io.nofault, or page faults disabled, it stops at user memory that is not present: kFault and
// cells_done of what was transferred before.
Result GenericDirectRead(World& world, Mm& mm, const Io& io);
// 1.4.7 steps 2 to 6. *fall_back: pages of the range could not be invalidated; nothing was written, write it buffered.
Result GenericDirectWrite(World& world, Mm& mm, const Io& io, LockMode mode, bool* fall_back);
// The stamps of a write, named for the place that it has: what Io::renames_stamps asks for.
absl::InlinedVector<Stamp, 8> PlacedStamps(const Io& io);
// ENOTBLK: a buffered write by the file system's own FileWrite, then its pages to the device and out of the cache.
Result FallBackToBuffered(World& world, Mm& mm, const Io& io);

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_GENERIC_FILE_H_
