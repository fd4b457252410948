// What an operation takes and what it returns.
//
// Thread-safety: plain values.
// Example:       const Result result = world.Read(mm, {.file = &inode, .offset_cells = 0, .length_cells = 4});
#ifndef ORDEAL_HARNESS_PAGECACHE_RESULT_H_
#define ORDEAL_HARNESS_PAGECACHE_RESULT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "harness/pagecache/stamp.h"
#include "lockdep/graph/site.h"

namespace ordeal::pagecache {

class Inode;

enum class [[nodiscard]] Error : uint8_t {
  kOk = 0,
  kIo,           // EIO
  kNoMemory,     // ENOMEM
  kFault,        // EFAULT: the user buffer could not be reached
  kSigBus,       // a load or store past the end of file, or of a page that could not be read
  kInvalid,      // EINVAL
  kNoEntry,      // ENOENT: the inode is gone
  kDiffers,      // EBADE: dedupe found different content
  kAgain,        // EAGAIN: it would have had to wait
  kNoSpace,      // ENOSPC
  kInterrupted,  // EINTR: a signal ended an interruptible wait
  kTruncatedPage,  // AOP_TRUNCATED_PAGE, inside the page cache only: the folio is unlocked; look it up again
};
const char* ErrorName(Error error);  // "EIO" ...

// The user buffer of a system call: anonymous memory (always resident), or a shared mapping of a file.
struct UserBuffer {
  Inode* mapping = nullptr;  // null: anonymous
  uint32_t offset_cells = 0;
};

// One read or write of a range.
struct Io {
  Inode* file = nullptr;
  uint32_t offset_cells = 0;
  uint32_t length_cells = 0;
  UserBuffer buffer;
  // One stamp a cell. Writes: what is written to the file (also from a mapping: a cell that is copied is relabelled, so that
  // every value names the operation that wrote it). Reads into a mapping: what is stored in the mapping. Reads into anonymous
  // memory: empty.
  absl::Span<const Stamp> stamps;
  // Write where the file ends. GenericWrite finds the place; a file system that writes in parts does so itself, under its locks,
  // with Placed, or each part would look again (B39). The stamps are named from 0 and renamed to the place.
  bool append = false;
  bool renames_stamps = false;
  bool sync = false;     // O_DSYNC: what was written is on the device when the call returns
  bool nofault = false;  // direct I/O: user pages that are not present are not faulted in: kFault with what was done so far

  Io Placed(uint32_t position) const {
    Io placed = *this;
    placed.append = false;
    placed.renames_stamps = true;
    placed.offset_cells = position;
    return placed;
  }
  // What is left of it when the first `done` cells are done.
  Io Rest(uint32_t done) const {
    Io rest = *this;
    rest.offset_cells += done;
    rest.length_cells -= done;
    rest.buffer.offset_cells += done;
    if (!stamps.empty()) rest.stamps = stamps.subspan(done);
    return rest;
  }
};

struct Result {
  Error error = Error::kOk;      // why it stopped early, if not at the end of file; cells_done may be > 0 then
  uint32_t offset_cells = 0;     // of an append: where it came to lie
  uint32_t cells_done = 0;       // short at the end of file or after an error
  // Reads and loads: what was read from the file, cells_done of them. Writes from a mapping: what was read from the mapping.
  std::vector<Stamp> seen;
  // Direct writes: a page of the range was dirtied meanwhile, so that what was written may be lost. If it was still dirty at
  // the second invalidation, that failed and left an error for fsync; if it had been written back before, nobody is told.
  bool cache_conflict = false;
  // Where the operation moved or dropped the data that it was about; else where it ended.
  lockdep::Site site;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_RESULT_H_
