#include "harness/pagecache/block_device.h"

#include <algorithm>
#include <limits>

#include "harness/pagecache/page_cache.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

// What the choice of kIoDelay means: steps that a request is held back.
constexpr int64_t kDelaySteps[] = {0, 25, 100, 400};
constexpr int kDelayOptions = 4;
constexpr int64_t kPlugPollNs = 4 * kStepNs;

bool Ready(const Request& request, int64_t now_ns) {
  return request.ready_at_ns <= now_ns && request.plugged_by == kNoTask;
}

}  // namespace

void BlockDevice::Reset() {
  if (touched_ == 0) touched_ = size();  // construction
  for (uint32_t i = 0; i < touched_; ++i) {
    blocks_[i].fill(Stamp::Make(StampKind::kPoisonUninit, 0, i * kPageCells, 0));
  }
  touched_ = 1;
  pending_.clear();
  submitted_ = 0;
  completing_ = 0;
  bad_.clear();
}

void BlockDevice::Begin(World& world) {
  world_ = &world;
  id_ = world.scheduler().NewObject("block device");
  daemon_ = world.scheduler().Spawn("block device", [this] { Serve(); }, TaskKind::kDaemon);
}

PageCells& BlockDevice::block(uint32_t number) {
  LD_CHECK(number < blocks_.size(), "a block beyond the end of the device");
  touched_ = std::max(touched_, number + 1);
  return blocks_[number];
}

void BlockDevice::Submit(Request request) {
  if (world_->scheduler().faults().Has(ChoiceKind::kIoDelay)) {
    const int answer = world_->scheduler().Choose(ChoiceKind::kIoDelay, kDelayOptions, id_);
    request.ready_at_ns = world_->scheduler().now_ns() + kDelaySteps[answer] * kStepNs;
  }
  if (world_->task().plug > 0) request.plugged_by = world_->scheduler().current();
  request.number = ++submitted_;
  pending_.push_back(request);
  world_->scheduler().Wake(daemon_);
}

void BlockDevice::Unplug(TaskId task) {
  for (Request& request : pending_) {
    if (request.plugged_by == task) request.plugged_by = kNoTask;
  }
  world_->scheduler().Wake(daemon_);
}

// False: there is a plug of a task that is awake; nobody will tell when it falls asleep.
bool BlockDevice::UnplugSleepers() {
  bool all = true;
  for (Request& request : pending_) {
    if (request.plugged_by == kNoTask) continue;
    const bool awake = world_->scheduler().task_state(request.plugged_by) == ordeal::TaskState::kRunnable;
    if (!awake) request.plugged_by = kNoTask;
    all &= !awake;
  }
  return all;
}

bool BlockDevice::HasWriteInFlight(uint32_t block) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const Request& r) {
    return r.block == block && (r.kind == RequestKind::kWriteback || r.kind == RequestKind::kDirectWrite);
  });
}

bool BlockDevice::HasPendingUpTo(uint64_t number) const {
  const bool completing = completing_ != 0 && completing_ <= number;
  return completing || std::any_of(pending_.begin(), pending_.end(), [&](const Request& r) { return r.number <= number; });
}

size_t BlockDevice::CountReady() const {
  const int64_t now = world_->scheduler().now_ns();
  return static_cast<size_t>(
      std::count_if(pending_.begin(), pending_.end(), [&](const Request& r) { return Ready(r, now); }));
}

size_t BlockDevice::NthReady(int n) const {
  const int64_t now = world_->scheduler().now_ns();
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (Ready(pending_[i], now) && n-- == 0) return i;
  }
  LD_CHECK(false, "fewer ready requests than counted");
  return 0;
}

void BlockDevice::Serve() {
  Scheduler& scheduler = world_->scheduler();
  for (;;) {
    if (pending_.empty()) {
      scheduler.Block({.kind = OperationKind::kIo, .object = id_});
      continue;
    }
    scheduler.Point(OperationKind::kIo, id_);
    const bool all_seen = UnplugSleepers();
    const size_t ready = CountReady();
    if (ready == 0) {
      int64_t earliest = all_seen ? std::numeric_limits<int64_t>::max() : scheduler.now_ns() + kPlugPollNs;
      for (const Request& r : pending_) {
        if (r.plugged_by == kNoTask) earliest = std::min(earliest, r.ready_at_ns);
      }
      scheduler.BlockFor({.kind = OperationKind::kIo, .object = id_},
                         std::max(kStepNs, earliest - scheduler.now_ns()));
      continue;
    }
    const int pick = scheduler.Choose(ChoiceKind::kIoOrder, static_cast<int>(ready), id_);
    const size_t position = NthReady(pick);
    Request request = pending_[position];
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(position));
    completing_ = request.number;
    Complete(request);
    completing_ = 0;
  }
}

bool BlockDevice::Full() { return world_->scheduler().ChooseFault(ChoiceKind::kDeviceFull, 2, id_) == 1; }

// Of a write that fails the first cells reach the device: none, or some, or all.
void BlockDevice::Tear(const Request& request) {
  if (request.kind != RequestKind::kWriteback && request.kind != RequestKind::kDirectWrite) return;
  const int cells = world_->scheduler().ChooseFault(ChoiceKind::kIoTorn, static_cast<int>(kPageCells) + 1, id_);
  const PageCells& data = request.kind == RequestKind::kWriteback ? request.folio->cells : request.segment->data;
  for (uint32_t cell = 0; cell < static_cast<uint32_t>(cells); ++cell) {
    const bool written = request.kind == RequestKind::kWriteback || request.segment->Writes(cell);
    if (written) block(request.block)[cell] = data[cell];
  }
}

// The data moves without a scheduling point: DMA of one block is atomic in the model, unless it fails.
void BlockDevice::Complete(Request& request) {
  Scheduler& scheduler = world_->scheduler();
  bool error = scheduler.ChooseFault(ChoiceKind::kIoError, 2, id_) == 1;
  if (world_->bugs().Has(Bug::kB99FillErrorRetriesForever) && request.kind == RequestKind::kRead) {
    error |= std::find(bad_.begin(), bad_.end(), request.block) != bad_.end();
    if (error) bad_.push_back(request.block);
  }
  if (error) {
    Tear(request);
  } else {
    switch (request.kind) {
      case RequestKind::kRead:
        request.folio->cells = block(request.block);
        break;
      case RequestKind::kWriteback:
        block(request.block) = request.folio->cells;
        break;
      case RequestKind::kDirectRead: {
        DirectSegment& segment = *request.segment;
        segment.data = block(request.block);
        for (uint32_t c = 0; c < kPageCells; ++c) {
          if (segment.target[c] != nullptr) segment.target[c]->cells[segment.target_cell[c]] = segment.store[c];
        }
        break;
      }
      case RequestKind::kDirectWrite: {
        DirectSegment& segment = *request.segment;
        for (uint32_t c = 0; c < kPageCells; ++c) {
          if (segment.target[c] != nullptr) segment.source[c] = segment.target[c]->cells[segment.target_cell[c]];
        }
        PageCells& target = block(request.block);
        if (segment.zeroes_rest) target.fill(Stamp::Zero());
        std::copy_n(segment.data.begin() + segment.first_cell, segment.cells, target.begin() + segment.first_cell);
        break;
      }
    }
  }
  request.end_io(*world_, request, error);
}

}  // namespace ordeal::pagecache
