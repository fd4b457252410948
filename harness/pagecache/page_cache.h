// The page cache of one machine: super block, inodes, memory, block device, processes' mappings, and every operation on files.
//
// A World is made once and reused: BeginRun builds it afresh inside a run of the simulation, EndRun drops it. Operations are
// called by tasks (fibers); they take offsets and lengths in cells and return what they did as a Result.
// Thread-safety: tasks of one simulation.
// Invariants:    CheckInvariants (invariants.h). Operations leave no lock, reference or pin behind.
// Cost:          BeginRun a few microseconds for a few files; an operation allocates nothing on the heap but Result::seen.
// Example:
//   World world(sim, file_system, {.memory_folios = 16});
//   sim.BeginRun(&choices);
//   world.BeginRun();
//   Inode& a = world.CreateFile(stamps);
//   Mm& mm = world.CreateMm();
//   world.Map(mm, a);
//   sim.scheduler().Spawn("reader", [&] { result = world.Read(mm, {.file = &a, .length_cells = 8}); });
//   sim.scheduler().Run();
//   sim.EndRun();      // unwinds fibers; before world.EndRun()
//   world.EndRun();
#ifndef ORDEAL_HARNESS_PAGECACHE_PAGE_CACHE_H_
#define ORDEAL_HARNESS_PAGECACHE_PAGE_CACHE_H_

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "harness/pagecache/block_allocator.h"
#include "harness/pagecache/block_device.h"
#include "harness/pagecache/file_system.h"
#include "harness/pagecache/inode.h"
#include "harness/pagecache/invariants.h"
#include "harness/pagecache/lock_classes.h"
#include "harness/pagecache/memory.h"
#include "harness/pagecache/mm.h"
#include "harness/pagecache/result.h"
#include "harness/sync/mutex.h"
#include "harness/sync/work_queue.h"

namespace ordeal::pagecache {

struct WorldOptions {
  uint32_t memory_folios = 64;  // of the machine; at least 4
  uint32_t disk_blocks = 256;
  uint32_t readahead_pages = 2;  // beyond the missing one, of a read or fault
  bool kswapd = false;
  bool fault_around = false;     // map cached neighbours on a read fault
  bool plugs = false;            // readahead, write-back and direct I/O plug their requests
  // Who dirties more folios than this waits for the flusher; 0: nobody does, and there is no flusher.
  uint32_t dirty_folios_max = 0;
  int nodes = 1;                 // of a cluster that shares the device; each has inodes and pages of its own
  bool lone_node = false;        // a cluster's file system, but only one node has it mounted
  StealRule steal = StealRule::kNever;
  FaultSet faults;  // in addition to those of the run
};

// What the kernel keeps in task_struct: one a task and world.
struct TaskState {
  int pagefault_disabled = 0;  // depth: a page fault fails at once
  bool nofs = false;           // allocations must not enter the file system (memalloc_nofs_save)
  bool memalloc = false;       // in reclaim: allocations do not reclaim, nor fail by a fault (PF_MEMALLOC)
  int plug = 0;                // depth of blk_start_plug
  int transactions = 0;        // depth of current->journal_info
  int node = 0;                // whose file system is mounted where it runs
  AddressSpace* faults_disabled_mapping = nullptr;  // bcachefs
  bool faults_disabled_dropped = false;             // its locks have been dropped by a fault
};

class AsyncDirectIo;
class DirtyThrottle;

enum class FreezeLevel : uint8_t { kWrite, kPageFault, kInternal };

class World {
 public:
  ~World();
  // Both must outlive the world.
  World(Simulation& sim, const FileSystem& file_system, WorldOptions options = {});
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Between Simulation::BeginRun and the first Spawn of an operation; spawns the daemons ("block device", "kswapd").
  void BeginRun();
  // After Simulation::EndRun.
  void EndRun();

  // --- construction of a run; no scheduling points, callable outside tasks ---

