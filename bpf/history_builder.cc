#include "bpf/history_builder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bpf/hang_watch.h"
#include "bpf/process_files.h"

namespace ordeal::bpf {
namespace {

// The device's write into pinned pages is followed by a worker that marks them dirty again: so many ticks are given to it.
constexpr uint64_t kRedirtyTicks = 200;

bool IsOneOf(const std::string& name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* other) { return name == other; });
}

// They did not happen, as far as contents are concerned.
bool NotSupported(int error) { return error == ENOSYS || error == EOPNOTSUPP || error == EPERM; }

// The operation could not write what it or somebody else had put into the cache.
bool TellsOfLoss(const OperationEvent& event) {
  if (event.error == EIO || event.error == EROFS || event.error == ESHUTDOWN || event.error == EUCLEAN) return true;
  const FileOperationKind kind = event.operation.kind;
  const bool writes_back = kind == FileOperationKind::kFsync || kind == FileOperationKind::kMsync ||
                           kind == FileOperationKind::kSyncFs || kind == FileOperationKind::kSyncWrite || IsDirect(kind);
  return writes_back && event.error == ENOMEM;
}

int ErrorOf(const OperationLog::Record& record, const FileOperation& operation) {
  if (record.result.error == kBusError) return EFAULT;
  if (record.result.error != 0) return record.result.error;
  const bool counts = IsReadCall(operation.kind) || IsWriteCall(operation.kind);
  return counts && record.result.bytes % kCellBytes != 0 ? EINTR : 0;  // a part of a cell: like a failure
}

constexpr size_t kGarbageMost = 8;
constexpr uint64_t kRoundsBack = 1000;

uint32_t PageStart(uint32_t cell) { return cell / kPageCells * kPageCells; }
uint32_t PageEnd(uint32_t cell) { return (cell + kPageCells - 1) / kPageCells * kPageCells; }

struct CellRange {
  uint32_t file = 0;
  uint32_t first = 0;
  uint32_t end = 0;  // whole pages
  bool any = false;
};

// Which pages an operation may dirty in the page cache.
CellRange Dirties(const FileOperation& operation) {
  const auto range = [](uint32_t file, uint32_t first, uint32_t cells) {
    return CellRange{file, PageStart(first), PageEnd(first + cells), true};
  };
  if (operation.kind == FileOperationKind::kStore || IsBufferedWriteCall(operation.kind)) {
    return range(operation.file, operation.offset_cells, operation.length_cells);
  }
  const bool into_mapping = operation.buffer_file != kAnonymousBuffer &&
                            (IsReadCall(operation.kind) || operation.kind == FileOperationKind::kReaddir);
  if (into_mapping) return range(operation.buffer_file, operation.buffer_offset_cells, operation.length_cells);
  // They write zeros into the page in which the file ends.
  const bool to_end = operation.kind == FileOperationKind::kTruncate || operation.kind == FileOperationKind::kZeroRange ||
                      operation.kind == FileOperationKind::kAllocate;
  if (to_end) return {operation.file, 0, std::numeric_limits<uint32_t>::max(), true};
  return {};
}

bool OneTime(const OperationEvent& a, const OperationEvent& b) { return a.start < b.end && b.start < a.end; }

}  // namespace

Promises PromisesOf(const std::string& file_system) {
  Promises promises;
  promises.atomic_calls = file_system == "xfs";
  promises.whole_writes = IsOneOf(file_system, {"xfs", "ext4", "btrfs"});
  promises.zeroes_tail = file_system == "xfs";  // ext4 since 6.14, but not when a direct write lets the file grow
  return promises;
}

HistoryBuilder::HistoryBuilder(const Workload& workload, const OperationLog& log, StampCode code,
                               const std::string& file_system, const Promises& promises)
    : workload_(workload),
      log_(log),
      code_(code),
      writers_exclude_direct_(IsOneOf(file_system, {"xfs", "ext4", "btrfs"})) {
  history_.promises = promises;
  for (const WorkloadFile& file : workload.files) history_.initial_cells.push_back(file.size_cells);
  for (const std::vector<FileOperation>& task : workload.tasks) {
    for (const FileOperation& operation : task) {
      has_entries_ |= operation.kind == FileOperationKind::kReaddir && operation.buffer_file != kAnonymousBuffer;
    }
  }
}

