// Whole schedules a second of the two programs of locks alone and of the page cache, choices recorded, the validator on
// and every oracle consulted; each with its ratios to a raw boost::context switch and a raw std::mutex pair of this run.
#include <benchmark/benchmark.h>

#include <string>

#include "harness/catalogue/catalogue.h"
#include "harness/scenario/scenario.h"
#include "harness/sched/raw_baseline_for_benchmark.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

void RunSchedules(benchmark::State& state, const std::string& name, const std::string& filesystem) {
  const Registry registry = BuiltIn();
  const auto spec = registry.Resolve({.scenario = name, .filesystem = filesystem});
  if (!spec.ok()) {
    state.SkipWithError(std::string(spec.status().message()).c_str());
    return;
  }
  Runner runner(*registry.FindScenario(name), *spec);
  RandomWalk source(1);
  uint64_t run = 0;
  uint64_t steps = 0;
  const RawBaseline baseline;
  const BenchmarkStopwatch watch;
  for (auto _ : state) {
    const RunResult result = runner.Run(source, run++);
    steps += result.end.steps;
    if (!result.findings.empty()) state.SkipWithError("a finding in a correct scenario");
  }
  baseline.Report(state, watch);
  state.SetItemsProcessed(static_cast<int64_t>(run));
  state.counters["steps_per_schedule"] = static_cast<double>(steps) / static_cast<double>(run);
}

BENCHMARK_CAPTURE(RunSchedules, mutex_counter, "mutex-counter", "");
BENCHMARK_CAPTURE(RunSchedules, dining_philosophers, "dining-philosophers", "");
BENCHMARK_CAPTURE(RunSchedules, punch_hole_vs_read, "punch-hole-vs-read", "vfs");
BENCHMARK_CAPTURE(RunSchedules, operations_mix, "operations-mix", "xfs");

}  // namespace
}  // namespace ordeal
