// Goal: holding tasks closes a cycle that can close, and never stops a run that has none.
// Method: raw scheduler tasks with a lock of three lines; whole scenarios are in harness/campaign/confirm_test.cc.
#include "injectors/schedule/directed.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "harness/choice/recording.h"

namespace ordeal {
namespace {

class TestLock : public Waitable {
 public:
  explicit TestLock(Scheduler& scheduler) : scheduler_(scheduler), id_(scheduler.NewObject("lock", 0, this)) {}
  void Lock() {
    scheduler_.Point(OperationKind::kAcquire, id_);
    while (owner_ != kNoTask) {
      waiters_.push_back(scheduler_.current());
      scheduler_.Block({OperationKind::kAcquire, id_, this, {}});
    }
    owner_ = scheduler_.current();
  }
  void Unlock() {
    scheduler_.Point(OperationKind::kRelease, id_);
    if (scheduler_.unwinding()) return;
    owner_ = kNoTask;
    for (const TaskId waiter : waiters_) scheduler_.Wake(waiter);
    waiters_.clear();
  }
  void AppendBlockers(TaskId, Blockers* out) const override { out->Add(owner_); }
  TaskId owner() const { return owner_; }
  ObjectId id() const { return id_; }

 private:
  Scheduler& scheduler_;
  const ObjectId id_;
  TaskId owner_ = kNoTask;
  std::vector<TaskId> waiters_;
};

class DirectedTest : public ::testing::Test {
 protected:
  // Every acquisition of a task that owns the other lock is an edge.
  bool StandsAtEdge(const Candidate& task) const {
    if (task.next.kind != OperationKind::kAcquire) return false;
    const TestLock& other = task.next.object == a_->id() ? *b_ : *a_;
    return other.owner() == task.task;
  }
  template <typename Spawn>
  RunEnd Run(Directed& source, uint64_t run, Spawn spawn) {
    choices_.Begin(&source);
    source.BeginRun(run);
    scheduler_.BeginRun(&choices_);
    a_ = std::make_unique<TestLock>(scheduler_);
    b_ = std::make_unique<TestLock>(scheduler_);
    spawn();
    const RunEnd end = scheduler_.Run();
    scheduler_.EndRun();
    return end;
  }
  Directed MakeSource() {
    return Directed(scheduler_, 1, [this](const Candidate& task) { return StandsAtEdge(task); });
  }
  static void Take(TestLock& first, TestLock& second) {
    first.Lock();
    second.Lock();
    second.Unlock();
    first.Unlock();
  }

  Scheduler scheduler_;
  ChoiceRecorder choices_;
  std::unique_ptr<TestLock> a_, b_;
};

TEST_F(DirectedTest, ClosesACycleInEveryRun) {
  Directed source = MakeSource();
  int deadlocks = 0;
  for (uint64_t run = 0; run < 50; ++run) {
    const RunEnd end = Run(source, run, [&] {
      scheduler_.Spawn("first", [&] { Take(*a_, *b_); });
      scheduler_.Spawn("second", [&] {
        for (int i = 0; i < 30; ++i) scheduler_.Point(OperationKind::kYield, kNoObject);
        Take(*b_, *a_);
      });
    });
    if (run == 0) {
      EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
    }
    deadlocks += end.kind == RunEndKind::kDeadlock;
  }
  EXPECT_GT(deadlocks, 30);  // later runs let one in eight pass, twice
}

// One task stands at its edge and nobody will come to the other: it is let go when nobody else can run.
TEST_F(DirectedTest, EndsARunWithoutACycle) {
  Directed source = MakeSource();
  for (uint64_t run = 0; run < 50; ++run) {
    const RunEnd end = Run(source, run, [&] {
      scheduler_.Spawn("first", [&] { Take(*a_, *b_); });
      scheduler_.Spawn("second", [&] { Take(*a_, *b_); });
    });
    EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  }
}

// The other task waits for the held one without blocking: holding ends after a bounded time.
TEST_F(DirectedTest, LetsATaskGoThatASpinnerWaitsFor) {
  Directed source = MakeSource();
  bool done = false;
  const RunEnd end = Run(source, 0, [&] {
    done = false;
    scheduler_.Spawn("first", [&] {
      Take(*a_, *b_);
      done = true;
    });
    scheduler_.Spawn("spinner", [&] {
      while (!done) scheduler_.Point(OperationKind::kYield, kNoObject);
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_EQ(source.held(), 1u);
  EXPECT_EQ(source.let_go(), 1u);
}

TEST_F(DirectedTest, AnswersOtherChoicesWithTheQuietOne) {
  Directed source = MakeSource();
  EXPECT_EQ(source.Choose({.kind = ChoiceKind::kAllocation, .options = 2}), 0);
  EXPECT_EQ(source.Choose({.kind = ChoiceKind::kOperand, .options = 100}), 0);
}

}  // namespace
}  // namespace ordeal
