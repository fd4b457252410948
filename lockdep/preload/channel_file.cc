#include "lockdep/preload/channel_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

absl::Status Failed(absl::string_view what, const std::string& path) {
  return absl::InternalError(absl::StrCat(what, " '", path, "': ", std::strerror(errno)));
}

}  // namespace

absl::Status CreateChannel(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("cannot create the report's file", path);
  const bool made = ftruncate(fd, Channel::kBytes) == 0 &&
                    pwrite(fd, Channel::kMagic, sizeof Channel::kMagic, 0) == sizeof Channel::kMagic;
  close(fd);
  return made ? absl::OkStatus() : Failed("cannot write the report's file", path);
}

absl::StatusOr<ChannelContents> ReadChannel(const std::string& path) {
  Channel channel;
  if (!channel.Open(path.c_str())) return Failed("cannot read the report's file", path);
  const Channel::Header& header = *channel.header();
  ChannelContents contents;
  contents.processes = header.counters.processes.load(std::memory_order_relaxed);
  contents.locks = header.counters.locks.load(std::memory_order_relaxed);
  contents.lost_bytes = header.counters.lost_bytes.load(std::memory_order_relaxed);
  const char* data = reinterpret_cast<const char*>(&header + 1);
  const uint64_t limit = std::min(header.used.load(std::memory_order_acquire), Channel::kBytes - sizeof(Channel::Header));
  for (uint64_t at = 0; at + sizeof(Channel::RecordHeader) <= limit;) {
    const auto* record = reinterpret_cast<const Channel::RecordHeader*>(data + at);
    // A process that was killed while it wrote leaves a gap; the next record begins at a multiple of Channel::kAlign.
    if (record->complete.load(std::memory_order_acquire) != Channel::kComplete) {
      at += Channel::kAlign;
      continue;
    }
    if (record->size > limit - at - sizeof(Channel::RecordHeader)) break;  // the program scribbled over it
    contents.records.push_back({static_cast<RecordType>(record->type),
                                std::string(data + at + sizeof(Channel::RecordHeader), record->size)});
    at += (sizeof(Channel::RecordHeader) + record->size + Channel::kAlign - 1) / Channel::kAlign * Channel::kAlign;
  }
  munmap(const_cast<Channel::Header*>(&header), Channel::kBytes);
  return contents;
}

}  // namespace ordeal::lockdep
