// How many schedules until the tasks of a lock ring really block on each other: directed (after one calm run that shows the
// cycle) beside random walk and PCT. Median of 20 seeds, in the counter `schedules`; at most 20,000 are tried.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "harness/campaign/confirm.h"
#include "harness/campaign/lock_script_for_test.h"
#include "injectors/schedule/strategies.h"

namespace ordeal {
namespace {

constexpr uint64_t kSchedulesMax = 20'000;
constexpr uint64_t kSeeds = 20;

uint64_t UntilDeadlock(const ScenarioEntry& entry, const std::string& strategy, uint64_t seed) {
  Runner runner(entry, {.scenario = entry.name});
  const std::unique_ptr<ChoiceSource> source = *MakeStrategy(strategy, seed);
  for (uint64_t run = 0; run < kSchedulesMax; ++run) {
    if (runner.Run(*source, run).end.kind == RunEndKind::kDeadlock) return run + 1;
  }
  return kSchedulesMax;
}

uint64_t UntilConfirmed(const ScenarioEntry& entry, uint64_t seed) {
  Registry registry;
  registry.Add(entry);
  Runner runner(entry, {.scenario = entry.name});
  QuietSource quiet;
  const RunResult calm = runner.Run(quiet);
  const Confirmation confirmation = *Confirm(registry, {.scenario = entry.name}, runner.recorded(), calm.violations.front(),
                                             {.schedules_max = kSchedulesMax, .seed = seed});
  return confirmation.schedules;
}

void BM_SchedulesToDeadlock(benchmark::State& state, const std::string& strategy) {
  const int tasks = static_cast<int>(state.range(0));
  const int stagger = static_cast<int>(state.range(1));
  const ScenarioEntry entry = LockRing("ring", tasks, stagger);
  std::vector<uint64_t> schedules;
  for (auto _ : state) {
    schedules.clear();
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      schedules.push_back(strategy == "directed" ? UntilConfirmed(entry, seed) : UntilDeadlock(entry, strategy, seed));
    }
  }
  std::sort(schedules.begin(), schedules.end());
  state.counters["schedules"] = static_cast<double>(schedules[kSeeds / 2 - 1] + schedules[kSeeds / 2]) / 2;
  state.counters["most"] = static_cast<double>(schedules.back());
}

void Rings(benchmark::internal::Benchmark* benchmark) {
  for (const int tasks : {2, 3, 5}) {
    for (const int stagger : {0, 5, 20}) benchmark->Args({tasks, stagger});
  }
  benchmark->ArgNames({"tasks", "stagger"})->Iterations(1)->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(BM_SchedulesToDeadlock, directed, std::string("directed"))->Apply(Rings);
BENCHMARK_CAPTURE(BM_SchedulesToDeadlock, random, std::string("random"))->Apply(Rings);
BENCHMARK_CAPTURE(BM_SchedulesToDeadlock, pct3, std::string("pct:3"))->Apply(Rings);

}  // namespace
}  // namespace ordeal
