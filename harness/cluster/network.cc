#include "harness/cluster/network.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

// What the choice of kMessageDelay means: steps that a message is held back.
constexpr int64_t kDelaySteps[] = {0, 10, 50, 200};
constexpr int kDelayOptions = 4;

}  // namespace

Network::Network(Simulation& sim) : sim_(sim) {
  daemons_.fill(kNoTask);
  for (uint32_t node = 1; node <= kNodesMax; ++node) objects_[node] = sim.scheduler().NewObject("node", node);
}

void Network::Send(NodeId from, NodeId to, const Message& message) {
  Scheduler& scheduler = sim_.scheduler();
  int64_t ready_at_ns = scheduler.now_ns();
  if (from != to) {
    const int delay = scheduler.ChooseFault(ChoiceKind::kMessageDelay, kDelayOptions, objects_[Index(to)]);
    ready_at_ns += kDelaySteps[delay] * kStepNs;
  }
  pending_.push_back({from, to, ready_at_ns, message});
  ++sent_;
  if (daemons_[Index(to)] != kNoTask) scheduler.Wake(daemons_[Index(to)]);
}

// The first of its (sender, receiver, resource): those behind it must wait for it.
bool Network::IsHead(size_t i) const {
  const Delivery& delivery = pending_[i];
  return std::none_of(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(i), [&](const Delivery& earlier) {
    return earlier.from == delivery.from && earlier.to == delivery.to &&
           earlier.message.resource == delivery.message.resource;
  });
}

std::optional<Delivery> Network::Take(NodeId node) {
  LD_CHECK(!taken_[Index(node)].has_value(), "a node deals with one message at a time");
  const int64_t now = sim_.scheduler().now_ns();
  std::vector<size_t> ready;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (pending_[i].to == node && pending_[i].ready_at_ns <= now && IsHead(i)) ready.push_back(i);
  }
  if (ready.empty()) return std::nullopt;
  const int pick = sim_.scheduler().Choose(ChoiceKind::kMessageOrder, static_cast<int>(ready.size()), objects_[Index(node)]);
  if (pick != 0) ++overtakings_;
  const auto position = pending_.begin() + static_cast<std::ptrdiff_t>(ready[static_cast<size_t>(pick)]);
  taken_[Index(node)] = *position;
  pending_.erase(position);
  return taken_[Index(node)];
}

int64_t Network::NextReadyNs(NodeId node) const {
  int64_t next = -1;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (pending_[i].to != node || !IsHead(i)) continue;
    if (next < 0 || pending_[i].ready_at_ns < next) next = pending_[i].ready_at_ns;
  }
  return next;
}

bool Network::HasPending(ResourceId resource) const {
  const auto about = [&](const Delivery& delivery) { return delivery.message.resource == resource; };
  return std::any_of(pending_.begin(), pending_.end(), about) ||
         std::any_of(taken_.begin(), taken_.end(), [&](const auto& taken) { return taken.has_value() && about(*taken); });
}

bool Network::HasPendingFor(NodeId node) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const Delivery& delivery) { return delivery.to == node; });
}

bool Network::idle() const {
  return pending_.empty() && std::none_of(taken_.begin(), taken_.end(), [](const auto& taken) { return taken.has_value(); });
}

void Network::Drop(NodeId dead) {
  std::erase_if(pending_, [&](const Delivery& delivery) { return delivery.from == dead || delivery.to == dead; });
  taken_[Index(dead)].reset();
  daemons_[Index(dead)] = kNoTask;
}

std::string Network::ToString() const {
  std::string text;
  for (const Delivery& delivery : pending_) {
    absl::StrAppend(&text, MessageKindName(delivery.message.kind), " of ", DlmModeName(delivery.message.mode),
                    " about resource ", Index(delivery.message.resource), ", node ", Index(delivery.from), " to ",
                    Index(delivery.to), "\n");
  }
  return text;
}

}  // namespace ordeal
