// What the processes of a workload did, counted in memory that they share: operations by kind, failures by errno, and the
// word that asks everybody to stop.
//
// Thread-safety: any thread of any process that inherited the mapping; relaxed atomics, read after the processes ended.
// Invariants:    a failure is counted as an operation too.
// Cost:          one atomic increment an operation, two for one that failed.
// Example:
//   ASSIGN_OR_RETURN(const std::unique_ptr<RunStatistics> statistics, RunStatistics::Make());
//   statistics->Count(FileOperationKind::kRead, EFAULT);
//   for (const OperationCount& count : statistics->Counts()) ...
#ifndef ORDEAL_BPF_RUN_STATISTICS_H_
#define ORDEAL_BPF_RUN_STATISTICS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

// Instead of an errno: the operation touched a mapping beyond the end of its file.
inline constexpr int kBusError = -1;
std::string ErrorName(int error);  // "EFAULT", "SIGBUS", "errno 300"

struct OperationCount {
  FileOperationKind kind{};
  uint64_t operations = 0;
  struct Error {
    std::string name;
    uint64_t count = 0;
  };
  std::vector<Error> errors;  // by number
};

class RunStatistics {
 public:
  static absl::StatusOr<std::unique_ptr<RunStatistics>> Make();
  ~RunStatistics();
  RunStatistics(const RunStatistics&) = delete;
  RunStatistics& operator=(const RunStatistics&) = delete;

  // `error`: 0, an errno or kBusError.
  void Count(FileOperationKind kind, int error);
  void CountSlowCopy() { shared_->slow_copies.fetch_add(1, std::memory_order_relaxed); }
  void NoteNoSlowMemory() { shared_->no_slow_memory.store(1, std::memory_order_relaxed); }
  uint64_t slow_copies() const { return shared_->slow_copies.load(std::memory_order_relaxed); }
  bool no_slow_memory() const { return shared_->no_slow_memory.load(std::memory_order_relaxed) != 0; }
  void Stop() { shared_->stop.store(1, std::memory_order_relaxed); }
  bool stopped() const { return shared_->stop.load(std::memory_order_relaxed) != 0; }

  uint64_t operations() const;
  std::vector<OperationCount> Counts() const;  // kinds that occurred, by number

 private:
  static constexpr int kKinds = 64;
  static constexpr int kErrors = 256;  // slot 0: kBusError; the last one: whatever does not fit
  struct Shared {
    std::atomic<uint32_t> stop;
    std::atomic<uint32_t> no_slow_memory;  // the kernel refused userfaultfd
    std::atomic<uint64_t> slow_copies;
    std::atomic<uint64_t> operations[kKinds];
    std::atomic<uint64_t> errors[kKinds][kErrors];
  };
  static_assert(std::atomic<uint64_t>::is_always_lock_free, "the counters are shared by processes");
  explicit RunStatistics(Shared* shared) : shared_(shared) {}

  Shared* const shared_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_RUN_STATISTICS_H_
