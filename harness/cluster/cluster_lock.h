// A node's end of a cluster lock as OCFS2's dlmglue has it: the node keeps the lock in the mode it once got and lets local tasks
// use it without a message, until another node wants it; then the node's downconvert worker gives it down, once nobody local uses
// it in a conflicting mode. Modes are none, NL, PR and EX.
//
// A small set of flags says what is going on (source: fs/ocfs2/dlmglue.c as described in protocols 2.11):
//   BUSY      a request is at the lock manager; whoever wants more than the granted mode waits for its AST
//   PENDING   ... and is still being posted: its AST may come first, and it cannot be canceled yet
//   BLOCKED   another node waits for blocking_mode(); new conflicting users wait until the worker has given the lock down
//   UPCONVERT_FINISHING  set by the AST of a conversion: who asked for it takes it once, before BLOCKED is honoured (else B56)
//   NONBLOCK_FINISHED    who asked did not wait for the AST: nobody will take it, so the AST lets the worker have it (else B57)
//   NEEDS_REFRESH  the lock was away: the first user brings what it protects up to date (ClusterLockUser::refresh)
//   REFRESHING     ... is doing so
// | state of the lock        | the worker                                                         |
// | not BLOCKED              | is done with it                                                    |
// | BUSY, PENDING            | tries again later                                                  |
// | BUSY                     | cancels the conversion, tries again later                          |
// | UPCONVERT_FINISHING      | tries again later                                                  |
// | granted NL               | clears BLOCKED: there is nothing to give (the conversion was canceled) |
// | conflicting users, REFRESHING | tries again when the last one goes                            |
// | granted for less than the minimum hold time | sleeps that long, looks again                   |
// | otherwise                | downconvert hook; then gives down to the highest mode that goes together |
//
// Thread-safety: tasks of one simulation. A lock outlives the tasks that use it; the worker outlives its locks.
// Invariants:    users' modes are covered by the granted one; BLOCKED locks are queued at the worker, or being given down; a task
//                that has the lock gets it again without waiting (holder tracking; else B58), but no stronger.
// Lock order:    as ResourceOptions::lock_class; the worker holds the lock, for the validator, while the downconvert hook runs.
// Example:
//   DownconvertWorker worker(dlm, node);
//   ClusterLock lock(worker, inode_resource, {.downconvert = [&](DlmMode blocking, DlmMode) { return DropPages(blocking); }});
//   lock.Lock(lockdep::kDlmProtectedRead);  ...  lock.Unlock(lockdep::kDlmProtectedRead);
#ifndef ORDEAL_HARNESS_CLUSTER_CLUSTER_LOCK_H_
#define ORDEAL_HARNESS_CLUSTER_CLUSTER_LOCK_H_

#include <functional>
#include <string>
#include <vector>

#include "harness/cluster/dlm.h"
#include "harness/sync/task_queue.h"

namespace ordeal {

class ClusterLock;

// Of one node: gives its locks down, one after another.
class DownconvertWorker {
 public:
  DownconvertWorker(Dlm& dlm, NodeId node);  // spawns the daemon, "node 1 downconvert"
  DownconvertWorker(const DownconvertWorker&) = delete;
  DownconvertWorker& operator=(const DownconvertWorker&) = delete;

  // Something changed that a queued lock may have waited for.
  void Kick();

  Dlm& dlm() { return dlm_; }
  NodeId node() const { return node_; }
  TaskId task() const { return task_; }
  // Has not dealt with every queued lock since it was kicked last; otherwise those wait for somebody else.
  bool busy() const { return !idle_; }
  const ClusterLock* current() const { return current_; }

 private:
  friend class ClusterLock;
  void Serve();
  void Queue(ClusterLock* lock);
  bool IsQueued(const ClusterLock* lock) const;

  Dlm& dlm_;
  const NodeId node_;
  ObjectId id_;
  TaskId task_ = kNoTask;
  std::vector<ClusterLock*> queue_;
  ClusterLock* current_ = nullptr;
  uint64_t kicks_ = 0;
  bool idle_ = false;
};

enum class DownconvertAnswer : uint8_t {
  kContinue,  // give the lock down
  kRequeue,   // not yet: ask again after the next DownconvertWorker::Kick
};

// What a file system does with its lock. Any may be empty.
struct ClusterLockUser {
  // From a grant on, the worker leaves the lock to the node for so long.
  int64_t minimum_hold_ns = 0;
  // In the worker, which holds nothing; no local user has the lock in a mode that conflicts with `blocking`. May block.
  std::function<DownconvertAnswer(DlmMode blocking, DlmMode new_mode)> downconvert;
  // In the first task that has the lock after it was away. `lvb`: null if the value block says nothing.
  std::function<void(const Lvb* lvb)> refresh;
  // In the worker, before EX is given down: what others shall read. Must not block.
  std::function<void(Lvb* lvb)> set_lvb;
};

// The historical mistakes of the glue.
struct ClusterLockBugs {
  // B48: who finds the lock in a mode that will do gets it although another node waits. The worker keeps users out only at the last
  // moment: the hook drops the pages, and if somebody has come meanwhile, again.
  bool admits_while_blocked = false;
  bool no_upconvert_finishing = false;  // B56
  bool nonblock_abandons_busy = false;  // B57
  bool no_holder_tracking = false;      // B58
};

struct ClusterLockOptions {
  bool nonblock = false;  // kAgain instead of waiting; a request that it has sent goes on
  bool no_queue = false;  // the lock manager does not wait either (trylock)
};

enum class ClusterLockStatus : uint8_t {
  kGranted,
  kAgain,
  kInvalid,  // the task has the lock in a weaker mode: to wait for a stronger one would be to wait for itself
};

class ClusterLock : public Waitable {
 public:
  ClusterLock(DownconvertWorker& worker, ResourceId resource, ClusterLockUser user = {}, ClusterLockBugs bugs = {});

