// Names and the life of inodes: link, unlink, last put, eviction (protocols 1.4.13).
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/truncate.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

constexpr int kParent = 1;   // I_MUTEX_PARENT
constexpr int kParent2 = 5;  // I_MUTEX_PARENT2

}  // namespace

Result World::Link(Inode& file) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  Result result;
  Inode& directory = DirectoryOf(file);
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
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  Result result;
  Inode& directory = DirectoryOf(file);
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
  file.freeing.set_trigger(scheduler().current());
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
  file.disk.i_size = file.i_size;
  fs_.EvictExit(*this, file);
  file.last_operation = {"Evict", lockdep::Site::Here()};
  file.state = InodeState::kFreed;
  file.freeing.WakeAll();
}

void World::AppendUnused(int node, absl::InlinedVector<Inode*, 4>* inodes) const {
  for (int i = options_.nodes; i < inodes_used_; ++i) {
    Inode& file = inode(i);
    bool idle = (node == kEveryNode || file.node == node) && file.refs == 0 && file.state == InodeState::kLive;
    for (const Folio* folio : file.mapping.pages) {
      idle &= folio == nullptr || !(folio->dirty || folio->writeback.is_set());
    }
    if (idle) inodes->push_back(&file);
  }
}

uint32_t World::EvictUnused() {
  uint32_t evicted = 0;
  for (absl::InlinedVector<Inode*, 4> unused; unused.clear(), AppendUnused(kEveryNode, &unused), !unused.empty(); ++evicted) {
    Evict(*unused.front());
  }
  return evicted;
}

void World::EvictForMemory(Inode& file) {
  LD_CHECK(task().memalloc, "the inode shrinker must not reclaim: it would come back here");
  Evict(file);
}

Error World::Open(Inode& file) {
  scheduler().Point(OperationKind::kRead, file.id);
  if (file.state == InodeState::kFreeing) {
    file.freeing.WaitUntil([&file] { return file.state != InodeState::kFreeing; });
  }
  if (file.nlink == 0 && file.refs == 0) return Error::kNoEntry;
  if (file.state == InodeState::kFreed) {
    file.i_size = file.disk.i_size;
    file.state = InodeState::kLive;
  }
  ++file.refs;
  return Error::kOk;
}

void World::MakeDirectories() {
  LD_CHECK(options_.nodes == 1, "the directories of a cluster are not modelled");
  for (Inode*& directory : directories_) directory = &NewInode(InodeType::kDirectory);
  rename_lock_.emplace(sim_, classes_.s_vfs_rename, "s_vfs_rename");
}

Inode& World::DirectoryOf(const Inode& file) const {
  Inode* const directory = directories_[static_cast<size_t>(file.directory)];
  return directory != nullptr ? *directory : *inodes_[static_cast<size_t>(file.node)];
}

// lock_rename: neither of two different directories is the other's ancestor, so they are locked as they come; what keeps renames of
// opposite direction apart is the file system's rename lock.
void World::LockRename(Inode& old_directory, Inode& new_directory) {
  if (&old_directory == &new_directory) return old_directory.i_rwsem.LockExclusive(kParent);
  if (fs_.SerializesRenames()) rename_lock_->Lock();
  old_directory.i_rwsem.LockExclusive(kParent);
  new_directory.i_rwsem.LockExclusive(kParent2);
}

void World::UnlockRename(Inode& old_directory, Inode& new_directory) {
  if (&old_directory != &new_directory) new_directory.i_rwsem.UnlockExclusive();
  old_directory.i_rwsem.UnlockExclusive();
  if (&old_directory != &new_directory && fs_.SerializesRenames()) rename_lock_->Unlock();
}

Result World::Rename(Inode& file, Inode& other) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  Result result;
  Inode& old_directory = DirectoryOf(file);
  Inode& new_directory = DirectoryOf(other);
  LockRename(old_directory, new_directory);
  // Another rename may have come first; the caller looks its names up again.
  if (&DirectoryOf(file) != &old_directory || &DirectoryOf(other) != &new_directory) {
    result.error = Error::kNoEntry;
  } else {
    fs_.RenameEnter(*this, file, other);
    scheduler().Point(OperationKind::kWrite, file.id);
    if (file.nlink == 0 || other.nlink == 0) {
      result.error = Error::kNoEntry;
    } else {
      std::swap(file.directory, other.directory);
    }
    fs_.RenameExit(*this, file, other);
  }
  UnlockRename(old_directory, new_directory);
  other.last_operation = {"Rename", lockdep::Site::Here()};
  return Finish(file, std::move(result));
}

void World::CreateIn(Inode& directory, Inode& fresh, int subclass) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  directory.i_rwsem.LockExclusive(subclass);
  fs_.CreateEnter(*this, directory, fresh);
  scheduler().Point(OperationKind::kWrite, directory.id);
  fs_.CreateExit(*this, directory, fresh);
  directory.i_rwsem.UnlockExclusive();
}

// mkdir, and rmdir: of a name that nobody else uses.
Result World::MakeAndRemoveDirectory(Inode& file) {
  LD_CHECK(options_.nodes == 1, "the directories of a cluster are not modelled");
  Inode& parent = DirectoryOf(file);
  Inode& fresh = NewInode(InodeType::kDirectory);
  CreateIn(parent, fresh, kParent);
  {
    const FreezeGuard guard(*this, FreezeLevel::kWrite);
    parent.i_rwsem.LockExclusive(kParent);
    fresh.i_rwsem.LockExclusive();
    fs_.LinkEnter(*this, parent, fresh);
    scheduler().Point(OperationKind::kWrite, parent.id);
    fresh.nlink = 0;
    fs_.LinkExit(*this, parent, fresh);
    fresh.i_rwsem.UnlockExclusive();
    Iput(fresh);  // dput, before the parent is unlocked
    parent.i_rwsem.UnlockExclusive();
  }
  return Finish(file, {});
}

// The new file is made by open with O_CREAT, under a name that nobody else uses: a lookup that may create locks the directory
// without a subclass.
Result World::Replace(Inode& file, Inode& fresh) {
  CreateIn(DirectoryOf(fresh), fresh, 0);
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  Result result;
  Inode& directory = DirectoryOf(file);
  LockRename(directory, directory);
  if (&DirectoryOf(file) != &directory) {
    result.error = Error::kNoEntry;
  } else {
    fs_.RenameEnter(*this, fresh, file);
    scheduler().Point(OperationKind::kWrite, file.id);
    if (file.nlink == 0) {
      result.error = Error::kNoEntry;
    } else {
      --file.nlink;
    }
    fs_.RenameExit(*this, fresh, file);
  }
  if (result.error == Error::kOk) Iput(file);
  UnlockRename(directory, directory);
  return Finish(file, std::move(result));
}

}  // namespace ordeal::pagecache
