// What the scenarios of reclaim and write-back share: pages with a lock and a write-back bit, a device, requests that stay in a
// task's plug until they are submitted, and a pool of memory with kswapd and direct reclaim.
//
// Write-back that is in a plug waits for the task of the plug; submitted, for the device, which always gets there. Who waits
// for memory waits for any one of kswapd and the direct reclaimers.
// Source: protocols 1.1, 1.4.11, 1.4.12, 4.7.
//
// Thread-safety: tasks of one simulation.
// Lock order:    page locks by ascending index; what is allocated under one must not enter file systems.
// Example:
//   BlockDevice device(sim);
//   CachePage page(sim, 0);
//   WriteBio bio(device, scheduler.current());
//   page.lock.Lock(); bio.Add(page); page.lock.Unlock();
//   bio.Submit();                 // from here on write-back of the page ends by itself
//   page.writeback.WaitClear();
#ifndef ORDEAL_HARNESS_CATALOGUE_RECLAIM_RECLAIM_WORLD_H_
#define ORDEAL_HARNESS_CATALOGUE_RECLAIM_RECLAIM_WORLD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "harness/sync/page_lock.h"
#include "harness/sync/plugged_request.h"
#include "harness/sync/wait_queue.h"
#include "lockdep/runtime/reclaim.h"

namespace ordeal {

// PG_locked, PG_writeback, PG_dirty.
struct CachePage {
  CachePage(Simulation& sim, uint32_t index);
  PageLock lock;
  WritebackBit writeback;
  bool dirty = false;
};

// Completes what is submitted, in order, in a task of its own.
class BlockDevice {
 public:
  explicit BlockDevice(Simulation& sim, const char* name = "device");
  void Submit(std::function<void()> completion);

 private:
  void Serve();

  Simulation& sim_;
  ObjectId id_;
  std::deque<std::function<void()>> queue_;
  TaskId idle_ = kNoTask;
};

// Pages under write-back, first in the plug of `owner`, then in the device. Must live until the run is over.
class WriteBio {
 public:
  WriteBio(BlockDevice& device, TaskId owner) : device_(device), request_(owner) {}
  WriteBio(const WriteBio&) = delete;
  WriteBio& operator=(const WriteBio&) = delete;
  void Add(CachePage& page);  // the caller has its lock
  void Submit();

 private:
  BlockDevice& device_;
  PluggedRequest request_;
  std::vector<CachePage*> pages_;
};

class MemoryPool {
 public:
  // Called by an allocation that finds no memory, with what it allows: frees some, or not.
  using Shrink = std::function<void(lockdep::Gfp)>;
  // `free` pages at once; `clean` more, which kswapd drops without taking any lock.
  MemoryPool(Simulation& sim, int free, int clean, Shrink shrink);
  void Allocate(lockdep::Gfp gfp, lockdep::Site site = lockdep::Site::Here());
  void Free(lockdep::Site site = lockdep::Site::Here());

 private:
  void RunKswapd();
  void WakeKswapd();
  void ReclaimDirectly(lockdep::Gfp allowed, lockdep::Site site);
  void SetTriggers();

  Simulation& sim_;
  lockdep::FsReclaim reclaim_;
  ObjectId id_;
  WaitQueue progress_;
  const Shrink shrink_;
  int free_;
  int clean_;
  bool wanted_ = false;  // kswapd has been asked
  TaskId kswapd_ = kNoTask;
  TaskId idle_kswapd_ = kNoTask;
  std::vector<TaskId> reclaimers_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_RECLAIM_RECLAIM_WORLD_H_
