// Makes the History that the data oracle judges of what a round's log and its files say.
//
// What a cell held is told by its words: one word, one value; several, a mixture, each part of which the oracle judges. The
// entries of a directory that a readdir wrote into a mapping are no stamps; in a round with such an operation words that
// nobody stamped are left out instead of being taken for torn.
//
// What is excused: a direct write into a page that somebody dirtied through the cache meanwhile. Linux cannot drop the page,
// writes it back later over what the device got, and tells fsync at best (protocols 4.3).
//
// Thread-safety: none. Refers to workload and log; use it when the processes have ended.
// Example:
//   HistoryBuilder builder(workload, *log, StampCode(salt), PromisesOf("xfs"));
//   const History& history = builder.Build();
//   RETURN_IF_ERROR(builder.LookAtEnd(directory_fd));
//   for (const DataViolation& violation : Judge(history)) ...
#ifndef ORDEAL_BPF_HISTORY_BUILDER_H_
#define ORDEAL_BPF_HISTORY_BUILDER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bpf/cell_stamp.h"
#include "bpf/operation_log.h"
#include "harness/oracle/history.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

// What a real file system promises beyond the common rules.
Promises PromisesOf(const std::string& file_system);

class HistoryBuilder {
 public:
  HistoryBuilder(const Workload& workload, const OperationLog& log, StampCode code, const std::string& file_system,
                 const Promises& promises);

  const History& Build();
  // Reads all files through the cache, past it, and again when it has been dropped. Internal: a file cannot be read.
  absl::Status LookAtEnd(int directory_fd);

  // Whether somebody was told that data may be lost: by an operation, or by fsync at the end. After Build and LookAtEnd.
  bool told_of_loss() const { return told_of_loss_; }

  const History& history() const { return history_; }
  uint64_t cells_seen() const { return cells_seen_; }
  // What the words were that nobody stamped in this round, one a line: data of an earlier round, or a number.
  std::string DescribeGarbage() const;

 private:
  void AddEvent(uint32_t task, uint32_t id, const FileOperation& operation);
  void ExcuseConflicts();
  bool Conflict(const OperationEvent& direct, const OperationEvent& other, uint32_t* first, uint32_t* end) const;
  CellValue Decode(const CellWords& words);
  CellValue DecodeWord(uint64_t word);
  std::vector<CellValue> ReadCells(int fd, uint32_t cells, bool direct);

  const Workload& workload_;
  const OperationLog& log_;
  const StampCode code_;
  const bool writers_exclude_direct_;  // a buffered write and a synchronous direct one never run at once
  bool has_entries_ = false;           // a readdir wrote into a mapping
  bool told_of_loss_ = false;
  uint64_t cells_seen_ = 0;
  std::vector<uint64_t> garbage_;  // the first few
  History history_;
};

// Every operation and what it saw, the final states, one a line: for a second look.
std::string FormatHistory(const History& history);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_HISTORY_BUILDER_H_
