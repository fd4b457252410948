#include "harness/workload/file_operation.h"

#include "absl/strings/str_cat.h"

namespace ordeal {
namespace {

struct KindEntry {
  FileOperationKind kind;
  const char* name;
  bool has_range;
  bool page_aligned;
  bool has_buffer;
  bool mutates;
};

constexpr KindEntry kKinds[] = {
    {FileOperationKind::kRead, "read", true, false, true, false},
    {FileOperationKind::kWrite, "write", true, false, true, true},
    {FileOperationKind::kDirectRead, "direct-read", true, true, true, false},
    {FileOperationKind::kDirectWrite, "direct-write", true, true, true, true},
    {FileOperationKind::kLoad, "load", true, false, false, false},
    {FileOperationKind::kStore, "store", true, false, false, true},
    {FileOperationKind::kTruncate, "truncate", false, false, false, true},
    {FileOperationKind::kPunchHole, "punch-hole", true, true, false, true},
    {FileOperationKind::kFadviseWillNeed, "fadvise-willneed", true, false, false, false},
    {FileOperationKind::kMadviseWillNeed, "madvise-willneed", true, false, false, false},
    {FileOperationKind::kFsync, "fsync", false, false, false, false},
    {FileOperationKind::kDropCaches, "drop-caches", false, false, false, false},
    {FileOperationKind::kMapUnmap, "map-unmap", false, false, false, false},
    {FileOperationKind::kDedupe, "dedupe", true, true, false, false},
    {FileOperationKind::kLink, "link", false, false, false, false},
    {FileOperationKind::kZeroRange, "zero-range", true, true, false, true},
    {FileOperationKind::kCollapseRange, "collapse-range", true, true, false, true},
    {FileOperationKind::kInsertRange, "insert-range", true, true, false, true},
    {FileOperationKind::kAllocate, "allocate", true, false, false, false},
    {FileOperationKind::kAppend, "append", true, false, true, true},
    {FileOperationKind::kSyncWrite, "sync-write", true, false, true, true},
    {FileOperationKind::kClone, "clone", true, true, false, false},
    {FileOperationKind::kUnshare, "unshare", true, true, false, false},
    {FileOperationKind::kAsyncDirectRead, "async-direct-read", true, true, true, false},
    {FileOperationKind::kAsyncDirectWrite, "async-direct-write", true, true, true, true},
    {FileOperationKind::kAsyncSyncWrite, "async-direct-sync-write", true, true, true, true},
    {FileOperationKind::kRemap, "remap", false, false, false, false},
    {FileOperationKind::kProtect, "protect", false, false, false, false},
    {FileOperationKind::kMsync, "msync", false, false, false, false},
    {FileOperationKind::kFork, "fork", false, false, false, false},
    {FileOperationKind::kReaddir, "readdir", true, false, true, false},
    {FileOperationKind::kSyncFs, "syncfs", false, false, false, false},
    {FileOperationKind::kFreeze, "freeze", false, false, false, false},
    {FileOperationKind::kRename, "rename", false, false, false, false},
    {FileOperationKind::kReplace, "replace", false, false, false, true},
    {FileOperationKind::kShrinkInodes, "shrink-inodes", false, false, false, false},
    {FileOperationKind::kDirectAppend, "direct-append", true, true, true, true},
    {FileOperationKind::kMakeDirectory, "mkdir", false, false, false, false},
};

const KindEntry* Find(FileOperationKind kind) {
  for (const KindEntry& entry : kKinds) {
    if (entry.kind == kind) return &entry;
  }
  return nullptr;
}

}  // namespace

absl::Span<const FileOperationKind> AllFileOperationKinds() {
  static constexpr FileOperationKind kAll[] = {
      FileOperationKind::kRead,
      FileOperationKind::kWrite,
      FileOperationKind::kDirectRead,
      FileOperationKind::kDirectWrite,
      FileOperationKind::kLoad,
      FileOperationKind::kStore,
      FileOperationKind::kTruncate,
      FileOperationKind::kPunchHole,
      FileOperationKind::kFadviseWillNeed,
      FileOperationKind::kMadviseWillNeed,
      FileOperationKind::kFsync,
      FileOperationKind::kDropCaches,
      FileOperationKind::kMapUnmap,
      FileOperationKind::kDedupe,
      FileOperationKind::kLink,
      FileOperationKind::kZeroRange,
      FileOperationKind::kAllocate,
      FileOperationKind::kAppend,
      FileOperationKind::kSyncWrite,
      FileOperationKind::kCollapseRange,
      FileOperationKind::kInsertRange,
      FileOperationKind::kClone,
      FileOperationKind::kUnshare,
      FileOperationKind::kAsyncDirectRead,
      FileOperationKind::kAsyncDirectWrite,
      FileOperationKind::kAsyncSyncWrite,
      FileOperationKind::kRemap,
      FileOperationKind::kProtect,
      FileOperationKind::kMsync,
      FileOperationKind::kFork,
      FileOperationKind::kReaddir,
      FileOperationKind::kSyncFs,
      FileOperationKind::kFreeze,
      FileOperationKind::kRename,
      FileOperationKind::kReplace,
      FileOperationKind::kShrinkInodes,
      FileOperationKind::kDirectAppend,
      FileOperationKind::kMakeDirectory,
  };
  return kAll;
}

absl::string_view FileOperationKindName(FileOperationKind kind) {
  const KindEntry* entry = Find(kind);
  return entry == nullptr ? "unknown" : entry->name;
}

bool ParseFileOperationKind(absl::string_view name, FileOperationKind* kind) {
  for (const KindEntry& entry : kKinds) {
    if (name == entry.name) {
      *kind = entry.kind;
      return true;
    }
  }
  return false;
}

bool HasRange(FileOperationKind kind) {
  const KindEntry* entry = Find(kind);
  return entry != nullptr && entry->has_range;
}

bool NeedsPageAlignment(FileOperationKind kind) {
  const KindEntry* entry = Find(kind);
  return entry != nullptr && entry->page_aligned;
}

bool HasUserBuffer(FileOperationKind kind) {
  const KindEntry* entry = Find(kind);
  return entry != nullptr && entry->has_buffer;
}

bool IsBufferedWriteCall(FileOperationKind kind) {
  return kind == FileOperationKind::kWrite || kind == FileOperationKind::kAppend ||
         kind == FileOperationKind::kSyncWrite;
}

bool IsAppend(FileOperationKind kind) {
  return kind == FileOperationKind::kAppend || kind == FileOperationKind::kDirectAppend;
}

bool IsWriteCall(FileOperationKind kind) {
  return IsBufferedWriteCall(kind) || (IsDirect(kind) && ChangesContents(kind));
}

bool IsReadCall(FileOperationKind kind) {
  return kind == FileOperationKind::kRead || (IsDirect(kind) && !ChangesContents(kind));
}

bool IsAsync(FileOperationKind kind) {
  return kind == FileOperationKind::kAsyncDirectRead || kind == FileOperationKind::kAsyncDirectWrite ||
         kind == FileOperationKind::kAsyncSyncWrite;
}

bool IsDirect(FileOperationKind kind) {
  return kind == FileOperationKind::kDirectRead || kind == FileOperationKind::kDirectWrite ||
         kind == FileOperationKind::kDirectAppend || IsAsync(kind);
}

bool HasOtherFile(FileOperationKind kind) {
  return kind == FileOperationKind::kDedupe || kind == FileOperationKind::kClone || kind == FileOperationKind::kRename;
}

bool NeedsMapping(FileOperationKind kind) {
  switch (kind) {
    case FileOperationKind::kLoad:
    case FileOperationKind::kStore:
    case FileOperationKind::kMadviseWillNeed:
    case FileOperationKind::kRemap:
    case FileOperationKind::kProtect:
    case FileOperationKind::kMsync: return true;
    default: return false;
  }
}

bool ChangesContents(FileOperationKind kind) {
  const KindEntry* entry = Find(kind);
  return entry != nullptr && entry->mutates;
}

std::string ToString(const FileOperation& operation) {
  std::string text(FileOperationKindName(operation.kind));
  if (operation.kind == FileOperationKind::kMapUnmap) return text;
  absl::StrAppend(&text, " file ", operation.file);
  if (operation.kind == FileOperationKind::kTruncate) {
    absl::StrAppend(&text, " to ", operation.offset_cells);
  }
  if (HasRange(operation.kind)) {
    absl::StrAppend(&text, " cells [", operation.offset_cells, ", ",
                    uint64_t{operation.offset_cells} + operation.length_cells, ")");
  }
  if (operation.kind == FileOperationKind::kDedupe) {
    absl::StrAppend(&text, " against file ", operation.other_file);
  }
  if (operation.kind == FileOperationKind::kRename) absl::StrAppend(&text, " with file ", operation.other_file);
  if (operation.kind == FileOperationKind::kClone) absl::StrAppend(&text, " to file ", operation.other_file);
  if (HasUserBuffer(operation.kind) && operation.buffer_file != kAnonymousBuffer) {
    absl::StrAppend(&text, IsWriteCall(operation.kind) ? " from" : " into", " mapping of file ", operation.buffer_file,
                    " at ", operation.buffer_offset_cells);
  }
  return text;
}

namespace {

// A direct write from anonymous memory may be a part of one block, where file system and device can do that.
bool InsideBlock(const FileOperation& operation) {
  return operation.kind == FileOperationKind::kDirectWrite && operation.buffer_file == kAnonymousBuffer &&
         operation.offset_cells % kPageCells + operation.length_cells <= kPageCells;
}

absl::Status CheckRange(const FileOperation& operation) {
  if (operation.length_cells == 0) {
    return absl::InvalidArgumentError("the range is empty; give at least one cell");
  }
  if (operation.offset_cells > kFileCellsMax || operation.length_cells > kFileCellsMax - operation.offset_cells) {
    return absl::InvalidArgumentError(
        absl::StrCat("the range ends beyond cell ", kFileCellsMax, ", the largest file supported"));
  }
  if (NeedsPageAlignment(operation.kind) && !InsideBlock(operation) &&
      (operation.offset_cells % kPageCells != 0 || operation.length_cells % kPageCells != 0)) {
    return absl::InvalidArgumentError(absl::StrCat(FileOperationKindName(operation.kind),
                                                   " needs offset and length in whole pages: multiples of ", kPageCells,
                                                   " cells"));
  }
  return absl::OkStatus();
}

absl::Status CheckFile(uint32_t file, size_t files, const char* role) {
  if (file < files) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(role, " ", file, " does not exist; the workload has ", files, " files, from 0"));
}

absl::Status CheckBuffer(const FileOperation& operation, size_t files) {
  if (operation.buffer_file == kAnonymousBuffer) return absl::OkStatus();
  if (!HasUserBuffer(operation.kind)) {
    return absl::InvalidArgumentError(
        absl::StrCat(FileOperationKindName(operation.kind), " has no user buffer; remove the mapping"));
  }
  if (absl::Status status = CheckFile(operation.buffer_file, files, "buffer file"); !status.ok()) {
    return status;
  }
  if (operation.buffer_offset_cells % kPageCells != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the buffer must start at a page: a multiple of ", kPageCells, " cells of its file"));
  }
  if (operation.buffer_offset_cells > kFileCellsMax - operation.length_cells) {
    return absl::InvalidArgumentError(absl::StrCat("the buffer ends beyond cell ", kFileCellsMax));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateOperation(const FileOperation& operation, size_t files) {
  if (Find(operation.kind) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("operation kind ", static_cast<int>(operation.kind), " is unknown"));
  }
  if (operation.kind == FileOperationKind::kMapUnmap) return absl::OkStatus();
  if (absl::Status status = CheckFile(operation.file, files, "file"); !status.ok()) return status;
  if (operation.kind == FileOperationKind::kTruncate && operation.offset_cells > kFileCellsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the new size exceeds ", kFileCellsMax, " cells, the largest file supported"));
  }
  if (HasRange(operation.kind)) {
    if (absl::Status status = CheckRange(operation); !status.ok()) return status;
  }
  if (HasOtherFile(operation.kind)) {
    if (absl::Status status = CheckFile(operation.other_file, files, "other file"); !status.ok()) {
      return status;
    }
    if (operation.other_file == operation.file) {
      return absl::InvalidArgumentError(
          operation.kind == FileOperationKind::kDedupe
              ? "dedupe compares two different files"
              : absl::StrCat(FileOperationKindName(operation.kind), " needs two files"));
    }
  }
  return CheckBuffer(operation, files);
}

absl::Status ValidateMappings(const FileOperation& operation, absl::Span<const WorkloadFile> files) {
  const bool mapped = files[operation.file].mapped;
  if (operation.kind == FileOperationKind::kReplace && mapped) {
    return absl::InvalidArgumentError("only an unmapped file is replaced: the old one must have a last close");
  }
  const bool buffer_unmapped = HasUserBuffer(operation.kind) && operation.buffer_file != kAnonymousBuffer &&
                               !files[operation.buffer_file].mapped;
  if ((NeedsMapping(operation.kind) && !mapped) || buffer_unmapped) {
    return absl::InvalidArgumentError("it needs a mapping of a file that is unmapped");
  }
  if (IsAsync(operation.kind) && !mapped) {
    return absl::InvalidArgumentError("an unmapped file is closed at the end of a call, which asynchronous I/O outlives");
  }
  return absl::OkStatus();
}

absl::Status ValidateWorkload(const Workload& workload) {
  if (workload.processes.size() != workload.tasks.size()) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", workload.tasks.size(), " tasks but ",
                                                   workload.processes.size(), " process numbers"));
  }
  if (workload.tasks.size() > kWorkloadTasksMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", workload.tasks.size(), " tasks; at most ", kWorkloadTasksMax, " are supported"));
  }
  for (size_t task = 0; task < workload.tasks.size(); ++task) {
    for (size_t i = 0; i < workload.tasks[task].size(); ++i) {
      absl::Status status = ValidateOperation(workload.tasks[task][i], workload.files.size());
      if (status.ok()) status = ValidateMappings(workload.tasks[task][i], workload.files);
      if (!status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("task ", task, ", operation ", i, " (",
                                                       ToString(workload.tasks[task][i]), "): ", status.message()));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace ordeal
