// The runtime lock-order validator: told of every acquisition and release, it keeps the graph of lock classes and reports
// each way in which two orders contradict each other.
//
// A *run* is one schedule of a harness, or the life of a program. Violations are judged on the dependencies of the current
// run alone, so that a run is reproducible by itself; the graph of all runs is kept for export. A chain that earlier runs
// have seen costs one cache look-up and one mark a run: while the graph of all runs has no cycle, neither has any run's.
//
// Thread-safety: TaskContext: one task. Validator: the fast path may run on many threads; unseen chains take mutex_.
// Invariants:    a violation is reported once a run (by signature); validation never turns itself off; no fixed limits.
// Cost:          a cached acquire is a push, one multiply and one look-up; a release on top of the stack is a pop.
// Example:
//   Validator validator;
//   const LockClassId a = validator.RegisterClass("A");
//   LockMap lock = validator.NewMap(a, "first");
//   TaskContext task("writer");
//   validator.Acquire(task, lock, Mode::kExclusive, {.site = Site::Here()});
//   validator.Release(task, lock);
#ifndef ORDEAL_LOCKDEP_RUNTIME_VALIDATOR_H_
#define ORDEAL_LOCKDEP_RUNTIME_VALIDATOR_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lockdep/graph/chain_cache.h"
#include "lockdep/graph/chain_key.h"
#include "lockdep/graph/dependency_graph.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

// What the validator knows of one lock instance. Lives in the lock; made by Validator::NewMap.
struct LockMap {
  LockClassId lock_class{};
  LockClassOptions rules;        // the class's, copied so that the hot path need not look the class up
  uint64_t order_key = 0;       // compared when the class is ordered_by_key
  const char* instance = "";    // shown in reports; must outlive the lock
  uint32_t instance_number = 0;  // shown behind `instance` when not 0

  std::string InstanceName() const;
};

struct HeldLock {
  const LockMap* map = nullptr;
  uint64_t previous_key = kEmptyChainKey;  // the chain key without this lock
  uint64_t order_key = 0;
  NodeId node{};
  Mode mode = Mode::kExclusive;
  bool trylock = false;
  bool ordered = false;
  bool spins = false;
  Site site;
};

// The locks of one task (thread, fiber), oldest first, and the key that names that sequence.
class TaskContext {
 public:
  // `name` is shown in reports and must outlive the context.
  explicit TaskContext(const char* name = "") : name_(name) { held_.reserve(16); }
  const char* name() const { return name_; }
  const std::vector<HeldLock>& held() const { return held_; }
  uint64_t chain_key() const { return key_; }
  bool Holds(const LockMap& map) const;
  // For the next run: forgets everything; keeps the memory.
  void Reset(const char* name) {
    name_ = name;
    held_.clear();
    key_ = kEmptyChainKey;
    spins_held_ = 0;
  }

 private:
  friend class Validator;
  const char* name_;
  std::vector<HeldLock> held_;
  uint64_t key_ = kEmptyChainKey;
  int spins_held_ = 0;
};

struct AcquireOptions {
  int subclass = 0;      // 0..7
  bool trylock = false;  // it succeeded without waiting: adds no dependency *into* this lock
  Site site;
};

struct ValidatorStats {
  uint64_t classes = 0;
  uint64_t dependencies = 0;  // of all runs
  uint64_t chains = 0;
  uint64_t slow_acquires = 0;  // that took the mutex
  uint64_t searches = 0;       // cycle searches
};

class Validator {
 public:
  Validator();
  ~Validator();
  Validator(const Validator&) = delete;
  Validator& operator=(const Validator&) = delete;

  LockClassId RegisterClass(absl::string_view name, LockClassOptions options = {});
  const LockClassTable& classes() const { return classes_; }
  // `instance` is shown in reports and must outlive the map; `number` is shown behind it when not 0.
  LockMap NewMap(LockClassId lock_class, const char* instance = "", uint32_t number = 0, uint64_t order_key = 0) const {
    return {lock_class, classes_.at(lock_class).options, order_key, instance, number};
  }

  // Starts a run: no dependencies, no violations. Classes, chains and the graph of all runs stay.
  void BeginRun();

