#include "lockdep/graph/lock_class.h"

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kExclusive: return "exclusive";
    case Mode::kShared: return "shared";
    case Mode::kSharedRecursive: return "shared-recursive";
  }
  return "unknown";
}

LockClassId LockClassTable::Register(absl::string_view name, LockClassOptions options) {
  std::string key(name.data(), name.size());
  const auto [it, inserted] = by_name_.try_emplace(key, LockClassId{size()});
  if (inserted) {
    classes_.push_back({std::move(key), options});
  } else {
    LD_CHECK(at(it->second).options == options,
             absl::StrCat("lock class '", name, "' is registered twice with different options"));
  }
  return it->second;
}

std::string LockClassTable::NodeName(NodeId node) const {
  const LockClass& lock_class = at(ClassOf(node));
  if (SubclassOf(node) == 0) return lock_class.name;
  return absl::StrCat(lock_class.name, "/", SubclassOf(node));
}

}  // namespace ordeal::lockdep
