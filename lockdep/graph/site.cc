#include "lockdep/graph/site.h"

#include <atomic>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

std::atomic<SiteNamer> site_namer{nullptr};

// This file's own __FILE__ ends in its path from the repository's top; what precedes it is the prefix to strip.
size_t PrefixLength() {
  static const size_t length = std::strlen(__FILE__) - std::strlen("lockdep/graph/site.cc");
  return length;
}

}  // namespace

void SetSiteNamer(SiteNamer namer) { site_namer.store(namer, std::memory_order_release); }

std::string Site::ToString() const {
  if (line == kAddress) {
    if (const SiteNamer namer = site_namer.load(std::memory_order_acquire); namer != nullptr) return namer(file);
    return absl::StrCat("0x", absl::Hex(reinterpret_cast<uintptr_t>(file)));
  }
  if (file[0] == '\0') return "an unknown place";
  if (line == kText) return file;
  const size_t prefix = PrefixLength();
  const bool ours = std::strlen(file) > prefix && std::memcmp(file, __FILE__, prefix) == 0;
  return absl::StrCat(ours ? file + prefix : file, ":", line);
}

bool operator==(const Site& a, const Site& b) {
  if (a.line != b.line) return false;
  return a.file == b.file || (a.line != Site::kAddress && std::strcmp(a.file, b.file) == 0);
}

}  // namespace ordeal::lockdep
