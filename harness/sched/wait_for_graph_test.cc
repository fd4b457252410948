// Waits for each of some tasks and for any one of them: a deadlock is a cycle of the one sort and a knot of the other.

#include "harness/sched/wait_for_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "harness/choice/prng.h"
#include "harness/sched/scheduler.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TaskId T(int task) { return TaskId{static_cast<uint16_t>(task)}; }

enum class Needs { kAll, kAny, kAnyOrDevice };

class Edges : public Waitable {
 public:
  Edges(std::vector<TaskId> tasks, Needs needs) : tasks_(std::move(tasks)), needs_(needs) {}
  void AppendBlockers(TaskId, Blockers* out) const override {
    for (const TaskId task : tasks_) out->Add(task);
    if (needs_ == Needs::kAny) out->AnySuffices();
    if (needs_ == Needs::kAnyOrDevice) out->AnySufficesAndOneProgresses();
  }

 private:
  std::vector<TaskId> tasks_;
  Needs needs_;
};

// A wait-for graph, written down. A task without a row can run.
class WaitForGraphTest : public ::testing::Test {
 protected:
  void Block(TaskId task, std::vector<TaskId> tasks, Needs needs = Needs::kAll) {
    if (waits_.size() <= Index(task)) waits_.resize(size_t{Index(task)} + 1);
    waits_[Index(task)].edges = std::make_unique<Edges>(std::move(tasks), needs);
    waits_[Index(task)].wait.waitable = waits_[Index(task)].edges.get();
  }
  bool Find(TaskId start) {
    const auto wait_of = [this](TaskId task) -> const Wait* {
      return Index(task) < waits_.size() && waits_[Index(task)].edges != nullptr ? &waits_[Index(task)].wait : nullptr;
    };
    return FindWaitCycle(start, wait_of, &cycle_, &knot_);
  }
  struct Row {
    std::unique_ptr<Edges> edges;
    Wait wait;
  };
  std::vector<Row> waits_;
  std::vector<TaskId> cycle_;
  std::vector<TaskId> knot_;
};

TEST_F(WaitForGraphTest, OneOfSeveralHoldersInTheCycleIsEnough) {
  Block(T(1), {T(0)});
  Block(T(0), {T(2), T(1)});  // task 2 can run
  EXPECT_TRUE(Find(T(0)));
  EXPECT_THAT(cycle_, ElementsAre(T(0), T(1)));
  EXPECT_THAT(knot_, IsEmpty());
}

TEST_F(WaitForGraphTest, AnyOfSeveralIsNoDeadlockWhileOneCanRun) {
  Block(T(1), {T(0)});
  Block(T(0), {T(1), T(2)}, Needs::kAny);
  EXPECT_FALSE(Find(T(0)));
  EXPECT_THAT(cycle_, IsEmpty());
}

TEST_F(WaitForGraphTest, AnyOfSeveralIsAKnotWhenAllAreStuck) {
  Block(T(1), {T(0)});
  Block(T(2), {T(1)});  // behind the first, not in a cycle of its own
  Block(T(0), {T(2), T(1)}, Needs::kAny);
  EXPECT_TRUE(Find(T(0)));
  EXPECT_THAT(cycle_, ElementsAre(T(0), T(2), T(1)));
  EXPECT_THAT(knot_, IsEmpty()) << "all of them are in the cycle";
}

TEST_F(WaitForGraphTest, TheKnotNamesTheOthers) {
  Block(T(1), {T(0)});
  Block(T(2), {T(0)});
  Block(T(0), {T(1), T(2)}, Needs::kAny);
  EXPECT_TRUE(Find(T(0)));
  EXPECT_THAT(cycle_, ElementsAre(T(0), T(1)));
  EXPECT_THAT(knot_, ElementsAre(T(2)));
}

TEST_F(WaitForGraphTest, ADeviceAmongTheAnyGetsThere) {
  Block(T(1), {T(0)});
  Block(T(2), {T(0)});
  Block(T(0), {T(1), T(2)}, Needs::kAnyOrDevice);
  EXPECT_FALSE(Find(T(0)));
}

TEST_F(WaitForGraphTest, AWaitForAnyDoesNotHideACycleOfLocks) {
  Block(T(1), {T(0)});
  Block(T(2), {T(3), T(0)}, Needs::kAny);  // task 3 can run
  Block(T(0), {T(2), T(1)});
  EXPECT_TRUE(Find(T(0)));
  EXPECT_THAT(cycle_, ElementsAre(T(0), T(1)));
}

