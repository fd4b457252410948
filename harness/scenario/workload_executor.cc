#include "harness/scenario/workload_executor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/scenario/run_findings.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

using pagecache::Inode;
using pagecache::Result;
using pagecache::Stamp;
using pagecache::StampKind;

std::unique_ptr<pagecache::FileSystem> MakeOrDie(const ScenarioSpec& spec) {
  auto fs = spec.filesystem_type.make(spec.bugs);
  LD_CHECK(fs != nullptr,
           absl::StrCat("no file system '", spec.filesystem, "' with these bugs; Registry::Resolve checks it"));
  return fs;
}

pagecache::WorldOptions WithSpec(pagecache::WorldOptions options, const ScenarioSpec& spec) {
  options.faults = spec.faults;
  options.steal = spec.faults.Has(ChoiceKind::kReaderSteal) ? StealRule::kLegal : StealRule::kNever;
  if (!options.lone_node) options.nodes = std::max(options.nodes, spec.filesystem_type.nodes);
  return options;
}

// errno of the kernel, so that the model's histories read like real ones.
int ErrorNumber(pagecache::Error error) {
  switch (error) {
    case pagecache::Error::kOk: return 0;
    case pagecache::Error::kIo: return 5;
    case pagecache::Error::kNoMemory: return 12;
    case pagecache::Error::kFault: return 14;
    case pagecache::Error::kSigBus: return 7;
    case pagecache::Error::kInvalid: return 22;
    case pagecache::Error::kNoEntry: return 2;
    case pagecache::Error::kDiffers: return 0;  // what dedupe is expected to say
    case pagecache::Error::kAgain: return 11;
    case pagecache::Error::kNoSpace: return 28;
    case pagecache::Error::kInterrupted: return 4;
    case pagecache::Error::kTruncatedPage: break;  // never leaves the page cache
  }
  return 22;
}

StampKind StampKindOf(FileOperationKind kind) {
  switch (kind) {
    case FileOperationKind::kDirectWrite:
    case FileOperationKind::kDirectAppend:
    case FileOperationKind::kAsyncDirectWrite:
    case FileOperationKind::kAsyncSyncWrite: return StampKind::kDirect;
    case FileOperationKind::kWrite:
    case FileOperationKind::kAppend:
    case FileOperationKind::kSyncWrite: return StampKind::kWrite;
    default: return StampKind::kStore;  // a store, or a read into a mapping
  }
}

// The path from the repository's top: this file's own name tells what precedes it.
SourceSite ToSourceSite(const lockdep::Site& site) {
  constexpr absl::string_view kThisFile = "harness/scenario/workload_executor.cc";
  constexpr size_t kPrefix = sizeof(__FILE__) - 1 - kThisFile.size();
  const bool ours = std::strncmp(site.file, __FILE__, kPrefix) == 0;
  return {ours ? site.file + kPrefix : site.file, site.line};
}

bool WritesFile(FileOperationKind kind) {
  return IsWriteCall(kind) || kind == FileOperationKind::kStore;
}

}  // namespace

CellValue ToCellValue(const Stamp& stamp) {
  CellValue value;
  if (!stamp.intact()) {
    value.kind = CellKind::kTorn;
    return value;
  }
  switch (stamp.kind) {
    case StampKind::kZero: value.kind = CellKind::kZero; return value;
    case StampKind::kPoisonFree: value.kind = CellKind::kFreedPoison; return value;
    case StampKind::kPoisonUninit:
    case StampKind::kPoisonPage: value.kind = CellKind::kBlankPoison; return value;
    case StampKind::kWrite:
    case StampKind::kDirect:
    case StampKind::kStore: break;
  }
  value.kind = stamp.operation == 0 ? CellKind::kInitial : CellKind::kData;
  value.file = stamp.file - 1u;  // uids are 1, 2, ... in order of creation
  value.cell = stamp.cell;
  value.operation = stamp.operation;
  return value;
}

