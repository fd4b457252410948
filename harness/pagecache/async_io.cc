// After fs/iomap/direct-io.c as described in protocols 1.4.7: iomap_dio_bio_end_io and iomap_dio_complete_work.
#include "harness/pagecache/async_io.h"

#include <utility>

#include "harness/pagecache/freeze.h"
#include "harness/pagecache/generic_file.h"

namespace ordeal::pagecache {
namespace {

Io WithStamps(Io io, const std::vector<Stamp>& stamps) {
  io.stamps = stamps;
  return io;
}

}  // namespace

AsyncDirectIo::AsyncDirectIo(World& world, Mm& mm, const Io& io, bool write, uint32_t number, Done done)
    : world_(world),
      mm_(mm),
      stamps_(io.stamps.begin(), io.stamps.end()),
      io_(WithStamps(io, stamps_)),
      write_(write),
      done_(std::move(done)),
      direct_(world, mm, io_),
      item_(world.sim(), world.classes().dio_completion, [this] { CompleteInWorker(); }, "direct I/O completion", number) {}

void AsyncDirectIo::Submit() {
  if (write_) {
    SubmitWrite();
  } else {
    SubmitRead();
  }
}

void AsyncDirectIo::SubmitRead() {
  direct_.set_async(this);
  world_.fs().DirectReadEnter(world_, *io_.file);
  const bool started = direct_.StartRead(&result_);
  if (started) EndOfSubmission();
  world_.fs().DirectReadExit(world_, *io_.file);
  if (!started) Report();
}

// An i_size that grows behind everybody's back needs a file system that knows of it.
bool AsyncDirectIo::MustWait() const {
  return world_.fs().async_direct_io() != AsyncDirectIoRule::kMayExtend &&
         io_.offset_cells + io_.length_cells > io_.file->i_size;
}

void AsyncDirectIo::SubmitWrite() {
  const FreezeGuard guard(world_, FreezeLevel::kWrite);  // of the submission: the completion holds the transactions' level
  const LockMode mode = world_.fs().DirectWriteEnter(world_, *io_.file, io_.offset_cells, io_.length_cells);
  const bool wait = MustWait();
  if (!wait) direct_.set_async(this);
  const bool started = direct_.StartWrite(mode, &result_);
  if (started && wait) {
    direct_.WaitAll();
    direct_.FinishWrite(&result_);
  } else if (started) {
    if (world_.bugs().Has(Bug::kB15AsyncInvalidatesAtSubmission)) direct_.InvalidateAgain(&result_);
    EndOfSubmission();
  }
  world_.fs().DirectWriteExit(world_, *io_.file, mode);
  if (started && !wait) return;
  if (direct_.must_fall_back()) result_ = FallBackToBuffered(world_, mm_, io_);
  Report();
}

void AsyncDirectIo::EndOfSubmission() {
  if (--pending_ == 0) Complete();
}

// Called by the block device, which must not sleep.
void AsyncDirectIo::SegmentDone() {
  if (--pending_ > 0) return;
  const bool may = direct_.CanFinishInInterrupt(write_);
  // A plain overwrite may be completed in either place.
  const bool interrupt =
      may && (!write_ || world_.scheduler().Choose(ChoiceKind::kCompletionContext, 2, io_.file->id) == 1);
  if (interrupt && write_) {
    direct_.FinishWriteInInterrupt(&result_);
    Report();
  } else if (interrupt) {
    Complete();
  } else {
    world_.completions().Queue(item_);
  }
}

void AsyncDirectIo::CompleteInWorker() {
  CounterDrain& dio = io_.file->dio;
  dio.TakeOver();
  dio.queue().set_trigger(world_.scheduler().current());
  Complete();
}

void AsyncDirectIo::Complete() {
  if (write_) {
    direct_.FinishWrite(&result_);
  } else {
    direct_.FinishRead(&result_);
  }
  Report();
}

// To who waits for it; the only end.
void AsyncDirectIo::Report() {
  done_(world_.Finish(*io_.file, std::move(result_), write_ ? "DirectWrite" : "DirectRead"));
}

}  // namespace ordeal::pagecache
