// The runtime lock-order validator: told of every acquisition and release, it keeps the graph of lock classes and reports
// each way in which two orders contradict each other.
//
// A *run* is one schedule of a harness, or the life of a program. Violations are judged on the dependencies of the current
// run alone, so that a run is reproducible by itself; the graph of all runs is kept for export. A chain that earlier runs
// have seen costs one cache look-up and one mark a run: while the graph of all runs breaks no rule, neither does any run's.
//
// Thread-safety: TaskContext: one task. Validator: the fast path may run on many threads; unseen chains take mutex_.
// Invariants:    a violation is reported once a run (by signature); validation never turns itself off; no fixed limits.
// Cost:          a cached acquire is a push, one multiply and one look-up; a release on top of the stack is a pop. No shared
//                memory is written on either.
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
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "lockdep/graph/chain_cache.h"
#include "lockdep/graph/chain_key.h"
#include "lockdep/graph/dependency_graph.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"
#include "lockdep/runtime/site_census.h"
#include "lockdep/runtime/task_context.h"
#include "lockdep/runtime/usage.h"
#include "lockdep/runtime/violation.h"
#include "lockdep/runtime/witness.h"

namespace ordeal::lockdep {

class EventBook;
struct EventTrigger;
struct EventWait;
struct PriorAcquisition;

struct AcquireOptions {
  int subclass = 0;      // 0..7
  bool trylock = false;  // it succeeded without waiting: adds no dependency *into* this lock
  Site site;
  const LockMap* nest = nullptr;  // a held lock that serialises the nesting of this lock's class above it
  bool check = true;              // false: tracked only
};

struct ValidatorStats {
  uint64_t classes = 0;
  uint64_t dependencies = 0;  // of all runs
  uint64_t chains = 0;
  uint64_t slow_acquires = 0;  // that took the mutex
  uint64_t searches = 0;       // cycle and usage searches
  uint64_t violations = 0;     // distinct ones of this run
  uint64_t suppressed = 0;     // sightings of violations that were known
  uint64_t tasks = 0;          // attached
  uint64_t forgotten = 0;      // acquisitions of this run that triggers no longer know of, for want of room
  uint64_t memory_bytes = 0;   // of all tables, approximately

  std::string ToString() const;
};

struct ValidatorOptions {
  // Tells tasks apart, so that a cycle can be graded at once: each task's chains are judged by themselves.
  bool grade_online = false;
  // Tells the places of acquisitions apart, so that a report can say what most of them do: each place's chains are judged
  // by themselves.
  bool count_sites = false;
  // Called for each dependency that is new to the run and for each violation; innermost frame first. Null: none.
  std::vector<std::string> (*backtrace)() = nullptr;
};

class Validator {
 public:
  explicit Validator(ValidatorOptions options = {});
  ~Validator();
  Validator(const Validator&) = delete;
  Validator& operator=(const Validator&) = delete;

  // ---- classes and locks

  LockClassId RegisterClass(absl::string_view name, LockClassOptions options = {});
  // The class of a key (an address, a creation site): other keys of the same name are shown as "name#2".
  LockClassId RegisterKey(uint64_t key, absl::string_view name, LockClassOptions options = {});
  // The key's memory goes away: its dependencies are forgotten. A lock of the class that the task still holds is kHeldFreed.
  void UnregisterClass(TaskContext& task, LockClassId lock_class, Site site = {});
  const LockClassTable& classes() const { return classes_; }
  // `instance` is shown in reports and must outlive the map; `number` is shown behind it when not 0.
  LockMap NewMap(LockClassId lock_class, const char* instance = "", uint32_t number = 0, uint64_t order_key = 0) const {
    return {lock_class, classes_.at(lock_class).options.ordered(), order_key, instance, number};
  }

  // ---- runs and tasks