WorkloadExecutor::WorkloadExecutor(Simulation& sim, const ScenarioSpec& spec, pagecache::WorldOptions options)
    : sim_(sim), spec_(spec), fs_(MakeOrDie(spec)), world_(sim, *fs_, WithSpec(options, spec)) {
  for (size_t task = 0; task < kWorkloadTasksMax; ++task) task_names_.push_back(absl::StrCat("worker ", task));
  history_.promises.atomic_calls = spec.filesystem_type.atomic_calls;
  history_.promises.zeroes_tail = true;
  // i_rwsem keeps out the writers of its own node alone, and GFS2 lets go of the glock where a write faults its source in.
  history_.promises.whole_writes = options.nodes == 1 && spec.filesystem_type.nodes == 1;
  history_.promises.short_transfers = spec.faults.Has(ChoiceKind::kAllocation) ||
                                      spec.faults.Has(ChoiceKind::kIoError) ||
                                      spec.faults.Has(ChoiceKind::kIoShort) || options.memory_folios < 32;
}

void WorkloadExecutor::Begin(const Workload& workload) {
  workload_ = &workload;
  history_.Clear();
  sequence_ = 0;
  quiesced_ = true;
  files_.clear();
  mms_.clear();
  first_ids_.clear();
  in_flight_.assign(workload.tasks.size(), 0);
  world_.BeginRun();
  world_.set_death_observer([this](int node) { NoteDeath(node); });
  bool freezes = false;
  bool renames = false;
  for (const auto& task : workload.tasks) {
    for (const FileOperation& operation : task) {
      freezes |= operation.kind == FileOperationKind::kFreeze;
      renames |= operation.kind == FileOperationKind::kRename;
    }
  }
  if (freezes) world_.MakeFreezable();
  Stamps content;
  for (const WorkloadFile& file : workload.files) {
    content.clear();
    const uint32_t uid = world_.next_uid();
    for (uint32_t cell = 0; cell < file.size_cells; ++cell) {
      content.push_back(Stamp::Make(StampKind::kWrite, uid, cell, 0));
    }
    files_.push_back(&world_.CreateFile(content));
    history_.initial_cells.push_back(file.size_cells);
  }
  if (renames) world_.MakeDirectories();
  errors_seen_.assign(files_.size(), 0);
  const uint32_t processes =
      workload.processes.empty() ? 1 : 1 + *std::max_element(workload.processes.begin(), workload.processes.end());
  for (uint32_t process = 0; process < processes; ++process) {
    const int node = static_cast<int>(process) % world_.options().nodes;
    mms_.push_back(&world_.CreateMm(node));
    for (size_t file = 0; file < files_.size(); ++file) {
      if (workload.files[file].mapped) world_.Map(*mms_.back(), world_.OnNode(*files_[file], node));
    }
  }
  for (size_t file = 0; file < files_.size(); ++file) {
    if (!workload.files[file].mapped) world_.Iput(*files_[file]);
  }
  uint32_t next_id = 1;
  for (size_t task = 0; task < workload.tasks.size(); ++task) {
    first_ids_.push_back(next_id);
    next_id += static_cast<uint32_t>(workload.tasks[task].size());
    const TaskId worker = sim_.scheduler().Spawn(task_names_[task].c_str(), [this, task] { RunTask(task); });
    world_.BindTask(worker, mms_[workload.processes.empty() ? 0 : workload.processes[task]]->node);
  }
}

void WorkloadExecutor::RunTask(size_t task) {
  uint32_t id = first_ids_[task];
  for (const FileOperation& operation : workload_->tasks[task]) Perform(task, operation, id++);
  if (in_flight_[task] == 0) return;
  world_.io_done().WaitUntil([this, task] { return in_flight_[task] == 0; });  // io_destroy
}

void WorkloadExecutor::Perform(size_t task, const FileOperation& operation, uint32_t id) {
  Scheduler& scheduler = sim_.scheduler();
  const size_t index = history_.events.size();
  OperationEvent event;
  event.id = id;
  event.task = static_cast<uint32_t>(task);
  event.operation = operation;
  event.start = ++sequence_;
  history_.events.push_back(std::move(event));
  if (scheduler.keeps_trace()) scheduler.NoteTrace(absl::StrCat("begins operation ", id, ": ", ToString(operation)), id);
  if (IsAsync(operation.kind)) return SubmitAsync(task, operation, id, index);
  const Opened opened = Open(operation, *mms_[workload_->processes[task]]);
  const Result result = Call(task, operation, id, opened);
  Close(operation, opened);
  EndOperation(operation, id, index, result);
}

