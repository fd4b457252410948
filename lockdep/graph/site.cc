#include "lockdep/graph/site.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

// This file's own __FILE__ ends in its path from the repository's top; what precedes it is the prefix to strip.
size_t PrefixLength() {
  static const size_t length = std::strlen(__FILE__) - std::strlen("lockdep/graph/site.cc");
  return length;
}

}  // namespace

std::string Site::ToString() const {
  if (file[0] == '\0') return "an unknown place";
  const size_t prefix = PrefixLength();
  const bool ours = std::strlen(file) > prefix && std::memcmp(file, __FILE__, prefix) == 0;
  return absl::StrCat(ours ? file + prefix : file, ":", line);
}

}  // namespace ordeal::lockdep
