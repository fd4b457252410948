// What the death of a node means to its memory and to the device (protocols 2.6, 2.11: recovery of a cluster file system).
//
// The device goes on with what the node had submitted (until then it is not fenced); folios and page tables are gone. Extent
// maps are as if each change of theirs had been in the journal at once. Reservations are in memory only: a page that was dirty
// nowhere else becomes a hole again.
#include <algorithm>

#include "harness/pagecache/page_cache.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

constexpr int64_t kFencePollNs = 8 * kStepNs;

bool DirtyInMemory(const Inode& inode, uint32_t page) {
  const Folio* folio = inode.mapping.pages[page];
  return folio != nullptr && (folio->dirty || folio->dirty_tag || folio->writeback.is_set());
}

}  // namespace

void World::NodeDied(int node) {
  LD_CHECK(!NodeIsDead(node), "a node dies twice");
  dead_nodes_ |= uint32_t{1} << node;
  submitted_at_death_[static_cast<size_t>(node)] = device_.submitted();
  if (death_observer_) death_observer_(node);
}

void World::WaitForFence(int node) {
  while (device_.HasPendingUpTo(submitted_at_death_[static_cast<size_t>(node)])) scheduler().Sleep(kFencePollNs);
}

void World::ReleaseReservations(const Inode& file) {
  for (uint32_t page = 0; page < kFilePagesMax; ++page) {
    Extent& extent = file.extents[page];
    bool wanted = extent.kind != ExtentKind::kDelalloc;
    for (int node = 0; node < options_.nodes && !wanted; ++node) {
      wanted = !NodeIsDead(node) && DirtyInMemory(OnNode(file, node), page);
    }
    if (!wanted) extent = {};
  }
}

void World::FinishTruncate(const Inode& file) {
  for (uint32_t page = PageOf(file.i_size); page < kFilePagesMax; ++page) {
    Extent& extent = file.extents[page];
    if (!extent.has_block()) continue;
    if (page < PagesFor(file.i_size)) {
      PageCells& cells = device_.block(extent.block);
      std::fill(cells.begin() + file.i_size % kPageCells, cells.end(), Stamp::Zero());
    } else {
      allocator_.Free(extent.block, file.disk.number);
      extent = {};
    }
  }
}

void World::ForgetNode(int node) {
  memory_.Abandon(node);
  forgotten_nodes_ |= uint32_t{1} << node;
}

}  // namespace ordeal::pagecache
