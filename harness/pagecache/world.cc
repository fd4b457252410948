#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/async_io.h"
#include "harness/pagecache/dirty_throttle.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/writeback.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

constexpr int kQuiesceRounds = 16;
constexpr int64_t kQuiescePauseNs = 100 * kStepNs;  // 16 of them outlast any injected delay

}  // namespace

World::World(Simulation& sim, const FileSystem& file_system, WorldOptions options)
    : sim_(sim),
      fs_(file_system),
      options_(options),
      classes_(LockClasses::Register(sim, file_system.lock_class_names())),
      device_(options.disk_blocks),
      allocator_(device_),
      memory_(*this) {}

World::~World() = default;

void World::BeginRun() {
  FaultSet faults = scheduler().faults();
  faults.Add(options_.faults);
  scheduler().set_faults(faults);
  device_.Reset();
  allocator_.Reset();
  disk_inodes_used_ = 0;
  inodes_used_ = 0;
  mms_used_ = 0;
  inodes_.clear();
  mms_.clear();
  noted_.clear();
  dead_nodes_ = 0;
  forgotten_nodes_ = 0;
  in_final_checks_ = false;
  tasks_.fill({});
  io_done_.emplace(sim_, classes_.block_io, "block I/O");
  device_.Begin(*this);
  memory_.Reset(options_.memory_folios, options_.kswapd);
  memory_.Begin();
  fs_state_ = fs_.MakeState(*this);
  for (int node = 0; node < options_.nodes; ++node) {
    if (memory_.kswapd(node) != kNoTask) BindTask(memory_.kswapd(node), node);
  }
  NewInode(InodeType::kDirectory);
  if (options_.dirty_folios_max > 0) throttle_ = std::make_unique<DirtyThrottle>(*this);
}

void World::EndRun() {
  death_observer_ = nullptr;
  freeze_.clear();
  directories_.fill(nullptr);
  rename_lock_.reset();
  throttle_.reset();
  async_.clear();
  completions_.reset();
  memory_.Reset(options_.memory_folios, options_.kswapd);
  for (auto& slot : mm_slots_) slot->reset();
  for (auto& slot : inode_slots_) slot->reset();
  fs_state_.reset();
  io_done_.reset();
  disk_inodes_used_ = 0;
  inodes_used_ = 0;
  mms_used_ = 0;
}

Inode& World::NewInode(InodeType type, uint32_t uid) {
  const auto disk_slot = static_cast<size_t>(disk_inodes_used_++);
  if (disk_slot == disk_inodes_.size()) disk_inodes_.push_back(std::make_unique<DiskInode>());
  DiskInode& disk = *disk_inodes_[disk_slot];
  disk = {};
  disk.uid = uid == kOwnUid ? static_cast<uint32_t>(disk_slot) : uid;
  disk.number = static_cast<uint32_t>(disk_slot) + 1;
  disk.type = type;
  for (int node = 0; node < options_.nodes; ++node) {
    const auto slot = static_cast<size_t>(inodes_used_++);
    if (slot == inode_slots_.size()) inode_slots_.push_back(std::make_unique<std::optional<Inode>>());
    const auto number = static_cast<uint32_t>(slot + 1);
    Inode& inode = inode_slots_[slot]->emplace(sim_, classes_, number, disk, node, options_.steal);
    inodes_.push_back(&inode);
    inode.fs_state = fs_.MakeInodeState(*this, inode);
  }
  return *inodes_[inodes_.size() - static_cast<size_t>(options_.nodes)];
}

Inode& World::OnNode(const Inode& file, int node) const {
  LD_CHECK(node >= 0 && node < options_.nodes, "no such node");
  const auto nodes = static_cast<size_t>(options_.nodes);
  return *inodes_[(file.number - 1) / nodes * nodes + static_cast<size_t>(node)];
}

