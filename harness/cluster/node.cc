#include "harness/cluster/node.h"

#include "harness/cluster/message.h"

namespace ordeal {

const char* DlmModeName(DlmMode mode) {
  return mode == kNoDlmMode ? "none" : lockdep::kDlmLock.mode_names[static_cast<size_t>(mode)];
}

const char* DlmStatusName(DlmStatus status) {
  switch (status) {
    case DlmStatus::kGranted: return "granted";
    case DlmStatus::kAgain: return "again";
    case DlmStatus::kDeadlock: return "deadlock";
    case DlmStatus::kCanceled: return "canceled";
    case DlmStatus::kUnlocked: return "unlocked";
  }
  return "unknown";
}

const char* MessageKindName(MessageKind kind) {
  switch (kind) {
    case MessageKind::kRequest: return "request";
    case MessageKind::kLower: return "lower";
    case MessageKind::kCancel: return "cancel";
    case MessageKind::kReply: return "reply";
    case MessageKind::kBlocking: return "blocking";
    case MessageKind::kReport: return "report";
    case MessageKind::kPurge: return "purge";
  }
  return "unknown";
}

}  // namespace ordeal
