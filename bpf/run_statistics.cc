#include "bpf/run_statistics.h"

#include <string.h>
#include <sys/mman.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace ordeal::bpf {

std::string ErrorName(int error) {
  if (error == kBusError) return "SIGBUS";
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : absl::StrCat("errno ", error);
}

absl::StatusOr<std::unique_ptr<RunStatistics>> RunStatistics::Make() {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return absl::ResourceExhaustedError(absl::StrCat("mmap: ", strerror(errno)));
  return std::unique_ptr<RunStatistics>(new RunStatistics(new (memory) Shared{}));
}

RunStatistics::~RunStatistics() { munmap(shared_, sizeof(Shared)); }

void RunStatistics::Count(FileOperationKind kind, int error) {
  const int row = static_cast<int>(kind) % kKinds;
  shared_->operations[row].fetch_add(1, std::memory_order_relaxed);
  if (error == 0) return;
  const int slot = error == kBusError ? 0 : (error < kErrors ? error : kErrors - 1);
  shared_->errors[row][slot].fetch_add(1, std::memory_order_relaxed);
}

uint64_t RunStatistics::operations() const {
  uint64_t sum = 0;
  for (const std::atomic<uint64_t>& operations : shared_->operations) sum += operations.load(std::memory_order_relaxed);
  return sum;
}

std::vector<OperationCount> RunStatistics::Counts() const {
  std::vector<OperationCount> counts;
  for (int kind = 0; kind < kKinds; ++kind) {
    OperationCount count{.kind = static_cast<FileOperationKind>(kind), .operations = shared_->operations[kind], .errors = {}};
    if (count.operations == 0) continue;
    for (int slot = 0; slot < kErrors; ++slot) {
      const uint64_t errors = shared_->errors[kind][slot];
      if (errors != 0) count.errors.push_back({ErrorName(slot == 0 ? kBusError : slot), errors});
    }
    counts.push_back(std::move(count));
  }
  return counts;
}

}  // namespace ordeal::bpf
