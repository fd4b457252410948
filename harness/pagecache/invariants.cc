#include "harness/pagecache/invariants.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {
namespace {

class Checker {
 public:
  Checker(const World& world, CheckMoment moment)
      : world_(world), quiescent_(moment == CheckMoment::kQuiescent), found_(world.noted()) {}

  std::vector<InvariantViolation> Run() {
    for (int i = 0; i < world_.inodes(); ++i) {
      if (!world_.NodeIsDead(world_.inode(i).node)) CheckInode(world_.inode(i));
    }
    for (int i = 0; i < world_.mms(); ++i) {
      if (!world_.NodeIsDead(world_.mm(i).node)) CheckMm(world_.mm(i));
    }
    CheckTasks();
    world_.memory().ForEach([this](const Folio& folio) {
      if (!world_.NodeIsDead(folio.node)) CheckFolio(folio);
    });
    CheckBlocks();
    world_.fs().CheckInvariants(world_, &found_);
    return std::move(found_);
  }

 private:
  void Report(const char* id, const char* rule, std::string message) {
    found_.push_back({id, rule, std::move(message)});
  }
  void Report(const char* id, const char* rule, const Inode& inode, std::string message) {
    Report(id, rule, std::move(message));
    found_.back().last = inode.last_operation;
  }
  static std::string Place(const Folio& folio, const Inode& inode) {
    return absl::StrCat("folio at page ", folio.index, " of inode ", inode.number);
  }

  void CheckInode(const Inode& inode) {
    uint32_t pages = 0;
    for (uint32_t page = 0; page < kFilePagesMax; ++page) {
      const Folio* folio = inode.mapping.pages[page];
      if (folio == nullptr) continue;
      ++pages;
      if (folio->mapping != &inode.mapping || folio->index != page) {
        Report("S2", "a folio of the page tree says so itself", inode, Place(*folio, inode));
        continue;
      }
      CheckCached(*folio, inode);
    }
    if (pages != inode.mapping.nrpages) {
      Report("S2", "nrpages counts the page tree", inode, absl::StrCat("inode ", inode.number));
    }
    if (inode.state == InodeState::kFreed) CheckEvicted(inode);
    if (quiescent_ && inode.dio.count() != 0) {
      Report("S9", "no direct I/O is left at the end", inode, absl::StrCat("inode ", inode.number));
    }
  }

  void CheckEvicted(const Inode& inode) {
    if (inode.mapping.nrpages != 0) {
      Report("S17", "an evicted inode has no pages", inode, absl::StrCat("inode ", inode.number));
    }
    if (inode.dio.count() != 0) {
      Report("S17", "an evicted inode has no direct I/O", inode, absl::StrCat("inode ", inode.number));
    }
    for (const Extent& extent : inode.extents) {
      if (!extent.has_block() || !world_.device().HasWriteInFlight(extent.block)) continue;
      if (world_.allocator().shared(extent.block)) continue;
      Report("S17", "no write is in flight to a block of an evicted inode", inode, absl::StrCat("inode ", inode.number));
    }
  }

  void CheckCached(const Folio& folio, const Inode& inode) {
    const Extent& extent = inode.extents[folio.index];
    const bool inside = folio.index * kPageCells < inode.i_size;
    if (folio.dirty && inside && extent.kind == ExtentKind::kHole && !folio.lock.locked()) {
      Report("S4", "a dirty folio has a reserved or allocated block", inode, Place(folio, inode));
    }
    const DroppedRange& dropped = inode.dropped;
    if (dropped.active && folio.index >= dropped.begin && folio.index < dropped.end) {
      Report("S10", "no folio is cached in a range between drop of its pages and freeing of its blocks", inode,
             Place(folio, inode));
    }
    const bool settled = folio.uptodate && !folio.dirty && !folio.writeback.is_set() && !folio.lock.locked() &&
                         folio.pins == 0 && inode.dio.count() == 0 && !DirtyInPageTables(folio);
    if (!settled) return;
    for (uint32_t c = 0; c < kPageCells; ++c) {
      const uint32_t cell = folio.index * kPageCells + c;
      if (cell >= inode.i_size || folio.cells[c] == world_.DiskCell(inode, cell)) continue;
      Report("S1", "a clean folio equals its block", inode,
             absl::StrCat(Place(folio, inode), ", cell ", cell, ": cache ", ToString(folio.cells[c]), ", disk ",
                          ToString(world_.DiskCell(inode, cell))));
      return;
    }
  }

  bool DirtyInPageTables(const Folio& folio) const {
    for (int i = 0; i < world_.mms(); ++i) {
      for (const Vma& vma : world_.mm(i).vmas) {
        const Pte& pte = vma.table[folio.index];
        if (pte.folio == &folio && pte.dirty) return true;
      }
    }
    return false;
  }

