// Who made each dependency: for every edge a bounded set of witnesses, and from them the grade of a cycle while the program
// runs. A cycle is feasible if some choice of one witness an edge has distinct tasks, the same instance at each joint, no
// common guard lock and no order by fork, join or events. If there is none, the least that excludes it is the reason.
//
// Offline, on a whole trace, lockdep/predict decides the same soundly; this is what fits beside a running program.
//
// Thread-safety: none; the validator's mutex guards it.
// Invariants:    at most witnesses_max witnesses an edge; once one was dropped, the cycles of its edge are never excluded.
//                Instances are compared for equality only, so an address will do.
// Cost:          Record O(witnesses of the edge); GradeCycle visits at most kSearchStepsMax choices.
// Example:
//   book.Record(Index(edge), {.task = 1, .role = "writer", .from = a, .to = b, .held = {{a, Mode::kExclusive, "A", site}}});
//   const CycleGrade grade = book.GradeCycle({ab, ba});   // kOrder, "gate lock G at x.cc:3", {"1 x reader", "1 x writer"}
#ifndef ORDEAL_LOCKDEP_RUNTIME_WITNESS_H_
#define ORDEAL_LOCKDEP_RUNTIME_WITNESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"
#include "lockdep/runtime/task_clock.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

struct WitnessLock {
  uint64_t instance = 0;
  Mode mode = Mode::kExclusive;
  std::string name;  // shown in reasons
  Site site;
};

// One sighting of a dependency: `task` acquired `to` while it held `held`, `from` among them.
struct Witness {
  uint32_t task = 0;
  std::string role;  // what instances are counted by: the name of the task, or of what it does
  uint64_t from = 0;
  uint64_t to = 0;
  Mode from_mode = Mode::kExclusive;
  Mode to_mode = Mode::kExclusive;
  std::vector<WitnessLock> held;
};

struct CycleGrade {
  Grade grade = Grade::kOrder;
  std::string reason;                  // what excludes it; of a feasible one, what it takes besides
  std::vector<std::string> instances;  // "2 x writer": the tasks that a deadlock needs, by role
};

class WitnessBook {
 public:
  static constexpr int kSearchStepsMax = 100000;

  explicit WitnessBook(size_t witnesses_max = 16) : witnesses_max_(witnesses_max) {}

  // The order of tasks and events, as it happens. Tasks and events have any numbers.
  void Fork(uint32_t parent, uint32_t child);
  void Join(uint32_t parent, uint32_t child);
  void Signal(uint32_t task, uint64_t event);
  void Wait(uint32_t task, uint64_t event);  // returned

  void Record(uint32_t edge, Witness witness);
  // The edges of one cycle, in order.
  CycleGrade GradeCycle(const std::vector<uint32_t>& edges) const;

  size_t size() const { return size_; }  // witnesses kept
  uint64_t dropped() const { return dropped_; }
  size_t MemoryBytes() const;
  // For the next run.
  void Clear();

 private:
  enum class Relax : uint8_t { kNothing, kOrder, kGate, kTasks, kTasksAndGate, kInstances };
  struct Entry {
    Witness witness;
    std::shared_ptr<const TaskClock> clock;
    uint32_t epoch = 0;  // of the task itself
  };
  struct EdgeWitnesses {
    std::vector<Entry> entries;
    bool overflowed = false;
  };
  struct TaskState {
    std::shared_ptr<const TaskClock> clock;
    uint32_t epoch = 1;
  };
  struct Search;

  TaskState& StateOf(uint32_t task);
  static bool Before(const Entry& first, const Entry& second);
  static bool Fits(const Entry& entry, const Search& search);
  bool Extend(Search* search) const;
  static CycleGrade Conclude(const Search& search);

  const size_t witnesses_max_;
  std::vector<EdgeWitnesses> edges_;  // by edge
  absl::flat_hash_map<uint32_t, TaskState> tasks_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<const TaskClock>> events_;
  size_t size_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_WITNESS_H_
