#include "harness/cluster/dlm.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {

Dlm::Dlm(Cluster& cluster, DlmOptions options) : cluster_(cluster), options_(options) {
  cluster.set_receiver([this](const Delivery& delivery) { Receive(delivery); });
  cluster.AddDeathObserver([this](NodeId dead) { OnDeath(dead); });
}

ResourceId Dlm::NewResource(const ResourceOptions& options) {
  const ResourceId id{static_cast<uint16_t>(resources_.size())};
  resources_.push_back(std::make_unique<Resource>());
  Resource& resource = *resources_.back();
  Simulation& sim = cluster_.sim();
  resource.map = sim.validator().NewMap(options.lock_class, options.name, options.number, options.order_key);
  resource.id = sim.scheduler().NewObject(options.name, options.number);
  resource.state = LockMaster(options_.detect_conversion_deadlock, options_.null_queues);
  const NodeId turn{static_cast<uint8_t>(1 + Index(id) % static_cast<size_t>(cluster_.nodes()))};
  resource.master = options.master == kNoNode ? turn : options.master;
  while (!cluster_.alive(resource.master)) resource.master = NextNode(resource.master);
  for (uint8_t node = 1; node <= kNodesMax; ++node) {
    End& at = resource.ends[node];
    at.dlm = this;
    at.node = NodeId{node};
    at.resource = id;
  }
  return id;
}

NodeId Dlm::NextNode(NodeId node) const {
  return NodeId{static_cast<uint8_t>(Index(node) % static_cast<size_t>(cluster_.nodes()) + 1)};
}

void Dlm::Attach(NodeId node, ResourceId resource, DlmUser user) { end(node, resource).user = std::move(user); }

// --- requests ---

void Dlm::SendToMaster(NodeId node, ResourceId resource, Message message) {
  message.resource = resource;
  cluster_.Send(node, master(resource), message);
}

// The AST of what the node has decided alone.
void Dlm::PostAst(End& at, DlmStatus status) {
  Message ast{.kind = MessageKind::kReply, .resource = at.resource, .mode = at.granted, .status = status};
  ast.lvb_valid = at.lvb_valid;
  ast.lvb_sequence = at.lvb_sequence;
  ast.lvb = at.lvb;
  cluster_.Send(at.node, at.node, ast);
}

void Dlm::LowerTo(End& at, DlmMode mode, bool writes_lvb, DlmStatus status) {
  const bool wrote = writes_lvb && (at.granted == lockdep::kDlmProtectedWrite || at.granted == lockdep::kDlmExclusive);
  at.granted = mode;
  at.busy = true;
  at.requested = kNoDlmMode;
  if (wrote) at.lvb_valid = true;
  Message message{.kind = MessageKind::kLower, .mode = mode, .writes_lvb = wrote};
  message.lvb = at.lvb;
  SendToMaster(at.node, at.resource, message);
  PostAst(at, status);
}

void Dlm::Request(NodeId node, ResourceId resource, DlmMode mode, RequestOptions options) {
  cluster_.scheduler().Point(OperationKind::kWrite, object(resource));
  if (cluster_.scheduler().unwinding()) return;
  Start(end(node, resource), mode, options);
}

void Dlm::Start(End& at, DlmMode mode, RequestOptions options) {
  LD_CHECK(cluster_.alive(at.node), "a dead node requests a lock");
  LD_CHECK(!at.busy, absl::StrCat("a second request at once on ", ToString(at.resource)));
  LD_CHECK(mode >= lockdep::kDlmNull && mode <= lockdep::kDlmExclusive, "no such mode");
  if (at.granted != kNoDlmMode && Covers(at.granted, mode)) {
    LowerTo(at, mode, options.writes_lvb, DlmStatus::kGranted);
    return;
  }
  at.busy = true;
  at.requested = mode;
  at.no_queue = options.no_queue;
  at.canceled = false;
  SendToMaster(at.node, at.resource, {.kind = MessageKind::kRequest, .mode = mode, .no_queue = options.no_queue});
}

void Dlm::Unlock(NodeId node, ResourceId resource, bool writes_lvb) {
  cluster_.scheduler().Point(OperationKind::kWrite, object(resource));
  if (cluster_.scheduler().unwinding()) return;
  End& at = end(node, resource);
  LD_CHECK(cluster_.alive(node), "a dead node unlocks");
  LD_CHECK(!at.busy, absl::StrCat("an unlock during a request on ", ToString(resource)));
  LD_CHECK(at.granted != kNoDlmMode, absl::StrCat("an unlock of what is not held: ", ToString(resource)));
  LowerTo(at, kNoDlmMode, writes_lvb, DlmStatus::kUnlocked);
}

