#include "harness/filesystems/filesystems.h"

#include <algorithm>

#include "harness/filesystems/vfs/vfs.h"
#include "harness/filesystems/vfs_2020/vfs_2020.h"
#include "harness/filesystems/xfs/xfs.h"

namespace ordeal {
namespace {

using pagecache::Bug;

struct Switch {
  const char* id;
  Bug bug;
};
// Some catalogue entries are different findings of one mistake.
constexpr Switch kSwitches[] = {
    {"B01", Bug::kB01ReadFillSkipsInvalidateLock},
    {"B02", Bug::kB02FaultFillSkipsInvalidateLock},
    {"B09", Bug::kB09NoMappingRecheck},
    {"B14", Bug::kB14InvalidateOnlyBefore},
    {"B16", Bug::kB16InvalidateBeforeConversion},
    {"B17", Bug::kB17SilentInvalidateFailure},
    {"B18", Bug::kB18DirectReadSkipsFlush},
    {"B27", Bug::kB27WriteFaultsUnderPageLock},
    {"B28", Bug::kB27WriteFaultsUnderPageLock},
    {"B67", Bug::kB67ArgumentOrder},
    {"B70", Bug::kB70NestedInvalidateLock},
};

std::vector<FileSystemDescription> MakeFileSystemTable() {
  return {
      {"vfs", "VFS since 5.15: invalidate_lock around fills; ext4-like extents and direct I/O", {}},
      {"vfs-2020", "VFS before 5.15: no lock between fills and punch hole (historical)", {"B01", "B02", "B05"}},
      {"xfs", "XFS 5.15 to 6.1: IOLOCK, MMAPLOCK, ILOCK", {}},
  };
}

std::vector<BugDescription> MakeBugTable() {
  const std::vector<std::string> all = {"vfs", "vfs-2020", "xfs"};
  const std::vector<std::string> locked = {"vfs", "xfs"};
  return {
      {"B01", "punch-hole-vs-read-fill", {"vfs"}, "stale exposure", "data, invariant S10", "no",
       "730633f0b7f9 d4f5258eae7b", "a buffered read fills a page between a punch's drop of pages and free of blocks"},
      {"B02", "punch-hole-vs-fault", locked, "stale exposure", "data, invariant S10", "no",
       "ea3d7209ca01 075a924d45cc", "a page fault fills a page between a punch's drop of pages and free of blocks"},
      {"B05", "mkwrite-vs-punch-hole", {}, "corruption", "data, invariant S4", "no", "ea3d7209ca01 075a924d45cc",
       "page_mkwrite dirties a page over a block that a punch is freeing"},
      {"B14", "direct-write-invalidates-only-before", all, "incoherence", "data, invariant S1", "no",
       "65b8291c4000 bdb76ef5a4bc", "a page filled during a direct write stays cached with the old content"},
      {"B16", "invalidate-before-conversion", all, "incoherence", "data, invariant S1", "no", "5e25c269e17d c771c14baa33",
       "a direct write invalidates before its extents become readable; a read in between caches zeros"},
      {"B27", "write-from-own-mapping", all, "deadlock", "wait-for graph", "no", "08291429cfa6",
       "write(2) faults in its source page with the destination folio locked: the same page"},
      {"B28", "writers-crossing-mappings", all, "deadlock", "wait-for graph", "no", "08291429cfa6",
       "two write(2) fault in each other's locked destination page"},
      {"B09", "no-mapping-recheck", locked, "use of a truncated page", "invariant S2, data", "no", "edc58dd0123b",
       "a folio that was truncated while its lock was awaited is used as if it were cached"},
      {"B17", "silent-invalidate-failure", locked, "lost write", "data", "no", "5a9d929d6e13",
       "a direct write cannot invalidate a page that was stored to meanwhile, and does not say so"},
      {"B18", "direct-read-skips-flush", all, "incoherence", "data", "no", "c58cb165bd44",
       "a direct read does not write dirty pages back first"},
      {"B70", "nested-invalidate-lock", locked, "deadlock", "wait-for graph", "yes", "",
       "a wrapper takes the fill lock around a fault that takes it again; a punch queues in between"},
      {"B67", "two-inode-argument-order", all, "deadlock", "wait-for graph", "partly", "",
       "two-inode locks are taken in argument order: two dedupes with swapped files"},
  };
}

template <typename FileSystemType>
std::unique_ptr<pagecache::FileSystem> Make(const pagecache::BugSet& bugs) {
  return std::make_unique<FileSystemType>(bugs);
}

}  // namespace

const std::vector<FileSystemDescription>& FileSystemTable() {
  static const auto& table = *new std::vector<FileSystemDescription>(MakeFileSystemTable());
  return table;
}

const std::vector<BugDescription>& BugTable() {
  static const auto& table = *new std::vector<BugDescription>(MakeBugTable());
  return table;
}

std::unique_ptr<pagecache::FileSystem> MakeFileSystem(const std::string& name,
                                                      absl::Span<const std::string> bug_ids) {
  pagecache::BugSet bugs;
  for (const std::string& id : bug_ids) {
    const auto bug = std::find_if(BugTable().begin(), BugTable().end(),
                                  [&](const BugDescription& b) { return b.id == id; });
    if (bug == BugTable().end()) return nullptr;
    if (std::find(bug->filesystems.begin(), bug->filesystems.end(), name) == bug->filesystems.end()) return nullptr;
    for (const Switch& s : kSwitches) {
      if (id == s.id) bugs.Add(s.bug);
    }
  }
  if (name == "vfs") return Make<Vfs>(bugs);
  if (name == "vfs-2020") return Make<Vfs2020>(bugs);
  if (name == "xfs") return Make<Xfs>(bugs);
  return nullptr;
}

}  // namespace ordeal
