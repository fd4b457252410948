// File operations as data: one vocabulary for the model's page cache and for real system calls.
//
// Offsets and lengths are in cells, the unit of data the oracle tracks. A page (and a file-system block) is kPageCells
// cells. Thread-safety: plain values. Invariants:    length_cells >= 1 for operations on a range; direct I/O and range
// operations that free blocks are page-aligned (a direct write may be a part of one page). Example:
//   FileOperation punch{.kind = FileOperationKind::kPunchHole, .file = 0, .offset_cells = 0, .length_cells =
//   kPageCells};
#ifndef ORDEAL_HARNESS_WORKLOAD_FILE_OPERATION_H_
#define ORDEAL_HARNESS_WORKLOAD_FILE_OPERATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ordeal {

inline constexpr uint32_t kPageCells = 4;     // cells of one page and of one block
inline constexpr uint32_t kCellBytes = 1024;  // of a cell on a real file system (4 KiB pages and blocks)

// Numbers are stored in corpus and workload files: never reuse one.
enum class FileOperationKind : uint8_t {
  kRead = 1,        // buffered read(2)
  kWrite = 2,       // buffered write(2)
  kDirectRead = 3,  // O_DIRECT
  kDirectWrite = 4,
  kLoad = 5,      // read fault and loads through a shared mapping
  kStore = 6,     // write fault (page_mkwrite) and stores through a shared mapping
  kTruncate = 7,  // to offset_cells
  kPunchHole = 8,
  kFadviseWillNeed = 9,
  kMadviseWillNeed = 10,
  kFsync = 11,       // write back the whole file and wait
  kDropCaches = 12,  // reclaim of the file's clean folios
  kMapUnmap = 13,    // mmap and munmap of something else: a writer on mmap_lock
  kDedupe = 14,      // compares with other_file: two-inode locks; shares the blocks of what is equal
  kLink = 15,        // makes and removes a second name: directory and inode lock
  kZeroRange = 16,   // fallocate: unwritten blocks over the range; the file grows to its end
  kCollapseRange = 17,  // fallocate: takes the range out, what follows moves down
  kInsertRange = 18,    // fallocate: puts a hole in, what follows moves up
  kAllocate = 19,       // fallocate mode 0: blocks for the holes; the file grows to its end
  kAppend = 20,         // O_APPEND write of length_cells, offset_cells ignored; a history says where it came to lie
  kSyncWrite = 21,      // O_DSYNC write
  kClone = 22,          // other_file shares the blocks of the range, at the same place
  kUnshare = 23,        // blocks of its own for the shared ones
  kAsyncDirectRead = 24,   // io_submit: the task goes on, the operation ends when its completion has run
  kAsyncDirectWrite = 25,
  kAsyncSyncWrite = 26,    // the same with O_DSYNC
  kRemap = 27,  // munmap and mmap of the file, by another thread of its process
  kProtect = 28,  // mprotect to read only and back
  kMsync = 29,  // fsync through a mapping
  kFork = 30,  // a child with the same mappings that exits
  kReaddir = 31,  // of the directory, length_cells entries into the buffer; offset_cells ignored
  kSyncFs = 32,  // write back of every file
  kFreeze = 33,  // freeze and thaw of the file system
  kRename = 34,  // with other_file: the two exchange their places in two directories
  kReplace = 35,  // a new empty file is renamed over it; the old one is evicted at its last close. Of an unmapped file
  kShrinkInodes = 36,  // evicts the inodes that nobody uses; `file` is ignored
  kDirectAppend = 37,  // O_APPEND and O_DIRECT
  kMakeDirectory = 38,  // makes and removes a directory beside the file
};
absl::string_view FileOperationKindName(FileOperationKind kind);  // "punch-hole"
bool ParseFileOperationKind(absl::string_view name, FileOperationKind* kind);
absl::Span<const FileOperationKind> AllFileOperationKinds();
bool HasRange(FileOperationKind kind);            // offset_cells and length_cells are used
bool NeedsPageAlignment(FileOperationKind kind);  // of that range
bool HasUserBuffer(FileOperationKind kind);       // buffer_file is used
// Write data that lies in the user buffer to `file`; read `file` into the user buffer.
bool IsWriteCall(FileOperationKind kind);
bool IsReadCall(FileOperationKind kind);
bool IsBufferedWriteCall(FileOperationKind kind);
bool IsAppend(FileOperationKind kind);
bool IsDirect(FileOperationKind kind);
bool IsAsync(FileOperationKind kind);
bool HasOtherFile(FileOperationKind kind);
bool NeedsMapping(FileOperationKind kind);  // of `file` in the process
bool ChangesContents(FileOperationKind kind);     // of `file`; a read into a mapping changes the buffer's file

inline constexpr uint32_t kAnonymousBuffer = 0xffffffff;
inline constexpr uint32_t kFileCellsMax = 1u << 20;
inline constexpr size_t kWorkloadTasksMax = 48;  // leaves room for the world's own tasks

struct FileOperation {
  FileOperationKind kind = FileOperationKind::kRead;
  uint32_t file = 0;  // index into Workload::files
  uint32_t offset_cells = 0;
  uint32_t length_cells = 0;
  // The user buffer of reads and writes: anonymous memory, or a shared mapping of a file.
  uint32_t buffer_file = kAnonymousBuffer;
  uint32_t buffer_offset_cells = 0;
  uint32_t other_file = 0;  // HasOtherFile
};
// "direct-write file 0 cells [4, 8) from mapping of file 1 at 0".
std::string ToString(const FileOperation& operation);

struct WorkloadFile {
  std::string name;         // "a"
  uint32_t size_cells = 0;  // initial size, all of it written
  // In every process from beginning to end. False: no process maps it, and each operation opens and closes it, so that in between
  // its inode may be evicted.
  bool mapped = true;
};

struct Workload {
  std::vector<WorkloadFile> files;
  std::vector<std::vector<FileOperation>> tasks;  // each task runs its list in order
  // Which process a task belongs to: tasks with equal numbers share an address space (mm). Same size as `tasks`.
  std::vector<uint32_t> processes;
};

// The invariants above and that every file exists. InvalidArgument says what is wrong and what would be right.
absl::Status ValidateOperation(const FileOperation& operation, size_t files);
// That files which operations need a mapping of have one, and that only unmapped ones are replaced.
absl::Status ValidateMappings(const FileOperation& operation, absl::Span<const WorkloadFile> files);
absl::Status ValidateWorkload(const Workload& workload);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_WORKLOAD_FILE_OPERATION_H_
