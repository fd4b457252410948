#include "harness/workload/generator.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace ordeal {
namespace {

constexpr uint32_t kOptionsMax = 65535;

class Generator {
 public:
  Generator(const WorkloadShape& shape, ChoiceRecorder& choices) : shape_(shape), choices_(choices) {
    for (const OperationWeight& kind : shape.kinds) weights_ += kind.weight;
  }

  FileOperation Next() {
    FileOperation operation;
    operation.kind = PickKind();
    if (operation.kind == FileOperationKind::kMapUnmap || operation.kind == FileOperationKind::kShrinkInodes) {
      return operation;
    }
    operation.file = PickFile(operation.kind);
    if (operation.kind == FileOperationKind::kTruncate) {
      operation.offset_cells = Below(pages_max() * kPageCells + 1);
    }
    if (HasRange(operation.kind)) PickRange(&operation);
    if (HasOtherFile(operation.kind)) {
      operation.other_file = (operation.file + 1 + Below(files() - 1)) % files();
    }
    if (HasUserBuffer(operation.kind)) PickBuffer(&operation);
    return operation;
  }

 private:
  uint32_t files() const { return shape_.files + shape_.unmapped_files; }
  uint32_t PickFile(FileOperationKind kind) {
    if (NeedsMapping(kind) || IsAsync(kind)) return Below(shape_.files);
    if (kind == FileOperationKind::kReplace) return shape_.files + Below(shape_.unmapped_files);
    return Below(files());
  }
  uint32_t pages_max() const { return shape_.pages_per_file + shape_.growth_pages; }

  uint32_t Ask(ChoiceKind kind, uint32_t options) {
    if (options < 2) return 0;
    return static_cast<uint32_t>(choices_.Choose({.kind = kind, .options = static_cast<int>(options)}));
  }
  uint32_t Below(uint32_t options) { return Ask(ChoiceKind::kOperand, options); }

  FileOperationKind PickKind() {
    uint32_t answer = Ask(ChoiceKind::kOperation, weights_);
    for (const OperationWeight& kind : shape_.kinds) {
      if (answer < kind.weight) return kind.kind;
      answer -= kind.weight;
    }
    return shape_.kinds.front().kind;
  }

  void PickRange(FileOperation* operation) {
    const uint32_t unit = NeedsPageAlignment(operation->kind) ? kPageCells : 1;
    const uint32_t end = pages_max() * kPageCells;
    const bool from_zero = IsAppend(operation->kind) || operation->kind == FileOperationKind::kReaddir;
    if (!from_zero) operation->offset_cells = Below(end / unit) * unit;
    const uint32_t longest = std::min(end - operation->offset_cells, shape_.length_pages_max * kPageCells);
    operation->length_cells = (1 + Below(longest / unit)) * unit;
  }

  void PickBuffer(FileOperation* operation) {
    if (shape_.mapped_buffers == 0) return;
    if (Below(shape_.anonymous_buffers + shape_.mapped_buffers) < shape_.anonymous_buffers) return;
    operation->buffer_file = Below(shape_.files);
    operation->buffer_offset_cells = Below(shape_.pages_per_file) * kPageCells;
  }

  const WorkloadShape& shape_;
  ChoiceRecorder& choices_;
  uint32_t weights_ = 0;
};

absl::Status CheckShape(const WorkloadShape& shape) {
  if (shape.files == 0 || shape.pages_per_file == 0 || shape.tasks == 0 || shape.processes == 0 ||
      shape.length_pages_max == 0) {
    return absl::InvalidArgumentError("a workload needs at least one file, page, task, process and page per operation");
  }
  if (shape.tasks > kWorkloadTasksMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(shape.tasks, " tasks; at most ", kWorkloadTasksMax, " are supported"));
  }
  if (shape.operations_per_task > 100'000) {
    return absl::InvalidArgumentError(
        absl::StrCat(shape.operations_per_task, " operations per task; at most 100000 are supported"));
  }
  const uint64_t cells = (uint64_t{shape.pages_per_file} + shape.growth_pages) * kPageCells;
  if (uint64_t{shape.files} + shape.unmapped_files > kOptionsMax || cells + 1 > kOptionsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("files of ", cells, " cells; a choice has at most ", kOptionsMax, " options"));
  }
  uint64_t weights = 0;
  for (const OperationWeight& kind : shape.kinds) {
    if (kind.kind == FileOperationKind::kReplace && shape.unmapped_files == 0) {
      return absl::InvalidArgumentError("replace needs an unmapped file");
    }
    if (HasOtherFile(kind.kind) && shape.files < 2) {
      return absl::InvalidArgumentError(absl::StrCat(FileOperationKindName(kind.kind), " needs two files"));
    }
    weights += kind.weight;
  }
  if (weights == 0 || weights > kOptionsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the weights of the operations sum to ", weights, "; 1 to ", kOptionsMax, " is possible"));
  }
  if (uint64_t{shape.anonymous_buffers} + shape.mapped_buffers > kOptionsMax) {
    return absl::InvalidArgumentError(absl::StrCat("the weights of the buffers sum to more than ", kOptionsMax));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<OperationWeight> AllOperations() {
  return {
      {FileOperationKind::kRead, 5},
      {FileOperationKind::kWrite, 5},
      {FileOperationKind::kDirectRead, 3},
      {FileOperationKind::kDirectWrite, 3},
      {FileOperationKind::kLoad, 3},
      {FileOperationKind::kStore, 3},
      {FileOperationKind::kTruncate, 2},
      {FileOperationKind::kPunchHole, 3},
      {FileOperationKind::kFadviseWillNeed, 1},
      {FileOperationKind::kMadviseWillNeed, 1},
      {FileOperationKind::kFsync, 2},
      {FileOperationKind::kDropCaches, 2},
      {FileOperationKind::kMapUnmap, 1},
      {FileOperationKind::kDedupe, 2},
      {FileOperationKind::kLink, 1},
  };
}

absl::StatusOr<Workload> GenerateWorkload(const WorkloadShape& shape, ChoiceRecorder& choices) {
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  Workload workload;
  for (uint32_t file = 0; file < shape.files + shape.unmapped_files; ++file) {
    const std::string name = file < 26 ? std::string(1, static_cast<char>('a' + file)) : absl::StrCat("f", file);
    workload.files.push_back({name, shape.pages_per_file * kPageCells, file < shape.files});
  }
  Generator generator(shape, choices);
  for (uint32_t task = 0; task < shape.tasks; ++task) {
    workload.processes.push_back(task % shape.processes);
    std::vector<FileOperation>& operations = workload.tasks.emplace_back();
    for (uint32_t i = 0; i < shape.operations_per_task && !choices.stopped(); ++i) {
      operations.push_back(generator.Next());
    }
  }
  if (choices.stopped()) {
    const absl::Status status = choices.source()->status();
    return status.ok() ? absl::CancelledError("the choice source stopped the run") : status;
  }
  return workload;
}

}  // namespace ordeal
