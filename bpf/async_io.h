// Asynchronous direct I/O of one task by io_submit: what it has in flight, with a buffer for each.
//
// Thread-safety: none; one a task.
// Invariants:    a buffer is used again only when its operation has ended; when this object goes, nothing is in flight.
// Cost:          two system calls an operation.
// Example:
//   AsyncIo async(bytes_max);
//   AsyncIo::Slot* slot = async.Free();       // null: reap first
//   const int error = async.Submit(slot, request);
//   async.Reap(/*all=*/false, [&](AsyncIo::Slot& slot, int64_t result) { ... });
#ifndef ORDEAL_BPF_ASYNC_IO_H_
#define ORDEAL_BPF_ASYNC_IO_H_

#include <linux/aio_abi.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

class AsyncIo {
 public:
  static constexpr size_t kInFlightMax = 4;

  struct Slot {
    unsigned char* buffer = nullptr;  // anonymous; of bytes_max
    const FileOperation* operation = nullptr;
    uint32_t id = 0;
    bool busy = false;
    iocb request = {};
  };

  explicit AsyncIo(uint64_t bytes_max);
  ~AsyncIo();  // waits for what is in flight
  AsyncIo(const AsyncIo&) = delete;
  AsyncIo& operator=(const AsyncIo&) = delete;

  int error() const { return error_; }  // an errno: there is no asynchronous I/O here
  Slot* Free();
  uint32_t OldestId() const;  // of what is in flight; 0: nothing is
  // `data`: the slot's buffer, or a mapping. An errno.
  int Submit(Slot* slot, int fd, bool write, bool sync, const unsigned char* data, uint64_t bytes, uint64_t offset);
  // Calls `ended` for each operation that has; `result` is bytes or minus an errno. `all`: waits for all of them;
  // `one`: for at least one.
  enum class Wait { kNone, kOne, kAll };
  void Reap(Wait wait, const std::function<void(Slot& slot, int64_t result)>& ended);

 private:
  size_t in_flight() const;

  const uint64_t bytes_max_;
  aio_context_t context_ = 0;
  int error_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_ASYNC_IO_H_