void Dlm::Cancel(NodeId node, ResourceId resource) {
  cluster_.scheduler().Point(OperationKind::kWrite, object(resource));
  if (cluster_.scheduler().unwinding()) return;
  End& at = end(node, resource);
  if (at.requested == kNoDlmMode || at.canceled) return;
  at.canceled = true;
  SendToMaster(node, resource, {.kind = MessageKind::kCancel});
}

// --- in the daemons ---

void Dlm::Receive(const Delivery& delivery) {
  const Message& message = delivery.message;
  Resource& resource = *resources_[Index(message.resource)];
  switch (message.kind) {
    case MessageKind::kReply: OnReply(message, resource.ends[Index(delivery.to)]); return;
    case MessageKind::kBlocking: OnBlocking(message, resource.ends[Index(delivery.to)]); return;
    default: OnMasterMessage(delivery, resource); return;
  }
}

void Dlm::OnReply(const Message& message, End& at) {
  at.busy = false;
  at.requested = kNoDlmMode;
  at.canceled = false;
  at.status = message.status;
  if (message.status == DlmStatus::kGranted) {
    at.granted = message.mode;
    at.lvb = message.lvb;
    at.lvb_valid = message.lvb_valid;
    at.lvb_sequence = message.lvb_sequence;
  }
  if (at.user.on_ast) at.user.on_ast(message.status);
  while (!at.waiting.empty()) cluster_.scheduler().Wake(at.waiting.PopFront());
}

// What was given down meanwhile is not asked for again.
void Dlm::OnBlocking(const Message& message, End& at) {
  if (Conflicts(at.granted, message.mode) && at.user.on_bast) at.user.on_bast(message.mode);
}

void Dlm::OnMasterMessage(const Delivery& delivery, Resource& resource) {
  LD_CHECK(delivery.to == resource.master, "a message to a node that is not the master");
  Outbox out;
  if (delivery.message.kind == MessageKind::kReport || delivery.message.kind == MessageKind::kPurge) {
    OnRecoveryMessage(delivery, resource, &out);
  } else if (Recovering(resource)) {
    resource.deferred.push_back(delivery);
  } else {
    Decide(delivery, resource, &out);
  }
  SendAnswers(delivery.message.resource, out);
}

void Dlm::Decide(const Delivery& delivery, Resource& resource, Outbox* out) {
  const Message& message = delivery.message;
  switch (message.kind) {
    case MessageKind::kRequest: resource.state.Request(delivery.from, message.mode, message.no_queue, out); return;
    case MessageKind::kLower:
      resource.state.Lower(delivery.from, message.mode, message.writes_lvb ? &message.lvb : nullptr, out);
      return;
    case MessageKind::kCancel: resource.state.Cancel(delivery.from, out); return;
    default: LD_CHECK(false, "not a message to a master");
  }
}

void Dlm::SendAnswers(ResourceId id, const Outbox& out) {
  const NodeId from = master(id);
  for (const Answer& answer : out) {
    Message message = answer.message;
    message.resource = id;
    cluster_.Send(from, answer.to, message);
  }
}

// --- waiting ---

DlmStatus Dlm::Wait(NodeId node, ResourceId resource, lockdep::Site site) {
  End& at = end(node, resource);
  Scheduler& scheduler = cluster_.scheduler();
  while (at.busy) {
    at.waiting.PushBack(scheduler.current());
    scheduler.Block({OperationKind::kAcquire, object(resource), &at, site});
  }
  return at.status;
}

void Dlm::AppendBlockers(NodeId node, ResourceId id, TaskId waiter, Blockers* out) const {
  const Resource& resource = *resources_[Index(id)];
  const End& at = resource.ends[Index(node)];
  if (at.holder != kNoTask && at.holder != waiter) {
    out->Add(at.holder);
    return;
  }
  if (at.requested == kNoDlmMode || Recovering(resource) || cluster_.network().HasPending(id)) return;
  const uint32_t nodes = resource.state.NodesInTheWay(node);
  for (size_t other = 1; other <= kNodesMax; ++other) {
    if ((nodes >> other & 1) == 0) continue;
    const End& holder = resource.ends[other];
    out->Add(holder.holder);
    if (holder.user.append_blockers) holder.user.append_blockers(waiter, out);
  }
}

