#include "harness/catalogue/reclaim/reclaim_world.h"

#include <algorithm>
#include <utility>

namespace ordeal {
namespace {

constexpr int kHighWatermark = 2;  // kswapd stops there

}  // namespace

CachePage::CachePage(Simulation& sim, uint32_t index)
    : lock(sim, sim.Class("page_lock", {.ordered_by_key = true}), "page", index, index),
      writeback(sim, sim.Class("page_writeback", {.is_event = true}), "write-back of page", index) {}

// --- device

BlockDevice::BlockDevice(Simulation& sim, const char* name) : sim_(sim), id_(sim.scheduler().NewObject(name)) {
  sim.scheduler().Spawn(name, [this] { Serve(); }, TaskKind::kDaemon);
}

void BlockDevice::Submit(std::function<void()> completion) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kIo, id_);
  if (scheduler.unwinding()) return;
  queue_.push_back(std::move(completion));
  if (idle_ != kNoTask) scheduler.Wake(std::exchange(idle_, kNoTask));
}

void BlockDevice::Serve() {
  Scheduler& scheduler = sim_.scheduler();
  for (;;) {
    while (queue_.empty()) {
      idle_ = scheduler.current();
      scheduler.Block({.kind = OperationKind::kWait, .object = id_});
    }
    const std::function<void()> completion = std::move(queue_.front());
    queue_.pop_front();
    completion();
  }
}

void WriteBio::Add(CachePage& page) {
  page.dirty = false;
  page.writeback.queue().set_request(&request_);
  page.writeback.Set();
  pages_.push_back(&page);
}

void WriteBio::Submit() {
  request_.Submit();
  device_.Submit([this] {
    for (CachePage* page : std::exchange(pages_, {})) {
      page->writeback.queue().set_request(nullptr);
      page->writeback.Clear();
    }
  });
}

// --- memory

MemoryPool::MemoryPool(Simulation& sim, int free, int clean, Shrink shrink)
    : sim_(sim),
      reclaim_(sim.validator()),
      id_(sim.scheduler().NewObject("free memory")),
      progress_(sim, sim.Class("memory_progress", {.is_event = true}), "memory"),
      shrink_(std::move(shrink)),
      free_(free),
      clean_(clean) {
  kswapd_ = sim.scheduler().Spawn("kswapd", [this] { RunKswapd(); }, TaskKind::kDaemon);
  SetTriggers();
}

void MemoryPool::Allocate(lockdep::Gfp gfp, lockdep::Site site) {
  lockdep::TaskContext& task = sim_.context();
  reclaim_.Alloc(task, gfp, site);
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kWrite, id_, site);
  if (free_ == 0) {
    WakeKswapd();
    const lockdep::Gfp allowed = lockdep::FsReclaim::Effective(task, gfp);
    if (allowed.may_reclaim) ReclaimDirectly(allowed, site);
    // Others may have taken what kswapd has freed since it was asked.
    progress_.WaitUntil(
        [this] {
          if (free_ == 0) WakeKswapd();
          return free_ > 0;
        },
        site);
  }
  --free_;
}

void MemoryPool::WakeKswapd() {
  wanted_ = true;
  if (idle_kswapd_ != kNoTask) sim_.scheduler().Wake(std::exchange(idle_kswapd_, kNoTask));
}

void MemoryPool::Free(lockdep::Site site) {
  ++free_;
  progress_.WakeAll(site);
}

void MemoryPool::ReclaimDirectly(lockdep::Gfp allowed, lockdep::Site site) {
  lockdep::TaskContext& task = sim_.context();
  const TaskId self = sim_.scheduler().current();
  reclaimers_.push_back(self);
  SetTriggers();
  {
    const lockdep::AllocationScope memalloc(task, lockdep::FsReclaim::kMemalloc);
    if (allowed.fs) reclaim_.ReclaimBegin(task, site);
    shrink_(allowed);
    if (allowed.fs) reclaim_.ReclaimEnd(task, site);
  }
  reclaimers_.erase(std::find(reclaimers_.begin(), reclaimers_.end(), self));
  SetTriggers();
}

void MemoryPool::SetTriggers() {
  std::vector<TaskId> any = reclaimers_;
  any.push_back(kswapd_);
  progress_.set_any_trigger(any);
}

void MemoryPool::RunKswapd() {
  Scheduler& scheduler = sim_.scheduler();
  for (;;) {
    while (!wanted_ || clean_ == 0) {
      idle_kswapd_ = scheduler.current();
      scheduler.Block({.kind = OperationKind::kWait, .object = id_});
    }
    scheduler.Point(OperationKind::kWrite, id_);
    --clean_;
    Free();
    if (free_ >= kHighWatermark) wanted_ = false;
  }
}

}  // namespace ordeal
