#include "lockdep/preload/record_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "lockdep/preload/call_chain.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace ordeal::lockdep {

bool RecordWriter::Open(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat status;
  void* mapping = MAP_FAILED;
  if (fstat(fd, &status) == 0 && static_cast<uint64_t>(status.st_size) == RecordHeader::kFileBytes) {
    mapping = mmap(nullptr, RecordHeader::kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  }
  close(fd);
  if (mapping == MAP_FAILED) return false;
  auto* header = static_cast<RecordHeader*>(mapping);
  if (std::memcmp(header->magic, RecordHeader::kMagic, sizeof header->magic) != 0) {
    munmap(mapping, RecordHeader::kFileBytes);
    return false;
  }
  header_ = header;
  process_ = header_->processes.fetch_add(1, std::memory_order_relaxed) + 1;
  return true;
}

void RecordWriter::BecomeChild() {
  if (header_ == nullptr) return;
  parent_ = process_;
  process_ = header_->processes.fetch_add(1, std::memory_order_relaxed) + 1;
}

bool RecordWriter::NewChunk(RecordBuffer& buffer) {
  const int error = errno;
  const uint64_t number = header_->chunks.fetch_add(1, std::memory_order_relaxed);
  buffer.chunk = nullptr;
  if (number >= RecordHeader::kChunks) return false;
  auto* chunk = reinterpret_cast<RecordChunk*>(reinterpret_cast<char*>(header_) + (number + 1) * RecordChunk::kBytes);
  // A full disk is noticed here, where it can be refused; a store would be answered with SIGBUS. Old kernels do not know.
  const bool full = madvise(chunk, RecordChunk::kBytes, MADV_POPULATE_WRITE) != 0 && errno != EINVAL;
  errno = error;
  if (full) return false;
  chunk->process = process_;
  chunk->parent = parent_;
  chunk->thread = buffer.thread;
  buffer.chunk = chunk;
  buffer.used = 0;
  return true;
}

RecordSlot* RecordWriter::Room(RecordBuffer& buffer, uint32_t slots) {
  if (buffer.chunk == nullptr || buffer.used + slots > RecordChunk::kSlots) {
    if (slots > RecordChunk::kSlots || !NewChunk(buffer)) return nullptr;
  }
  return &buffer.chunk->slots[buffer.used];
}

void RecordWriter::AppendSlot(RecordBuffer& buffer, RecordSlot slot) {
  if (slot.site != 0 && slot.op != kRecordDeclareLock) NoteSite(buffer, slot.site);
  slot.ticket = header_->tickets.fetch_add(1, std::memory_order_acq_rel);
  RecordSlot* place = Room(buffer, 1);
  if (place == nullptr) {
    header_->lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  *place = slot;
  buffer.chunk->used.store(++buffer.used, std::memory_order_release);
}

void RecordWriter::AppendText(RecordBuffer& buffer, RecordText kind, uint64_t id, absl::string_view text) {
  const auto slots = static_cast<uint32_t>(1 + (text.size() + sizeof(RecordSlot) - 1) / sizeof(RecordSlot));
  RecordSlot* place = Room(buffer, slots);
  if (place == nullptr) return;
  RecordSlot slot;
  slot.op = kRecordText;
  slot.mode = static_cast<uint8_t>(kind);
  slot.site = id;
  slot.argument = text.size();
  *place = slot;
  std::memcpy(static_cast<void*>(place + 1), text.data(), text.size());
  buffer.used += slots;
  buffer.chunk->used.store(buffer.used, std::memory_order_release);
}

void RecordWriter::NoteSite(RecordBuffer& buffer, uint64_t address) {
  uint64_t& known = buffer.sites[(address >> 2) % RecordBuffer::kSites];
  if (known == address) return;
  known = address;
  {
    const RawLockGuard guard(sites_lock_);
    if (!sites_.insert(address).second) return;
  }
  AppendText(buffer, RecordText::kSite, address, CodeToken(reinterpret_cast<const void*>(address)));
}

}  // namespace ordeal::lockdep
