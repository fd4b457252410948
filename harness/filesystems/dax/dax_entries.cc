#include "harness/filesystems/dax/dax_entries.h"

#include "lockdep/support/check.h"

namespace ordeal {

DaxEntries::DaxEntries(Scheduler& scheduler) : scheduler_(scheduler) {
  for (int index = 0; index < kDaxEntries; ++index) {
    Entry& entry = entries_[static_cast<size_t>(index)];
    entry.id = scheduler.NewObject("DAX entry", static_cast<uint32_t>(index), &entry);
  }
}

bool DaxEntries::Lock(int index, lockdep::Site site) {
  Entry& entry = entries_[static_cast<size_t>(index)];
  scheduler_.Point(OperationKind::kAcquire, entry.id, site);
  while (entry.exists && entry.owner != kNoTask) {
    queue_.push_back({scheduler_.current(), index});
    scheduler_.Block({OperationKind::kAcquire, entry.id, &entry, site});
  }
  if (entry.exists) entry.owner = scheduler_.current();
  return entry.exists;
}

void DaxEntries::Unlock(int index, lockdep::Site site) {
  Entry& entry = entries_[static_cast<size_t>(index)];
  scheduler_.Point(OperationKind::kRelease, entry.id, site);
  if (scheduler_.unwinding()) return;
  LD_CHECK(entry.owner == scheduler_.current(), "only its owner unlocks an entry");
  entry.owner = kNoTask;
  Wake(index, false);
}

void DaxEntries::Delete(int index, bool wakes_one, lockdep::Site site) {
  Entry& entry = entries_[static_cast<size_t>(index)];
  scheduler_.Point(OperationKind::kRelease, entry.id, site);
  if (scheduler_.unwinding()) return;
  LD_CHECK(entry.owner == scheduler_.current(), "only its owner deletes an entry");
  entry.exists = false;
  entry.owner = kNoTask;
  Wake(index, !wakes_one);
}

void DaxEntries::Wake(int index, bool all) {
  for (size_t i = 0; i < queue_.size();) {
    if (queue_[i].index != index) {
      ++i;
      continue;
    }
    const TaskId task = queue_[i].task;
    queue_.erase(queue_.begin() + static_cast<ptrdiff_t>(i));
    scheduler_.Wake(task);
    if (!all) return;
  }
}

}  // namespace ordeal