  // Before the acquisition blocks (so that the order is judged even if it never returns).
  void Acquire(TaskContext& task, const LockMap& map, Mode mode, const AcquireOptions& options) {
    const NodeId node = NodeOf(map.lock_class, options.subclass);
    const LockClassOptions rules = map.rules;
    const bool ordered = rules.ordered_by_key && OrderAscends(task, node, map.order_key);
    const uint64_t previous = task.key_;
    const uint64_t key = MixChainKey(previous, ChainWord(node, mode, options.trylock, ordered));
    task.held_.push_back(
        HeldLock{&map, previous, map.order_key, node, mode, options.trylock, ordered, rules.spins, options.site});
    task.key_ = key;
    if (__builtin_expect(task.spins_held_ != 0, 0) && !rules.spins && !options.trylock) SleepInAtomic(task);
    task.spins_held_ += rules.spins;
    if (__builtin_expect(!chains_.Touch(key, run_, !cyclic_.load(std::memory_order_relaxed)), 0)) AcquireUnseen(task);
  }

  // Legal in any order; a lock that the task does not hold is kUnlockBalance.
  void Release(TaskContext& task, const LockMap& map, Site site = {}) {
    if (__builtin_expect(!task.held_.empty() && task.held_.back().map == &map, 1)) {
      task.key_ = task.held_.back().previous_key;
      task.spins_held_ -= task.held_.back().spins;
      task.held_.pop_back();
      return;
    }
    ReleaseOutOfOrder(task, map, site);
  }

  // Exclusive to shared, of a held lock (downgrade_write).
  void Downgrade(TaskContext& task, const LockMap& map, Mode mode);

  // Waits for an event (writeback, completion, counter drain, "page is unlocked"): judged like an acquisition, never held.
  void Wait(TaskContext& task, const LockMap& map, const AcquireOptions& options) {
    Acquire(task, map, Mode::kExclusive, options);
    Release(task, map, options.site);
  }

  // The lock now belongs to somebody else (a folio handed to an I/O request, which will unlock it).
  void HandOver(TaskContext& task, const LockMap& map) { Release(task, map); }

  // The task ends: reports locks still held.
  void TaskExit(TaskContext& task);

  // Of the current run, in order of detection.
  const std::vector<Violation>& violations() const { return violations_; }
  // The graph of all runs.
  const DependencyGraph& graph() const { return graph_; }
  ValidatorStats stats() const;

 private:
  static bool OrderAscends(const TaskContext& task, NodeId node, uint64_t order_key);
  static void RebuildKeys(TaskContext& task, size_t from);
  void AcquireUnseen(TaskContext& task);
  bool CheckRecursion(const TaskContext& task);
  void AddDependencies(const TaskContext& task, std::vector<EdgeId>* edges);
  void AddDependency(const TaskContext& task, const HeldLock& holder, std::vector<EdgeId>* edges);
  void StartCycleSearches();
  void ReportCycle(const TaskContext& task, const HeldLock& holder, EdgeId closing, const std::vector<EdgeId>& path);
  void SleepInAtomic(TaskContext& task);
  void ReleaseOutOfOrder(TaskContext& task, const LockMap& map, Site site);
  HeldLockReport Describe(const HeldLock& held) const;
  DependencyReport Describe(const Edge& edge) const;
  Violation NewViolation(ViolationKind kind, const TaskContext& task, const HeldLockReport& acquiring) const;
  void Report(Violation violation);

  mutable std::mutex mutex_;  // a leaf: nothing is acquired under it. Guards all below but for the lock-free part of chains_
  LockClassTable classes_;
  DependencyGraph graph_;
  ChainCache chains_;
  std::vector<EdgeId> chain_edges_;  // the dependencies of each chain, one after another; chains_ has the ranges
  // The graph of all runs has a cycle, so runs must be searched one by one. Written under mutex_; readers may lag: the
  // store precedes the insertion of the chain that made it true.
  std::atomic<bool> cyclic_{false};
  uint32_t run_ = 1;
  std::vector<Violation> violations_;
  uint64_t slow_acquires_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_VALIDATOR_H_
