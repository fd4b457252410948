// Page-cache operations a second on one core, with validator, invariants and data oracle on, and how that changes with the
// number of tasks, files and pages; and the cost of a scheduling point in such runs. The baseline of each ratio is the smallest
// world of its row (2 tasks; 1 file; 2 pages), measured in the same process.
//
// Counters: ops_per_s, points_per_s, ns_per_point, points_per_op.
#include <benchmark/benchmark.h>

#include "harness/filesystems/filesystems.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/workload_scenario.h"
#include "injectors/schedule/random_walk.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

void RunMix(benchmark::State& state, const WorkloadShape& shape, const char* filesystem) {
  ScenarioEntry entry;
  entry.name = "mix";
  entry.filesystems = {filesystem};
  pagecache::WorldOptions options;
  options.memory_folios = 256;
  options.disk_blocks = 1024;
  Registry registry;
  for (const FileSystemType& type : FileSystemTypes()) registry.Add(type);
  registry.Add(GeneratedWorkload(entry, shape, options));
  const absl::StatusOr<ScenarioSpec> spec = registry.Resolve({.scenario = "mix", .filesystem = filesystem});
  LD_CHECK(spec.ok(), spec.status().ToString());
  Runner runner(*registry.FindScenario("mix"), *spec);
  RandomWalk source(1);
  uint64_t run = 0;
  uint64_t points = 0;
  for (auto _ : state) points += runner.Run(source, run++).end.steps;
  const auto operations = static_cast<double>(run * shape.tasks * shape.operations_per_task);
  state.counters["ops_per_s"] = benchmark::Counter(operations, benchmark::Counter::kIsRate);
  state.counters["points_per_s"] = benchmark::Counter(static_cast<double>(points), benchmark::Counter::kIsRate);
  state.counters["ns_per_point"] =
      benchmark::Counter(static_cast<double>(points) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["points_per_op"] = static_cast<double>(points) / operations;
}

WorkloadShape Shape(uint32_t tasks, uint32_t files, uint32_t pages) {
  WorkloadShape shape;
  shape.tasks = tasks;
  shape.files = files;
  shape.processes = 2;
  shape.pages_per_file = pages;
  shape.operations_per_task = 4;
  return shape;
}

void BM_Tasks(benchmark::State& state) { RunMix(state, Shape(static_cast<uint32_t>(state.range(0)), 2, 4), "vfs"); }
BENCHMARK(BM_Tasks)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(32)->Arg(48);

void BM_Files(benchmark::State& state) { RunMix(state, Shape(4, static_cast<uint32_t>(state.range(0)), 4), "vfs"); }
BENCHMARK(BM_Files)->Arg(2)->Arg(4)->Arg(8)->Arg(16);

void BM_Pages(benchmark::State& state) { RunMix(state, Shape(4, 2, static_cast<uint32_t>(state.range(0))), "vfs"); }
BENCHMARK(BM_Pages)->Arg(2)->Arg(4)->Arg(8)->Arg(15);

void BM_FileSystem(benchmark::State& state, const char* filesystem) { RunMix(state, Shape(3, 2, 3), filesystem); }
BENCHMARK_CAPTURE(BM_FileSystem, vfs, "vfs");
BENCHMARK_CAPTURE(BM_FileSystem, xfs, "xfs");

}  // namespace
}  // namespace ordeal
