// Names and the life of inodes: link, unlink, last put, eviction (protocols 1.4.13).
#include "absl/strings/str_cat.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/truncate.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

constexpr int kParent = 1;  // I_MUTEX_PARENT

}  // namespace

Result World::Link(Inode& file) {
  Result result;
  Inode& directory = root(file.node);
  directory.i_rwsem.LockExclusive(kParent);
  file.i_rwsem.LockExclusive();
  fs_.LinkEnter(*this, directory, file);
  scheduler().Point(OperationKind::kWrite, file.id);
  if (file.nlink == 0 || file.state != InodeState::kLive) {
    result.error = Error::kNoEntry;
  } else {
    ++file.nlink;
  }
  fs_.LinkExit(*this, directory, file);
  file.i_rwsem.UnlockExclusive();
  directory.i_rwsem.UnlockExclusive();
  return Finish(file, std::move(result));
}

Result World::Unlink(Inode& file) {
  Result result;
  Inode& directory = root(file.node);
  directory.i_rwsem.LockExclusive(kParent);
  file.i_rwsem.LockExclusive();
  fs_.LinkEnter(*this, directory, file);
  scheduler().Point(OperationKind::kWrite, file.id);
  if (file.nlink == 0) {
    result.error = Error::kNoEntry;
  } else {
    --file.nlink;
  }
  fs_.LinkExit(*this, directory, file);
  file.i_rwsem.UnlockExclusive();
  directory.i_rwsem.UnlockExclusive();
  return Finish(file, std::move(result));
}

void World::Iput(Inode& file) {
  scheduler().Point(OperationKind::kWrite, file.id);
  LD_CHECK(file.refs > 0, "iput of an inode without references");
  if (--file.refs > 0) return;
  if (file.nlink == 0 && file.state == InodeState::kLive) Evict(file);
}

// truncate_inode_pages_final and, for a file without names, deletion. Takes no lock that is held across an allocation.
void World::Evict(Inode& file) {
  file.state = InodeState::kFreeing;
  for (const Folio* folio : file.mapping.pages) {
    if (folio == nullptr || folio->pins == 0) continue;
    NoteViolation("S17", "no page of an inode that is evicted is pinned",
                  absl::StrCat("page ", folio->index, " of inode ", file.number, " is pinned"), lockdep::Site::Here(),
                  file.last_operation.site);
  }
  fs_.EvictEnter(*this, file);
  Truncation truncation(*this);
  truncation.DropPages(file, 0, kFilePagesMax);
  if (file.nlink == 0) {
    file.i_size = 0;
    truncation.FreeBlocks(file, 0, kFilePagesMax);
  }
  if (file.mapping.nrpages != 0 || file.dio.count() != 0) {
    NoteViolation("S17", "an evicted inode has no pages and no I/O", "an evicted inode still has pages or I/O");
  }
  fs_.EvictExit(*this, file);
  file.last_operation = {"Evict", lockdep::Site::Here()};
  file.state = InodeState::kFreed;
  file.freeing.WakeAll();
}

uint32_t World::EvictUnused() {
  uint32_t evicted = 0;
  for (int i = options_.nodes; i < inodes_used_; ++i) {
    Inode& file = inode(i);
    bool idle = file.refs == 0 && file.state == InodeState::kLive;
    for (Folio* folio : file.mapping.pages) idle &= folio == nullptr || !(folio->dirty || folio->writeback.is_set());
    if (!idle) continue;
    Evict(file);
    ++evicted;
  }
  return evicted;
}

}  // namespace ordeal::pagecache
