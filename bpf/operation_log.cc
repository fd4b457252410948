#include "bpf/operation_log.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "absl/strings/str_cat.h"

namespace ordeal::bpf {
namespace {

constexpr size_t kWordsAtCell = 1 + CellWords::kMost;  // a count, then the words

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

bool Observes(const FileOperation& operation) {
  return operation.kind == FileOperationKind::kLoad ||
         (IsReadCall(operation.kind) && operation.buffer_file == kAnonymousBuffer);
}

absl::Status CheckLimits(const Workload& workload) {
  size_t operations = 0;
  uint64_t cells = 0;
  for (const WorkloadFile& file : workload.files) cells = std::max<uint64_t>(cells, file.size_cells);
  for (const std::vector<FileOperation>& task : workload.tasks) {
    operations += task.size();
    for (const FileOperation& operation : task) cells = std::max<uint64_t>(cells, operation.length_cells);
  }
  if (workload.files.size() > kStampFilesMax || operations >= kStampOperationsMax || cells > kStampIndexMax) {
    return absl::InvalidArgumentError(absl::StrCat("the workload has ", workload.files.size(), " files, ", operations,
                                                   " operations and ranges of ", cells, " cells; at most ", kStampFilesMax,
                                                   ", ", kStampOperationsMax - 1, " and ", kStampIndexMax,
                                                   " can be told apart"));
  }
  return absl::OkStatus();
}

}  // namespace

struct OperationLog::Header {
  std::atomic<uint64_t> ticks;
};
struct OperationLog::Slot {
  uint64_t start;
  uint64_t end;
  int64_t bytes;
  int64_t offset;
  int32_t error;
  uint32_t observed;
};
struct OperationLog::Task {
  std::atomic<int32_t> tid;
  std::atomic<uint32_t> id;
  std::atomic<uint64_t> since_ns;
};

absl::StatusOr<std::unique_ptr<OperationLog>> OperationLog::Make(const Workload& workload) {
  if (absl::Status status = CheckLimits(workload); !status.ok()) return status;
  std::unique_ptr<OperationLog> log(new OperationLog());
  uint32_t next_id = 1;
  size_t words = 0;
  log->word_offsets_.push_back(0);  // there is no operation 0
  for (const std::vector<FileOperation>& task : workload.tasks) {
    log->first_ids_.push_back(next_id);
    next_id += static_cast<uint32_t>(task.size());
    for (const FileOperation& operation : task) {
      log->word_offsets_.push_back(words);
      if (Observes(operation)) words += operation.length_cells * kWordsAtCell;
    }
  }
  const size_t operations = next_id - 1;
  const size_t tasks_at = sizeof(Header);
  const size_t slots_at = tasks_at + log->first_ids_.size() * sizeof(Task);
  const size_t words_at = slots_at + operations * sizeof(Slot);
  log->bytes_ = words_at + words * sizeof(uint64_t);
  void* memory = mmap(nullptr, log->bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return absl::ResourceExhaustedError(absl::StrCat("mmap: ", strerror(errno)));
  log->memory_ = memory;
  char* base = static_cast<char*>(memory);  // all zero, which is what each of them begins with
  log->header_ = reinterpret_cast<Header*>(base);
  log->tasks_ = reinterpret_cast<Task*>(base + tasks_at);
  log->slots_ = reinterpret_cast<Slot*>(base + slots_at);
  log->words_ = reinterpret_cast<uint64_t*>(base + words_at);
  return log;
}

OperationLog::~OperationLog() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

uint64_t OperationLog::Tick() { return header_->ticks.fetch_add(1, std::memory_order_seq_cst) + 1; }
uint64_t OperationLog::last_tick() const { return header_->ticks.load(std::memory_order_seq_cst); }

void OperationLog::Enter(uint32_t task) {
  tasks_[task].tid.store(static_cast<int32_t>(syscall(SYS_gettid)), std::memory_order_relaxed);
}

void OperationLog::Begin(uint32_t task, uint32_t id) {
  tasks_[task].since_ns.store(NowNs(), std::memory_order_relaxed);
  tasks_[task].id.store(id, std::memory_order_release);  // pairs with task_state
  slots_[id - 1].offset = -1;
  slots_[id - 1].start = Tick();
}

void OperationLog::WaitFor(uint32_t task, uint32_t id) {
  tasks_[task].since_ns.store(NowNs(), std::memory_order_relaxed);
  tasks_[task].id.store(id, std::memory_order_release);
}

void OperationLog::Rest(uint32_t task) { tasks_[task].id.store(0, std::memory_order_release); }

void OperationLog::End(uint32_t id, const OperationResult& result) {
  Slot& slot = slots_[id - 1];
  slot.bytes = result.bytes;
  slot.error = result.error;
  slot.end = Tick();
}

void OperationLog::SetOffset(uint32_t id, int64_t offset) { slots_[id - 1].offset = offset; }

uint64_t* OperationLog::WordsAt(uint32_t id, uint32_t cell) const {
  return words_ + word_offsets_[id] + size_t{cell} * kWordsAtCell;
}

void OperationLog::Observe(uint32_t id, uint32_t cell, const CellWords& words) {
  uint64_t* at = WordsAt(id, cell);
  at[0] = words.count;
  std::copy(words.words, words.words + words.count, at + 1);
  slots_[id - 1].observed = cell + 1;
}

OperationLog::Record OperationLog::record(uint32_t id) const {
  const Slot& slot = slots_[id - 1];
  return {.start = slot.start,
          .end = slot.end,
          .result = {.error = slot.error, .bytes = slot.bytes},
          .offset = slot.offset,
          .observed = slot.observed};
}

CellWords OperationLog::observed(uint32_t id, uint32_t cell) const {
  const uint64_t* at = WordsAt(id, cell);
  CellWords words;
  words.count = std::min<size_t>(at[0], CellWords::kMost);
  std::copy(at + 1, at + 1 + words.count, words.words);
  return words;
}

OperationLog::TaskState OperationLog::task_state(uint32_t task) const {
  TaskState state;
  state.tid = tasks_[task].tid.load(std::memory_order_relaxed);
  state.id = tasks_[task].id.load(std::memory_order_acquire);  // pairs with Begin
  const uint64_t since = tasks_[task].since_ns.load(std::memory_order_relaxed);
  const uint64_t now = NowNs();
  if (state.id != 0 && now > since) state.seconds = static_cast<double>(now - since) * 1e-9;
  return state;
}

}  // namespace ordeal::bpf
