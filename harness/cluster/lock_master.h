// What the master of one lock resource knows and decides: who has it in which mode, who waits to convert, who waits anew. A pure
// state machine: it is told of requests and answers with messages; it does not know of time, tasks or the network.
//
// The rules are those of the VMS and Linux lock managers. A request is granted if its mode goes together with what every other
// node has (a node that converts keeps what it has). Conversions wait in order of arrival; one that can be granted when it
// arrives does not queue. New requests are served after all conversions, in order of arrival, and do not pass each other; a new
// lock in mode NL does. A conversion that could only be granted after one that waits for what its own node holds is refused
// (kDeadlock). Holders in the way are told once for each mode that waits (kBlocking).
// The value block is written by who gives down PW or EX, and read by who is granted anything. It is invalid until first written,
// and again when a node dies that had PW or EX.
//
// Thread-safety: none. Invariants: S16: the modes granted go together, at every grant (checked; FindIncompatible).
// Example:
//   LockMaster master; Outbox out;
//   master.Request(NodeId{1}, lockdep::kDlmExclusive, /*no_queue=*/false, &out);  // out: to node 1, granted
#ifndef ORDEAL_HARNESS_CLUSTER_LOCK_MASTER_H_
#define ORDEAL_HARNESS_CLUSTER_LOCK_MASTER_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/cluster/message.h"

namespace ordeal {

// What a master answers. Message::resource is left to who sends it.
struct Answer {
  NodeId to = kNoNode;
  Message message;
};
using Outbox = std::vector<Answer>;

class LockMaster {
 public:
  explicit LockMaster(bool detects_conversion_deadlock = true, bool null_queues = false)
      : detects_(detects_conversion_deadlock), null_queues_(null_queues) {
    granted_.fill(kNoDlmMode);
  }

  void Request(NodeId node, DlmMode mode, bool no_queue, Outbox* out);
  // `node` has given its lock down (kNoDlmMode: altogether). `lvb`: null if it writes none.
  void Lower(NodeId node, DlmMode mode, const Lvb* lvb, Outbox* out);
  // Nothing if the request is not waiting (its answer is under way).
  void Cancel(NodeId node, Outbox* out);

  // --- recovery ---

  // The node is dead. Grants nothing: GrantWaiting does, once recovery is over.
  void Drop(NodeId dead);
  // A survivor tells a new master what it has. The value block becomes what the strongest survivor knows; it stays invalid if none
  // has more than CR (who had PW or EX may be dead).
  void Restore(NodeId node, const Message& report);
  void GrantWaiting(Outbox* out);

  // --- what it knows ---

  DlmMode granted(NodeId node) const { return granted_[Index(node)]; }
  bool IsWaiting(NodeId node) const;
  // The nodes (bit i: NodeId{i}) whose locks keep the node's request, and those that are served before it, from being granted.
  uint32_t NodesInTheWay(NodeId waiter) const;
  bool lvb_valid() const { return lvb_valid_; }
  const Lvb& lvb() const { return lvb_; }
  // Two nodes whose modes do not go together: S16 is broken.
  static std::optional<std::pair<NodeId, NodeId>> FindIncompatible(const PerNode<DlmMode>& modes);
  std::optional<std::pair<NodeId, NodeId>> FindIncompatible() const { return FindIncompatible(granted_); }
  std::string ToString() const;  // "granted 1:PR 2:PR, converting 1:EX, waiting 3:EX"

 private:
  struct Waiter {
    NodeId node;
    DlmMode mode;
  };
  bool GoesTogether(NodeId node, DlmMode mode) const;
  bool WouldDeadlock(NodeId node) const;
  void Grant(NodeId node, DlmMode mode, Outbox* out);
  void Refuse(NodeId node, DlmMode mode, DlmStatus status, Outbox* out);
  void TellHolders(Outbox* out);
  void AddHoldersInTheWay(const Waiter& waiter, uint32_t* nodes) const;

  bool detects_;
  bool null_queues_;  // DlmOptions::null_queues
  PerNode<DlmMode> granted_;
  std::vector<Waiter> converting_;
  std::vector<Waiter> waiting_;
  PerNode<uint8_t> told_{};  // bit m: the node knows that somebody waits for mode m
  Lvb lvb_{};
  bool lvb_valid_ = false;
  uint32_t lvb_sequence_ = 0;  // of writes
  bool lvb_of_writer_ = false;  // restored from a survivor with PW or EX
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_LOCK_MASTER_H_