  // A file with that content on disk (one stamp a cell), nothing cached. At most kFilePagesMax pages.
  // The stamps must be made with the uid that the file will get: 1, 2, ... in order of creation (next_uid()).
  Inode& CreateFile(absl::Span<const Stamp> content);
  uint32_t next_uid() const { return static_cast<uint32_t>(disk_inodes_used_); }
  // An empty file whose stamps are those of `file`: it stands in its place. No scheduling point; also by a task.
  Inode& CreateFileLike(const Inode& file);
  // Two directories side by side, to which files are dealt; without it all are in the root (until EndRun).
  void MakeDirectories();
  Inode& DirectoryOf(const Inode& file) const;
  Inode& root(int node = 0) { return *inodes_[static_cast<size_t>(node)]; }  // the directory that all files are in
  // The same file in the memory of another node.
  Inode& OnNode(const Inode& file, int node) const;
  Mm& CreateMm(int node = 0);
  // A shared mapping of the whole range that the file may have; once a (mm, file).
  void Map(Mm& mm, Inode& file);

  // Without it freeze levels are neither taken nor needed (until EndRun).
  void MakeFreezable();

  // --- operations; called by a task ---

  // The Io's file offset and length need no alignment for buffered I/O; direct I/O and PunchHole take whole pages (kInvalid
  // otherwise), except that a direct write from anonymous memory may be a part of one page if the file system can do that.
  Result Read(Mm& mm, const Io& io);
  Result Write(Mm& mm, const Io& io);
  Result DirectRead(Mm& mm, const Io& io);
  Result DirectWrite(Mm& mm, const Io& io);
  // Direct I/O that may return before it is complete; `done` is called once, by whatever task completes it. A file system that
  // has no asynchronous direct I/O does it before this returns. io.stamps is copied.
  void SubmitDirect(Mm& mm, const Io& io, bool write, std::function<void(const Result&)> done);
  WorkQueue& completions();  // workers are made when first asked for
  // Through the shared mapping of the file in `mm`. A load at or behind i_size gives kSigBus (the model's programs do not look at
  // what lies behind the end of file in the last page); a store only behind the last page, or if there is no block for its page.
  Result Load(Mm& mm, Inode& file, uint32_t offset_cells, uint32_t length_cells);
  Result Store(Mm& mm, Inode& file, uint32_t offset_cells, absl::Span<const Stamp> stamps);
  Result Truncate(Inode& file, uint32_t size_cells);
  Result PunchHole(Inode& file, uint32_t offset_cells, uint32_t length_cells);
  // The other modes of fallocate; all but Allocate take whole pages. kInvalid: collapse and insert lie inside the file;
  // kNoSpace: the file would become too long.
  Result ZeroRange(Inode& file, uint32_t offset_cells, uint32_t length_cells);
  Result CollapseRange(Inode& file, uint32_t offset_cells, uint32_t length_cells);
  Result InsertRange(Inode& file, uint32_t offset_cells, uint32_t length_cells);
  Result Allocate(Inode& file, uint32_t offset_cells, uint32_t length_cells);
  Result FadviseWillNeed(Inode& file, uint32_t offset_cells, uint32_t length_cells);
  Result MadviseWillNeed(Mm& mm, Inode& file, uint32_t offset_cells, uint32_t length_cells);
  // Writes back the whole file and waits; kIo if a write-back or an invalidation has failed since the last report.
  Result Fsync(Inode& file);
  // Reclaims the file's clean folios that nobody uses (it never waits for a folio lock).
  Result DropCaches(Inode& file);
  // mmap and munmap of anonymous memory: takes mmap_lock for writing, twice.
  Result MapUnmap(Mm& mm);
  // munmap of the file's mapping, and mmap of it again: an access in between gets kFault.
  Result UnmapAndMap(Mm& mm, Inode& file);
  // mprotect: read only, and writable again; a store in between gets kFault.
  Result Protect(Mm& mm, Inode& file);
  Result Msync(Mm& mm, Inode& file);
  // fork of a child with the same mappings, which reads a cell of each and exits.
  Result Fork(Mm& mm);
  // As many entries as io.length_cells, a cell each, into io.buffer.
  Result Readdir(Mm& mm, const Io& io);
  // syncfs of one node.
  Result SyncFilesystem(int node = 0);
  Result FreezeAndThaw(int node = 0);
  // Compares two ranges under the two-inode locks. kDiffers if they do; equal whole pages share blocks
  // afterwards (with stamps only what was cloned is equal).
  Result Dedupe(Inode& first, uint32_t first_offset_cells, Inode& second, uint32_t second_offset_cells,
                uint32_t length_cells);
  // The target shares the source's blocks of the range (FICLONERANGE; whole pages, but the source may end in the last one).
  Result Clone(Inode& source, Inode& target, uint32_t offset_cells, uint32_t length_cells, uint32_t target_offset_cells);
  // Blocks of its own for the shared ones of the range.
  Result Unshare(Inode& file, uint32_t offset_cells, uint32_t length_cells);
  // A second name, and its removal, in its directory.
  Result Link(Inode& file);
  Result Unlink(Inode& file);
  // A directory beside the file, and its removal. Not on a cluster.
  Result MakeAndRemoveDirectory(Inode& file);
  // The two files change places (RENAME_EXCHANGE): both directories and both files are locked.
  Result Rename(Inode& file, Inode& other);
  // `fresh`, made by CreateFileLike, is created in the directory and takes the name of `file` (rename over it). Takes over the
  // caller's reference to `file`, which it drops with the directory locked; the last one evicts it. Not if it fails.
  Result Replace(Inode& file, Inode& fresh);
  // open: one reference more. Waits for an eviction under way, and reads in again what was evicted. kNoEntry: it is gone for good.
  Error Open(Inode& file);
  // Drops the reference that CreateFile gave: the last put of a file without names evicts it (nobody may use it any more);
  // one with names becomes reclaimable.
  void Iput(Inode& file);
  // Evicts the inodes that nobody refers to and that have nothing to write (the inode shrinker); how many.
  uint32_t EvictUnused();
  // Direct reclaim and kswapd: those that could be, and one of them.
  static constexpr int kEveryNode = -1;
  void AppendUnused(int node, absl::InlinedVector<Inode*, 4>* inodes) const;
  void EvictForMemory(Inode& file);
  // blk_start_plug and blk_finish_plug, if the world has plugs.
  void StartPlug() { task().plug += options_.plugs ? 1 : 0; }
  void FinishPlug();
  // balance_dirty_pages: waits until the flusher has written back enough (dirty_throttle.h). By a task without folio locks.
  void BalanceDirtyPages();

