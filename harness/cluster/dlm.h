// A distributed lock manager: lock resources that each node has in a mode (NL CR CW PR PW EX), or not at all. Each resource has a
// master node, which decides (lock_master.h); the others talk to it by messages, also if they are on the master itself.
//
// Two ways to use it. A file system's lock glue attaches a DlmUser to its node's end of a resource, calls Request, Unlock and
// Cancel, which return at once, and is told of the outcome by on_ast and of others' wishes by on_bast. These run in the node's dlm
// daemon: they set flags and wake workers, and must not block (waking a wait queue is fine). A task that simply needs the lock for
// a while calls Lock and Unlock, which wait, tell the validator and give everything back.
//
// Giving down (a Request for a mode that the granted one covers) and Unlock need no consent: the node has the lower mode at once,
// the AST follows. When a node dies its locks and requests vanish; who mastered a resource is replaced by the next node alive,
// to which the survivors report what they have and wait for. Until all have, the resource grants nothing; none does until a file
// system that has a journal to replay has done so (DlmOptions::waits_for_replay).
//
// Who waits for whom: a request under way, or a message about the resource that somebody still has to deal with, is progress.
// Otherwise the requester waits for each node in its way, and that means the tasks which its DlmUser::append_blockers names (the
// worker that is giving the lock down, or the local users that this worker waits for), or the task that has it by Lock. After each
// message the scheduler looks for a cycle. Nobody to name and nothing under way is a lost wake-up: the end of the run tells.
//
// Thread-safety: tasks of one simulation. Lives as long as its Cluster.
// Invariants:    at most one request of a node on a resource is under way; S16 at every grant (FindIncompatibleGrant).
// Lock order:    a resource's class is one for all nodes, registered with .kind = &lockdep::kDlmLock (and ordered_by_key if its
//                resources nest); tasks tell the validator with NoteAcquire and NoteRelease, so that an order which two nodes
//                break together is found like any other.
// Example:
//   const ResourceId inode = dlm.NewResource({.lock_class = sim.Class("inode lock", {.kind = &lockdep::kDlmLock})});
//   dlm.Attach(node, inode, {.on_ast = ..., .on_bast = ..., .append_blockers = ...});
//   dlm.Request(node, inode, lockdep::kDlmExclusive);
#ifndef ORDEAL_HARNESS_CLUSTER_DLM_H_
#define ORDEAL_HARNESS_CLUSTER_DLM_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/cluster/cluster.h"
#include "harness/cluster/lock_master.h"
#include "harness/sync/task_queue.h"

namespace ordeal {

struct DlmOptions {
  bool detect_conversion_deadlock = true;  // false: two nodes that both convert PR to EX wait for each other
  // A conversion from NL, which keeps nobody waiting, queues as a new request does (as o2dlm has it, and fs/dlm if asked: QUECVT).
  // False: it is granted at once if it can be, so that two nodes that share a lock in turn keep a third one out for ever.
  bool null_queues = false;
  // After a death nothing at all is granted until its user has recovered what the dead node protected by its locks (ReplayDone).
  bool waits_for_replay = false;
};

struct ResourceOptions {
  lockdep::LockClassId lock_class{};
  const char* name = "lock";  // shown in reports; must outlive the Dlm
  uint32_t number = 0;
  uint64_t order_key = 0;   // for classes with ordered_by_key
  NodeId master = kNoNode;  // kNoNode: the resources take turns
};

// A node's end of a resource, as its user sees it. Any may be empty.
struct DlmUser {
  std::function<void(DlmStatus status)> on_ast;           // the request is over; granted() and lvb() are up to date
  std::function<void(DlmMode blocking_mode)> on_bast;     // another node waits for this mode
  // The tasks that must act before this node can give the lock up, for `waiter`, a task of another node.
  std::function<void(TaskId waiter, Blockers* out)> append_blockers;
};

struct RequestOptions {
  bool no_queue = false;   // kAgain instead of waiting
  bool writes_lvb = true;  // giving down PW or EX: publishes lvb()
};

class Dlm {
 public:
  // Becomes the cluster's receiver.
  explicit Dlm(Cluster& cluster, DlmOptions options = {});
  Dlm(const Dlm&) = delete;
  Dlm& operator=(const Dlm&) = delete;

  ResourceId NewResource(const ResourceOptions& options);
  void Attach(NodeId node, ResourceId resource, DlmUser user);

  // --- without waiting; by any task, for a node that is alive and has no request under way on the resource ---

  void Request(NodeId node, ResourceId resource, DlmMode mode, RequestOptions options = {});
  void Unlock(NodeId node, ResourceId resource, bool writes_lvb = true);
  // If it comes in time the request ends as kCanceled; otherwise it ends as it would have. Nothing if none is under way.
  void Cancel(NodeId node, ResourceId resource);

  DlmMode granted(NodeId node, ResourceId resource) const { return end(node, resource).granted; }
  // A request's AST has not been delivered.
  bool busy(NodeId node, ResourceId resource) const { return end(node, resource).busy; }
  DlmStatus last_status(NodeId node, ResourceId resource) const { return end(node, resource).status; }
  // The node's copy: up to date after a grant; who has PW or EX may change it, which others see after it gives these down.
  Lvb& lvb(NodeId node, ResourceId resource) { return end(node, resource).lvb; }
  bool lvb_valid(NodeId node, ResourceId resource) const { return end(node, resource).lvb_valid; }
  NodeId master(ResourceId resource) const { return resources_[Index(resource)]->master; }
  bool recovering(ResourceId resource) const { return Recovering(*resources_[Index(resource)]); }
  // Of DlmOptions::waits_for_replay: once for each death. By any task.
  void ReplayDone();