// The definition, taken literally: a task is stuck unless some order of finishing gets it done.
std::vector<bool> CanFinish(const std::vector<std::vector<int>>& edges, const std::vector<bool>& any) {
  std::vector<bool> finishes(edges.size());
  for (size_t i = 0; i < edges.size(); ++i) finishes[i] = edges[i].empty();
  for (size_t round = 0; round < edges.size(); ++round) {
    for (size_t i = 0; i < edges.size(); ++i) {
      size_t done = 0;
      for (const int to : edges[i]) done += finishes[static_cast<size_t>(to)];
      if (any[i] ? done > 0 : done == edges[i].size()) finishes[i] = true;
    }
  }
  return finishes;
}

// Random graphs that grow edge set by edge set until the first deadlock: it is found when it closes, and never before.
TEST_F(WaitForGraphTest, AgreesWithTheDefinitionInRandomGraphs) {
  constexpr int kTasks = 6;
  int deadlocks[2] = {0, 0};
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Prng prng(seed);
    waits_.clear();
    std::vector<std::vector<int>> edges(kTasks);
    std::vector<bool> any(kTasks);
    for (int task = 0; task < kTasks; ++task) {
      const size_t t = static_cast<size_t>(task);
      any[t] = prng.Below(2) == 0;
      std::vector<TaskId> blockers;
      for (int to = 0; to < kTasks; ++to) {
        if (to == task || prng.Below(5) < 3) continue;
        edges[t].push_back(to);
        blockers.push_back(T(to));
      }
      if (blockers.empty()) continue;
      Block(T(task), blockers, any[t] ? Needs::kAny : Needs::kAll);
      const bool stuck = !CanFinish(edges, any)[t];
      ASSERT_EQ(Find(T(task)), stuck) << "seed " << seed << ", task " << task;
      if (!stuck) continue;
      ++deadlocks[any[t]];
      ASSERT_EQ(cycle_.front(), T(task));
      break;
    }
  }
  EXPECT_GT(deadlocks[0], 100);
  EXPECT_GT(deadlocks[1], 100);
}

// --- in a run ---

// Memory: a task that allocates waits for either reclaimer; both need what it holds, or one does not.
class ReclaimTest : public ::testing::Test {
 protected:
  class Memory : public Waitable {
   public:
    std::vector<TaskId> reclaimers;
    void AppendBlockers(TaskId, Blockers* out) const override {
      for (const TaskId task : reclaimers) out->Add(task);
      out->AnySuffices();
    }
  };
  class Owned : public Waitable {
   public:
    TaskId owner = kNoTask;
    void AppendBlockers(TaskId, Blockers* out) const override { out->Add(owner); }
  };

  RunEnd Run(bool second_reclaimer_needs_it) {
    QuietSource quiet;
    choices_.Begin(&quiet);
    scheduler_.BeginRun(&choices_);
    const ObjectId memory = scheduler_.NewObject("free pages");
    const ObjectId folio = scheduler_.NewObject("folio");
    const auto wait = [&](const Waitable& what, ObjectId object) {
      scheduler_.Block({OperationKind::kWait, object, &what, lockdep::Site::Here()});
    };
    const TaskId allocator = scheduler_.Spawn("allocator", [&, wait, memory] { wait(memory_, memory); });
    owned_.owner = allocator;
    const auto reclaim = [&](bool needs_it) {
      return [&, needs_it, wait, folio, allocator] {
        if (needs_it) wait(owned_, folio);
        scheduler_.Wake(allocator);
      };
    };
    const TaskId kswapd = scheduler_.Spawn("kswapd", reclaim(true), TaskKind::kDaemon);
    const TaskId direct = scheduler_.Spawn("direct reclaim", reclaim(second_reclaimer_needs_it), TaskKind::kDaemon);
    memory_.reclaimers = {kswapd, direct};
    const RunEnd end = scheduler_.Run();
    deadlock_ = scheduler_.deadlock();
    scheduler_.EndRun();
    return end;
  }

  ChoiceRecorder choices_;
  Scheduler scheduler_;
  Memory memory_;
  Owned owned_;
  Deadlock deadlock_;
};

TEST_F(ReclaimTest, EitherReclaimerWouldDo) { EXPECT_EQ(Run(false).kind, RunEndKind::kCompleted); }

TEST_F(ReclaimTest, AllReclaimersStuckIsADeadlockThatNamesThem) {
  EXPECT_EQ(Run(true).kind, RunEndKind::kDeadlock);
  ASSERT_TRUE(deadlock_.is_cycle);
  ASSERT_THAT(deadlock_.cycle, SizeIs(2));
  ASSERT_THAT(deadlock_.knot, SizeIs(1));
  for (const Deadlock::Waiter& waiter : deadlock_.cycle) {
    const bool allocates = waiter.task_name == "allocator";
    EXPECT_EQ(waiter.any_of, allocates ? std::vector<TaskId>({T(1), T(2)}) : std::vector<TaskId>());
  }
}

}  // namespace
}  // namespace ordeal