  // Starts a run: no dependencies, no violations. Classes, chains and the graph of all runs stay.
  void BeginRun();
  // Makes the task known to FindHolder and the grades; Detach before it is destroyed.
  void Attach(TaskContext& task);
  void Detach(TaskContext& task);
  // A task other than `except` that holds, or waits for, the lock; null if none is attached that does.
  const TaskContext* FindHolder(const LockMap& map, const TaskContext* except = nullptr) const;
  // Task `child` (TaskContext::id) starts after what `parent` did; what `parent` does comes after all of `child`. For grades.
  void Fork(TaskContext& parent, uint32_t child);
  void Join(TaskContext& parent, uint32_t child);
  // The task ends: reports locks still held.
  void TaskExit(TaskContext& task, Site site = {});

  // ---- acquisitions

  // Before the acquisition blocks (so that the order is judged even if it never returns).
  void Acquire(TaskContext& task, const LockMap& map, Mode mode, const AcquireOptions& options) {
    // No call but in the last place: then the fast path needs neither a stack frame nor saved registers.
    const bool uncommon = static_cast<unsigned>(options.subclass) >= kSubclasses || map.ordered ||
                          options.nest != nullptr || task.history_ != nullptr || task.site_mask_ != 0 ||
                          task.held_.full();
    if (__builtin_expect(uncommon, 0)) return AcquireUncommon(task, map, mode, options);
    const uint64_t word = ChainWord(NodeOf(map.lock_class, options.subclass), mode) | task.context_ |
                          (options.trylock ? kTrylock : 0) | (options.check ? 0 : kUnchecked);
    const uint64_t previous = task.key_;
    const uint64_t key = MixChainKey(previous, word);
    HeldLock& held = task.held_.PushUnset(&map);
    held.previous_key = previous;
    held.word = word;
    held.site.file = options.site.file;
    held.site.line = options.site.line;
    held.pins = 0;
    held.nest = 0;
    task.key_ = key;
    if (__builtin_expect(!chains_.Touch(key, run_, !broken_.load(std::memory_order_relaxed)), 0)) AcquireUnseen(task);
  }

  // The same for a class with a LockKind, in one of its modes. A conversion is an acquisition of what is held, followed by
  // the release of either.
  void AcquireMode(TaskContext& task, const LockMap& map, int lock_mode, const AcquireOptions& options);

  // Legal in any order; a lock that the task does not hold is kBadUnlock, or kForeignUnlock if another one does.
  void Release(TaskContext& task, const LockMap& map, Site site = {}) {
    if (__builtin_expect(!task.held_.empty() && task.held_.back().map == &map && task.held_.back().pins == 0, 1)) {
      task.key_ = task.held_.back().previous_key;
      task.held_.Pop();
      return;
    }
    ReleaseSlow(task, map, site);
  }

  // Waits until nobody holds the lock, and does not take it (lock_sync, synchronize_srcu, flush).
  void Sync(TaskContext& task, const LockMap& map, Mode mode, const AcquireOptions& options);
  // Exclusive to shared, of a held lock (downgrade_write). A lock that is not held exclusively is kApiAssert.
  void Downgrade(TaskContext& task, const LockMap& map, Mode mode, Site site = {});
  // Gives a lock, held or not, another class or subclass; what is held above it is judged again.
  void SetClass(TaskContext& task, LockMap& map, LockClassId lock_class, int subclass, Site site = {});
  // The lock now belongs to somebody else (a folio handed to an I/O request, which will unlock it).
  void HandOver(TaskContext& task, const LockMap& map) { Release(task, map); }

  // ---- events (lockdep/runtime/event.h has the user's side)

