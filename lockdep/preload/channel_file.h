// The launcher's side of the channel: makes the file, and reads it when the program has ended.
//
// Thread-safety: none needed. ReadChannel beside a process that still appends misses what is newest.
// Invariants:    any bytes are safe to read: the program may have scribbled over its mapping.
// Example:       CreateChannel(path); ...run...; absl::StatusOr<ChannelContents> contents = ReadChannel(path);
#ifndef ORDEAL_LOCKDEP_PRELOAD_CHANNEL_FILE_H_
#define ORDEAL_LOCKDEP_PRELOAD_CHANNEL_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lockdep/preload/channel.h"

namespace ordeal::lockdep {

struct ChannelRecord {
  RecordType type;
  std::string bytes;
};

struct ChannelContents {
  std::vector<ChannelRecord> records;  // the complete ones, in order
  uint64_t processes = 0;
  uint64_t locks = 0;
  uint64_t lost_bytes = 0;
};

absl::Status CreateChannel(const std::string& path);
absl::StatusOr<ChannelContents> ReadChannel(const std::string& path);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_CHANNEL_FILE_H_
