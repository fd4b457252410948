// B66, B66b: a dedupe compares two pages under both page locks. Taken in the order of the arguments (B66) two dedupes with
// swapped roles wait for each other, and one of two pages of one file waits for a flusher, which locks upwards. The kernel now
// orders by index and leaves pages of equal index in the order of the arguments (B66b). With the inode locks of both files above
// them that cannot happen: of two entries here, "-under-inode-locks" has them, as every caller today does.
// Page locks are unknown to the validator, as they are to the kernel's.
// Source: edc58dd0123b; protocols 1.4.14.
#include <algorithm>
#include <optional>
#include <utility>

#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/sync/page_lock.h"
#include "harness/sync/rw_semaphore.h"

namespace ordeal {
namespace {

constexpr int kFiles = 2;
constexpr int kPages = 3;

struct Place {
  int file;
  int index;
};

class DedupePageOrder : public Scenario {
 public:
  explicit DedupePageOrder(bool inode_locks) : inode_locks_(inode_locks) {}

  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!prepared_) Prepare(run);
    for (int file = 0; file < kFiles; ++file) {
      inodes_[file].emplace(sim, inode_class_, "i_rwsem of inode", static_cast<uint32_t>(file + 1));
      for (int index = 0; index < kPages; ++index) {
        pages_[file][index].emplace(sim, page_class_, "page", static_cast<uint32_t>(file * kPages + index));
      }
    }
    Scheduler& scheduler = sim.scheduler();
    scheduler.Spawn("dedupe a0 b1", [this] { Dedupe({0, 0}, {1, 1}); });
    scheduler.Spawn("dedupe b1 a0", [this] { Dedupe({1, 1}, {0, 0}); });
    scheduler.Spawn("dedupe a2 b2", [this] { Dedupe({0, 2}, {1, 2}); });
    scheduler.Spawn("dedupe b2 a2", [this] { Dedupe({1, 2}, {0, 2}); });
    scheduler.Spawn("dedupe a1 a0", [this] { Dedupe({0, 1}, {0, 0}); });
    scheduler.Spawn("flusher", [this] { WriteBack(0); });
  }

  void Teardown() override {
    for (int file = 0; file < kFiles; ++file) {
      for (auto& page : pages_[file]) page.reset();
      inodes_[file].reset();
    }
  }

 private:
  void Prepare(ScenarioRun& run) {
    inode_class_ = run.sim().Class("i_rwsem", {.ordered_by_key = true});
    page_class_ = run.sim().Class("page_lock", {.no_validate = true});
    argument_order_ = run.HasBug("B66");
    ties_in_argument_order_ = run.HasBug("B66b");
    prepared_ = true;
  }

  bool Swapped(Place first, Place second) const {
    if (argument_order_) return false;
    if (first.index != second.index) return first.index > second.index;
    return first.file > second.file && !ties_in_argument_order_;
  }

  void Dedupe(Place first, Place second) {
    if (inode_locks_) LockInodes(first.file, second.file);
    const bool swapped = Swapped(first, second);
    PageLock& low = Page(swapped ? second : first);
    PageLock& high = Page(swapped ? first : second);
    low.Lock();
    high.Lock();
    high.Unlock();
    low.Unlock();
    if (inode_locks_) UnlockInodes(first.file, second.file);
  }

  // Collects pages upwards and unlocks them when the write is prepared, as ext4 does. Takes no inode lock.
  void WriteBack(int file) {
    for (auto& page : pages_[file]) page->Lock();
    for (auto& page : pages_[file]) page->Unlock();
  }

  void LockInodes(int first, int second) {
    const auto [low, high] = std::minmax(first, second);
    inodes_[low]->set_order_key(static_cast<uint64_t>(low));
    inodes_[high]->set_order_key(static_cast<uint64_t>(high));
    inodes_[low]->LockExclusive();
    if (low != high) inodes_[high]->LockExclusive();
  }
  void UnlockInodes(int first, int second) {
    if (first != second) inodes_[second]->UnlockExclusive();
    inodes_[first]->UnlockExclusive();
  }
  PageLock& Page(Place place) { return *pages_[place.file][place.index]; }

  const bool inode_locks_;
  bool prepared_ = false;
  bool argument_order_ = false;
  bool ties_in_argument_order_ = false;
  lockdep::LockClassId inode_class_{}, page_class_{};
  std::optional<RwSemaphore> inodes_[kFiles];
  std::optional<PageLock> pages_[kFiles][kPages];
};

}  // namespace

ScenarioEntry DedupePageOrderScenario() {
  ScenarioEntry entry;
  entry.name = "dedupe-page-order";
  entry.summary = "dedupes with swapped roles and a flusher lock the same pages, with nothing above them";
  entry.bugs = {"B66", "B66b"};
  entry.make = [] { return std::make_unique<DedupePageOrder>(false); };
  return entry;
}

ScenarioEntry DedupePageOrderUnderInodeLocksScenario() {
  ScenarioEntry entry;
  entry.name = "dedupe-page-order-under-inode-locks";
  entry.summary = "the same with the inode locks of both files held, which leaves only the flusher in the way";
  entry.bugs = {"B66"};
  entry.make = [] { return std::make_unique<DedupePageOrder>(true); };
  return entry;
}

}  // namespace ordeal
