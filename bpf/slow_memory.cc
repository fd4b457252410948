#include "bpf/slow_memory.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "bpf/process_files.h"
#include "harness/choice/prng.h"

namespace ordeal::bpf {
namespace {

absl::Status NoFaults(const char* what) {
  return absl::UnavailableError(absl::StrCat("no delays inside copies: ", what, ": ", strerror(errno)));
}

unsigned char* MapMemory(uint64_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, bytes, MADV_NOHUGEPAGE);  // a fault a page
  madvise(memory, bytes, MADV_DONTFORK);
  return static_cast<unsigned char*>(memory);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SlowMemory>> SlowMemory::Make(uint32_t slots, uint64_t slot_bytes, uint64_t seed) {
  std::unique_ptr<SlowMemory> slow(new SlowMemory(slots, PagesUp(slot_bytes), seed));
  slow->fd_ = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  if (slow->fd_ < 0) return NoFaults("userfaultfd");
  uffdio_api api = {.api = UFFD_API, .features = 0, .ioctls = 0};
  if (ioctl(slow->fd_, UFFDIO_API, &api) != 0) return NoFaults("UFFDIO_API");
  slow->memory_ = MapMemory(slow->bytes());
  slow->source_ = MapMemory(slow->bytes());
  slow->stop_fd_ = eventfd(0, EFD_CLOEXEC);
  if (slow->memory_ == nullptr || slow->source_ == nullptr || slow->stop_fd_ < 0) return NoFaults("memory");
  uffdio_register range = {};
  range.range = {.start = reinterpret_cast<uint64_t>(slow->memory_), .len = slow->bytes()};
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (ioctl(slow->fd_, UFFDIO_REGISTER, &range) != 0) return NoFaults("UFFDIO_REGISTER");
  slow->thread_ = std::thread([raw = slow.get()] { raw->AnswerFaults(); });
  return slow;
}

SlowMemory::~SlowMemory() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    if (write(stop_fd_, &one, sizeof(one)) == sizeof(one)) thread_.join();
  }
  if (fd_ >= 0) close(fd_);
  if (stop_fd_ >= 0) close(stop_fd_);
  if (memory_ != nullptr) munmap(memory_, bytes());
  if (source_ != nullptr) munmap(source_, bytes());
}

void SlowMemory::Arm(uint32_t slot) const { madvise(memory(slot), slot_bytes_, MADV_DONTNEED); }

void SlowMemory::AnswerFaults() {
  Prng prng(seed_);
  for (;;) {
    pollfd ready[2] = {{.fd = fd_, .events = POLLIN, .revents = 0}, {.fd = stop_fd_, .events = POLLIN, .revents = 0}};
    if (poll(ready, 2, -1) < 0 && errno != EINTR) return;
    if (ready[1].revents != 0) return;
    uffd_msg message;
    if (read(fd_, &message, sizeof(message)) != sizeof(message)) continue;
    if (message.event != UFFD_EVENT_PAGEFAULT) continue;
    const uint64_t page = message.arg.pagefault.address / kPageBytes * kPageBytes;
    const uint64_t place = page - reinterpret_cast<uint64_t>(memory_);
    usleep(prng.Below(kDelayMaxUs));
    // EEXIST: two tasks asked for one page. It is there, and both are woken.
    uffdio_copy copy = {.dst = page, .src = reinterpret_cast<uint64_t>(source_) + place, .len = kPageBytes, .mode = 0, .copy = 0};
    if (ioctl(fd_, UFFDIO_COPY, &copy) != 0) {
      uffdio_range range = {.start = page, .len = kPageBytes};
      ioctl(fd_, UFFDIO_WAKE, &range);
    }
  }
}

}  // namespace ordeal::bpf
