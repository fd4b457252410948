#include "lockdep/runtime/task_context.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/runtime/history.h"

namespace ordeal::lockdep {

std::string LockMap::InstanceName() const {
  return instance_number == 0 ? std::string(instance) : absl::StrCat(instance, " ", instance_number);
}

void HeldStack::Grow() {
  const size_t capacity = capacity_ == 0 ? 16 : capacity_ * 2;
  blocks_.push_back(std::make_unique<HeldLock[]>(capacity));
  std::copy(data_, data_ + size_, blocks_.back().get());
  __atomic_store_n(&data_, blocks_.back().get(), __ATOMIC_RELAXED);
  capacity_ = capacity;
}

void HeldStack::Erase(size_t i) {
  for (; i + 1 < size_; ++i) {
    __atomic_store_n(&data_[i].map, data_[i + 1].map, __ATOMIC_RELAXED);
    data_[i].previous_key = data_[i + 1].previous_key;
    data_[i].word = data_[i + 1].word;
    data_[i].site = data_[i + 1].site;
    data_[i].pins = data_[i + 1].pins;
    data_[i].nest = data_[i + 1].nest;
  }
  SetSize(size_ - 1);
}

TaskContext::TaskContext(const char* name, uint32_t id) : name_(name), id_(id) {}
TaskContext::~TaskContext() = default;

bool TaskContext::Holds(const LockMap& map) const {
  return std::any_of(held_.begin(), held_.end(), [&](const HeldLock& held) { return held.map == &map; });
}

void TaskContext::Reset(const char* name, uint32_t id) {
  name_ = name;
  id_ = id;
  key_ = seed_;
  context_ = kHardirqsOn | kSoftirqsOn;
  held_.Truncate(0);
  hardirq_depth_ = 0;
  softirq_depth_ = 0;
  allocation_scopes_ = 0;
  if (history_ != nullptr) spare_history_ = std::move(history_);
}

}  // namespace ordeal::lockdep