  ClusterLockStatus Lock(DlmMode mode, ClusterLockOptions options = {}, lockdep::Site site = lockdep::Site::Here());
  // By the task that locked it.
  void Unlock(DlmMode mode, lockdep::Site site = lockdep::Site::Here());
  // Gives the lock back altogether (the inode is evicted). Nobody uses it, and nobody will.
  void Drop(lockdep::Site site = lockdep::Site::Here());

  DlmMode granted() const { return granted_; }
  DlmMode blocking_mode() const { return blocking_; }
  bool blocked() const { return Has(kBlocked); }
  bool busy() const { return Has(kBusy); }
  bool fresh() const { return !Has(kNeedsRefresh); }  // what it protects has been brought up to date
  bool HeldByCurrent() const;
  int users() const { return static_cast<int>(holders_.size()); }
  ResourceId resource() const { return resource_; }
  // How many users at most were let in while one request of another node waited; and how many conversions at most were granted and
  // given away again before the call that had asked for them took one. What the oracle of B48, and of B56, looks at.
  int most_admitted_while_blocked() const { return most_admitted_; }
  int most_conversions_lost() const { return most_lost_; }
  std::string ToString() const;  // "inode lock 3 on node 1: PR, BLOCKED by EX, 1 user"
  // The mode is what the lock manager says; users' modes are covered. What is wrong, if anything.
  std::optional<std::string> FindBrokenInvariant() const;

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return dlm_.lock_class(resource_); }

 private:
  friend class DownconvertWorker;
  enum Flag : uint8_t {
    kBusy = 1,
    kPending = 2,
    kBlocked = 4,
    kUpconvertFinishing = 8,
    kNonblockFinished = 16,
    kNeedsRefresh = 32,
    kRefreshing = 64,
  };
  enum class Action : uint8_t { kNone, kAttach, kConvert, kDownconvert };
  struct Holder {
    TaskId task;
    DlmMode mode;
    bool nested;  // the task had it already: the validator was not told
  };

  bool Has(Flag flag) const { return (flags_ & flag) != 0; }
  void Set(Flag flag) { flags_ |= flag; }
  void Clear(Flag flag) { flags_ = static_cast<uint8_t>(flags_ & ~flag); }
  // What the loop of Lock does next.
  enum class Next : uint8_t { kTake, kWait, kPost };
  Next Decide(DlmMode mode) const;
  void Post(DlmMode mode, Action action, bool no_queue, bool writes_lvb);
  ClusterLockStatus Nest(DlmMode mode);
  ClusterLockStatus GiveUp(bool posted, bool told, lockdep::Site site);
  void Take(DlmMode mode);
  void Refresh(lockdep::Site site);
  void Sleep(lockdep::Site site);
  void WakeAll();
  bool HasConflictingUsers() const;
  void AppendGivingDown(Blockers* out) const;

  // In the node's dlm daemon.
  void OnAst(DlmStatus status);
  void OnGranted();
  void OnBast(DlmMode mode);

  // In the worker. False: queue it again.
  bool GiveDown();
  bool RunDownconvertHook(bool* changed);

  DownconvertWorker& worker_;
  Dlm& dlm_;
  Scheduler& scheduler_;
  const NodeId node_;
  const ResourceId resource_;
  const ClusterLockUser user_;
  const ClusterLockBugs bugs_;
  uint8_t flags_ = 0;
  DlmMode granted_ = kNoDlmMode;
  DlmMode requested_ = kNoDlmMode;
  DlmMode blocking_ = lockdep::kDlmNull;
  Action action_ = Action::kNone;
  uint32_t pending_generation_ = 0;
  bool canceling_ = false;
  bool dropping_ = false;  // waits for the worker to have done with the lock
  uint64_t grants_ = 0;  // of requests for more
  int admitted_ = 0;     // since it was BLOCKED
  int most_admitted_ = 0;
  int most_lost_ = 0;
  int64_t granted_at_ns_ = 0;  // the last of them
  TaskId refresher_ = kNoTask;
  std::vector<Holder> holders_;
  TaskQueue waiting_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_CLUSTER_LOCK_H_
