// What the tasks of one round did and saw, in memory that its processes share: for each operation of the workload when it
// began and ended, what it returned and which words it read; for each task what it is at.
//
// Thread-safety: an operation's record is written by its task alone; Tick is atomic and orders them all. Whoever watches
//                reads TaskState at any time; everything else only when the processes have ended.
// Invariants:    ticks are 1, 2, ...; one operation precedes another exactly when its end is smaller than the other's start.
// Cost:          a tick is one atomic increment; memory is touched only where it is used.
// Example:
//   ASSIGN_OR_RETURN(const auto log, OperationLog::Make(workload));
//   const uint32_t id = log->IdOf(task, index);
//   log->Begin(task, id);  ...  log->End(id, {.error = 0, .bytes = 4096});
#ifndef ORDEAL_BPF_OPERATION_LOG_H_
#define ORDEAL_BPF_OPERATION_LOG_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/cell_stamp.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

struct OperationResult {
  int error = 0;     // an errno or kBusError
  int64_t bytes = 0;  // transferred
};

class OperationLog {
 public:
  // InvalidArgument if the workload has more files, cells or operations than a stamp can name.
  static absl::StatusOr<std::unique_ptr<OperationLog>> Make(const Workload& workload);
  ~OperationLog();
  OperationLog(const OperationLog&) = delete;
  OperationLog& operator=(const OperationLog&) = delete;

  // 1, 2, ... in the order of the workload, as in the model.
  uint32_t IdOf(uint32_t task, uint32_t index) const { return first_ids_[task] + index; }

  // By the task itself.
  void Enter(uint32_t task);
  void Begin(uint32_t task, uint32_t id);
  void End(uint32_t id, const OperationResult& result);
  void Rest(uint32_t task);                      // between two operations
  void WaitFor(uint32_t task, uint32_t id);      // of an asynchronous operation that began before
  void SetOffset(uint32_t id, int64_t offset);   // where an append came to lie
  void Observe(uint32_t id, uint32_t cell, const CellWords& words);  // cells in order

  struct Record {
    uint64_t start = 0;  // 0: it never began
    uint64_t end = 0;    // 0: it never ended
    OperationResult result;
    int64_t offset = -1;
    uint32_t observed = 0;  // cells
  };
  Record record(uint32_t id) const;
  CellWords observed(uint32_t id, uint32_t cell) const;
  uint64_t last_tick() const;

  struct TaskState {
    int tid = 0;       // 0: it has not begun
    uint32_t id = 0;   // of the operation that it is in; 0: none
    double seconds = 0;  // how long it has been
  };
  TaskState task_state(uint32_t task) const;
  size_t tasks() const { return first_ids_.size(); }

 private:
  struct Slot;
  struct Task;
  struct Header;
  OperationLog() = default;
  uint64_t Tick();
  uint64_t* WordsAt(uint32_t id, uint32_t cell) const;

  std::vector<uint32_t> first_ids_;
  std::vector<size_t> word_offsets_;  // by id
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  Header* header_ = nullptr;
  Task* tasks_ = nullptr;
  Slot* slots_ = nullptr;  // by id - 1
  uint64_t* words_ = nullptr;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_OPERATION_LOG_H_
