#include "harness/cluster/lock_master.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr uint32_t Bit(size_t node) { return uint32_t{1} << node; }
// May change the value block.
bool Writes(DlmMode mode) { return mode == lockdep::kDlmProtectedWrite || mode == lockdep::kDlmExclusive; }

}  // namespace

std::optional<std::pair<NodeId, NodeId>> LockMaster::FindIncompatible(const PerNode<DlmMode>& modes) {
  for (uint8_t a = 1; a <= kNodesMax; ++a) {
    for (uint8_t b = 1; b < a; ++b) {
      if (Conflicts(modes[a], modes[b])) return std::make_pair(NodeId{b}, NodeId{a});
    }
  }
  return std::nullopt;
}

bool LockMaster::GoesTogether(NodeId node, DlmMode mode) const {
  for (size_t other = 1; other <= kNodesMax; ++other) {
    if (other != Index(node) && Conflicts(mode, granted_[other])) return false;
  }
  return true;
}

// Conversions are served in order: one that waits for what `node` has is never served before `node` gives that up, and `node`,
// which would be served after it, keeps it.
bool LockMaster::WouldDeadlock(NodeId node) const {
  return std::any_of(converting_.begin(), converting_.end(),
                     [&](const Waiter& ahead) { return Conflicts(ahead.mode, granted_[Index(node)]); });
}

void LockMaster::Grant(NodeId node, DlmMode mode, Outbox* out) {
  granted_[Index(node)] = mode;
  told_[Index(node)] = 0;
  LD_CHECK(!FindIncompatible().has_value(), absl::StrCat("S16: the master has granted ", ToString()));
  Message reply{.kind = MessageKind::kReply, .mode = mode, .status = DlmStatus::kGranted};
  reply.lvb_valid = lvb_valid_;
  reply.lvb_sequence = lvb_sequence_;
  reply.lvb = lvb_;
  out->push_back({node, reply});
}

void LockMaster::Refuse(NodeId node, DlmMode mode, DlmStatus status, Outbox* out) {
  out->push_back({node, {.kind = MessageKind::kReply, .mode = mode, .status = status}});
}

void LockMaster::Request(NodeId node, DlmMode mode, bool no_queue, Outbox* out) {
  LD_CHECK(!IsWaiting(node), "a node has one request on a resource at a time");
  const bool from_null = granted_[Index(node)] == lockdep::kDlmNull && null_queues_;
  const bool converts = granted_[Index(node)] != kNoDlmMode && !from_null;
  const bool passes = converts || mode == lockdep::kDlmNull || (converting_.empty() && waiting_.empty());
  if (passes && GoesTogether(node, mode)) {
    Grant(node, mode, out);
    // A conversion sideways (PR to CW) may make room.
    if (converts) GrantWaiting(out);
  } else if (no_queue) {
    Refuse(node, mode, DlmStatus::kAgain, out);
  } else if (converts && detects_ && WouldDeadlock(node)) {
    Refuse(node, mode, DlmStatus::kDeadlock, out);
  } else {
    (converts ? converting_ : waiting_).push_back({node, mode});
    TellHolders(out);
  }
}

void LockMaster::Lower(NodeId node, DlmMode mode, const Lvb* lvb, Outbox* out) {
  DlmMode& granted = granted_[Index(node)];
  LD_CHECK(Covers(granted, mode), "a lock is given down to a mode that is not weaker");
  if (lvb != nullptr && Writes(granted)) {
    lvb_ = *lvb;
    lvb_valid_ = true;
    ++lvb_sequence_;
  }
  granted = mode;
  told_[Index(node)] = 0;
  GrantWaiting(out);
}

void LockMaster::Cancel(NodeId node, Outbox* out) {
  for (std::vector<Waiter>* queue : {&converting_, &waiting_}) {
    const auto waiter = std::find_if(queue->begin(), queue->end(), [&](const Waiter& w) { return w.node == node; });
    if (waiter == queue->end()) continue;
    Refuse(node, waiter->mode, DlmStatus::kCanceled, out);
    queue->erase(waiter);
    GrantWaiting(out);
    return;
  }
}

