// Memory whose pages arrive late: a system call that copies from or to it waits, in the middle of its copy, while it holds
// what it holds. Made with userfaultfd; the delays are a function of the seed.
//
// Thread-safety: slots are independent; one task a slot. A thread of its own answers the faults.
// Invariants:    a fault is answered with the page that lies at the same place of the slot's source.
// Cost:          at most kDelayMaxUs a page, on purpose.
// Example:
//   ASSIGN_OR_RETURN(const auto slow, SlowMemory::Make(/*slots=*/4, bytes, seed));   // Unavailable: this kernel will not
//   memcpy(slow->source(0), data, n);  slow->Arm(0);  write(fd, slow->memory(0), n);
#ifndef ORDEAL_BPF_SLOW_MEMORY_H_
#define ORDEAL_BPF_SLOW_MEMORY_H_

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ordeal::bpf {

class SlowMemory {
 public:
  static constexpr int kDelayMaxUs = 500;

  static absl::StatusOr<std::unique_ptr<SlowMemory>> Make(uint32_t slots, uint64_t slot_bytes, uint64_t seed);
  ~SlowMemory();
  SlowMemory(const SlowMemory&) = delete;
  SlowMemory& operator=(const SlowMemory&) = delete;

  unsigned char* memory(uint32_t slot) const { return memory_ + slot * slot_bytes_; }
  unsigned char* source(uint32_t slot) const { return source_ + slot * slot_bytes_; }
  // From now on each page of memory(slot) is missing until it is touched.
  void Arm(uint32_t slot) const;

 private:
  SlowMemory(uint32_t slots, uint64_t slot_bytes, uint64_t seed) : slots_(slots), slot_bytes_(slot_bytes), seed_(seed) {}
  uint64_t bytes() const { return slots_ * slot_bytes_; }
  void AnswerFaults();

  const uint32_t slots_;
  const uint64_t slot_bytes_;  // whole pages
  const uint64_t seed_;
  int fd_ = -1;
  int stop_fd_ = -1;
  unsigned char* memory_ = nullptr;
  unsigned char* source_ = nullptr;
  std::thread thread_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_SLOW_MEMORY_H_
