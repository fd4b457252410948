// The file through which a checked program's events leave it: mapped and shared by the launcher's whole process tree, filled in
// chunks that belong to one thread each. So recording takes no lock, and what was recorded survives whatever happens to the
// program.
//
// An event has a ticket, taken from one counter while the lock in question is held: sorted by tickets, no two critical sections of
// a lock overlap. Texts (names of classes, places, threads) lie in the chunks between the events, each before its first use.
//
// Thread-safety: RecordHeader's members: any thread of any process. A chunk is written by its thread only.
// Invariants:    the first `used` slots of a chunk are complete. A chunk that a full file or disk has no room for is never written.
// Cost:          32 bytes an event.
// Example:       record_writer.h (the program's side), record_reader.h (the launcher's)
#ifndef ORDEAL_LOCKDEP_PRELOAD_RECORD_FILE_H_
#define ORDEAL_LOCKDEP_PRELOAD_RECORD_FILE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lockdep/trace/event.h"

namespace ordeal::lockdep {

// RecordSlot::op: an EventOp or one of these.
inline constexpr uint8_t kRecordDeclareLock = 250;  // object: the lock; argument: class and instance; site: a semaphore's count
inline constexpr uint8_t kRecordText = 251;         // mode: RecordText; site: its id; argument: bytes, which fill the next slots
inline constexpr uint8_t kRecordForked = 252;       // this task is the copy of task `object` of the chunk's parent process

enum class RecordText : uint8_t { kClass, kSite, kThread };

struct RecordSlot {
  uint64_t ticket = 0;
  uint64_t site = 0;  // a return address of the process
  uint64_t argument = 0;
  uint32_t object = 0;  // a lock's ordinal or a thread's number
  uint8_t op = 0;
  uint8_t mode = 0;
  uint8_t subclass = 0;
  uint8_t flags = 0;
};
static_assert(sizeof(RecordSlot) == 32);

struct RecordChunk {
  static constexpr size_t kBytes = 64 << 10;
  static constexpr uint32_t kSlots = kBytes / sizeof(RecordSlot) - 1;

  std::atomic<uint32_t> used;  // slots; its store releases them
  uint32_t process;            // from 1, in order of start
  uint32_t parent;             // the process that forked this one, 0: none
  uint32_t thread;
  uint64_t unused[2];
  RecordSlot slots[kSlots];
};
static_assert(sizeof(RecordChunk) == RecordChunk::kBytes);

struct RecordHeader {
  static constexpr char kMagic[8] = {'o', 'r', 'd', 'e', 'v', 't', '0', '1'};
  static constexpr uint64_t kFileBytes = uint64_t{8} << 30;  // sparse: only what is written takes space
  static constexpr uint64_t kChunks = kFileBytes / RecordChunk::kBytes - 1;

  char magic[8];
  std::atomic<uint64_t> tickets;
  std::atomic<uint64_t> chunks;  // given out, more than kChunks in a full file
  std::atomic<uint32_t> processes;
  std::atomic<uint32_t> unused;
  std::atomic<uint64_t> lost;  // events that did not fit
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_RECORD_FILE_H_
