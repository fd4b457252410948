#include "harness/pagecache/memory.h"

#include <algorithm>

#include "harness/pagecache/filemap.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/writeback.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

constexpr int kAllocationAttempts = 6;       // then ENOMEM; the kernel would try for ever or kill somebody
constexpr int64_t kReclaimPauseNs = 50 * kStepNs;
constexpr int kKswapdRounds = 8;             // fruitless ones, before it sleeps until the next allocation

}  // namespace

void Memory::Reset(uint32_t folios, bool with_kswapd) {
  LD_CHECK(folios >= 4, "a machine needs at least 4 folios");
  folios_ = folios;
  low_watermark_ = std::max(2u, folios / 4);
  with_kswapd_ = with_kswapd;
  while (slots_.size() < folios) slots_.push_back(std::make_unique<std::optional<Folio>>());
  for (auto& slot : slots_) slot->reset();
  free_.clear();
  for (uint32_t i = folios; i > 0; --i) free_.push_back(i - 1);
  lru_.clear();
  allocated_total_ = 0;
}

void Memory::Begin() {
  id_ = world_.scheduler().NewObject("memory");
  kswapds_.assign(static_cast<size_t>(world_.options().nodes), {});
  if (!with_kswapd_) return;
  for (int node = 0; node < world_.options().nodes; ++node) {
    kswapds_[static_cast<size_t>(node)].task =
        world_.scheduler().Spawn("kswapd", [this, node] { Kswapd(node); }, TaskKind::kDaemon);
  }
}

