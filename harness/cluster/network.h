// The wires of a cluster. Messages of one (sender, receiver, lock resource) arrive in the order in which they were sent; those
// of different resources or senders may overtake each other: where a node could receive several, which one comes first is a
// choice (ChoiceKind::kMessageOrder; 0 is the oldest). With the fault kMessageDelay a message may be held back. What a node sends
// to itself is never delayed. Nothing is lost but what a dying node sent or was to receive.
//
// Thread-safety: tasks of one simulation.
// Invariants:    a message is pending until its receiver has dealt with it (Take ... Finish): while one about a resource is
//                pending nobody can say that the resource's waiters are stuck.
// Cost:          Send is a push; Take looks at all messages of the receiver.
// Example:
//   network.Send(NodeId{1}, NodeId{2}, message);
//   if (std::optional<Delivery> delivery = network.Take(NodeId{2})) { ...; network.Finish(NodeId{2}); }
#ifndef ORDEAL_HARNESS_CLUSTER_NETWORK_H_
#define ORDEAL_HARNESS_CLUSTER_NETWORK_H_

#include <optional>
#include <string>
#include <vector>

#include "harness/cluster/message.h"
#include "harness/sync/simulation.h"

namespace ordeal {

struct Delivery {
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  int64_t ready_at_ns = 0;
  Message message;
};

class Network {
 public:
  explicit Network(Simulation& sim);

  // No scheduling point: who calls has declared what it does. Wakes the receiver's daemon.
  void Send(NodeId from, NodeId to, const Message& message);
  // The next message for `node`; asks which one if it is open. Nothing if none is ready.
  std::optional<Delivery> Take(NodeId node);
  // The receiver has dealt with what it took.
  void Finish(NodeId node) { taken_[Index(node)].reset(); }
  // When the first message that `node` cannot yet receive is due; < 0 if there is none.
  int64_t NextReadyNs(NodeId node) const;

  // Messages about the resource that somebody still has to deal with.
  bool HasPending(ResourceId resource) const;
  bool HasPendingFor(NodeId node) const;
  bool idle() const;
  uint64_t sent() const { return sent_; }
  uint64_t overtakings() const { return overtakings_; }  // choices of kMessageOrder that were not 0

  // The node has died: what it sent and what it was to receive is lost.
  void Drop(NodeId dead);
  // Who receives for a node; woken by Send.
  void set_daemon(NodeId node, TaskId daemon) { daemons_[Index(node)] = daemon; }
  ObjectId object(NodeId node) const { return objects_[Index(node)]; }  // the node's inbox
  std::string ToString() const;  // the messages under way, oldest first, one a line

 private:
  bool IsHead(size_t i) const;

  Simulation& sim_;
  std::vector<Delivery> pending_;  // in order of sending
  PerNode<std::optional<Delivery>> taken_;
  PerNode<TaskId> daemons_;
  PerNode<ObjectId> objects_{};
  uint64_t sent_ = 0;
  uint64_t overtakings_ = 0;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_NETWORK_H_
