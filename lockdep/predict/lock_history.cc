#include "lockdep/predict/lock_history.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/predict/history_builder.h"

namespace ordeal::lockdep {

bool Disjoint(const LockSet& a, const LockSet& b) {
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].instance < b[j].instance) {
      ++i;
    } else if (b[j].instance < a[i].instance) {
      ++j;
    } else {
      if (a[i].exclusive() || b[j].exclusive()) return false;
      ++i, ++j;
    }
  }
  return true;
}

LockHistory::LockHistory(const Trace& trace) : trace_(trace), order_(trace.symbols.tasks()) {
  HistoryBuilder(this).Build();
}

std::string LockHistory::InstanceName(uint32_t instance) const {
  const LockInstance& row = instances_[instance];
  const std::string& name = trace_.symbols.lock_name(row.lock);
  return row.generation == 0 ? name : absl::StrCat(name, " (made ", row.generation + 1, " times)");
}

std::string LockHistory::NodeName(NodeId node) const {
  const uint32_t lock_class = Index(ClassOf(node));
  std::string name = trace_.symbols.class_row(lock_class).name;
  if (class_versions_[lock_class] > 1) absl::StrAppend(&name, "#", class_versions_[lock_class]);
  if (SubclassOf(node) != 0) absl::StrAppend(&name, "/", SubclassOf(node));
  return name;
}

const Section* LockHistory::SectionAround(uint32_t instance, uint32_t task, uint32_t event) const {
  const std::vector<uint32_t>& ids = sections_of_instance_[instance];
  auto at = std::upper_bound(ids.begin(), ids.end(), event, [this](uint32_t e, uint32_t id) {
    return e < sections_[id].acquire_event;
  });
  const Section* other = nullptr;  // of a forker, or handed over
  for (int tries = 0; at != ids.begin() && tries < 64; ++tries) {
    const Section& section = sections_[*--at];
    if (section.acquire.task == task) return &section;
    if (other == nullptr) other = &section;
  }
  return other;
}

size_t LockHistory::MemoryBytes() const {
  size_t bytes = order_.MemoryBytes() + sections_.capacity() * (sizeof(Section) + 8);
  for (const AbstractAcquire& node : nodes_) {
    bytes += sizeof(node) + node.occurrences.capacity() * sizeof(Occurrence);
  }
  for (const LockSet& set : lock_sets_) bytes += sizeof(set) + set.capacity() * sizeof(HeldInstance);
  return bytes;
}

}  // namespace ordeal::lockdep
