#include "harness/pagecache/dirty_throttle.h"

#include <algorithm>

#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {
namespace {

constexpr uint32_t kRoundsMax = 3;  // that one writer waits for

}  // namespace

DirtyThrottle::DirtyThrottle(World& world)
    : world_(world),
      progress_(world.sim(), world.classes().balance_dirty, "balance_dirty_pages"),
      id_(world.scheduler().NewObject("flusher")) {
  flusher_ = world.scheduler().Spawn("flusher", [this] { Flush(); }, TaskKind::kDaemon);
  progress_.set_trigger(flusher_);
}

uint32_t DirtyThrottle::DirtyFolios() const {
  const auto dirty = [](const Folio* folio) { return folio->dirty || folio->writeback.is_set(); };
  return static_cast<uint32_t>(std::count_if(world_.memory().lru().begin(), world_.memory().lru().end(), dirty));
}

// Only from its own wait: it may be blocked on a lock.
void DirtyThrottle::WakeFlusher() {
  wanted_ = true;
  if (!idle_) return;
  idle_ = false;
  world_.scheduler().Wake(flusher_);
}

void DirtyThrottle::Balance() {
  // A round under way may have passed what this task has dirtied.
  const uint32_t last = rounds_ + kRoundsMax;
  while (Exceeded() && rounds_ < last) {
    const uint32_t seen = rounds_;
    WakeFlusher();
    progress_.WaitUntil([&] { return !Exceeded() || rounds_ != seen; });
  }
}

void DirtyThrottle::Flush() {
  Scheduler& scheduler = world_.scheduler();
  for (;;) {
    if (!wanted_) {
      idle_ = true;
      scheduler.Block({.kind = OperationKind::kWait, .object = id_});
      continue;
    }
    wanted_ = false;
    for (int i = 0; i < world_.inodes(); ++i) {
      Inode& inode = world_.inode(i);
      if (inode.state == InodeState::kLive) (void)Writeback(world_).Range(inode, 0, kFilePagesMax);  // fsync tells
    }
    ++rounds_;
    progress_.WakeAll();
  }
}

void World::BalanceDirtyPages() {
  if (throttle_ != nullptr) throttle_->Balance();
}

}  // namespace ordeal::pagecache
