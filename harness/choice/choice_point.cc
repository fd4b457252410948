#include "harness/choice/choice_point.h"

#include "absl/strings/str_cat.h"

namespace ordeal {
namespace {

struct ChoiceKindRow {
  ChoiceKind kind;
  const char* name;
};
constexpr ChoiceKindRow kChoiceKinds[] = {
    {ChoiceKind::kSchedule, "schedule"},     {ChoiceKind::kReaderSteal, "reader-steal"},
    {ChoiceKind::kAllocation, "allocation"}, {ChoiceKind::kIoError, "io-error"},
    {ChoiceKind::kIoDelay, "io-delay"},      {ChoiceKind::kIoOrder, "io-order"},
    {ChoiceKind::kOperation, "operation"},   {ChoiceKind::kOperand, "operand"},
    {ChoiceKind::kEviction, "eviction"},     {ChoiceKind::kSpuriousWake, "spurious-wake"},
    {ChoiceKind::kIoShort, "io-short"},      {ChoiceKind::kIoTorn, "io-torn"},
    {ChoiceKind::kDeviceFull, "device-full"},
    {ChoiceKind::kUserPage, "user-page"},    {ChoiceKind::kTrylock, "trylock"},
    {ChoiceKind::kMemoryPressure, "memory-pressure"},
    {ChoiceKind::kSignal, "signal"},         {ChoiceKind::kMessageDelay, "message-delay"},
    {ChoiceKind::kMessageOrder, "message-order"},
    {ChoiceKind::kNodeDeath, "node-death"},  {ChoiceKind::kClockJump, "clock-jump"},
    {ChoiceKind::kWakeOrder, "wake-order"},
    {ChoiceKind::kCompletionContext, "completion-context"},
};

}  // namespace

absl::string_view ChoiceKindName(ChoiceKind kind) {
  for (const ChoiceKindRow& row : kChoiceKinds) {
    if (row.kind == kind) return row.name;
  }
  return "unknown";
}

bool ParseChoiceKind(absl::string_view name, ChoiceKind* kind) {
  for (const ChoiceKindRow& row : kChoiceKinds) {
    if (name == row.name) {
      *kind = row.kind;
      return true;
    }
  }
  return false;
}

absl::string_view OperationKindName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kStart: return "start";
    case OperationKind::kAcquire: return "acquire";
    case OperationKind::kRelease: return "release";
    case OperationKind::kTryAcquire: return "try-acquire";
    case OperationKind::kWait: return "wait";
    case OperationKind::kSignal: return "signal";
    case OperationKind::kRead: return "read";
    case OperationKind::kWrite: return "write";
    case OperationKind::kIo: return "io";
    case OperationKind::kYield: return "yield";
  }
  return "unknown";
}

std::string ToString(const ChoicePoint& point) {
  return absl::StrCat(ChoiceKindName(point.kind), " of ", point.options, ", ",
                      point.task == kNoTask ? std::string("no task") : absl::StrCat("task ", Index(point.task)),
                      ", object ", Index(point.object));
}

}  // namespace ordeal