DlmStatus Dlm::Lock(ResourceId resource, DlmMode mode, RequestOptions options, lockdep::Site site) {
  Scheduler& scheduler = cluster_.scheduler();
  const NodeId node = cluster_.current_node();
  LD_CHECK(node != kNoNode, "Dlm::Lock by a task that is on no node");
  End& at = end(node, resource);
  scheduler.Point(options.no_queue ? OperationKind::kTryAcquire : OperationKind::kAcquire, object(resource));
  if (!options.no_queue) NoteAcquire(resource, mode, false, site);
  if (at.holder == kNoTask) {
    at.holder = scheduler.current();
  } else if (options.no_queue) {
    return DlmStatus::kAgain;
  } else {
    LD_CHECK(at.holder != scheduler.current(), "Dlm::Lock of what the task has; use Convert");
    at.local_waiting.PushBack(scheduler.current());
    scheduler.Block({OperationKind::kAcquire, object(resource), &at, site, at.holder});
  }
  Wait(node, resource, site);  // until the unlock of the holder before is over
  Start(at, mode, options);
  const DlmStatus status = Wait(node, resource, site);
  if (status == DlmStatus::kGranted) {
    if (options.no_queue) NoteAcquire(resource, mode, true, site);
  } else {
    if (!options.no_queue) NoteRelease(resource, site);
    PassOn(at);
  }
  return status;
}

DlmStatus Dlm::Convert(ResourceId resource, DlmMode mode, RequestOptions options, lockdep::Site site) {
  Scheduler& scheduler = cluster_.scheduler();
  const NodeId node = cluster_.current_node();
  End& at = end(node, resource);
  LD_CHECK(at.holder == scheduler.current(), "Dlm::Convert of what the task does not have");
  scheduler.Point(OperationKind::kAcquire, object(resource));
  const DlmMode before = at.granted;
  const bool waits = !options.no_queue && !Covers(before, mode);
  NoteRelease(resource, site);
  NoteAcquire(resource, waits ? mode : before, !waits, site);
  Start(at, mode, options);
  const DlmStatus status = Wait(node, resource, site);
  if ((status == DlmStatus::kGranted) != waits) {
    NoteRelease(resource, site);
    NoteAcquire(resource, at.granted, true, site);
  }
  return status;
}

void Dlm::Unlock(ResourceId resource, lockdep::Site site) {
  Scheduler& scheduler = cluster_.scheduler();
  scheduler.Point(OperationKind::kRelease, object(resource));
  if (scheduler.unwinding()) return;
  End& at = end(cluster_.current_node(), resource);
  LD_CHECK(at.holder == scheduler.current(), "Dlm::Unlock of what the task does not have");
  NoteRelease(resource, site);
  LowerTo(at, kNoDlmMode, true, DlmStatus::kUnlocked);
  PassOn(at);
}

void Dlm::PassOn(End& at) {
  at.holder = at.local_waiting.empty() ? kNoTask : at.local_waiting.PopFront();
  if (at.holder != kNoTask) cluster_.scheduler().Wake(at.holder);
}

void Dlm::NoteAcquire(ResourceId resource, DlmMode mode, bool trylock, lockdep::Site site) {
  Simulation& sim = cluster_.sim();
  if (sim.scheduler().unwinding()) return;
  sim.validator().AcquireMode(sim.context(), resources_[Index(resource)]->map, mode, {0, trylock, site});
}

void Dlm::NoteRelease(ResourceId resource, lockdep::Site site) {
  Simulation& sim = cluster_.sim();
  if (sim.scheduler().unwinding()) return;
  sim.validator().Release(sim.context(), resources_[Index(resource)]->map, site);
}

// --- S16 ---

std::optional<std::string> Dlm::FindIncompatibleGrant() const {
  for (size_t i = 0; i < resources_.size(); ++i) {
    const Resource& resource = *resources_[i];
    PerNode<DlmMode> have;
    have.fill(kNoDlmMode);
    for (uint8_t node = 1; node <= cluster_.nodes(); ++node) {
      if (cluster_.alive(NodeId{node})) have[node] = resource.ends[node].kept();
    }
    const auto by_nodes = LockMaster::FindIncompatible(have);
    const auto by_master = resource.state.FindIncompatible();
    if (!by_nodes.has_value() && !by_master.has_value()) continue;
    const auto [a, b] = by_nodes.has_value() ? *by_nodes : *by_master;
    return absl::StrCat(by_nodes.has_value() ? "nodes " : "the master says that nodes ", Index(a), " and ", Index(b),
                        " have a lock in modes that do not go together: ", ToString(ResourceId{static_cast<uint16_t>(i)}));
  }
  return std::nullopt;
}

std::string Dlm::ToString(ResourceId id) const {
  const Resource& resource = *resources_[Index(id)];
  return absl::StrCat(resource.map.InstanceName(), ", master ", Index(resource.master), ": ", resource.state.ToString(),
                      Recovering(resource) ? ", recovering" : "");
}

}  // namespace ordeal
