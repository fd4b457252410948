// A journal as far as locks can see it (jbd2): a handle is a shared hold of the running transaction; a commit waits until all
// handles have ended and keeps new ones from starting. A handle within a handle is the outer one.
//
// Thread-safety: tasks of one simulation; made anew for each run.
// Invariants:    task().transactions is the depth of handles of a task; only the first one takes jbd2_handle.
// Lock order:    jbd2_handle before any folio lock: a transaction may span many folios.
// Example:       journal.Start(world); ... journal.Stop(world);  journal.Commit();
#ifndef ORDEAL_HARNESS_FILESYSTEMS_JOURNAL_H_
#define ORDEAL_HARNESS_FILESYSTEMS_JOURNAL_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal {

class Journal {
 public:
  explicit Journal(Simulation& sim) : running_(sim, sim.Class("jbd2_handle"), "jbd2 handle") {}

  void Start(pagecache::World& world) {
    if (world.task().transactions++ == 0) running_.LockShared();
  }
  void Stop(pagecache::World& world) {
    if (--world.task().transactions == 0) running_.UnlockShared();
  }
  // Waits for the handles of everybody else; there are no new ones meanwhile. Not by who has one.
  void Commit() {
    running_.LockExclusive();
    running_.UnlockExclusive();
  }

 private:
  RwSemaphore running_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_JOURNAL_H_
