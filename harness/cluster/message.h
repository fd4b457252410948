// What the lock managers of two nodes say to each other. Thread-safety: plain value.
// Example:       network.Send(node, master, {.kind = MessageKind::kRequest, .resource = r, .mode = lockdep::kDlmExclusive});
#ifndef ORDEAL_HARNESS_CLUSTER_MESSAGE_H_
#define ORDEAL_HARNESS_CLUSTER_MESSAGE_H_

#include "harness/cluster/node.h"

namespace ordeal {

enum class MessageKind : uint8_t {
  kRequest,  // to the master: grant me `mode` (a new lock or a conversion upwards)
  kLower,    // to the master: I have given the lock down to `mode` (kNoDlmMode: altogether); not answered
  kCancel,   // to the master: my request is off, if it still waits
  kReply,    // to the requester (AST): `status` of the request for `mode`
  kBlocking,  // to a holder (BAST): somebody waits for `mode`, which what you hold conflicts with
  kReport,   // to a new master: what I hold (`granted`) and wait for (`mode`)
  kPurge,    // to the master, from itself: drop what `node` held
};
const char* MessageKindName(MessageKind kind);

struct Message {
  MessageKind kind = MessageKind::kRequest;
  ResourceId resource{};
  DlmMode mode = kNoDlmMode;
  DlmMode granted = kNoDlmMode;  // kReport
  DlmStatus status = DlmStatus::kGranted;
  bool no_queue = false;
  bool cancel = false;     // kReport: the sender has canceled what it waits for
  bool lvb_valid = false;
  bool writes_lvb = false;  // kLower
  NodeId node = kNoNode;    // kPurge
  uint32_t lvb_sequence = 0;
  Lvb lvb{};
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_MESSAGE_H_