  // Whatever is done from here on is looking, not part of what is judged: no file remembers it as its last operation.
  void BeginFinalChecks() { in_final_checks_ = true; }
  // Writes everything back, drains I/O and drops all clean caches, repeatedly until nothing is dirty or cached (at most 16
  // rounds, injected I/O errors may leave rest). Faults are off from here on. Call from a task when all others have ended.
  // False: something stays dirty, locked or referenced.
  bool Quiesce();

  // --- a node of a cluster dies; node_death.cc ---

  // The task is one of the node's, and ends with it.
  void BindTask(TaskId task, int node) {
    tasks_[Index(task)].node = node;
    fs_.BindTask(*this, task, node);
  }
  // Its tasks do not run any more, what was in its memory is lost; what it has submitted, the device still does. By whoever
  // kills it, who then has it recovered. No scheduling point.
  void NodeDied(int node);
  bool NodeIsDead(int node) const { return (dead_nodes_ >> node & 1) != 0; }
  bool AnyNodeIsDead() const { return dead_nodes_ != 0; }
  // In who recovers the node: until what it has submitted is done, so that nothing of it reaches the device afterwards.
  void WaitForFence(int node);
  // Blocks that were reserved for what was dirty in the dead node's memory, and nowhere else, are so no more. Of an inode that
  // nobody else could change.
  void ReleaseReservations(const Inode& file);
  // A truncate that the dead node was about is finished: nothing is left behind the end of file. Of such an inode, too.
  void FinishTruncate(const Inode& file);
  // The node's memory is used no more. After the fence.
  void ForgetNode(int node);
  bool recovering() const { return forgotten_nodes_ != dead_nodes_; }
  // Told of each death at that moment. Until EndRun.
  void set_death_observer(std::function<void(int node)> observer) { death_observer_ = std::move(observer); }

  // --- for checks; no scheduling points ---

  // What the device holds for a cell now (zero for holes and unwritten blocks), ignoring the cache.
  Stamp DiskCell(const Inode& file, uint32_t cell) const;
  // The cached cell, if its folio is in the page tree and up to date.
  std::optional<Stamp> CachedCell(const Inode& file, uint32_t cell) const;
  // Its folio is dirty or on its way to the device, which may therefore hold something else.
  bool CachedDirty(const Inode& file, uint32_t cell) const;

