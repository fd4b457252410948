// Asynchronous direct I/O: the submission returns while requests are in flight, with the I/O lock released; i_dio_count alone
// tells the others. The completion runs where it may: in interrupt context (the block device's task) if nothing in it can sleep,
// in a work queue of one worker and a rescuer otherwise, in the submitter if everything was done by then.
//
// Thread-safety: tasks of one simulation.
// Invariants:    `done` is called exactly once, after i_dio_count was lowered; the object lives until World::EndRun.
// Example:
//   world.SubmitDirect(mm, io, /*write=*/true, [&](const Result& result) { ... });
#ifndef ORDEAL_HARNESS_PAGECACHE_ASYNC_IO_H_
#define ORDEAL_HARNESS_PAGECACHE_ASYNC_IO_H_

#include <functional>
#include <vector>

#include "harness/pagecache/direct_io.h"
#include "harness/sync/work_queue.h"

namespace ordeal::pagecache {

class AsyncDirectIo {
 public:
  using Done = std::function<void(const Result&)>;
  AsyncDirectIo(World& world, Mm& mm, const Io& io, bool write, uint32_t number, Done done);

  void Submit();
  // For DirectIo.
  void SegmentSubmitted() { ++pending_; }
  void SegmentDone();

 private:
  void SubmitRead();
  void SubmitWrite();
  bool MustWait() const;
  void EndOfSubmission();
  void CompleteInWorker();
  void Complete();
  void Report();

  World& world_;
  Mm& mm_;
  const std::vector<Stamp> stamps_;
  const Io io_;
  const bool write_;
  const Done done_;
  DirectIo direct_;
  Result result_;
  WorkItem item_;
  int pending_ = 1;  // segments in flight, and the submission
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_ASYNC_IO_H_
