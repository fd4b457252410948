// Which trigger satisfied which wait, what the trigger came after, and what of that the waiter could still have been in the
// way of. The validator's side of lockdep/runtime/event.h.
//
// An acquisition X that a task made before it triggered event E delays a wait W for E, unless X is known to have happened
// before W could wait: before W began, or before the event was armed. "Known" is the order of tasks and events: fork, join,
// and a trigger before the return of the waits it satisfied (vector clocks; locks do not order, another schedule has another
// order). Then whoever W's task holds in the meantime, H, waits for X: a dependency H -> X by way of E.
// A wait in the window of a trigger counts with all that its own trigger came after, so that a chain of events is followed.
//
// Thread-safety: none; the validator's mutex guards it.
// Invariants:    nothing here refers to a task or an event after it ended, but by numbers, copies and addresses compared.
// Cost:          a wait or trigger: a look-up and a merge of sparse clocks; a trigger copies its window.
// Example:       validator.RememberAcquisitions(task);   // from here on
#ifndef ORDEAL_LOCKDEP_RUNTIME_EVENT_BOOK_H_
#define ORDEAL_LOCKDEP_RUNTIME_EVENT_BOOK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "lockdep/graph/site.h"
#include "lockdep/runtime/history.h"
#include "lockdep/runtime/task_clock.h"
#include "lockdep/runtime/task_context.h"

namespace ordeal::lockdep {

using ClockPtr = std::shared_ptr<const TaskClock>;

// A wait of the triggering task for another event, whose own trigger came after the acquisition in question.
struct EventHop {
  uint64_t word = 0;             // of that event
  // The epoch of each task's last trigger of it; shared with the book, which goes on writing it.
  std::shared_ptr<const TaskClock> triggered;
  Site wait_site;
  Site trigger_site;
  std::string trigger_task;
  std::shared_ptr<const EventHop> next;
};

// One acquisition that a trigger came after.
struct PriorAcquisition {
  uint64_t word = 0;
  const LockMap* map = nullptr;
  Site site;
  uint64_t number = 0;  // in the history of the task whose window it is in
  uint32_t task = 0;    // who acquired it, and when
  uint32_t epoch = 0;
  std::shared_ptr<const EventHop> via;  // null: the triggering task itself
};

struct EventTrigger {
  uint32_t task = 0;
  uint32_t id = 0;  // TaskContext::id
  std::string name;
  uint64_t word = 0;
  const LockMap* map = nullptr;
  std::shared_ptr<const TaskClock> triggered;  // see EventHop
  Site site;
  ClockPtr clock;  // with the triggering task's own epoch
  ClockPtr armed;  // null: never armed
  std::vector<PriorAcquisition> window;
};

struct EventWait {
  uint32_t task = 0;
  uint32_t id = 0;
  std::string name;
  bool remembers = false;
  uint64_t number = 0;  // of the wait in the task's history
  uint64_t word = 0;
  const LockMap* map = nullptr;
  Site site;
  ClockPtr clock;  // when it began
  std::vector<HeldLock> held;
};

class EventBook {
 public:
  static constexpr size_t kInheritedMax = 1024;
  // `acquired` may hold the waiter up by way of the trigger.
  using Judge = absl::FunctionRef<void(const EventWait&, const EventTrigger&, const PriorAcquisition& acquired)>;

  // Of a task, by its id or, without one, by its address.
  static uint64_t TaskName(const TaskContext& task);
  void Fork(uint64_t parent, AcquisitionHistory* parent_history, uint64_t child);
  void Join(uint64_t parent, uint64_t child);

  // A task waits for one event at a time.
  void BeginWait(uint64_t task, EventWait wait);
  // It returned. Satisfied by the last trigger since the event was armed, if there is one.
  bool EndWait(uint64_t task, const LockMap& map, Judge judge);
  // Nobody will say when it returns: satisfied by the last trigger, or else by the next one; true if at once.
  bool LeaveWait(uint64_t task, const LockMap& map, Judge judge);

  EventTrigger NewTrigger(uint64_t task, AcquisitionHistory* history, bool owed, const LockMap& map, uint64_t word,
                          Site site);
  // Returns the ids of the tasks whose left waits it satisfies.
  std::vector<uint32_t> Post(EventTrigger trigger, Judge judge);
  void Arm(uint64_t task, AcquisitionHistory* history, const LockMap& map, bool anew);
  void Forget(const LockMap& map) { events_.erase(&map); }
  // A task without an id ended: another one may come to lie at its address.
  void Retire(uint64_t task) { numbers_.erase(task); }
  uint32_t EpochOf(uint64_t task) { return StateOf(NumberOf(task)).epoch; }

  uint64_t forgotten() const { return forgotten_; }
  size_t MemoryBytes() const;
  void Clear();

 private:
  struct TaskState {
    ClockPtr clock;
    uint32_t epoch = 1;
    std::optional<EventWait> waiting;
    const LockMap* left_on = nullptr;                // the event whose `open` has a wait of the task
    std::vector<PriorAcquisition> inherited;  // by the waits of the task, in order of number
  };
  struct Instance {
    std::optional<EventTrigger> last;
    std::vector<EventWait> open;
    ClockPtr armed;
    std::shared_ptr<TaskClock> triggered;  // the epoch of each task's last trigger
  };

  uint32_t NumberOf(uint64_t task);
  TaskState& StateOf(uint32_t task) { return tasks_[task]; }
  // The task does something, so what it waited for has come.
  void CloseLeft(uint32_t task);
  ClockPtr Advance(uint32_t task, AcquisitionHistory* history);
  static bool Delays(const PriorAcquisition& acquired, const EventTrigger& trigger, const EventWait& wait);
  void Match(const EventWait& wait, const EventTrigger& trigger, Judge judge);
  void Inherit(const EventWait& wait, const EventTrigger& trigger, const PriorAcquisition& acquired);

  absl::flat_hash_map<uint64_t, uint32_t> numbers_;  // of tasks, by TaskName; never iterated
  std::vector<TaskState> tasks_;
  absl::flat_hash_map<const LockMap*, Instance> events_;
  uint64_t forgotten_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_EVENT_BOOK_H_