void LockMaster::GrantWaiting(Outbox* out) {
  const auto serve = [&](std::vector<Waiter>& queue) {
    while (!queue.empty() && GoesTogether(queue.front().node, queue.front().mode)) {
      const Waiter first = queue.front();
      queue.erase(queue.begin());
      Grant(first.node, first.mode, out);
    }
  };
  serve(converting_);
  if (converting_.empty()) serve(waiting_);
  TellHolders(out);
}

void LockMaster::TellHolders(Outbox* out) {
  for (const std::vector<Waiter>* queue : {&converting_, &waiting_}) {
    for (const Waiter& waiter : *queue) {
      for (uint8_t holder = 1; holder <= kNodesMax; ++holder) {
        const uint8_t mode_bit = static_cast<uint8_t>(1u << waiter.mode);
        if (NodeId{holder} == waiter.node || !Conflicts(waiter.mode, granted_[holder])) continue;
        if ((told_[holder] & mode_bit) != 0) continue;
        told_[holder] |= mode_bit;
        out->push_back({NodeId{holder}, {.kind = MessageKind::kBlocking, .mode = waiter.mode}});
      }
    }
  }
}

void LockMaster::Drop(NodeId dead) {
  if (Writes(granted_[Index(dead)])) lvb_valid_ = false;
  granted_[Index(dead)] = kNoDlmMode;
  told_[Index(dead)] = 0;
  for (std::vector<Waiter>* queue : {&converting_, &waiting_}) {
    std::erase_if(*queue, [&](const Waiter& waiter) { return waiter.node == dead; });
  }
}

void LockMaster::Restore(NodeId node, const Message& report) {
  granted_[Index(node)] = report.granted;
  LD_CHECK(!FindIncompatible().has_value(), absl::StrCat("S16: survivors report ", ToString()));
  if (report.granted <= lockdep::kDlmConcurrentRead) return;
  const bool writer = Writes(report.granted);
  if (lvb_of_writer_ || (!writer && lvb_valid_ && report.lvb_sequence <= lvb_sequence_)) return;
  lvb_of_writer_ = writer;
  lvb_ = report.lvb;
  lvb_valid_ = report.lvb_valid;
  lvb_sequence_ = report.lvb_sequence;
}

bool LockMaster::IsWaiting(NodeId node) const {
  const auto of_node = [&](const Waiter& waiter) { return waiter.node == node; };
  return std::any_of(converting_.begin(), converting_.end(), of_node) ||
         std::any_of(waiting_.begin(), waiting_.end(), of_node);
}

void LockMaster::AddHoldersInTheWay(const Waiter& waiter, uint32_t* nodes) const {
  for (size_t holder = 1; holder <= kNodesMax; ++holder) {
    if (holder != Index(waiter.node) && Conflicts(waiter.mode, granted_[holder])) *nodes |= Bit(holder);
  }
}

uint32_t LockMaster::NodesInTheWay(NodeId waiter) const {
  uint32_t nodes = 0;
  if (!IsWaiting(waiter)) return nodes;
  for (const std::vector<Waiter>* queue : {&converting_, &waiting_}) {
    for (const Waiter& other : *queue) {
      AddHoldersInTheWay(other, &nodes);
      if (other.node == waiter) return nodes;
    }
  }
  return nodes;
}

std::string LockMaster::ToString() const {
  std::string text = "granted";
  for (size_t node = 1; node <= kNodesMax; ++node) {
    if (granted_[node] != kNoDlmMode) absl::StrAppend(&text, " ", node, ":", DlmModeName(granted_[node]));
  }
  const auto append = [&](const char* title, const std::vector<Waiter>& queue) {
    if (queue.empty()) return;
    absl::StrAppend(&text, ", ", title);
    for (const Waiter& waiter : queue) absl::StrAppend(&text, " ", Index(waiter.node), ":", DlmModeName(waiter.mode));
  };
  append("converting", converting_);
  append("waiting", waiting_);
  return text;
}

}  // namespace ordeal
