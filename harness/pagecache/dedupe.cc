// FIDEDUPERANGE's comparison (protocols 1.4.14): both files frozen, pages read below the fill lock, compared under both folio
// locks. Folios are locked in order of (inode number, index): the kernel orders by index alone, and is saved by the i_rwsem
// pair where the indices are equal.
#include <algorithm>

#include "harness/pagecache/filemap.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/reflink.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {
namespace {

class DedupeCompare {
 public:
  explicit DedupeCompare(World& world) : world_(world) {}
  // Compares `cells` cells that lie in one page of each file.
  Error Page(Inode& a, uint32_t a_cell, Inode& b, uint32_t b_cell, uint32_t cells);

 private:
  Error ReadPage(Inode& inode, uint32_t page, Folio** folio);
  bool Swap(const Inode& a, uint32_t a_page, const Inode& b, uint32_t b_page) const;
  World& world_;
};

// read_mapping_page.
Error DedupeCompare::ReadPage(Inode& inode, uint32_t page, Folio** found) {
  Filemap filemap(world_);
  Folio* folio = filemap.GetLocked(inode.mapping, page);
  if (folio == nullptr) return Error::kNoMemory;
  Error error = Error::kOk;
  if (folio->uptodate) {
    folio->lock.Unlock();
  } else if (filemap.SubmitRead(*folio) == Error::kTruncatedPage) {
    world_.memory().Put(*folio);
    return ReadPage(inode, page, found);
  } else {
    folio->lock.WaitUnlocked();
    if (!folio->uptodate) error = Error::kIo;
  }
  if (error == Error::kOk) {
    *found = folio;
  } else {
    world_.memory().Put(*folio);
  }
  return error;
}

// Which folio is locked first. B66: the first argument's.
bool DedupeCompare::Swap(const Inode& a, uint32_t a_page, const Inode& b, uint32_t b_page) const {
  if (world_.bugs().Has(Bug::kB66DedupePageOrder)) return false;
  return a.number > b.number || (&a == &b && a_page > b_page);
}

// Both ranges are equal and frozen. A folio that somebody dirtied past all locks (a pinned one) keeps its own block.
void SharePages(World& world, Inode& first, uint32_t first_cell, Inode& second, uint32_t second_cell, uint32_t cells) {
  if (first_cell % kPageCells != 0 || second_cell % kPageCells != 0) return;
  for (uint32_t page = 0; page < cells / kPageCells; ++page) {
    const uint32_t from = PageOf(first_cell) + page;
    const uint32_t to = PageOf(second_cell) + page;
    bool settled = true;
    for (const Folio* folio : {first.mapping.pages[from], second.mapping.pages[to]}) {
      if (folio == nullptr) continue;
      // A range lock keeps no fill waiting that has been submitted already.
      settled &= !(world.fs().HasRangeLock() && folio->lock.locked());
      settled &= !folio->dirty_tag && !folio->writeback.is_set() && folio->pins == 0;
    }
    if (settled && &first != &second) Remap(world).SharePage(first, from, second, to);
  }
}

Error DedupeCompare::Page(Inode& a, uint32_t a_cell, Inode& b, uint32_t b_cell, uint32_t cells) {
  for (;;) {
    Folio* fa = nullptr;
    Folio* fb = nullptr;
    if (const Error error = ReadPage(a, PageOf(a_cell), &fa); error != Error::kOk) return error;
    if (const Error error = ReadPage(b, PageOf(b_cell), &fb); error != Error::kOk) {
      world_.memory().Put(*fa);
      return error;
    }
    const bool swap = Swap(a, PageOf(a_cell), b, PageOf(b_cell));
    (swap ? fb : fa)->lock.Lock();
    if (fa != fb) (swap ? fa : fb)->lock.Lock();
    const bool valid = fa->mapping == &a.mapping && fb->mapping == &b.mapping && fa->uptodate && fb->uptodate;
    bool equal = true;
    for (uint32_t i = 0; valid && i < cells; ++i) {
      equal &= fa->cells[(a_cell + i) % kPageCells] == fb->cells[(b_cell + i) % kPageCells];
    }
    if (fa != fb) fb->lock.Unlock();
    fa->lock.Unlock();
    world_.memory().Put(*fa);
    world_.memory().Put(*fb);
    if (valid) return equal ? Error::kOk : Error::kDiffers;
  }
}

}  // namespace

Result World::Dedupe(Inode& first, uint32_t first_offset_cells, Inode& second, uint32_t second_offset_cells,
                     uint32_t length_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  if (!fs_.SharesBlocks()) return Finish(first, {.error = Error::kInvalid});
  Result result;
  fs_.TwoInodesEnter(*this, first, second);
  first.dio.WaitZero();
  if (&first != &second) second.dio.WaitZero();
  const auto flush = [&](Inode& inode, uint32_t offset) {
    if (result.error != Error::kOk) return;
    result.error = Writeback(*this).Range(inode, PageOf(offset), PagesFor(offset + length_cells));
  };
  flush(first, first_offset_cells);
  flush(second, second_offset_cells);
  scheduler().Point(OperationKind::kRead, first.id);
  const auto room = [](const Inode& inode, uint32_t offset) { return inode.i_size - std::min(inode.i_size, offset); };
  const uint32_t length =
      std::min({length_cells, room(first, first_offset_cells), room(second, second_offset_cells)});
  for (uint32_t at = 0; at < length && result.error == Error::kOk;) {
    const uint32_t a = first_offset_cells + at;
    const uint32_t b = second_offset_cells + at;
    const uint32_t cells =
        std::min({length - at, kPageCells - a % kPageCells, kPageCells - b % kPageCells});
    result.error = DedupeCompare(*this).Page(first, a, second, b, cells);
    at += cells;
    if (result.error == Error::kOk) result.cells_done = at;
  }
  if (result.error == Error::kOk && result.cells_done > 0) {
    fs_.RemapPrepared(*this, first, second);
    fs_.SharingEnter(*this, first, second);
    fs_.ExtentsEnter(*this, second, PageOf(second_offset_cells), PagesFor(second_offset_cells + result.cells_done));
    SharePages(*this, first, first_offset_cells, second, second_offset_cells, result.cells_done);
    fs_.ExtentsExit(*this, second);
    fs_.SharingExit(*this, first, second);
  }
  fs_.RemapExit(*this, first, second);
  second.last_operation = {"Dedupe", lockdep::Site::Here()};
  return Finish(first, std::move(result));
}

}  // namespace ordeal::pagecache
