#include "harness/filesystems/btrfs/ordered_extents.h"

#include "lockdep/support/check.h"

namespace ordeal {

OrderedExtent::OrderedExtent(Simulation& sim, lockdep::LockClassId event_class, uint32_t inode_number, uint32_t begin,
                             uint32_t end)
    : begin_(begin), end_(end), queue_(sim, event_class, "ordered extent of inode", inode_number) {
  queue_.set_trigger(sim.scheduler().current());
  queue_.Owe();
}

void OrderedExtent::Wait() {
  queue_.WaitUntil([this] { return finished_; });
}

void OrderedExtent::Finish() {
  finished_ = true;
  queue_.WakeAll();
}

void OrderedExtents::Add(uint32_t begin, uint32_t end) {
  LD_CHECK(Find(begin, end) == nullptr, "an ordered extent over another one");
  extents_.push_back(std::make_unique<OrderedExtent>(sim_, event_class_, inode_number_, begin, end));
}

void OrderedExtents::Finish(uint32_t begin, uint32_t end) {
  for (const auto& extent : extents_) {
    if (extent->Is(begin, end)) return extent->Finish();
  }
}

void OrderedExtents::MightWait() {
  might_wait_.WaitUntil([] { return true; });
}

void OrderedExtents::WaitForAll() {
  MightWait();
  while (OrderedExtent* extent = Find(0, UINT32_MAX)) extent->Wait();
}

OrderedExtent* OrderedExtents::Find(uint32_t begin, uint32_t end) const {
  for (const auto& extent : extents_) {
    if (extent->Overlaps(begin, end)) return extent.get();
  }
  return nullptr;
}

}  // namespace ordeal
