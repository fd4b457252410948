// The report's way out of a checked program: a file mapped by the launcher's whole process tree. Records are appended, never
// changed, so what was found survives whatever happens to the program afterwards: a deadlock, exec, _exit, SIGKILL.
//
// No descriptor stays open in the program (it may close or count them), and nothing is written to its streams.
//
// This is the program's side; channel_file.h is the launcher's.
//
// Thread-safety: Append and the counters: any thread of any process.
// Invariants:    a record is visible only when complete; what does not fit is counted as lost.
// Cost:          Append: one atomic add and a copy.
// Example:       Channel channel; if (channel.Open(path)) channel.Append(RecordType::kViolation, bytes);
#ifndef ORDEAL_LOCKDEP_PRELOAD_CHANNEL_H_
#define ORDEAL_LOCKDEP_PRELOAD_CHANNEL_H_

#include <atomic>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace ordeal::lockdep {

enum class RecordType : uint32_t {
  kViolation = 1,  // violation_codec.h
  kNote = 2,       // text: something that limits what was checked, for the summary
};

struct ChannelCounters {
  std::atomic<uint64_t> processes;
  std::atomic<uint64_t> locks;
  std::atomic<uint64_t> lost_bytes;
};

class Channel {
 public:
  static constexpr uint64_t kBytes = 64u << 20;  // sparse: only what is written takes space

  // Maps the file; false if it is not one of ours. Allocates nothing.
  bool Open(const char* path);
  bool is_open() const { return header_ != nullptr; }
  void Append(RecordType type, absl::string_view bytes);
  ChannelCounters& counters() { return header_->counters; }

  struct Header {
    char magic[8];
    std::atomic<uint64_t> used;  // bytes behind the header that are given out
    ChannelCounters counters;
  };
  struct RecordHeader {
    std::atomic<uint32_t> complete;  // kComplete once the bytes are there; pairs with ReadChannel
    uint32_t type;
    uint64_t size;
  };
  static constexpr uint32_t kComplete = 0x6f72646c;
  static constexpr uint64_t kAlign = 16;
  static constexpr char kMagic[8] = {'o', 'r', 'd', 'e', 'a', 'l', '0', '1'};

  // Of the mapped file; null before Open.
  const Header* header() const { return header_; }

 private:
  Header* header_ = nullptr;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_CHANNEL_H_
