#include "bpf/async_io.h"

#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ordeal::bpf {

AsyncIo::AsyncIo(uint64_t bytes_max) : bytes_max_(bytes_max), slots_(kInFlightMax) {
  if (syscall(SYS_io_setup, kInFlightMax, &context_) != 0) {
    error_ = errno;
    return;
  }
  for (Slot& slot : slots_) {
    void* memory = mmap(nullptr, bytes_max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      error_ = ENOMEM;
      return;
    }
    // A forked child must not share pages that a device writes to: before 6.5 the parent could get the copy.
    madvise(memory, bytes_max, MADV_DONTFORK);
    slot.buffer = static_cast<unsigned char*>(memory);
  }
}

AsyncIo::~AsyncIo() {
  if (context_ != 0) syscall(SYS_io_destroy, context_);
  for (const Slot& slot : slots_) {
    if (slot.buffer != nullptr) munmap(slot.buffer, bytes_max_);
  }
}

size_t AsyncIo::in_flight() const {
  return static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.busy; }));
}

uint32_t AsyncIo::OldestId() const {
  uint32_t oldest = 0;
  for (const Slot& slot : slots_) {
    if (slot.busy && (oldest == 0 || slot.id < oldest)) oldest = slot.id;
  }
  return oldest;
}

AsyncIo::Slot* AsyncIo::Free() {
  for (Slot& slot : slots_) {
    if (!slot.busy) return &slot;
  }
  return nullptr;
}

int AsyncIo::Submit(Slot* slot, int fd, bool write, bool sync, const unsigned char* data, uint64_t bytes,
                    uint64_t offset) {
  slot->request = {};
  slot->request.aio_data = static_cast<uint64_t>(slot - slots_.data());
  slot->request.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
  slot->request.aio_rw_flags = sync ? RWF_DSYNC : 0;
  slot->request.aio_fildes = static_cast<uint32_t>(fd);
  slot->request.aio_buf = reinterpret_cast<uint64_t>(data);
  slot->request.aio_nbytes = bytes;
  slot->request.aio_offset = static_cast<int64_t>(offset);
  iocb* requests[] = {&slot->request};
  if (syscall(SYS_io_submit, context_, 1, requests) != 1) return errno;
  slot->busy = true;
  return 0;
}

void AsyncIo::Reap(Wait wait, const std::function<void(Slot& slot, int64_t result)>& ended) {
  while (in_flight() > 0) {
    io_event events[kInFlightMax];
    const long least = wait == Wait::kAll ? static_cast<long>(in_flight()) : (wait == Wait::kOne ? 1 : 0);
    timespec none = {.tv_sec = 0, .tv_nsec = 0};
    const long n = syscall(SYS_io_getevents, context_, least, kInFlightMax, events, least == 0 ? &none : nullptr);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    for (long i = 0; i < n; ++i) {
      Slot& slot = slots_[events[i].data];
      slot.busy = false;
      ended(slot, events[i].res);
    }
    if (wait != Wait::kAll) return;
  }
}

}  // namespace ordeal::bpf