// The name may come to stand for another inode while it is looked up.
Inode* WorkloadExecutor::OpenOne(uint32_t file, const pagecache::Mm& mm) {
  if (workload_->files[file].mapped) return &File(file, mm);
  for (;;) {
    Inode& inode = *files_[file];
    if (world_.Open(inode) == pagecache::Error::kOk) return &inode;
  }
}

WorkloadExecutor::Opened WorkloadExecutor::Open(const FileOperation& operation, const pagecache::Mm& mm) {
  Opened opened;
  const bool any = operation.kind == FileOperationKind::kMapUnmap || operation.kind == FileOperationKind::kShrinkInodes;
  if (!any) opened.file = OpenOne(operation.file, mm);
  if (HasOtherFile(operation.kind)) opened.other = OpenOne(operation.other_file, mm);
  if (HasUserBuffer(operation.kind) && operation.buffer_file != kAnonymousBuffer) {
    opened.buffer = OpenOne(operation.buffer_file, mm);
  }
  return opened;
}

void WorkloadExecutor::Close(const FileOperation& operation, const Opened& opened) {
  const bool put = operation.kind == FileOperationKind::kReplace;  // by World::Replace
  if (opened.file != nullptr && !put && !workload_->files[operation.file].mapped) world_.Iput(*opened.file);
  if (opened.other != nullptr && !workload_->files[operation.other_file].mapped) world_.Iput(*opened.other);
}

// From when it returns the name stands for the new file. What others do to the old one meanwhile came before.
Result WorkloadExecutor::Replace(uint32_t file, Inode& old) {
  Inode& fresh = world_.CreateFileLike(old);
  Result result = world_.Replace(old, fresh);
  if (result.error == pagecache::Error::kOk) {
    files_[file] = &fresh;
    errors_seen_[file] = 0;
  } else {
    fresh.nlink = 0;
    world_.Iput(old);
  }
  world_.Iput(fresh);
  return result;
}

// The completion may run in another task, when this one is long at its next operation.
void WorkloadExecutor::SubmitAsync(size_t task, const FileOperation& operation, uint32_t id, size_t index) {
  pagecache::Mm& mm = *mms_[workload_->processes[task]];
  const Stamps stamps = StampsOf(operation, id);
  pagecache::Io io = IoOf(operation, Open(operation, mm), stamps);  // mapped: there is nothing to close
  io.sync = operation.kind == FileOperationKind::kAsyncSyncWrite;
  ++in_flight_[task];
  world_.SubmitDirect(mm, io, IsWriteCall(operation.kind), [this, task, &operation, id, index](const Result& result) {
    EndOperation(operation, id, index, result);
    if (--in_flight_[task] == 0) world_.io_done().WakeAll();
  });
}

void WorkloadExecutor::EndOperation(const FileOperation& operation, uint32_t id, size_t index, const Result& result) {
  Scheduler& scheduler = sim_.scheduler();
  if (result.cache_conflict) {
    FileOperation placed = operation;
    if (IsAppend(operation.kind)) placed.offset_cells = result.offset_cells;
    ExcuseConflict(placed);
  }
  CollectErrors();
  OperationEvent& done = history_.events[index];  // the vector may have grown meanwhile
  Record(result, operation, &done);
  done.end = ++sequence_;
  scheduler.NoteProgress();
  if (scheduler.keeps_trace()) {
    scheduler.NoteTrace(
        absl::StrCat("ends operation ", id, ": ", ErrorName(result.error), ", ", result.cells_done, " cells"), id);
  }
}

WorkloadExecutor::Stamps WorkloadExecutor::StampsOf(const FileOperation& operation, uint32_t id) const {
  Stamps stamps;
  const bool writes = WritesFile(operation.kind);
  const bool stores = !writes && HasUserBuffer(operation.kind) && operation.buffer_file != kAnonymousBuffer;
  if (!writes && !stores) return stamps;
  const uint32_t file = writes ? operation.file : operation.buffer_file;
  const uint32_t first = writes ? operation.offset_cells : operation.buffer_offset_cells;
  for (uint32_t i = 0; i < operation.length_cells; ++i) {
    stamps.push_back(Stamp::Make(StampKindOf(operation.kind), files_[file]->uid, first + i, id));
  }
  return stamps;
}

