// Whole schedules per second of the smallest interesting world: a punch, a read and a write to another file, random choices.
#include <benchmark/benchmark.h>

#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/trial.h"
#include "harness/sched/raw_baseline_for_benchmark.h"

namespace ordeal {
namespace {

using pagecache::Inode;
using pagecache::Mm;
using pagecache::Stamp;
using pagecache::StampKind;
using pagecache::World;

void BM_PunchHoleSchedule(benchmark::State& state, const char* filesystem) {
  const auto fs = MakeFileSystem(filesystem);
  Simulation sim;
  World world(sim, *fs, {.memory_folios = 16});
  ChoiceRecorder choices;
  RandomChoices source(1);
  std::vector<Stamp> content;
  for (uint32_t c = 0; c < 8; ++c) content.push_back(Stamp::Make(StampKind::kWrite, 1, c, 0));
  std::vector<Stamp> written;
  for (uint32_t c = 0; c < 4; ++c) written.push_back(Stamp::Make(StampKind::kWrite, 2, c, 1));
  uint64_t run = 0;
  uint64_t steps = 0;
  const RawBaseline baseline;
  const BenchmarkStopwatch watch;
  for (auto _ : state) {
    source.BeginRun(run++);
    choices.Begin(&source);
    sim.BeginRun(&choices);
    world.BeginRun();
    Inode& a = world.CreateFile(content);
    Inode& b = world.CreateFile({});
    Mm& mm = world.CreateMm();
    sim.scheduler().Spawn("punch", [&] { world.PunchHole(a, 0, 4); });
    sim.scheduler().Spawn("read", [&] { world.Read(mm, {.file = &a, .length_cells = 4}); });
    sim.scheduler().Spawn("write", [&] { world.Write(mm, {.file = &b, .length_cells = 4, .buffer = {}, .stamps = written}); });
    steps += sim.scheduler().Run().steps;
    sim.EndRun();
    world.EndRun();
  }
  baseline.Report(state, watch);
  state.SetItemsProcessed(state.iterations());
  state.counters["steps"] = static_cast<double>(steps) / static_cast<double>(state.iterations());
}

BENCHMARK_CAPTURE(BM_PunchHoleSchedule, vfs, "vfs");
BENCHMARK_CAPTURE(BM_PunchHoleSchedule, xfs, "xfs");

}  // namespace
}  // namespace ordeal