Inode& World::CreateFile(absl::Span<const Stamp> content) {
  LD_CHECK(content.size() <= kFilePagesMax * kPageCells, "a file has at most kFilePagesMax pages");
  Inode& inode = NewInode(InodeType::kRegular);
  inode.directory = static_cast<int>(inode.uid % 2);
  inode.disk.i_size = static_cast<uint32_t>(content.size());
  for (int node = 0; node < options_.nodes; ++node) OnNode(inode, node).i_size = inode.disk.i_size;
  for (uint32_t page = 0; page < PagesFor(inode.i_size); ++page) {
    const uint32_t block = allocator_.Allocate(inode.disk.number);
    inode.extents[page] = {ExtentKind::kWritten, block};
    for (uint32_t c = 0; c < kPageCells; ++c) {
      const uint32_t cell = page * kPageCells + c;
      device_.block(block)[c] = cell < inode.i_size ? content[cell] : Stamp::Zero();
    }
  }
  return inode;
}

Inode& World::CreateFileLike(const Inode& file) {
  LD_CHECK(options_.nodes == 1, "a file of a cluster keeps its inode");
  Inode& fresh = NewInode(InodeType::kRegular, file.uid);
  fresh.directory = file.directory;
  return fresh;
}

Mm& World::CreateMm(int node) {
  const auto slot = static_cast<size_t>(mms_used_++);
  if (slot == mm_slots_.size()) mm_slots_.push_back(std::make_unique<std::optional<Mm>>());
  Mm& mm = mm_slots_[slot]->emplace(sim_, classes_, static_cast<uint32_t>(mms_used_), options_.steal, node);
  mms_.push_back(&mm);
  return mm;
}

void World::Map(Mm& mm, Inode& file) {
  LD_CHECK(mm.FindVma(file) == nullptr, "a file is mapped once in an mm");
  LD_CHECK(mm.node == file.node, "a process maps its own node's inodes");
  mm.vmas.push_back(Vma{&file, {}});
}

WorkQueue& World::completions() {
  if (completions_ == nullptr) {
    const WorkQueueOptions options{.workers = 1, .rescuer = true};
    completions_ = std::make_unique<WorkQueue>(sim_, classes_.dio_slot, options, "direct I/O completions");
  }
  return *completions_;
}

void World::SubmitDirect(Mm& mm, const Io& io, bool write, std::function<void(const Result&)> done) {
  const bool aligned = io.offset_cells % kPageCells == 0 && io.length_cells % kPageCells == 0;
  const bool inside = io.offset_cells + io.length_cells <= kFilePagesMax * kPageCells;
  if (!aligned || !inside || fs_.async_direct_io() == AsyncDirectIoRule::kNone) {
    return done(write ? DirectWrite(mm, io) : DirectRead(mm, io));
  }
  completions();
  const auto number = static_cast<uint32_t>(async_.size() + 1);
  async_.push_back(std::make_unique<AsyncDirectIo>(*this, mm, io, write, number, std::move(done)));
  AsyncDirectIo& async = *async_.back();  // stays where it is while the vector grows
  async.Submit();
}

Result World::FadviseWillNeed(Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  fs_.ForceReadaheadEnter(*this, file);
  const uint32_t end = std::min(PagesFor(offset_cells + length_cells), kFilePagesMax);
  for (uint32_t page = PageOf(offset_cells); page < end; ++page) {
    if (file.mapping.pages[page] != nullptr) continue;
    Filemap(*this).Readahead(file.mapping, page, end, FillKind::kRead);
  }
  fs_.ForceReadaheadExit(*this, file);
  return Finish(file, {});
}

Result World::MadviseWillNeed(Mm& mm, Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  mm.mmap_lock.LockShared();
  const bool mapped = mm.FindVma(file) != nullptr;
  mm.mmap_lock.UnlockShared();  // dropped around the work; the mm may change meanwhile
  Result result;
  if (mapped) {
    result = FadviseWillNeed(file, offset_cells, length_cells);
  } else {
    result.error = Error::kInvalid;
  }
  mm.mmap_lock.LockShared();
  mm.mmap_lock.UnlockShared();
  return Finish(file, std::move(result));
}

