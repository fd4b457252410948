// Recovery after a node's death. What the node held as a holder its masters drop (kPurge, from the master to itself); what it
// mastered goes to the next node alive, which learns the rest from the survivors (kReport). A death during recovery starts it
// again with what is left. All ends know of the death at once, so a report is sent before any request to the new master.
// Source: protocols 1.1 and fs/dlm's recovery as documented; the lock space is not stopped as a whole, only what is affected.
#include "harness/cluster/dlm.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr uint32_t Bit(NodeId node) { return uint32_t{1} << Index(node); }

}  // namespace

// The network has dropped what the dead sent and was to receive.
void Dlm::OnDeath(NodeId dead) {
  if (options_.waits_for_replay) ++replays_awaited_;
  for (size_t i = 0; i < resources_.size(); ++i) {
    Resource& resource = *resources_[i];
    const ResourceId id{static_cast<uint16_t>(i)};
    const bool awaited = (resource.reports_awaited & Bit(dead)) != 0;
    resource.reports_awaited &= ~Bit(dead);
    std::erase_if(resource.deferred, [&](const Delivery& delivery) { return delivery.from == dead; });
    if (resource.master == dead) {
      Remaster(id, resource, dead);
    } else if (awaited || resource.state.granted(dead) != kNoDlmMode || resource.state.IsWaiting(dead)) {
      ++resource.purges_awaited;
      cluster_.network().Send(resource.master, resource.master,
                              {.kind = MessageKind::kPurge, .resource = id, .node = dead});
    }
  }
}

void Dlm::Remaster(ResourceId id, Resource& resource, NodeId dead) {
  do {
    resource.master = NextNode(resource.master);
  } while (!cluster_.alive(resource.master));
  resource.state = LockMaster(options_.detect_conversion_deadlock, options_.null_queues);
  resource.deferred.clear();  // the dead master had them; who sent them reports
  resource.purges_awaited = 0;
  resource.reports_awaited = 0;
  for (uint8_t n = 1; n <= cluster_.nodes(); ++n) {
    const NodeId node{n};
    if (node == dead || !cluster_.alive(node)) continue;
    End& at = resource.ends[n];
    at.granted = at.kept();
    Message report{.kind = MessageKind::kReport, .resource = id, .mode = at.requested, .granted = at.granted};
    report.no_queue = at.no_queue;
    report.cancel = at.canceled;
    report.lvb_valid = at.lvb_valid;
    report.lvb_sequence = at.lvb_sequence;
    report.lvb = at.lvb;
    resource.reports_awaited |= Bit(node);
    cluster_.network().Send(node, resource.master, report);
  }
}

// A survivor's request is decided like a new one, when all have reported.
void Dlm::OnRecoveryMessage(const Delivery& delivery, Resource& resource, Outbox* out) {
  const Message& message = delivery.message;
  if (message.kind == MessageKind::kPurge) {
    resource.state.Drop(message.node);
    --resource.purges_awaited;
  } else {
    resource.state.Restore(delivery.from, message);
    resource.reports_awaited &= ~Bit(delivery.from);
    if (message.mode != kNoDlmMode) {
      Delivery request = delivery;
      request.message.kind = MessageKind::kRequest;
      resource.deferred.push_back(request);
    }
    if (message.cancel) {
      Delivery cancel = delivery;
      cancel.message.kind = MessageKind::kCancel;
      resource.deferred.push_back(cancel);
    }
  }
  if (!Recovering(resource)) FinishRecovery(resource, out);
}

// What came meanwhile is decided by each master, as if it came now.
void Dlm::ReplayDone() {
  LD_CHECK(replays_awaited_ > 0, "a replay that nobody waits for");
  if (--replays_awaited_ > 0) return;
  for (size_t i = 0; i < resources_.size(); ++i) {
    Resource& resource = *resources_[i];
    if (resource.relearning()) continue;
    Outbox out;
    FinishRecovery(resource, &out);
    SendAnswers(ResourceId{static_cast<uint16_t>(i)}, out);
  }
}

void Dlm::FinishRecovery(Resource& resource, Outbox* out) {
  resource.state.GrantWaiting(out);
  std::vector<Delivery> deferred;
  deferred.swap(resource.deferred);
  for (const Delivery& delivery : deferred) Decide(delivery, resource, out);
}

}  // namespace ordeal
