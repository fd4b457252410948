// A block device: an array of blocks of cells, and a queue of requests that a daemon task completes one by one.
//
// Data moves when a request completes, a block at a time. Which pending request completes next is a choice (kIoOrder) if there
// are several; whether it fails (kIoError) and how much later than submitted it completes (kIoDelay) are choices if those
// faults are on. Of a write that fails, some cells may reach the device (kIoTorn); a full device is asked about by who allocates.
// A task may plug its requests (World::StartPlug): the device gets them when it unplugs, or is seen asleep (a preempted task
// keeps its plug).
// Thread-safety: tasks of one simulation.
// Invariants:    a request holds a reference to its folio; requests complete exactly once.
// Cost:          a request is a 64-byte value in a reused vector; the daemon blocks while the queue is empty.
// Example:
//   device.Submit({.kind = RequestKind::kWriteback, .block = 3, .folio = &folio, .end_io = &EndWriteback});
#ifndef ORDEAL_HARNESS_PAGECACHE_BLOCK_DEVICE_H_
#define ORDEAL_HARNESS_PAGECACHE_BLOCK_DEVICE_H_

#include <cstdint>
#include <vector>

#include "harness/pagecache/folio.h"

namespace ordeal::pagecache {

class AsyncDirectIo;
class World;

enum class RequestKind : uint8_t {
  kRead,         // block -> folio
  kWriteback,    // folio -> block
  kDirectRead,   // block -> segment
  kDirectWrite,  // segment -> block
};

// One block of a direct I/O, or, of a write, a part of one. The user memory is anonymous, or pinned folios.
struct DirectSegment {
  PageCells data;                                  // read: what the block held; write: what the caller writes
  PageCells source;                                // write from a mapping: what the pinned memory held
  PageCells store;                                 // read into a mapping: what is stored there
  std::array<Folio*, kPageCells> target{};         // null: anonymous
  std::array<uint8_t, kPageCells> target_cell{};
  uint32_t file_page = 0;
  uint32_t block = 0;                              // that is written
  uint32_t first_cell = 0;                         // of the part that is written
  uint32_t cells = kPageCells;
  bool zeroes_rest = false;                        // the block held no data when it was mapped
  bool cow = false;                                // it takes the place of a shared one when it is written
  AsyncDirectIo* async = nullptr;                  // told when it is done
  bool submitted = false;
  bool done = false;
  bool failed = false;

  bool Writes(uint32_t cell) const { return cell >= first_cell && cell < first_cell + cells; }
};

struct Request {
  RequestKind kind = RequestKind::kRead;
  uint32_t block = 0;
  Folio* folio = nullptr;
  DirectSegment* segment = nullptr;
  bool cow = false;        // write-back: the block takes the place of a shared one when it is written
  bool* done = nullptr;    // set, and World::io_done woken, instead of unlocking the folio (synchronous read)
  bool* failed = nullptr;
  void (*end_io)(World&, Request&, bool error) = nullptr;
  int64_t ready_at_ns = 0;
  uint64_t number = 0;          // of the order of submission, from 1
  TaskId plugged_by = kNoTask;  // still in that task's plug: the device has it once the task unplugs or sleeps
};

class BlockDevice {
 public:
  explicit BlockDevice(uint32_t blocks) : blocks_(blocks) { Reset(); }

  void Reset();  // every block poisoned as never written; no requests
  void Begin(World& world);  // spawns the daemon

  void Submit(Request request);
  // What the task has plugged is the device's now.
  void Unplug(TaskId task);
  PageCells& block(uint32_t number);
  const PageCells& block(uint32_t number) const { return blocks_[number]; }
  uint32_t size() const { return static_cast<uint32_t>(blocks_.size()); }
  const std::vector<Request>& pending() const { return pending_; }
  // The fault of a full device (kDeviceFull): no block is free for who asks now.
  bool Full();
  // How many requests have been submitted; and whether one of the first `number` of them has not completed.
  uint64_t submitted() const { return submitted_; }
  bool HasPendingUpTo(uint64_t number) const;
  // A write to `block` has been submitted and has not completed.
  bool HasWriteInFlight(uint32_t block) const;

 private:
  void Serve();
  bool UnplugSleepers();
  size_t CountReady() const;
  size_t NthReady(int n) const;
  void Complete(Request& request);
  void Tear(const Request& request);

  std::vector<PageCells> blocks_;
  uint32_t touched_ = 0;  // blocks that Reset must restore
  std::vector<uint32_t> bad_;  // B99 only: blocks that fail for ever, once they have
  std::vector<Request> pending_;
  uint64_t submitted_ = 0;
  uint64_t completing_ = 0;  // the number of the request that is being completed; 0: none
  World* world_ = nullptr;
  TaskId daemon_ = kNoTask;
  ObjectId id_ = kNoObject;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_BLOCK_DEVICE_H_