  // Waits for an event (writeback, completion, counter drain, "page is unlocked"): judged like an acquisition, never held.
  // Before it blocks. For those who cannot say when it returned; it counts as satisfied by the last trigger, or the next.
  void Wait(TaskContext& task, const LockMap& map, const AcquireOptions& options) {
    Acquire(task, map, Mode::kExclusive, options);
    if (__builtin_expect(follows_events_.load(std::memory_order_relaxed), 0)) NoteWait(task, map, true);
    Release(task, map, options.site);
  }
  // The same in two: EndWait is called when it returned, and it did because the event had been triggered.
  void BeginWait(TaskContext& task, const LockMap& map, const AcquireOptions& options) {
    Acquire(task, map, Mode::kExclusive, options);
    if (__builtin_expect(follows_events_.load(std::memory_order_relaxed), 0)) NoteWait(task, map, false);
    Release(task, map, options.site);
  }
  void EndWait(TaskContext& task, const LockMap& map) {
    if (__builtin_expect(follows_events_.load(std::memory_order_relaxed), 0)) NoteWaitEnd(task, map);
  }
  // A wait that ends by itself is no dependency; sleeping must be allowed all the same.
  void WaitTimed(TaskContext& task, const LockMap& map, const AcquireOptions& options) {
    AcquireOptions unchecked = options;
    unchecked.check = false;
    Wait(task, map, unchecked);
  }
  // From here on this context must trigger the event before anybody who waits for it can go on: whatever it waits for
  // meanwhile, the event waits for. Nothing was waited for to get here.
  void Owe(TaskContext& task, const LockMap& event, Site site, int subclass = 0);
  // Triggers it. Not owed: the event depends on what this task acquired since it last triggered it (AcquisitionHistory).
  void Trigger(TaskContext& task, const LockMap& event, Site site, int subclass = 0);
  // From now on the task's acquisitions are remembered for Trigger.
  void RememberAcquisitions(TaskContext& task);
  // Only now can anybody have to wait for the event: a bit is set, a counter raised, a completion made ready. What is known
  // to have happened before cannot delay it. `anew`: no earlier trigger satisfies a wait any more.
  void Arm(TaskContext& task, const LockMap& event, bool anew = true);
  // The event's memory goes away, or will be another event's.
  void ForgetEvent(const LockMap& event);

  // ---- interrupts and reclaim

  // Depths are counted. `threaded`: the handler may run in a thread, so locks that sleep on such a kernel are legal.
  void EnterHardirq(TaskContext& task, bool threaded = true);
  void LeaveHardirq(TaskContext& task);
  void EnterSoftirq(TaskContext& task);
  void LeaveSoftirq(TaskContext& task);
  void DisableHardirqs(TaskContext& task);
  void EnableHardirqs(TaskContext& task, Site site = {});  // held locks become "enabled"
  void DisableSoftirqs(TaskContext& task);
  void EnableSoftirqs(TaskContext& task, Site site = {});
  // Reclaim as a usage state; lockdep/runtime/reclaim.h has the fs_reclaim pseudo-lock, which finds cycles too.
  void EnterReclaim(TaskContext& task);
  void LeaveReclaim(TaskContext& task);
  void MayEnterReclaim(TaskContext& task, Site site = {});  // an allocation: held locks become "enabled" for reclaim

  // ---- assertions; each reports and returns false when it fails

  bool AssertHeld(TaskContext& task, const LockMap& map, Site site = {});
  bool AssertHeldExclusive(TaskContext& task, const LockMap& map, Site site = {});
  bool AssertHeldShared(TaskContext& task, const LockMap& map, Site site = {});
  bool AssertHeldOnce(TaskContext& task, const LockMap& map, Site site = {});
  bool AssertNotHeld(TaskContext& task, const LockMap& map, Site site = {});
  bool AssertClassNotHeld(TaskContext& task, LockClassId lock_class, Site site = {});
  static bool IsClassHeld(const TaskContext& task, LockClassId lock_class);
  // A pinned lock must not be released until the same cookie unpins it.
  uint32_t Pin(TaskContext& task, const LockMap& map, Site site = {});
  void Repin(TaskContext& task, const LockMap& map, uint32_t cookie, Site site = {});
  void Unpin(TaskContext& task, const LockMap& map, uint32_t cookie, Site site = {});
  // Memory is freed, or a lock in it initialised (again): a lock in it that anyone holds is kHeldFreed.
  void MemoryFreed(TaskContext& task, const void* begin, size_t size, Site site = {});
  void Reinitialised(TaskContext& task, const LockMap& map, Site site = {});
  // A primitive's own rule is broken.
  void ApiAssert(TaskContext& task, const LockMap& map, const std::string& message, Site site = {});

  // ---- fork

  // Around fork(2), so that the child's validator is consistent. Nothing else may be called by this thread in between.
  void LockForFork() { mutex_.lock(); }
  void UnlockAfterFork() { mutex_.unlock(); }

  // ---- results

