#include "harness/cli/kernel_workload.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "harness/choice/prng.h"
#include "harness/corpus/corpus_file.h"
#include "harness/workload/generator.h"
#include "harness/workload/workload_text.h"
#include "injectors/schedule/random_walk.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr int64_t kWorkloadBytesMax = int64_t{64} << 20;

std::vector<OperationWeight> KernelOperations() {
  std::vector<OperationWeight> kinds = AllOperations();
  const OperationWeight more[] = {
      {FileOperationKind::kZeroRange, 2},        {FileOperationKind::kCollapseRange, 1},
      {FileOperationKind::kInsertRange, 1},      {FileOperationKind::kAllocate, 1},
      {FileOperationKind::kAppend, 2},           {FileOperationKind::kDirectAppend, 1},
      {FileOperationKind::kSyncWrite, 1},
      {FileOperationKind::kClone, 2},            {FileOperationKind::kUnshare, 1},
      {FileOperationKind::kAsyncDirectRead, 2},  {FileOperationKind::kAsyncDirectWrite, 2},
      {FileOperationKind::kAsyncSyncWrite, 1},   {FileOperationKind::kRemap, 1},
      {FileOperationKind::kProtect, 1},          {FileOperationKind::kMsync, 1},
      {FileOperationKind::kFork, 1},             {FileOperationKind::kReaddir, 1},
      {FileOperationKind::kSyncFs, 1},           {FileOperationKind::kFreeze, 1},
      {FileOperationKind::kRename, 1},           {FileOperationKind::kReplace, 1},
      {FileOperationKind::kShrinkInodes, 1},     {FileOperationKind::kMakeDirectory, 1}};
  kinds.insert(kinds.end(), std::begin(more), std::end(more));
  return kinds;
}

// Those whose results cannot be told word by word, or that make all others wait, are left out of most rounds.
bool Rare(FileOperationKind kind) {
  return kind == FileOperationKind::kReaddir || kind == FileOperationKind::kFreeze ||
         kind == FileOperationKind::kCollapseRange || kind == FileOperationKind::kInsertRange ||
         kind == FileOperationKind::kShrinkInodes || kind == FileOperationKind::kSyncFs;
}

absl::StatusOr<std::set<FileOperationKind>> ParseKinds(const std::string& list) {
  std::set<FileOperationKind> kinds;
  for (const absl::string_view name : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    FileOperationKind kind;
    if (!ParseFileOperationKind(name, &kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--without: no operation '", name, "'; names are those of a report's counts (punch-hole, direct-read)"));
    }
    kinds.insert(kind);
  }
  const std::vector<OperationWeight> all = KernelOperations();
  const auto left_out = [&](const OperationWeight& kind) { return kinds.count(kind.kind) != 0 || Rare(kind.kind); };
  if (std::all_of(all.begin(), all.end(), left_out)) {
    return absl::InvalidArgumentError("--without leaves nothing to do");
  }
  return kinds;
}

}  // namespace

absl::StatusOr<Workload> KernelWorkload(uint64_t seed, const std::set<FileOperationKind>& without) {
  Prng prng(DeriveSeed(seed, 0));
  WorkloadShape shape;
  shape.files = 2 + prng.Below(2);
  shape.unmapped_files = 1;
  shape.pages_per_file = 2u << prng.Below(3);
  shape.growth_pages = 1 + prng.Below(2);
  shape.tasks = 3 + prng.Below(4);
  shape.processes = 1 + prng.Below(3);
  shape.operations_per_task = 60;
  shape.length_pages_max = 1 + prng.Below(4);
  shape.anonymous_buffers = 2;
  shape.mapped_buffers = prng.Below(3);
  shape.kinds.clear();
  // Not both: XFS loses data then, always (corpora/kernel/xfs-direct-append.c), and it would hide what else there is.
  const FileOperationKind left_out = prng.Below(2) == 0 ? FileOperationKind::kDirectAppend : FileOperationKind::kClone;
  for (const OperationWeight& kind : KernelOperations()) {
    const bool wanted = kind.kind != left_out && (!Rare(kind.kind) || prng.Below(4) == 0);
    if (wanted && without.count(kind.kind) == 0) shape.kinds.push_back(kind);
  }
  RandomWalk source(seed);
  source.BeginRun(0);
  ChoiceRecorder choices;
  choices.Begin(&source);
  return GenerateWorkload(shape, choices);
}

absl::StatusOr<std::function<absl::StatusOr<Workload>(uint64_t seed)>> Workloads(const std::string& file,
                                                                                 const std::string& without) {
  if (file.empty()) {
    ASSIGN_OR_RETURN(const std::set<FileOperationKind> kinds, ParseKinds(without));
    return [kinds](uint64_t seed) { return KernelWorkload(seed, kinds); };
  }
  if (!without.empty()) return absl::InvalidArgumentError("--workload says what is done; drop it or --without");
  ASSIGN_OR_RETURN(const std::string text, ReadFileBounded(file, kWorkloadBytesMax));
  ASSIGN_OR_RETURN(const Workload workload, ParseWorkload(text, file));
  return [workload](uint64_t) -> absl::StatusOr<Workload> { return workload; };
}

}  // namespace ordeal
