// The program's side of a recording (record_file.h): what each thread did, written as it does it.
//
// Blocking operations on locks are recorded by the functions of record_hooks.h, which stand behind the interposed ones only if
// a recording was asked for: otherwise recording costs nothing.
//
// Thread-safety: any thread, each with its own RecordBuffer; NoteSite takes a lock (a leaf but for the heap's).
// Invariants:    what is appended while a lock is held has a ticket between those of its acquisition and its release.
// Cost:          an atomic add, 32 bytes.
// Example:       if (writer.is_open()) writer.Append(thread.record, EventOp::kRelease, {.site = address, .object = ordinal});
#ifndef ORDEAL_LOCKDEP_PRELOAD_RECORD_WRITER_H_
#define ORDEAL_LOCKDEP_PRELOAD_RECORD_WRITER_H_

#include <array>
#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "lockdep/preload/raw_lock.h"
#include "lockdep/preload/record_file.h"

namespace ordeal::lockdep {

// A thread's place in the file.
struct RecordBuffer {
  static constexpr size_t kSites = 64;

  RecordChunk* chunk = nullptr;
  uint32_t used = 0;
  uint32_t thread = 0;
  std::array<uint64_t, kSites> sites{};  // known to be named, by address
};

class RecordWriter {
 public:
  // Maps the file; false if it is not one of ours.
  bool Open(const char* path);
  bool is_open() const { return header_ != nullptr; }

  // Gives the slot a ticket, and its place a name.
  void Append(RecordBuffer& buffer, EventOp op, RecordSlot slot) {
    slot.op = static_cast<uint8_t>(op);
    AppendSlot(buffer, slot);
  }
  void AppendSlot(RecordBuffer& buffer, RecordSlot slot);
  void AppendText(RecordBuffer& buffer, RecordText kind, uint64_t id, absl::string_view text);

  // In a forked child: another process, with buffers of its own.
  void BecomeChild();
  // Around fork.
  void Lock() { sites_lock_.Lock(); }
  void Unlock() { sites_lock_.Unlock(); }

 private:
  void NoteSite(RecordBuffer& buffer, uint64_t address);
  // Where `slots` slots may be written; null if there is no room.
  RecordSlot* Room(RecordBuffer& buffer, uint32_t slots);
  bool NewChunk(RecordBuffer& buffer);

  RecordHeader* header_ = nullptr;
  uint32_t process_ = 0;
  uint32_t parent_ = 0;
  RawLock sites_lock_;
  absl::flat_hash_set<uint64_t> sites_;  // that have a name in the file
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_RECORD_WRITER_H_
