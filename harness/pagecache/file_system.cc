#include "harness/pagecache/file_system.h"

#include <algorithm>
#include <utility>

#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {
namespace {

constexpr int kNondirectory2 = 4;  // I_MUTEX_NONDIR2
constexpr int kSecondMapping = 1;

}  // namespace

Result FileSystem::FileRead(World& world, Mm& mm, const Io& io) const {
  ReadEnter(world, *io.file);
  Result result = GenericRead(world, mm, io);
  ReadExit(world, *io.file);
  return result;
}

Result FileSystem::FileWrite(World& world, Mm& mm, const Io& io) const {
  WriteEnter(world, *io.file);
  Result result = GenericWrite(world, mm, io);
  WriteExit(world, *io.file);
  return result;
}

Result FileSystem::FileDirectRead(World& world, Mm& mm, const Io& io) const {
  DirectReadEnter(world, *io.file);
  Result result = GenericDirectRead(world, mm, io);
  DirectReadExit(world, *io.file);
  return result;
}

Result FileSystem::FileDirectWrite(World& world, Mm& mm, const Io& io) const {
  const LockMode mode = DirectWriteEnter(world, *io.file, io.offset_cells, io.length_cells);
  bool fall_back = false;
  Result result = GenericDirectWrite(world, mm, io, mode, &fall_back);
  DirectWriteExit(world, *io.file, mode);
  return fall_back ? FallBackToBuffered(world, mm, io) : result;
}

Error FileSystem::ReadFolio(World& world, Folio& folio) const {
  Filemap(world).StartRead(folio);
  return Error::kOk;
}

Error FileSystem::MkwriteFolio(World& world, Folio& folio) const {
  const Error error = Writeback(world).Reserve(folio.mapping->host, folio.index);
  if (error == Error::kOk) Filemap(world).SetDirty(folio);
  return error;
}

void FileSystem::WriteEnter(World&, Inode& inode) const { inode.i_rwsem.LockExclusive(); }
void FileSystem::WriteExit(World&, Inode& inode) const { inode.i_rwsem.UnlockExclusive(); }

void FileSystem::DirectReadEnter(World&, Inode& inode) const { inode.i_rwsem.LockShared(); }
void FileSystem::DirectReadExit(World&, Inode& inode) const { inode.i_rwsem.UnlockShared(); }

LockMode FileSystem::DirectWriteEnter(World&, Inode& inode, uint32_t, uint32_t) const {
  inode.i_rwsem.LockExclusive();
  return LockMode::kExclusive;
}
void FileSystem::DirectWriteExit(World&, Inode& inode, LockMode mode) const {
  if (mode == LockMode::kExclusive) inode.i_rwsem.UnlockExclusive();
  if (mode == LockMode::kShared) inode.i_rwsem.UnlockShared();
}

void FileSystem::InvalidateEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockExclusive();
  inode.dio.WaitZero();
}
void FileSystem::InvalidateExit(World&, Inode& inode) const { inode.i_rwsem.UnlockExclusive(); }

void FileSystem::TwoInodesEnter(World&, Inode& first, Inode& second) const { LockTwoNondirectories(first, second); }
void FileSystem::TwoInodesExit(World&, Inode& first, Inode& second) const { UnlockTwoNondirectories(first, second); }

void FileSystem::RenameEnter(World&, Inode& source, Inode& target) const { LockTwoNondirectories(source, target); }
void FileSystem::RenameExit(World&, Inode& source, Inode& target) const { UnlockTwoNondirectories(source, target); }

void FileSystem::TransactionEnter(World& world, Inode&) const {
  RwSemaphore* const level = world.freeze_level(FreezeLevel::kInternal);
  if (level != nullptr) level->LockShared();
}
void FileSystem::TransactionExit(World& world, Inode&) const {
  RwSemaphore* const level = world.freeze_level(FreezeLevel::kInternal);
  if (level != nullptr) level->UnlockShared();
}

absl::InlinedVector<Inode*, 4> FileSystem::InodesOfRename(World& world, Inode& source, Inode& target) {
  absl::InlinedVector<Inode*, 4> inodes = {&world.DirectoryOf(source), &world.DirectoryOf(target), &source, &target};
  std::sort(inodes.begin(), inodes.end(), [](const Inode* a, const Inode* b) { return a->disk.number < b->disk.number; });
  inodes.erase(std::unique(inodes.begin(), inodes.end()), inodes.end());
  return inodes;
}

bool FileSystem::Swap(const Inode& first, const Inode& second) const {
  return first.number > second.number && !bugs_.Has(Bug::kB67ArgumentOrder);
}

void FileSystem::LockTwoNondirectories(Inode& first, Inode& second) const {
  const bool swap = Swap(first, second);
  (swap ? second : first).i_rwsem.LockExclusive();
  if (&first != &second) (swap ? first : second).i_rwsem.LockExclusive(kNondirectory2);
}

void FileSystem::UnlockTwoNondirectories(Inode& first, Inode& second) {
  if (&first != &second) second.i_rwsem.UnlockExclusive();
  first.i_rwsem.UnlockExclusive();
}

void FileSystem::InvalidateLockTwo(Inode& first, Inode& second) const {
  const bool swap = Swap(first, second);
  (swap ? second : first).mapping.invalidate_lock.LockExclusive();
  if (&first != &second) (swap ? first : second).mapping.invalidate_lock.LockExclusive(kSecondMapping);
}

void FileSystem::InvalidateUnlockTwo(Inode& first, Inode& second) {
  if (&first != &second) second.mapping.invalidate_lock.UnlockExclusive();
  first.mapping.invalidate_lock.UnlockExclusive();
}

}  // namespace ordeal::pagecache
