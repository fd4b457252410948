// Runs a Workload on the model's page cache, one task a list of operations, and records the History that the oracle
// judges.
//
// Thread-safety: none; one executor a scenario object, reused for many runs.
// Invariants:    operation ids are 1, 2, ... in the order of the workload, not of the schedule; every cell that is
// written is
//                stamped with its operation, so that what is read names its writer.
// Cost:          a run of ten operations: some tens of microseconds, most of it the page cache's own steps.
// Example:
//   WorkloadExecutor executor(run.sim(), run.spec(), options);
//   executor.Begin(workload);        // in Setup: builds the world and spawns the tasks
//   executor.Check(run);             // in Check: looks at the end state, judges, reports findings
//   executor.End();                  // in Teardown
#ifndef ORDEAL_HARNESS_SCENARIO_WORKLOAD_EXECUTOR_H_
#define ORDEAL_HARNESS_SCENARIO_WORKLOAD_EXECUTOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "harness/filesystems/filesystems.h"
#include "harness/oracle/judge.h"
#include "harness/pagecache/page_cache.h"
#include "harness/scenario/scenario.h"
#include "harness/workload/file_operation.h"

namespace ordeal {

// What the oracle is told that a cell holds.
CellValue ToCellValue(const pagecache::Stamp& stamp);

class WorkloadExecutor {
 public:
  // The spec's file system, bugs and faults apply; `options.faults` and `options.steal` are set from it.
  WorkloadExecutor(Simulation& sim, const ScenarioSpec& spec, pagecache::WorldOptions options);

  // Builds files and address spaces and spawns a task for each list. `workload` must be valid and outlive the run.
  void Begin(const Workload& workload);
  // After all tasks have ended: reads everything back, judges the history and the world's invariants, and reports.
  void Check(ScenarioRun& run);
  void End() { world_.EndRun(); }

  const History& history() const { return history_; }
  pagecache::World& world() { return world_; }
  const pagecache::World& world() const { return world_; }

 private:
  using Stamps = absl::InlinedVector<pagecache::Stamp, 8>;

  void RunTask(size_t task);
  void Perform(size_t task, const FileOperation& operation, uint32_t id);
  void EndOperation(const FileOperation& operation, uint32_t id, size_t index, const pagecache::Result& result);
  void SubmitAsync(size_t task, const FileOperation& operation, uint32_t id, size_t index);
  // The inodes that an operation is about, as long as it has them open.
  struct Opened {
    pagecache::Inode* file = nullptr;
    pagecache::Inode* other = nullptr;
    pagecache::Inode* buffer = nullptr;
  };
  Opened Open(const FileOperation& operation, const pagecache::Mm& mm);
  pagecache::Inode* OpenOne(uint32_t file, const pagecache::Mm& mm);
  void Close(const FileOperation& operation, const Opened& opened);
  pagecache::Io IoOf(const FileOperation& operation, const Opened& opened, absl::Span<const pagecache::Stamp> stamps);
  pagecache::Result Call(size_t task, const FileOperation& operation, uint32_t id, const Opened& opened);
  pagecache::Result Replace(uint32_t file, pagecache::Inode& old);
  void Record(const pagecache::Result& result, const FileOperation& operation, OperationEvent* event);
  void ExcuseConflict(const FileOperation& operation);
  bool StoredTo(uint32_t file) const;
  void NoteDeath(int node);
  void CollectErrors();
  Stamps StampsOf(const FileOperation& operation, uint32_t id) const;
  // In the memory of the process's node. Of an unmapped file: only while it is open.
  pagecache::Inode& File(uint32_t file, const pagecache::Mm& mm) { return world_.OnNode(*files_[file], mm.node); }
  uint32_t WritebackErrors(uint32_t file) const;  // of all nodes

  pagecache::Mm& MmOfSurvivor();
  void OpenUnmapped();
  void RefreshSizes();
  void SampleCache();
  void SampleExtents();
  void ReadBack(std::vector<CellValue> FinalState::*path, bool direct);
  void LookAtEnd();
  void ReportFindings(ScenarioRun& run);
  void ReportInvariant(const pagecache::InvariantViolation& violation, ScenarioRun& run);

  Simulation& sim_;
  const ScenarioSpec& spec_;
  std::unique_ptr<pagecache::FileSystem> fs_;
  pagecache::World world_;
  HistoryJudge judge_;
  std::vector<std::string> task_names_;  // outlive every run

  // Of the run.
  const Workload* workload_ = nullptr;
  std::vector<pagecache::Inode*> files_;  // on the first node; in the final check on one that is alive
  std::vector<pagecache::Mm*> mms_;    // by process, process p runs on node p % nodes
  pagecache::Mm* looking_mm_ = nullptr;  // of the final check
  std::vector<int> in_flight_;         // asynchronous operations of each task
  std::vector<uint32_t> first_ids_;    // of each task's operations
  std::vector<uint32_t> errors_seen_;  // wb_err of each file
  History history_;
  uint64_t sequence_ = 0;
  std::vector<pagecache::InvariantViolation> invariants_;
  bool quiesced_ = true;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_WORKLOAD_EXECUTOR_H_