  void CheckMm(const Mm& mm) {
    for (const Vma& vma : mm.vmas) {
      for (uint32_t page = 0; page < kFilePagesMax; ++page) {
        const Pte& pte = vma.table[page];
        if (pte.folio == nullptr) continue;
        const Folio& folio = *pte.folio;
        if (folio.mapping == nullptr) {
          Report("S2", "a folio that has left the page tree is not mapped", *vma.file, Place(folio, *vma.file));
          continue;
        }
        if (folio.mapping != &vma.file->mapping || folio.index != page || !folio.uptodate) {
          Report("S3", "a mapped folio is the cached one and up to date", *vma.file, Place(folio, *vma.file));
        }
        const bool beyond = page * kPageCells >= vma.file->i_size;
        const bool truncating = vma.file->i_rwsem.writer() != kNoTask;
        if (beyond && !truncating) {
          Report("S3", "no page-table entry points behind the end of file", *vma.file, Place(folio, *vma.file));
        }
        if (pte.writable && !folio.dirty && !folio.lock.locked()) {
          Report("S4", "a folio that can be stored to is dirty", *vma.file, Place(folio, *vma.file));
        }
      }
    }
  }

  // S13. A task that waits for a spin lock spins.
  void CheckTasks() {
    const Scheduler& scheduler = world_.scheduler();
    for (int t = 0; t < scheduler.tasks(); ++t) {
      const TaskId task{static_cast<uint16_t>(t)};
      const lockdep::TaskContext* context = world_.sim().context_of(task);
      if (context == nullptr || scheduler.task_state(task) != ordeal::TaskState::kBlocked) continue;
      if (const Wait* wait = scheduler.blocked_on(task); wait != nullptr && wait->waitable != nullptr) {
        const auto lock_class = wait->waitable->lock_class();
        if (lock_class.has_value() && Spins(*lock_class)) continue;
      }
      for (size_t i = 0; i < context->held().size(); ++i) {
        const lockdep::HeldLock& held = context->held()[i];
        if (!Spins(held.map->lock_class)) continue;
        Report("S13", "no task sleeps with a spin lock held",
               absl::StrCat(scheduler.task_name(task), " sleeps with ", held.map->InstanceName()));
        found_.back().site = held.site;
      }
    }
  }
  bool Spins(lockdep::LockClassId lock_class) const {
    return world_.sim().validator().classes().at(lock_class).options.spins();
  }

  bool OwnerHasEnded(const PageLock& lock) const {
    return world_.scheduler().task_state(lock.owner_task()) == ordeal::TaskState::kEnded;
  }

  void CheckFolio(const Folio& folio) {
    if (folio.refs <= 0) Report("S8", "a folio in use has references", absl::StrCat("refs ", folio.refs));
    if (folio.lock.owner() == PageLock::Owner::kTask && OwnerHasEnded(folio.lock)) {
      Report("S7", "the owner of a folio lock is alive", absl::StrCat("index ", folio.index));
    }
    if (folio.mapping == nullptr && folio.dirty) {
      Report("S2", "a folio that has left the page tree is not dirty", absl::StrCat("index ", folio.index));
    }
    if (!quiescent_) return;
    if (folio.lock.locked()) Report("S7", "no folio is locked at the end", absl::StrCat("index ", folio.index));
    if (folio.pins != 0) Report("S8", "no pin is left at the end", absl::StrCat("index ", folio.index));
    if (folio.refs != folio.mapcount + (folio.mapping != nullptr ? 1 : 0)) {
      Report("S8", "no reference is left at the end", absl::StrCat("index ", folio.index, ", refs ", folio.refs));
    }
  }

  void CheckBlocks() {
    const BlockAllocator& allocator = world_.allocator();
    uint32_t mapped = 0;
    for (int i = 0; i < world_.inodes(); ++i) {
      const Inode& inode = world_.inode(i);
      mapped += inode.cow_blocks;
      if (inode.node != 0) continue;  // one disk inode for all nodes
      for (uint32_t page = 0; page < kFilePagesMax; ++page) {
        const Extent& extent = inode.extents[page];
        if (quiescent_ && extent.kind == ExtentKind::kDelalloc && !DirtyOnSomeNode(inode, page)) {
          Report("S6", "no block stays reserved for a page that is not dirty",
                 absl::StrCat("page ", page, " of inode ", inode.number));
        }
        if (!extent.has_block()) continue;
        ++mapped;
        const uint32_t owner = allocator.owner(extent.block);
        if (owner != inode.disk.number && owner != BlockAllocator::kShared) {
          Report("S6", "a mapped block belongs to its inode", inode,
                 absl::StrCat("block ", extent.block, " at page ", page, " of inode ", inode.number));
        }
      }
    }
    if (mapped != allocator.allocated()) {
      Report("S6", "every allocated block is mapped",
             absl::StrCat(allocator.allocated(), " blocks allocated, ", mapped, " mapped"));
    }
  }

  bool DirtyOnSomeNode(const Inode& inode, uint32_t page) const {
    for (int node = 0; node < world_.options().nodes; ++node) {
      if (world_.NodeIsDead(node)) continue;
      const Folio* folio = world_.OnNode(inode, node).mapping.pages[page];
      if (folio != nullptr && folio->dirty) return true;
    }
    return false;
  }

  const World& world_;
  const bool quiescent_;
  std::vector<InvariantViolation> found_;
};

}  // namespace

std::vector<InvariantViolation> CheckInvariants(const World& world, CheckMoment moment) {
  return Checker(world, moment).Run();
}

}  // namespace ordeal::pagecache