  // Of the current run, in order of detection. Only while no other thread acquires.
  const std::vector<Violation>& violations() const { return violations_; }
  // A copy, at any time; its hints count every place seen until now.
  std::vector<Violation> Violations() const;
  // The graph of all runs, and each node's interrupt usage in them. Only while no other thread acquires.
  const DependencyGraph& graph() const { return graph_; }
  const UsageTable& usage() const { return usage_; }
  // The chains of all runs in order of first sight, outermost lock first; words as in chain_key.h.
  void ForEachChain(absl::FunctionRef<void(const std::vector<uint64_t>& words)> visit) const;
  ValidatorStats stats() const;

 private:
  static constexpr EdgeId kNoEdge{0xffffffffu};
  struct ChainRecord {
    uint32_t edges_begin;
    uint32_t edges_count;
    uint64_t last_word;
  };
  struct ReportedCycle {
    size_t violation;  // index in violations_
    std::vector<uint32_t> edges;
  };
  // A dependency as one chain, or one event, makes it: an edge, and one of the kinds that it has.
  struct ChainEdge {
    EdgeId edge;
    uint8_t kind;
  };
  struct UsageConflict {
    bool found = false;
    NodeId node{};
    UsageBit bit = 0;
    std::vector<EdgeId> path;  // from the node used in the context to the other; empty if they are one
  };

  // validator.cc: judging an acquisition that is not known to be legal. mutex_ is held but in AcquireUnseen.
  void AcquireUnseen(TaskContext& task);
  void JudgeNewest(TaskContext& task);
  bool CheckWaitContext(const TaskContext& task);
  bool CheckRecursion(const TaskContext& task);
  void AddDependencies(const TaskContext& task, std::vector<ChainEdge>* edges);
  void AddDependencies(const TaskContext& task, const HeldLock& holder, NodeId to, std::vector<ChainEdge>* edges);
  EdgeId AddDependency(const TaskContext& task, const HeldLock& holder, NodeId from, const HeldLock& acquired, NodeId to);
  void Grade(const ReportedCycle& cycle);
  std::string HintOf(const ReportedCycle& cycle) const;
  void RecordWitness(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired, EdgeId edge);
  bool FindCycle(EdgeId edge, uint8_t kind, std::vector<EdgeId>* path);
  void JudgeEachRun();
  void ReportCycle(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired, EdgeId closing,
                   const std::vector<EdgeId>& path);
  // A cycle of `path`, back to the holder, and `closing`, which are what one new edge stands for; kNoEdge: none.
  void ReportCycle(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired,
                   const std::vector<EdgeId>& path, EdgeId edge, std::vector<DependencyReport> closing);
  void AppendDescription(EdgeId id, std::vector<DependencyReport>* cycle) const;
  DependencyReport NewDependency(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired,
                                 EdgeId edge) const;
  std::string ModeNameOf(NodeId node, int lock_mode) const;
  HeldLockReport Describe(const HeldLock& held) const;
  DependencyReport Describe(EdgeId id) const;
  Violation NewViolation(ViolationKind kind, const TaskContext& task, const HeldLock& acquiring) const;
  void Report(Violation violation);

  // validator_usage.cc
  UsageMask UsageOf(const HeldLock& held) const;
  void MarkUsage(const TaskContext& task, const HeldLock& held, UsageMask mask);
  UsageConflict FindUsageConflict(const HeldLock& held, UsageBit bit, uint32_t run);
  void CheckUsage(const TaskContext& task, const HeldLock& held, UsageBit bit);
  bool BreaksIrqOrder(const HeldLock& holder, const HeldLock& acquired);
  void CheckIrqOrder(const TaskContext& task, const HeldLock& holder, const HeldLock& acquired, EdgeId edge);
  UsageReport Describe(NodeId node, UsageBit bit) const;
  void MarkHeld(TaskContext& task, UsageState state, Site site);