  Simulation& sim() const { return sim_; }
  Scheduler& scheduler() const { return sim_.scheduler(); }
  const FileSystem& fs() const { return fs_; }
  const BugSet& bugs() const { return fs_.bugs(); }
  const WorldOptions& options() const { return options_; }
  // Of the running task (outside any: of the construction).
  TaskState& task() { return tasks_[scheduler().in_task() ? Index(scheduler().current()) : kTasksMax]; }
  FileSystemState* fs_state() const { return fs_state_.get(); }
  const LockClasses& classes() const { return classes_; }
  BlockDevice& device() { return device_; }
  const BlockDevice& device() const { return device_; }
  BlockAllocator& allocator() { return allocator_; }
  const BlockAllocator& allocator() const { return allocator_; }
  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }
  // Of the node of the running task. Null unless freezable; what a dead node has frozen nobody waits for.
  RwSemaphore* freeze_level(FreezeLevel level) {
    const int node = task().node;
    if (freeze_.empty() || NodeIsDead(node)) return nullptr;
    return &*(*freeze_[static_cast<size_t>(node)])[static_cast<size_t>(level)];
  }
  WaitQueue& io_done() { return *io_done_; }
  int inodes() const { return inodes_used_; }
  Inode& inode(int i) const { return *inodes_[static_cast<size_t>(i)]; }
  int mms() const { return mms_used_; }
  Mm& mm(int i) const { return *mms_[static_cast<size_t>(i)]; }

  // file_update_time: the clock of time stamps has gone on since the inode was last changed; it has been changed now.
  bool ChangesTime(Inode& inode);

  // An operation noticed a broken invariant.
  void NoteViolation(const char* id, const char* rule, std::string message,
                     lockdep::Site site = lockdep::Site::Here(), lockdep::Site against = {});
  const std::vector<InvariantViolation>& noted() const { return noted_; }

  // Every operation ends here: progress for the watchdog, results for the trace hash.
  Result Finish(Result result, lockdep::Site site = lockdep::Site::Here());
  // The same for one about a file, which remembers it; `operation` is the calling function.
  Result Finish(Inode& file, Result result, const char* operation = __builtin_FUNCTION(),
                lockdep::Site site = lockdep::Site::Here());

 private:
  static constexpr uint32_t kOwnUid = 0xffffffff;
  Inode& NewInode(InodeType type, uint32_t uid = kOwnUid);
  void CreateIn(Inode& directory, Inode& fresh, int subclass);
  void LockRename(Inode& old_directory, Inode& new_directory);
  void UnlockRename(Inode& old_directory, Inode& new_directory);
  void CheckReturnToUser();
  void Evict(Inode& file);

  Simulation& sim_;
  const FileSystem& fs_;
  const WorldOptions options_;
  const LockClasses classes_;
  BlockDevice device_;
  BlockAllocator allocator_;
  Memory memory_;
  std::optional<WaitQueue> io_done_;
  using FreezeLevels = std::array<std::optional<RwSemaphore>, 3>;
  std::vector<std::unique_ptr<FreezeLevels>> freeze_;  // by node; none unless freezable
  std::array<Inode*, 2> directories_{};  // null: everything is in the root
  std::optional<Mutex> rename_lock_;     // s_vfs_rename_mutex
  std::unique_ptr<DirtyThrottle> throttle_;
  std::unique_ptr<WorkQueue> completions_;
  std::vector<std::unique_ptr<AsyncDirectIo>> async_;
  // Pooled: the first *_used_ belong to the run.
  std::vector<std::unique_ptr<DiskInode>> disk_inodes_;
  int disk_inodes_used_ = 0;
  std::vector<std::unique_ptr<std::optional<Inode>>> inode_slots_;
  std::vector<Inode*> inodes_;
  int inodes_used_ = 0;
  std::vector<std::unique_ptr<std::optional<Mm>>> mm_slots_;
  std::vector<Mm*> mms_;
  int mms_used_ = 0;
  std::array<TaskState, kTasksMax + 1> tasks_;
  std::unique_ptr<FileSystemState> fs_state_;
  std::vector<InvariantViolation> noted_;
  uint32_t dead_nodes_ = 0;       // bit i: node i
  uint32_t forgotten_nodes_ = 0;  // of those: recovered
  std::array<uint64_t, 8> submitted_at_death_{};  // requests, by node
  std::function<void(int)> death_observer_;
  bool in_final_checks_ = false;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_PAGE_CACHE_H_