Result World::MapUnmap(Mm& mm) {
  for (int i = 0; i < 2; ++i) {
    mm.mmap_lock.LockExclusive();
    mm.mmap_lock.UnlockExclusive();
  }
  return Finish({});
}

void World::FinishPlug() {
  if (options_.plugs && --task().plug == 0) device_.Unplug(scheduler().current());
}

bool World::Quiesce() {
  BeginFinalChecks();
  scheduler().set_faults({});
  for (int round = 0; round < kQuiesceRounds; ++round) {
    bool calm = device_.pending().empty();
    for (int i = 0; i < inodes_used_; ++i) {
      Inode& file = inode(i);
      if (NodeIsDead(file.node)) continue;
      (void)Writeback(*this).Range(file, 0, kFilePagesMax);  // the next round tries again
      DropCaches(file);
      calm &= file.mapping.nrpages == 0 && file.dio.count() == 0;
    }
    if (calm && memory_.free_folios() == memory_.folios()) return true;
    // Readahead that nobody waited for may be delayed, and a daemon may still hold a folio.
    scheduler().Sleep(kQuiescePauseNs);
  }
  return false;
}

Stamp World::DiskCell(const Inode& file, uint32_t cell) const {
  const Extent& extent = file.extents[PageOf(cell)];
  if (extent.kind != ExtentKind::kWritten || cell >= file.i_size) return Stamp::Zero();
  return device_.block(extent.block)[cell % kPageCells];
}

std::optional<Stamp> World::CachedCell(const Inode& file, uint32_t cell) const {
  const Folio* folio = file.mapping.pages[PageOf(cell)];
  if (folio == nullptr || !folio->uptodate) return std::nullopt;
  return folio->cells[cell % kPageCells];
}

bool World::CachedDirty(const Inode& file, uint32_t cell) const {
  const Folio* folio = file.mapping.pages[PageOf(cell)];
  return folio != nullptr && (folio->dirty || folio->dirty_tag || folio->writeback.is_set());
}

bool World::ChangesTime(Inode& inode) {
  const int64_t now = scheduler().now_ns() / kTickNs;
  return std::exchange(inode.changed_tick, now) != now;
}

void World::NoteViolation(const char* id, const char* rule, std::string message, lockdep::Site site,
                          lockdep::Site against) {
  noted_.push_back({id, rule, std::move(message), site, against});
}

// S14: what an operation switched off for its task is on again when it returns.
void World::CheckReturnToUser() {
  if (!scheduler().in_task()) return;
  const TaskState& state = task();
  if (state.pagefault_disabled == 0 && !state.nofs && !state.memalloc && state.transactions == 0 &&
      state.plug == 0 && state.faults_disabled_mapping == nullptr) {
    return;
  }
  NoteViolation("S14", "an operation returns with faults, allocation scopes and transactions as it found them",
                absl::StrCat("pagefault_disabled ", state.pagefault_disabled, ", nofs ", state.nofs, ", memalloc ",
                             state.memalloc, ", transactions ", state.transactions, ", plugs ", state.plug));
  task() = {};
}

Result World::Finish(Result result, lockdep::Site site) {
  if (result.site.line == 0) result.site = site;
  scheduler().NoteProgress();
  CheckReturnToUser();
  uint64_t word = (static_cast<uint64_t>(result.error) << 32) | result.cells_done;
  for (const Stamp& stamp : result.seen) word = word * 0x9e3779b97f4a7c15u + HashOf(stamp);
  scheduler().MixTrace(word);
  return result;
}

Result World::Finish(Inode& file, Result result, const char* operation, lockdep::Site site) {
  if (!in_final_checks_) file.last_operation = {operation, result.site.line == 0 ? site : result.site};
  return Finish(std::move(result), site);
}

}  // namespace ordeal::pagecache
