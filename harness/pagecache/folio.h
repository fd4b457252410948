// A folio of one page: memory, its lock bit and its state bits.
//
// Thread-safety: tasks of one simulation.
// Invariants:    mapping and index are stable under the lock; mapping is NULL after removal from the page tree and never set
//                again; uptodate is set only by the lock's owner (or the read's completion, which then unlocks);
//                writeback is set under the lock and cleared by the I/O's completion.
//                refs counts the page tree (1 while mapping is set), lookups, page-table entries and pins.
// Cost:          pooled: taken from and returned to the memory pool without heap allocation.
// Example:       folio.lock.Lock(); if (folio.mapping == &mapping) { ... } folio.lock.Unlock();
#ifndef ORDEAL_HARNESS_PAGECACHE_FOLIO_H_
#define ORDEAL_HARNESS_PAGECACHE_FOLIO_H_

#include "harness/pagecache/lock_classes.h"
#include "harness/pagecache/stamp.h"
#include "harness/sync/page_lock.h"
#include "harness/sync/wait_queue.h"

namespace ordeal::pagecache {

class AddressSpace;

struct Folio {
  Folio(Simulation& sim, const LockClasses& classes, uint32_t number, uint64_t order_key)
      : lock(sim, classes.folio_lock, "folio", number, order_key),
        writeback(sim, classes.folio_writeback, "writeback of folio", number) {
    cells.fill(Stamp::Make(StampKind::kPoisonPage, 0, number, 0));
  }

  ObjectId id() const { return lock.id(); }

  PageLock lock;
  WritebackBit writeback;
  AddressSpace* mapping = nullptr;
  uint32_t index = 0;
  uint32_t slot = 0;  // in the memory pool
  int node = 0;       // whose memory it is
  bool abandoned = false;  // by a node that has died
  bool uptodate = false;
  bool dirty = false;
  bool dirty_tag = false;  // of the page tree: from dirtying until write-back is set, so that a flush misses nothing between
  int refs = 1;      // of whom allocated it
  int pins = 0;      // of direct reads, whose DMA will change it; each is also a ref
  int mapcount = 0;  // page-table entries; each is also a ref
  PageCells cells;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_FOLIO_H_