  // validator_rules.cc
  // 0 unless places are told apart.
  static uint64_t SiteSalt(const TaskContext& task, const Site& site) {
    return (reinterpret_cast<uintptr_t>(site.file) + static_cast<uint64_t>(site.line)) * 0xd6e8feb86659fd93u &
           task.site_mask_;
  }
  void AcquireUncommon(TaskContext& task, const LockMap& map, Mode mode, const AcquireOptions& options);
  bool OrderAscends(const TaskContext& task, const LockMap& map, uint64_t word) const;
  static void RebuildKeys(TaskContext& task, size_t from);
  void PushAndJudge(TaskContext& task, HeldLock held);
  uint64_t BadSubclass(TaskContext& task, const LockMap& map, int subclass, uint64_t word, Site site);
  uint64_t NestKey(TaskContext& task, const LockMap& map, const AcquireOptions& options, uint64_t* word,
                   uint32_t* nest);
  void ReleaseSlow(TaskContext& task, const LockMap& map, Site site);
  bool FailAssertion(TaskContext& task, const LockMap& map, ViolationKind kind, const char* what, Site site);
  HeldLock NotHeld(const LockMap& map, Site site) const;
  void ReportSimple(ViolationKind kind, TaskContext& task, const HeldLock& lock, const std::string& message);

  // event.cc
  void Remember(TaskContext& task);
  void FollowEvents();
  void NoteWait(TaskContext& task, const LockMap& map, bool only_call);
  void NoteWaitEnd(TaskContext& task, const LockMap& map);
  void JudgeEvent(const EventWait& wait, const EventTrigger& trigger, const PriorAcquisition& acquired);
  void AddEventDependency(const EventWait& wait, const HeldLock& holder, const EventTrigger& trigger,
                          const PriorAcquisition& acquired, uint64_t pair);
  std::vector<DependencyReport> DescribeEventRoute(const EventWait& wait, const HeldLock& holder,
                                                   const EventTrigger& trigger, const PriorAcquisition& acquired) const;

  const ValidatorOptions options_;
  mutable std::mutex mutex_;  // a leaf: nothing is acquired under it. Guards all below but for the lock-free part of chains_
  LockClassTable classes_;
  DependencyGraph graph_;
  UsageTable usage_;
  ChainCache chains_;
  std::vector<ChainRecord> records_;   // by ChainCache's record number
  std::vector<ChainEdge> chain_edges_;  // the dependencies of each chain, one after another
  // The words of each distinct chain, one after another, and where each ends. Chains that differ in task or place only are one.
  std::vector<uint64_t> chain_words_;
  std::vector<uint32_t> chain_ends_;
  absl::flat_hash_set<uint64_t> chain_contents_;  // keys of the words alone; never iterated
  // The graph of all runs breaks a rule, so runs must be searched one by one. Written under mutex_; readers may lag: the
  // store precedes the insertion of the chain that made it true.
  std::atomic<bool> broken_{false};
  bool contexts_used_ = false;  // some node is used in an interrupt or in reclaim
  uint32_t run_ = 1;
  std::vector<Violation> violations_;
  absl::flat_hash_set<std::string> reported_;  // signatures of violations_; never iterated
  absl::flat_hash_map<uint32_t, std::pair<int, int>> edge_modes_;  // of edges between locks with kinds; first sighting
  std::vector<std::vector<std::string>> edge_backtraces_;  // by edge; only when asked for
  std::vector<TaskContext*> tasks_;  // attached
  WitnessBook witnesses_;            // only when grading online
  SiteCensus census_;                // only when counting sites
  std::vector<ReportedCycle> reported_cycles_;
  absl::flat_hash_map<uint32_t, std::vector<size_t>> cycles_of_edge_;  // numbers in reported_cycles_
  std::atomic<bool> follows_events_{false};  // events_ is there; set before the first task's acquisitions are remembered
  std::unique_ptr<EventBook> events_;
  ChainCache event_pairs_;  // (held, event, acquired before its trigger) that were judged
  std::vector<ChainEdge> event_edges_;  // by event_pairs_'s record number
  // What edges by way of an event stand for, by edge.
  absl::flat_hash_map<uint32_t, std::vector<DependencyReport>> event_routes_;
  uint64_t suppressed_ = 0;
  uint64_t slow_acquires_ = 0;
  uint64_t usage_searches_ = 0;
  uint32_t next_cookie_ = 1;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_VALIDATOR_H_
