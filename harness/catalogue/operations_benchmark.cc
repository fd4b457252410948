// Page-cache operations a second on one core, with validator, invariants and data oracle on; the cost of a scheduling point in such
// runs; and how both grow with the number of tasks, files and pages.
//
// Each benchmark takes turns, in one process, with the same runs without oracles (nothing is looked at when the tasks have ended)
// and with the smallest world of its row, so that ratios hold on a busy machine. Times are of the processor.
//
// Counters: ops_per_s; ns_per_point; points_per_op; oracles: time of a schedule, with them to without; x_first: ns_per_point to
// that of the row's first world; x_ops: nanoseconds an operation to the row's first world's.
#include <benchmark/benchmark.h>

#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "harness/filesystems/filesystems.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/workload_scenario.h"
#include "injectors/schedule/random_walk.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr int kSchedulesATurn = 8;

// Another scenario without what it does at the end of a run.
class WithoutOracles final : public Scenario {
 public:
  explicit WithoutOracles(std::unique_ptr<Scenario> scenario) : scenario_(std::move(scenario)) {}
  void Setup(ScenarioRun& run) override { scenario_->Setup(run); }
  void Teardown() override { scenario_->Teardown(); }

 private:
  const std::unique_ptr<Scenario> scenario_;
};

// Random schedules of one world, and what they cost so far.
class Mix {
 public:
  Mix(const WorkloadShape& shape, const char* filesystem, bool oracles)
      : operations_a_run_(shape.tasks * shape.operations_per_task) {
    ScenarioEntry entry;
    entry.name = "mix";
    entry.filesystems = {filesystem};
    pagecache::WorldOptions options;
    options.memory_folios = 256;
    options.disk_blocks = 1024;
    entry = GeneratedWorkload(entry, shape, options);
    if (!oracles) {
      entry.make = [make = entry.make] { return std::make_unique<WithoutOracles>(make()); };
    }
    Registry registry;
    for (const FileSystemType& type : FileSystemTypes()) registry.Add(type);
    registry.Add(entry);
    const absl::StatusOr<ScenarioSpec> spec = registry.Resolve({.scenario = "mix", .filesystem = filesystem});
    LD_CHECK(spec.ok(), spec.status().ToString());
    runner_.emplace(*registry.FindScenario("mix"), *spec);
  }

  void TakeTurn() {
    const std::clock_t begin = std::clock();
    for (int i = 0; i < kSchedulesATurn; ++i) points_ += runner_->Run(source_, runs_++).end.steps;
    seconds_ += static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  }

  double operations() const { return static_cast<double>(runs_) * operations_a_run_; }
  double points_per_op() const { return static_cast<double>(points_) / operations(); }
  double seconds() const { return seconds_; }
  double ns_per_point() const { return seconds_ * 1e9 / static_cast<double>(points_); }
  double ns_per_op() const { return seconds_ * 1e9 / operations(); }

 private:
  const uint32_t operations_a_run_;
  std::optional<Runner> runner_;
  RandomWalk source_{1};
  uint64_t runs_ = 0;
  uint64_t points_ = 0;
  double seconds_ = 0;
};

void RunMix(benchmark::State& state, const WorkloadShape& shape, const WorkloadShape& first, const char* filesystem) {
  Mix mix(shape, filesystem, /*oracles=*/true);
  Mix unjudged(shape, filesystem, /*oracles=*/false);
  Mix smallest(first, filesystem, /*oracles=*/true);
  for (auto _ : state) {
    mix.TakeTurn();
    unjudged.TakeTurn();
    smallest.TakeTurn();
  }
  state.counters["ops_per_s"] = mix.operations() / mix.seconds();
  state.counters["ns_per_point"] = mix.ns_per_point();
  state.counters["points_per_op"] = mix.points_per_op();
  state.counters["oracles"] = mix.seconds() / unjudged.seconds();
  state.counters["x_first"] = mix.ns_per_point() / smallest.ns_per_point();
  state.counters["x_ops"] = mix.ns_per_op() / smallest.ns_per_op();
}

WorkloadShape Shape(int64_t tasks, int64_t files, int64_t pages) {
  WorkloadShape shape;
  shape.tasks = static_cast<uint32_t>(tasks);
  shape.files = static_cast<uint32_t>(files);
  shape.processes = 2;
  shape.pages_per_file = static_cast<uint32_t>(pages);
  shape.operations_per_task = 4;
  return shape;
}

void BM_Tasks(benchmark::State& state) { RunMix(state, Shape(state.range(0), 2, 4), Shape(2, 2, 4), "vfs"); }
BENCHMARK(BM_Tasks)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(32)->Arg(48);

// Two tasks a file, so that an operation meets as much on its file in each world.
void BM_Files(benchmark::State& state) {
  RunMix(state, Shape(2 * state.range(0), state.range(0), 4), Shape(4, 2, 4), "vfs");
}
BENCHMARK(BM_Files)->Arg(2)->Arg(4)->Arg(8);

void BM_Pages(benchmark::State& state) { RunMix(state, Shape(4, 2, state.range(0)), Shape(4, 2, 2), "vfs"); }
BENCHMARK(BM_Pages)->Arg(2)->Arg(4)->Arg(8)->Arg(15);

void BM_FileSystem(benchmark::State& state, const char* filesystem) {
  RunMix(state, Shape(3, 2, 3), Shape(3, 2, 3), filesystem);
}
BENCHMARK_CAPTURE(BM_FileSystem, vfs, "vfs");
BENCHMARK_CAPTURE(BM_FileSystem, xfs, "xfs");
BENCHMARK_CAPTURE(BM_FileSystem, gfs2, "gfs2");
BENCHMARK_CAPTURE(BM_FileSystem, ocfs2, "ocfs2");

}  // namespace
}  // namespace ordeal