CellValue HistoryBuilder::DecodeWord(uint64_t word) {
  if (word == 0) return {.kind = CellKind::kZero};
  if (word == kBlankWord) return {.kind = CellKind::kBlankPoison};
  CellStamp stamp;
  const CellValue garbage = {.kind = has_entries_ ? CellKind::kUnknown : CellKind::kTorn};
  if (!code_.Parse(word, &stamp)) {
    if (garbage_.size() < kGarbageMost && !has_entries_) garbage_.push_back(word);
    return garbage;
  }
  if (stamp.operation == 0) return {.kind = CellKind::kInitial, .file = stamp.file, .cell = stamp.index};
  const FileOperation* operation = FindOperation(workload_, stamp.operation);
  if (operation == nullptr || operation->file != stamp.file) return garbage;
  uint32_t first = operation->offset_cells;
  if (IsAppend(operation->kind)) {
    const OperationLog::Record record = log_.record(stamp.operation);
    if (record.end == 0 || record.offset < 0) return {.kind = CellKind::kUnknown};  // nobody knows where it lies
    first = static_cast<uint32_t>(record.offset / kCellBytes);
  }
  return {.kind = CellKind::kData, .file = stamp.file, .cell = first + stamp.index, .operation = stamp.operation};
}

std::string HistoryBuilder::DescribeGarbage() const {
  std::string text;
  for (const uint64_t word : garbage_) {
    absl::StrAppendFormat(&text, "  unknown word 0x%016x", word);
    CellStamp stamp;
    for (uint64_t back = 1; back <= kRoundsBack; ++back) {
      if (!code_.RoundsBack(back).Parse(word, &stamp)) continue;
      absl::StrAppendFormat(&text, ": written %d rounds before, file %d, operation %d, its cell %d", back, stamp.file,
                            stamp.operation, stamp.index);
      break;
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

CellValue HistoryBuilder::Decode(const CellWords& words) {
  ++cells_seen_;
  std::vector<CellValue> parts;
  uint64_t hash = words.count;
  for (size_t i = 0; i < words.count; ++i) {
    hash = (hash ^ words.words[i]) * 0x9e3779b97f4a7c15;
    const CellValue part = DecodeWord(words.words[i]);
    if (part.kind != CellKind::kUnknown) parts.push_back(part);
  }
  if (parts.empty()) return {};
  if (words.count == 1) return parts[0];
  history_.mixtures.push_back(std::move(parts));
  return {.kind = CellKind::kMixture,
          .cell = static_cast<uint32_t>(hash >> 32),
          .operation = static_cast<uint32_t>(history_.mixtures.size() - 1)};
}

void HistoryBuilder::AddEvent(uint32_t task, uint32_t id, const FileOperation& operation) {
  const OperationLog::Record record = log_.record(id);
  if (record.start == 0 || NotSupported(record.result.error)) return;
  OperationEvent event;
  event.id = id;
  event.task = task;
  event.operation = operation;
  event.start = record.start;
  event.end = record.end == 0 ? kUnfinished : record.end;
  event.error = ErrorOf(record, operation);
  const bool reads_entries = operation.kind == FileOperationKind::kReaddir;  // how much it overwrote is not known
  event.copies_values = !reads_entries;
  if (event.error == 0 && !reads_entries) event.completed_cells = static_cast<uint32_t>(record.result.bytes / kCellBytes);
  if (IsAppend(operation.kind)) {
    event.place_unknown = record.end == 0 || record.offset < 0 || event.error != 0;
    if (!event.place_unknown) event.operation.offset_cells = static_cast<uint32_t>(record.offset / kCellBytes);
  }
  if (event.error == 0) {
    for (uint32_t cell = 0; cell < record.observed; ++cell) event.observed.push_back(Decode(log_.observed(id, cell)));
  }
  told_of_loss_ |= TellsOfLoss(event);
  history_.events.push_back(std::move(event));
}

bool HistoryBuilder::Conflict(const OperationEvent& direct, const OperationEvent& other, uint32_t* first,
                              uint32_t* end) const {
  const CellRange dirtied = Dirties(other.operation);
  if (!dirtied.any || dirtied.file != direct.operation.file) return false;
  const bool async = IsAsync(direct.operation.kind);
  const bool through_mapping = dirtied.file != other.operation.file || !IsBufferedWriteCall(other.operation.kind);
  const bool of_file = other.operation.kind == FileOperationKind::kTruncate ||
                       other.operation.kind == FileOperationKind::kZeroRange ||
                       other.operation.kind == FileOperationKind::kAllocate;
  if (writers_exclude_direct_ && !async && (of_file || !through_mapping)) return false;
  OperationEvent dirtier = {.start = other.start, .end = other.end};
  const bool into_pinned = IsDirect(other.operation.kind);
  if (into_pinned && dirtier.end != kUnfinished) dirtier.end += kRedirtyTicks;
  if (!OneTime(direct, dirtier)) return false;
  *first = std::max(dirtied.first, direct.operation.offset_cells);
  *end = std::min(dirtied.end, direct.operation.offset_cells + direct.operation.length_cells);
  return *first < *end;
}

void HistoryBuilder::ExcuseConflicts() {
  for (const OperationEvent& direct : history_.events) {
    if (!IsDirect(direct.operation.kind) || !IsWriteCall(direct.operation.kind)) continue;
    for (const OperationEvent& other : history_.events) {
      uint32_t first = 0;
      uint32_t end = 0;
      if (&other == &direct || !Conflict(direct, other, &first, &end)) continue;
      const uint64_t last = direct.end == kUnfinished ? log_.last_tick() : direct.end;
      history_.errors.push_back({.file = direct.operation.file, .first_cell = first, .end_cell = end, .sequence = last});
    }
  }
}

const History& HistoryBuilder::Build() {
  for (uint32_t task = 0; task < workload_.tasks.size(); ++task) {
    for (uint32_t i = 0; i < workload_.tasks[task].size(); ++i) AddEvent(task, log_.IdOf(task, i), workload_.tasks[task][i]);
  }
  ExcuseConflicts();
  return history_;
}

std::vector<CellValue> HistoryBuilder::ReadCells(int fd, uint32_t cells, bool direct) {
  const uint64_t bytes = PagesUp(CellsToBytes(cells));
  void* memory = mmap(nullptr, bytes + kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return {};
  memset(memory, kBlankWord & 0xff, bytes);
  unsigned char* data = static_cast<unsigned char*>(memory);
  uint64_t done = 0;
  while (done < CellsToBytes(cells)) {
    const ssize_t n = pread(fd, data + done, bytes - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || (direct && n % kCellBytes != 0)) break;
    done += static_cast<uint64_t>(n);
  }
  std::vector<CellValue> values(cells);
  for (uint32_t cell = 0; CellsToBytes(cell + 1) <= done && cell < cells; ++cell) {
    values[cell] = Decode(WordsOf(data + CellsToBytes(cell)));
  }
  munmap(memory, bytes + kPageBytes);
  return values;
}

absl::Status HistoryBuilder::LookAtEnd(int directory_fd) {
  for (uint32_t index = 0; index < workload_.files.size(); ++index) {
    const char* name = workload_.files[index].name.c_str();
    const int fd = openat(directory_fd, name, O_RDWR | O_CLOEXEC);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) != 0) {
      return absl::InternalError(absl::StrCat("cannot look at '", name, "' at the end: ", strerror(errno)));
    }
    FinalState state;
    state.file = index;
    state.size_known = found.st_size % kCellBytes == 0;
    state.size_cells = static_cast<uint32_t>(found.st_size / kCellBytes);
    state.cached = ReadCells(fd, state.size_cells, false);
    const int direct_fd = openat(directory_fd, name, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (direct_fd >= 0) {
      state.direct = ReadCells(direct_fd, state.size_cells, true);
      close(direct_fd);
    }
    const bool told = fsync(fd) != 0;
    told_of_loss_ |= told;
    const bool clean = !told || fsync(fd) == 0;  // the first may tell of a conflict
    if (clean && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0) {
      state.dropped = ReadCells(fd, state.size_cells, false);
    }
    close(fd);
    history_.final_states.push_back(std::move(state));
  }
  return absl::OkStatus();
}

namespace {

std::string FormatValue(const History& history, const CellValue& value) {
  if (value.kind != CellKind::kMixture) return ToString(value);
  std::string text = "a mixture of";
  for (const CellValue& part : history.mixtures[value.operation]) absl::StrAppend(&text, " {", ToString(part), "}");
  return text;
}

void AppendValues(const History& history, const char* what, const std::vector<CellValue>& values, uint32_t first,
                  std::string* text) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].kind == CellKind::kUnknown) continue;
    absl::StrAppend(text, "  ", what, " cell ", first + i, ": ", FormatValue(history, values[i]), "\n");
  }
}

}  // namespace

std::string FormatHistory(const History& history) {
  std::vector<const OperationEvent*> events;
  for (const OperationEvent& event : history.events) events.push_back(&event);
  std::sort(events.begin(), events.end(), [](const auto* a, const auto* b) { return a->start < b->start; });
  std::string text = "# in order of their beginnings; the numbers are ticks\n";
  for (const OperationEvent* event : events) {
    absl::StrAppend(&text, ToString(*event), "\n");
    AppendValues(history, "saw", event->observed, event->operation.offset_cells, &text);
  }
  for (const ReportedError& error : history.errors) {
    absl::StrAppend(&text, "excused: file ", error.file, " cells [", error.first_cell, ", ", error.end_cell, ") from ",
                    error.sequence, "\n");
  }
  for (const FinalState& state : history.final_states) {
    absl::StrAppend(&text, "file ", state.file, " at the end: ", state.size_cells, " cells\n");
    AppendValues(history, "cached", state.cached, 0, &text);
    AppendValues(history, "direct", state.direct, 0, &text);
    AppendValues(history, "dropped", state.dropped, 0, &text);
  }
  return text;
}

}  // namespace ordeal::bpf