pagecache::Io WorkloadExecutor::IoOf(const FileOperation& operation, const Opened& opened,
                                     absl::Span<const Stamp> stamps) {
  pagecache::Io io;
  io.file = opened.file;
  io.offset_cells = operation.offset_cells;
  io.length_cells = operation.length_cells;
  io.stamps = stamps;
  if (operation.buffer_file != kAnonymousBuffer) {
    io.buffer = {opened.buffer, operation.buffer_offset_cells};
  }
  return io;
}

Result WorkloadExecutor::Call(size_t task, const FileOperation& operation, uint32_t id, const Opened& opened) {
  pagecache::Mm& mm = *mms_[workload_->processes[task]];
  if (operation.kind == FileOperationKind::kMapUnmap) return world_.MapUnmap(mm);
  if (operation.kind == FileOperationKind::kShrinkInodes) {
    world_.EvictUnused();
    return world_.Finish({});
  }
  Inode& file = *opened.file;
  const Stamps stamps = StampsOf(operation, id);
  pagecache::Io io = IoOf(operation, opened, stamps);
  const uint32_t offset = operation.offset_cells;
  const uint32_t length = operation.length_cells;
  switch (operation.kind) {
    case FileOperationKind::kRead: return world_.Read(mm, io);
    case FileOperationKind::kWrite:
    case FileOperationKind::kAppend:
    case FileOperationKind::kSyncWrite:
      io.append = operation.kind == FileOperationKind::kAppend;
      io.sync = operation.kind == FileOperationKind::kSyncWrite;
      return world_.Write(mm, io);
    case FileOperationKind::kDirectRead: return world_.DirectRead(mm, io);
    case FileOperationKind::kDirectWrite:
    case FileOperationKind::kDirectAppend:
      io.append = operation.kind == FileOperationKind::kDirectAppend;
      return world_.DirectWrite(mm, io);
    case FileOperationKind::kLoad: return world_.Load(mm, file, offset, length);
    case FileOperationKind::kStore: return world_.Store(mm, file, offset, stamps);
    case FileOperationKind::kTruncate: return world_.Truncate(file, offset);
    case FileOperationKind::kPunchHole: return world_.PunchHole(file, offset, length);
    case FileOperationKind::kFadviseWillNeed: return world_.FadviseWillNeed(file, offset, length);
    case FileOperationKind::kMadviseWillNeed: return world_.MadviseWillNeed(mm, file, offset, length);
    case FileOperationKind::kFsync: return world_.Fsync(file);
    case FileOperationKind::kDropCaches: return world_.DropCaches(file);
    case FileOperationKind::kDedupe: return world_.Dedupe(file, offset, *opened.other, offset, length);
    case FileOperationKind::kZeroRange: return world_.ZeroRange(file, offset, length);
    case FileOperationKind::kCollapseRange: return world_.CollapseRange(file, offset, length);
    case FileOperationKind::kInsertRange: return world_.InsertRange(file, offset, length);
    case FileOperationKind::kAllocate: return world_.Allocate(file, offset, length);
    case FileOperationKind::kClone:
      return world_.Clone(file, *opened.other, offset, length, offset);
    case FileOperationKind::kUnshare: return world_.Unshare(file, offset, length);
    case FileOperationKind::kAsyncDirectRead:
    case FileOperationKind::kAsyncDirectWrite:
    case FileOperationKind::kAsyncSyncWrite: break;  // SubmitAsync
    case FileOperationKind::kMapUnmap:
    case FileOperationKind::kShrinkInodes: break;  // of no file: above
    case FileOperationKind::kRename: return world_.Rename(file, *opened.other);
    case FileOperationKind::kReplace: return Replace(operation.file, file);
    case FileOperationKind::kRemap: return world_.UnmapAndMap(mm, file);
    case FileOperationKind::kProtect: return world_.Protect(mm, file);
    case FileOperationKind::kMsync: return world_.Msync(mm, file);
    case FileOperationKind::kFork: return world_.Fork(mm);
    case FileOperationKind::kReaddir: return world_.Readdir(mm, io);
    case FileOperationKind::kSyncFs: return world_.SyncFilesystem(mm.node);
    case FileOperationKind::kFreeze: return world_.FreezeAndThaw(mm.node);
    case FileOperationKind::kMakeDirectory: return world_.MakeAndRemoveDirectory(file);
    case FileOperationKind::kLink: {
      const Result linked = world_.Link(file);
      return linked.error == pagecache::Error::kOk ? world_.Unlink(file) : linked;
    }
  }
  LD_CHECK(false, "a workload operation without a model");
  return {};
}