Folio* Memory::Allocate(AddressSpace& mapping, uint32_t index, Gfp gfp) {
  Scheduler& scheduler = world_.scheduler();
  const bool enters_fs = gfp == Gfp::kKernel && MayEnterFs();
  const bool memalloc = world_.task().memalloc;  // who reclaims takes what is free, and never reclaims for itself
  if (!memalloc) {
    if (scheduler.ChooseFault(ChoiceKind::kAllocation, 2, id_) == 1) return nullptr;
    if (scheduler.ChooseFault(ChoiceKind::kMemoryPressure, 2, id_) == 1) Press(mapping.host.node, enters_fs);
  }
  for (int attempt = 0; free_.empty(); ++attempt) {
    WakeKswapds();
    if (memalloc || attempt == kAllocationAttempts) return nullptr;
    if (ReclaimDirectly(mapping.host.node, enters_fs)) continue;
    if (gfp == Gfp::kNoRetry) return nullptr;
    scheduler.Sleep(kReclaimPauseNs);
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  if (low()) WakeKswapds();
  const uint64_t order_key = (static_cast<uint64_t>(mapping.host.number) << 32) | index;
  Folio& folio = slots_[slot]->emplace(world_.sim(), world_.classes(), ++allocated_total_, order_key);
  folio.slot = slot;
  folio.index = index;
  folio.node = mapping.host.node;
  return &folio;
}

void Memory::Put(Folio& folio) {
  if (world_.scheduler().unwinding() || --folio.refs > 0) return;
  LD_CHECK(folio.refs == 0 && folio.mapping == nullptr && folio.mapcount == 0 && folio.pins == 0,
           "a folio is freed while it is in use");
  LD_CHECK(!folio.lock.locked() && !folio.writeback.is_set(), "a folio is freed while it is locked or written");
  const uint32_t slot = folio.slot;
  slots_[slot]->reset();
  free_.push_back(slot);
}

void Memory::RemoveFromLru(Folio& folio) {
  const auto it = std::find(lru_.begin(), lru_.end(), &folio);
  LD_CHECK(it != lru_.end(), "a folio of a page tree is not in the LRU list");
  lru_.erase(it);
}

// A task that holds a transaction, or says so, allocates without entering the file system.
bool Memory::MayEnterFs() const {
  const TaskState& task = world_.task();
  return !task.nofs && !task.memalloc && task.transactions == 0;
}

// Free folios are there, but not for this one: it reclaims one, and kswapd has a round to do.
void Memory::Press(int node, bool enters_fs) {
  kswapds_[static_cast<size_t>(node)].pressed = true;
  WakeKswapds();
  ReclaimDirectly(node, enters_fs);
}

// try_to_free_pages.
bool Memory::ReclaimDirectly(int node, bool enters_fs) {
  world_.task().memalloc = true;
  const bool reclaimed = ReclaimOne(node, enters_fs);
  world_.task().memalloc = false;
  return reclaimed;
}

// A round of reclaim: one clean folio, or one inode, that nobody uses (which is a choice). False: there was none, or it slipped.
bool Memory::ReclaimOne(int node, bool enters_fs) {
  absl::InlinedVector<Folio*, 16> candidates;
  for (Folio* folio : lru_) {
    const bool idle = folio->node == node && folio->refs == 1 + folio->mapcount && folio->pins == 0;
    if (idle && !folio->dirty && !folio->writeback.is_set() && !folio->lock.locked()) candidates.push_back(folio);
  }
  absl::InlinedVector<Inode*, 4> inodes;
  if (enters_fs) world_.AppendUnused(node, &inodes);
  if (candidates.empty() && inodes.empty()) return false;
  const int pick =
      world_.scheduler().Choose(ChoiceKind::kEviction, static_cast<int>(candidates.size() + inodes.size()), id_);
  if (static_cast<size_t>(pick) >= candidates.size()) {
    world_.EvictForMemory(*inodes[static_cast<size_t>(pick) - candidates.size()]);
    return true;
  }
  Folio& folio = *candidates[static_cast<size_t>(pick)];
  Get(folio);
  const bool reclaimed = Filemap(world_).TryReclaim(folio, 1);
  Put(folio);
  return reclaimed;
}

// kswapd holds no lock when it starts a round; it writes dirty folios that it can lock at once.
bool Memory::WriteOne(int node) {
  for (size_t i = 0; i < lru_.size(); ++i) {
    Folio& folio = *lru_[i];
    if (folio.node != node || !folio.dirty || folio.writeback.is_set() || folio.lock.locked()) continue;
    Get(folio);
    const bool locked = folio.lock.TryLock();
    bool started = false;
    if (locked && folio.mapping != nullptr && folio.dirty && !folio.writeback.is_set()) {
      Writeback(world_).Start(folio.mapping->host, folio);
      started = true;
    } else if (locked) {
      folio.lock.Unlock();
    }
    Put(folio);
    return started;
  }
  return false;
}

// Only from its own wait: it may be blocked on a lock, which must not see it come back early.
void Memory::WakeKswapds() {
  for (KswapdState& kswapd : kswapds_) {
    if (!kswapd.idle) continue;
    kswapd.idle = false;
    world_.scheduler().Wake(kswapd.task);
  }
}

void Memory::Abandon(int node) {
  std::erase_if(lru_, [node](const Folio* folio) { return folio->node == node; });
  const size_t slots = slots_.size();
  for (size_t i = 0; i < slots; ++i) {
    if (!slots_[i]->has_value() || (*slots_[i])->node != node || (*slots_[i])->abandoned) continue;
    (*slots_[i])->abandoned = true;
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<std::optional<Folio>>());
  }
}

void Memory::Kswapd(int node) {
  Scheduler& scheduler = world_.scheduler();
  int fruitless = 0;
  world_.task().memalloc = true;
  for (;;) {
    KswapdState& self = kswapds_[static_cast<size_t>(node)];
    if ((!low() && !self.pressed) || fruitless == kKswapdRounds) {
      fruitless = 0;
      self.idle = true;
      scheduler.Block({.kind = OperationKind::kWait, .object = id_});
      continue;
    }
    scheduler.Point(OperationKind::kWait, id_);
    self.pressed = false;
    if (ReclaimOne(node, true) || WriteOne(node)) {
      fruitless = 0;
      continue;
    }
    ++fruitless;
    scheduler.Sleep(kReclaimPauseNs);
  }
}

Result World::DropCaches(Inode& file) {
  Result result;
  Filemap filemap(*this);
  for (uint32_t page = 0; page < kFilePagesMax; ++page) {
    if (file.mapping.pages[page] == nullptr) continue;
    Folio* folio = filemap.Get(file.mapping, page);
    if (folio == nullptr) continue;
    if (!folio->dirty && filemap.TryReclaim(*folio, 1)) result.cells_done += kPageCells;
    memory_.Put(*folio);
  }
  return Finish(file, std::move(result));
}

}  // namespace ordeal::pagecache
