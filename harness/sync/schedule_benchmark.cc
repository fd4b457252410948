// Whole schedules per second of two small programs, with choices recorded and the validator on; and what they are made of:
// a scheduling point, a switch between fibers, a cached pair of the validator.
//
// A: 2 tasks x 10 lock/unlock of one mutex. B: dining philosophers, 3 tasks, one round, forks in the deadlock-free order.
// Each carries its ratios to a raw boost::context switch and to a raw std::mutex pair of the same run.

#include <benchmark/benchmark.h>

#include <optional>
#include <string>
#include <vector>

#include "harness/sched/raw_baseline_for_benchmark.h"
#include "harness/sync/mutex.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

template <typename Setup>
void RunSchedules(benchmark::State& state, Simulation& sim, Setup setup) {
  const RawBaseline baseline;
  RandomWalk source(1);
  ChoiceRecorder choices;
  uint64_t completed = 0;
  uint64_t steps = 0;
  const BenchmarkStopwatch watch;
  for (auto _ : state) {
    choices.Begin(&source);
    sim.BeginRun(&choices);
    const RunEnd end = setup();
    completed += end.kind == RunEndKind::kCompleted;
    steps += end.steps;
    sim.EndRun();
  }
  baseline.Report(state, watch);
  if (completed != static_cast<uint64_t>(state.iterations())) state.SkipWithError("a schedule did not complete");
  const double runs = static_cast<double>(state.iterations());
  state.counters["schedules"] = benchmark::Counter(runs, benchmark::Counter::kIsRate);
  state.counters["points"] = static_cast<double>(steps) / runs;
}

void BM_ProgramA(benchmark::State& state) {
  Simulation sim;
  const lockdep::LockClassId counter = sim.Class("counter");
  std::optional<Mutex> mutex;
  RunSchedules(state, sim, [&] {
    mutex.emplace(sim, counter, "counter");
    for (int task = 0; task < 2; ++task) {
      sim.scheduler().Spawn("locker", [&mutex] {
        for (int i = 0; i < 10; ++i) {
          mutex->Lock();
          mutex->Unlock();
        }
      });
    }
    return sim.scheduler().Run();
  });
}
BENCHMARK(BM_ProgramA);

void BM_ProgramB(benchmark::State& state) {
  Simulation sim;
  const lockdep::LockClassId classes[3] = {sim.Class("fork 0"), sim.Class("fork 1"), sim.Class("fork 2")};
  std::optional<Mutex> forks[3];
  RunSchedules(state, sim, [&] {
    for (int i = 0; i < 3; ++i) forks[i].emplace(sim, classes[i], "fork", static_cast<uint32_t>(i));
    for (int i = 0; i < 3; ++i) {
      sim.scheduler().Spawn("philosopher", [&forks, i] {
        Mutex& first = *forks[i == 2 ? 0 : i];
        Mutex& second = *forks[i == 2 ? 2 : i + 1];
        first.Lock();
        second.Lock();
        second.Unlock();
        first.Unlock();
      });
    }
    return sim.scheduler().Run();
  });
}
BENCHMARK(BM_ProgramB);

// One point at which another task could run but does not: the choice, its record and the trace hash.
void BM_SchedulePoint(benchmark::State& state) {
  const RawBaseline baseline;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  Scheduler scheduler({.steps_max = UINT64_MAX, .idle_steps_max = UINT64_MAX / 2});
  scheduler.BeginRun(&choices);
  const ObjectId object = scheduler.NewObject("object");
  scheduler.Spawn("measured", [&] {
    const BenchmarkStopwatch watch;
    for (auto _ : state) {
      scheduler.Point(OperationKind::kWrite, object);
      if (choices.size() > 100'000) choices.Begin(&source);
    }
    baseline.Report(state, watch);
    scheduler.Stop();
  });
  scheduler.Spawn("other", [] {});
  scheduler.Run();
  scheduler.EndRun();
}
BENCHMARK(BM_SchedulePoint);

// Two tasks that hand the processor to each other at every point: a round trip is two points, two switches.
void BM_FiberSwitch(benchmark::State& state) {
  class Alternate final : public ChoiceSource {
    int Choose(const ChoicePoint&) override { return 1; }
  } source;
  const RawBaseline baseline;
  ChoiceRecorder choices;
  choices.Begin(&source);
  Scheduler scheduler({.steps_max = UINT64_MAX, .idle_steps_max = UINT64_MAX / 2});
  scheduler.BeginRun(&choices);
  const ObjectId object = scheduler.NewObject("object");
  bool done = false;
  scheduler.Spawn("echo", [&] {
    while (!done) scheduler.Point(OperationKind::kWrite, object);
  });
  scheduler.Spawn("measured", [&] {
    const BenchmarkStopwatch watch;
    for (auto _ : state) {
      scheduler.Point(OperationKind::kWrite, object);
      if (choices.size() > 100'000) choices.Begin(&source);
    }
    baseline.Report(state, watch);
    done = true;
  });
  scheduler.Run();
  scheduler.EndRun();
}
BENCHMARK(BM_FiberSwitch);

// Validator acquire + release of one more lock on a chain of `held` locks that has been judged before.
void BM_ValidatorCachedPair(benchmark::State& state) {
  lockdep::Validator validator;
  lockdep::TaskContext task("measured");
  std::vector<lockdep::LockMap> maps;
  for (int i = 0; i <= state.range(0); ++i) {
    maps.push_back(validator.NewMap(validator.RegisterClass(std::string("class ") + std::to_string(i)), "lock"));
  }
  for (size_t i = 0; i + 1 < maps.size(); ++i) {
    validator.Acquire(task, maps[i], lockdep::Mode::kExclusive, {.site = lockdep::Site::Here()});
  }
  const RawBaseline baseline;
  const BenchmarkStopwatch watch;
  for (auto _ : state) {
    validator.Acquire(task, maps.back(), lockdep::Mode::kExclusive, {.site = lockdep::Site::Here()});
    benchmark::ClobberMemory();
    validator.Release(task, maps.back());
  }
  baseline.Report(state, watch);
}
BENCHMARK(BM_ValidatorCachedPair)->Arg(0)->Arg(1)->Arg(4)->Arg(8);

}  // namespace
}  // namespace ordeal
