#include "lockdep/preload/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ordeal::lockdep {
namespace {

// The mapping, or null with errno set. No descriptor stays open.
void* MapFile(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat status;
  void* mapping = MAP_FAILED;
  if (fstat(fd, &status) == 0 && static_cast<uint64_t>(status.st_size) == Channel::kBytes) {
    mapping = mmap(nullptr, Channel::kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  } else {
    errno = EINVAL;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return mapping == MAP_FAILED ? nullptr : mapping;
}

}  // namespace

bool Channel::Open(const char* path) {
  void* mapping = MapFile(path);
  if (mapping == nullptr) return false;
  header_ = static_cast<Header*>(mapping);
  if (std::memcmp(header_->magic, kMagic, sizeof kMagic) == 0) return true;
  munmap(mapping, kBytes);
  header_ = nullptr;
  return false;
}

void Channel::Append(RecordType type, absl::string_view bytes) {
  const uint64_t size = (sizeof(RecordHeader) + bytes.size() + kAlign - 1) / kAlign * kAlign;
  const uint64_t begin = header_->used.fetch_add(size, std::memory_order_relaxed);
  if (begin + size > kBytes - sizeof(Header)) {
    header_->counters.lost_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    return;
  }
  char* place = reinterpret_cast<char*>(header_ + 1) + begin;
  auto* record = reinterpret_cast<RecordHeader*>(place);
  record->type = static_cast<uint32_t>(type);
  record->size = bytes.size();
  std::memcpy(place + sizeof(RecordHeader), bytes.data(), bytes.size());
  record->complete.store(kComplete, std::memory_order_release);
}

}  // namespace ordeal::lockdep