void WorkloadExecutor::Record(const Result& result, const FileOperation& operation, OperationEvent* event) {
  event->completed_cells = result.cells_done;
  if (IsAppend(operation.kind)) event->operation.offset_cells = result.offset_cells;
  event->site = ToSourceSite(result.site);
  event->error = result.cells_done > 0 && HasRange(operation.kind) ? 0 : ErrorNumber(result.error);
  event->observed.reserve(result.seen.size());
  uint64_t hash =
      (uint64_t{event->id} << 32) ^ (uint64_t{result.cells_done} << 8) ^ static_cast<uint64_t>(result.error);
  for (const Stamp& stamp : result.seen) {
    event->observed.push_back(ToCellValue(stamp));
    hash = hash * 31 + pagecache::HashOf(stamp);
  }
  sim_.scheduler().MixTrace(hash);
}

// A folio of the range was dirtied during the direct write, so that its write-back may overwrite what the device got: the
// range is excused, also where the folio was clean again in time and no error was left for fsync (Linux loses it silently).
// Without I/O errors nothing but such a conflict raises wb_err, so that the file is not excused as well. A file system that
// promises to keep buffered calls apart from direct ones is excused only where the folio may have been dirtied by a mapping.
void WorkloadExecutor::ExcuseConflict(const FileOperation& operation) {
  if (!spec_.filesystem_type.separates_direct_io || StoredTo(operation.file)) {
    history_.errors.push_back({.file = operation.file,
                               .first_cell = operation.offset_cells,
                               .end_cell = operation.offset_cells + operation.length_cells,
                               .sequence = ++sequence_});
  }
  if (!spec_.faults.Has(ChoiceKind::kIoError)) errors_seen_[operation.file] = WritebackErrors(operation.file);
}

// Through a mapping, by anything that has begun: a store, or a read into it.
bool WorkloadExecutor::StoredTo(uint32_t file) const {
  return std::any_of(history_.events.begin(), history_.events.end(), [file](const OperationEvent& event) {
    const FileOperation& operation = event.operation;
    if (operation.kind == FileOperationKind::kStore) return operation.file == file;
    return HasUserBuffer(operation.kind) && !IsWriteCall(operation.kind) && operation.buffer_file == file;
  });
}

// What is dirty in its memory now. The oracle knows better than that what an fsync has promised.
void WorkloadExecutor::NoteDeath(int node) {
  CollectErrors();
  uint64_t tasks = 0;
  for (size_t task = 0; task < workload_->tasks.size(); ++task) {
    const uint32_t process = workload_->processes.empty() ? 0 : workload_->processes[task];
    if (mms_[process]->node == node) tasks |= uint64_t{1} << task;
  }
  const uint64_t now = ++sequence_;
  for (uint32_t file = 0; file < files_.size(); ++file) {
    const Inode& inode = world_.OnNode(*files_[file], node);
    for (uint32_t page = 0; page < pagecache::kFilePagesMax; ++page) {
      if (inode.mapping.pages[page] == nullptr || !world_.CachedDirty(inode, page * kPageCells)) continue;
      const uint32_t first = page * kPageCells;
      history_.losses.push_back({file, first, first + kPageCells, now, tasks});
    }
  }
}

uint32_t WorkloadExecutor::WritebackErrors(uint32_t file) const {
  uint32_t errors = 0;
  for (int node = 0; node < world_.options().nodes; ++node) {
    errors += world_.OnNode(*files_[file], node).mapping.wb_err;
  }
  return errors;
}

// A failure that the mapping remembers for fsync: which cells it lost is not said, so the whole file is excused.
void WorkloadExecutor::CollectErrors() {
  for (uint32_t file = 0; file < files_.size(); ++file) {
    const uint32_t now = WritebackErrors(file);
    if (now == errors_seen_[file]) continue;
    errors_seen_[file] = now;
    history_.errors.push_back({.file = file, .first_cell = 0, .end_cell = kFileCellsMax, .sequence = ++sequence_});
  }
}

}  // namespace ordeal
