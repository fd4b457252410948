#include "harness/pagecache/stamp.h"

#include "absl/strings/str_cat.h"

namespace ordeal::pagecache {

const char* StampKindName(StampKind kind) {
  switch (kind) {
    case StampKind::kZero: return "zero";
    case StampKind::kWrite: return "write";
    case StampKind::kDirect: return "direct";
    case StampKind::kStore: return "store";
    case StampKind::kPoisonFree: return "poison-free";
    case StampKind::kPoisonUninit: return "poison-uninitialised";
    case StampKind::kPoisonPage: return "poison-page";
  }
  return "unknown";
}

std::string ToString(const Stamp& stamp) {
  if (stamp == Stamp::Zero()) return "zero";
  return absl::StrCat(StampKindName(stamp.kind), "(file ", stamp.file, ", cell ", stamp.cell, ", operation ",
                      stamp.operation, ")", stamp.intact() ? "" : " torn");
}

}  // namespace ordeal::pagecache
