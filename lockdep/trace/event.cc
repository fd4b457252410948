#include "lockdep/trace/event.h"

#include <array>

namespace ordeal::lockdep {
namespace {

struct OpRow {
  EventOp op;
  ObjectKind object;
  const char* name;
};

constexpr std::array<OpRow, kEventOps> kOps = {{
    {EventOp::kAcquire, ObjectKind::kLock, "acquire"},
    {EventOp::kRelease, ObjectKind::kLock, "release"},
    {EventOp::kRequest, ObjectKind::kLock, "request"},
    {EventOp::kTryFailed, ObjectKind::kLock, "try-failed"},
    {EventOp::kDowngrade, ObjectKind::kLock, "downgrade"},
    {EventOp::kSetClass, ObjectKind::kLock, "set-class"},
    {EventOp::kInit, ObjectKind::kLock, "init"},
    {EventOp::kDestroy, ObjectKind::kLock, "destroy"},
    {EventOp::kFreed, ObjectKind::kLock, "freed"},
    {EventOp::kPin, ObjectKind::kLock, "pin"},
    {EventOp::kUnpin, ObjectKind::kLock, "unpin"},
    {EventOp::kAssertHeld, ObjectKind::kLock, "assert-held"},
    {EventOp::kAssertExclusive, ObjectKind::kLock, "assert-exclusive"},
    {EventOp::kAssertShared, ObjectKind::kLock, "assert-shared"},
    {EventOp::kAssertNotHeld, ObjectKind::kLock, "assert-not-held"},
    {EventOp::kAssertClassNotHeld, ObjectKind::kClass, "assert-class-not-held"},
    {EventOp::kUnregisterClass, ObjectKind::kClass, "unregister-class"},
    {EventOp::kEventRequest, ObjectKind::kLock, "event-request"},
    {EventOp::kEventWait, ObjectKind::kLock, "event-wait"},
    {EventOp::kEventBlocked, ObjectKind::kLock, "event-blocked"},
    {EventOp::kEventTrigger, ObjectKind::kLock, "event-trigger"},
    {EventOp::kOwe, ObjectKind::kLock, "owe"},
    {EventOp::kDisown, ObjectKind::kLock, "disown"},
    {EventOp::kDown, ObjectKind::kLock, "down"},
    {EventOp::kUp, ObjectKind::kLock, "up"},
    {EventOp::kArrive, ObjectKind::kLock, "arrive"},
    {EventOp::kDepart, ObjectKind::kLock, "depart"},
    {EventOp::kFork, ObjectKind::kTask, "fork"},
    {EventOp::kJoin, ObjectKind::kTask, "join"},
    {EventOp::kJoinBlocked, ObjectKind::kTask, "join-blocked"},
    {EventOp::kTaskBegin, ObjectKind::kNone, "begin"},
    {EventOp::kTaskExit, ObjectKind::kNone, "exit"},
    {EventOp::kUserReturn, ObjectKind::kNone, "user-return"},
    {EventOp::kHardirqEnter, ObjectKind::kNone, "hardirq-enter"},
    {EventOp::kHardirqExit, ObjectKind::kNone, "hardirq-exit"},
    {EventOp::kSoftirqEnter, ObjectKind::kNone, "softirq-enter"},
    {EventOp::kSoftirqExit, ObjectKind::kNone, "softirq-exit"},
    {EventOp::kHardirqsOff, ObjectKind::kNone, "hardirqs-off"},
    {EventOp::kHardirqsOn, ObjectKind::kNone, "hardirqs-on"},
    {EventOp::kSoftirqsOff, ObjectKind::kNone, "softirqs-off"},
    {EventOp::kSoftirqsOn, ObjectKind::kNone, "softirqs-on"},
    {EventOp::kReclaimEnter, ObjectKind::kNone, "reclaim-enter"},
    {EventOp::kReclaimExit, ObjectKind::kNone, "reclaim-exit"},
    {EventOp::kAlloc, ObjectKind::kNone, "alloc"},
    {EventOp::kNofsSave, ObjectKind::kNone, "nofs-save"},
    {EventOp::kNofsRestore, ObjectKind::kNone, "nofs-restore"},
    {EventOp::kNoioSave, ObjectKind::kNone, "noio-save"},
    {EventOp::kNoioRestore, ObjectKind::kNone, "noio-restore"},
    {EventOp::kMemallocSave, ObjectKind::kNone, "memalloc-save"},
    {EventOp::kMemallocRestore, ObjectKind::kNone, "memalloc-restore"},
    {EventOp::kRead, ObjectKind::kVariable, "read"},
    {EventOp::kWrite, ObjectKind::kVariable, "write"},
    {EventOp::kWwBegin, ObjectKind::kClass, "ww-begin"},
    {EventOp::kWwDone, ObjectKind::kClass, "ww-done"},
    {EventOp::kWwEnd, ObjectKind::kClass, "ww-end"},
    {EventOp::kMark, ObjectKind::kNone, "mark"},
}};

constexpr bool RowsAreInOrder() {
  for (int i = 0; i < kEventOps; ++i) {
    if (static_cast<int>(kOps[static_cast<size_t>(i)].op) != i) return false;
  }
  return true;
}
static_assert(RowsAreInOrder());

}  // namespace

ObjectKind ObjectOf(EventOp op) { return kOps[static_cast<size_t>(op)].object; }

const char* EventOpName(EventOp op) { return kOps[static_cast<size_t>(op)].name; }

bool FindEventOp(absl::string_view name, EventOp* op) {
  for (const OpRow& row : kOps) {  // the frequent ones come first
    if (name == row.name) {
      *op = row.op;
      return true;
    }
  }
  return false;
}

}  // namespace ordeal::lockdep
