// What a task acquired or waited for, newest last: an event that it triggers could not have been triggered before those.
//
// A task that takes the same few locks again and again keeps one entry of each: when the entries have doubled, all but the
// newest of each lock are dropped, which loses nothing (a later acquisition is ordered before fewer waits). A task with more
// than kEntriesMax / 2 different locks keeps one of each class and way of taking, then the newest; TakeForgotten() counts
// the rest.
//
// Thread-safety: one task; Validator::Trigger reads it in that task.
// Invariants:    entries are in order of their numbers; at most kEntriesMax of them.
// Cost:          Add: a comparison and a push of 48 bytes; compaction is amortised to a sort's logarithm.
// Example:       history.Add(task.held().back());   for (const auto& entry : history.Since(history.LastTrigger(c))) ...
#ifndef ORDEAL_LOCKDEP_RUNTIME_HISTORY_H_
#define ORDEAL_LOCKDEP_RUNTIME_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "lockdep/runtime/task_context.h"

namespace ordeal::lockdep {

class AcquisitionHistory {
 public:
  static constexpr size_t kEntriesMax = 4096;

  struct Entry {
    uint64_t word = 0;  // chain_key.h
    const LockMap* map = nullptr;
    Site site;
    uint64_t number = 0;  // counts the acquisitions of the task, from 1
    uint32_t epoch = 0;   // the task's, in the order of tasks and events
  };

  // What needed no waiting (a trylock, an event owed) and what is only tracked delays no trigger.
  void Add(const HeldLock& held) {
    if ((held.word & (kTrylock | kUnchecked)) != 0) return;
    ++count_;
    if (!entries_.empty() && entries_.back().word == held.word && entries_.back().map == held.map) {
      entries_.back().site = held.site;
      entries_.back().number = count_;
      entries_.back().epoch = epoch_;
      return;
    }
    if (entries_.size() >= limit_) Compact();
    entries_.push_back({held.word, held.map, held.site, count_, epoch_});
  }

  uint64_t count() const { return count_; }
  void set_epoch(uint32_t epoch) { epoch_ = epoch; }
  // The entries with greater numbers.
  absl::Span<const Entry> Since(uint64_t number) const;

  // The count() at which the task last triggered an event of that class; 0 if it has not.
  uint64_t LastTrigger(LockClassId event_class) const;
  void NoteTrigger(LockClassId event_class);

  // Entries dropped for want of room since the last call.
  uint64_t TakeForgotten() { return std::exchange(forgotten_, 0); }
  size_t MemoryBytes() const;
  // For the next run; keeps the memory.
  void Clear();

 private:
  void Compact();
  void KeepNewest(bool of_each_instance);

  std::vector<Entry> entries_;
  size_t limit_ = 32;
  uint64_t count_ = 0;
  uint32_t epoch_ = 1;
  uint64_t forgotten_ = 0;
  std::vector<std::pair<LockClassId, uint64_t>> triggers_;  // a task triggers few classes
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_HISTORY_H_
