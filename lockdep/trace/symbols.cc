#include "lockdep/trace/symbols.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {

uint32_t Interner::Insert(absl::string_view text) {
  const uint32_t index = size();
  strings_.emplace_back(text.data(), text.size());
  index_.emplace(strings_.back(), index);
  return index;
}

uint32_t Interner::Find(absl::string_view text) const {
  const auto found = index_.find(text);
  return found == index_.end() ? kNoIndex : found->second;
}

uint32_t TraceSymbols::Task(absl::string_view name) {
  const uint32_t task = tasks_.Intern(name);
  if (task == roles_.size()) roles_.emplace_back();
  return task;
}

uint32_t TraceSymbols::Class(absl::string_view id) {
  const uint32_t lock_class = classes_.Intern(id);
  if (lock_class == class_rows_.size()) class_rows_.push_back({std::string(id), {}});
  return lock_class;
}

uint32_t TraceSymbols::Lock(absl::string_view name) {
  const uint32_t lock = locks_.Intern(name);
  if (lock == lock_rows_.size()) lock_rows_.push_back({.lock_class = Class(name)});
  return lock;
}

uint32_t TraceSymbols::SiteIndex(absl::string_view text) {
  const uint32_t site = sites_.Intern(text);
  if (site < site_rows_.size()) return site;
  int line = 0;
  const size_t colon = text.rfind(':');
  absl::string_view file = text.substr(0, colon);
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(text.substr(colon + 1), &line) || line < 0) {
    file = text;
    line = Site::kText;
  }
  site_rows_.push_back({files_.Intern(file), line});
  return site;
}

void TraceSymbols::DeclareClass(uint32_t lock_class, absl::string_view name, const LockClassOptions& options) {
  class_rows_[lock_class] = {std::string(name), options};
}

uint32_t TraceSymbols::DeclareLock(absl::string_view name, uint32_t lock_class, uint64_t order_key, uint32_t count) {
  const uint32_t lock = locks_.Intern(name);
  if (lock == lock_rows_.size()) lock_rows_.emplace_back();
  lock_rows_[lock] = {lock_class, order_key, count};
  return lock;
}

Site TraceSymbols::SiteOf(uint32_t site) const {
  if (site == kNoIndex) return {};
  const SiteRow& row = site_rows_[site];
  return {files_.at(row.file).c_str(), row.line};
}

std::string EventText(const LockEvent& event, const TraceSymbols& symbols) {
  std::string text = absl::StrCat(symbols.task_name(event.task), " ", EventOpName(event.op));
  switch (ObjectOf(event.op)) {
    case ObjectKind::kNone: break;
    case ObjectKind::kLock: absl::StrAppend(&text, " ", symbols.lock_name(event.object)); break;
    case ObjectKind::kTask: absl::StrAppend(&text, " ", symbols.task_name(event.object)); break;
    case ObjectKind::kVariable: absl::StrAppend(&text, " ", symbols.variable_name(event.object)); break;
    case ObjectKind::kClass: absl::StrAppend(&text, " ", symbols.class_id(event.object)); break;
  }
  if (event.site != kNoIndex) absl::StrAppend(&text, " at ", symbols.site_text(event.site));
  return text;
}

}  // namespace ordeal::lockdep