  // --- waiting ---

  // Until the node's request is over; how it ended.
  DlmStatus Wait(NodeId node, ResourceId resource, lockdep::Site site = lockdep::Site::Here());
  // What a task waits for that waits for the node's request, for those who block by themselves. Also a task that waits for the
  // lock to be given back locally (Lock).
  const Waitable& waitable(NodeId node, ResourceId resource) const { return end(node, resource); }
  // What is in the way of the node's request; nothing while there is progress.
  void AppendBlockers(NodeId node, ResourceId resource, TaskId waiter, Blockers* out) const;

  // For the current task, on its node: from no lock to `mode` and back. One task of a node at a time has it so; others queue.
  DlmStatus Lock(ResourceId resource, DlmMode mode, RequestOptions options = {},
                 lockdep::Site site = lockdep::Site::Here());
  // While held: to another mode. What was held stays held unless it is kGranted (or the master died during a conversion between PR
  // and CW: then it is NL).
  DlmStatus Convert(ResourceId resource, DlmMode mode, RequestOptions options = {},
                    lockdep::Site site = lockdep::Site::Here());
  void Unlock(ResourceId resource, lockdep::Site site = lockdep::Site::Here());

  // --- the validator; Lock, Convert and Unlock above do it themselves ---

  // The current task is about to wait for the lock in `mode`; `trylock`: it has it without having waited. A worker that gives
  // the lock down says so too (trylock, the granted mode): whatever it waits for meanwhile, other nodes wait for.
  void NoteAcquire(ResourceId resource, DlmMode mode, bool trylock = false, lockdep::Site site = lockdep::Site::Here());
  void NoteRelease(ResourceId resource, lockdep::Site site = lockdep::Site::Here());

  // S16, of what the masters have granted and of what the nodes have: what is wrong, if anything.
  std::optional<std::string> FindIncompatibleGrant() const;
  std::string ToString(ResourceId resource) const;  // "inode lock 3, master 1: granted 1:PR, waiting 2:EX"

  Cluster& cluster() { return cluster_; }
  ObjectId object(ResourceId resource) const { return resources_[Index(resource)]->id; }
  lockdep::LockClassId lock_class(ResourceId resource) const { return resources_[Index(resource)]->map.lock_class; }

 private:
  // One node's end of a resource.
  struct End : Waitable {
    void AppendBlockers(TaskId waiter, Blockers* out) const override { dlm->AppendBlockers(node, resource, waiter, out); }
    std::optional<lockdep::LockClassId> lock_class() const override { return dlm->lock_class(resource); }

    // What it has for certain. Who converts between PR and CW may have the other one already, without having heard of it, and
    // others beside it what goes together with that (fs/dlm: middle conversions).
    DlmMode kept() const {
      const bool middle = requested != kNoDlmMode && granted != kNoDlmMode && !Covers(requested, granted);
      return middle ? lockdep::kDlmNull : granted;
    }

    Dlm* dlm = nullptr;
    NodeId node = kNoNode;
    ResourceId resource{};
    DlmMode granted = kNoDlmMode;
    bool busy = false;              // an AST is to come
    DlmMode requested = kNoDlmMode;  // that the master has to decide on; kNoDlmMode: none (busy: the AST of a lowering)
    bool no_queue = false;
    bool canceled = false;
    DlmStatus status = DlmStatus::kGranted;
    Lvb lvb{};
    bool lvb_valid = false;
    uint32_t lvb_sequence = 0;
    DlmUser user;
    TaskQueue waiting;          // in Wait
    TaskId holder = kNoTask;    // by Lock
    TaskQueue local_waiting;    // for the holder
  };
  struct Resource {
    bool relearning() const { return reports_awaited != 0 || purges_awaited != 0; }

    lockdep::LockMap map;
    ObjectId id = kNoObject;
    NodeId master = kNoNode;
    LockMaster state;
    uint32_t reports_awaited = 0;  // bit i: of NodeId{i}
    int purges_awaited = 0;
    std::vector<Delivery> deferred;  // requests that came during recovery
    PerNode<End> ends;
  };

  End& end(NodeId node, ResourceId resource) { return resources_[Index(resource)]->ends[Index(node)]; }
  const End& end(NodeId node, ResourceId resource) const { return resources_[Index(resource)]->ends[Index(node)]; }
  NodeId NextNode(NodeId node) const;
  void Start(End& at, DlmMode mode, RequestOptions options);
  void PassOn(End& at);
  void SendToMaster(NodeId node, ResourceId resource, Message message);
  void PostAst(End& at, DlmStatus status);
  void LowerTo(End& at, DlmMode mode, bool writes_lvb, DlmStatus status);

  void Receive(const Delivery& delivery);
  void OnReply(const Message& message, End& at);
  void OnBlocking(const Message& message, End& at);
  void OnMasterMessage(const Delivery& delivery, Resource& resource);
  void Decide(const Delivery& delivery, Resource& resource, Outbox* out);
  void SendAnswers(ResourceId id, const Outbox& out);

  bool Recovering(const Resource& resource) const { return resource.relearning() || replays_awaited_ > 0; }

  // dlm_recovery.cc
  void OnDeath(NodeId dead);
  void Remaster(ResourceId id, Resource& resource, NodeId dead);
  void OnRecoveryMessage(const Delivery& delivery, Resource& resource, Outbox* out);
  void FinishRecovery(Resource& resource, Outbox* out);

  Cluster& cluster_;
  const DlmOptions options_;
  int replays_awaited_ = 0;
  std::vector<std::unique_ptr<Resource>> resources_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_DLM_H_
