// What a fiber costs: the raw fcontext switch and start (the floors), ours, and a start on a freshly mapped stack (what the
// pool avoids). Each of ours carries its ratio to the raw operation of the same run.

#include <benchmark/benchmark.h>

#include <boost/context/detail/fcontext.hpp>
#include <chrono>
#include <vector>

#include "harness/sched/fiber.h"
#include "harness/sched/scheduler.h"

namespace ordeal {
namespace {

namespace context = boost::context::detail;

void Return(context::transfer_t transfer) { context::jump_fcontext(transfer.fctx, nullptr); }

// Nanoseconds of make + enter + leave of a raw fcontext on one stack.
double RawStartEndNs(std::vector<char>& stack, int rounds) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) {
    context::jump_fcontext(context::make_fcontext(stack.data() + stack.size(), stack.size(), &Return), nullptr);
  }
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / rounds;
}

void BM_RawStartEnd(benchmark::State& state) {
  std::vector<char> stack(64 * 1024);
  for (auto _ : state) {
    context::jump_fcontext(context::make_fcontext(stack.data() + stack.size(), stack.size(), &Return), nullptr);
  }
}
BENCHMARK(BM_RawStartEnd);

struct PingPong {
  Fiber main;
  Fiber fiber;
};

void EndAtOnce(void* argument) {
  auto* both = static_cast<PingPong*>(argument);
  Fiber::Switch(both->fiber, both->main, true);
}

void StartEnd(benchmark::State& state, bool pooled) {
  std::vector<char> raw_stack(64 * 1024);
  const double raw_ns = RawStartEndNs(raw_stack, 200'000);
  StackPool pool(64 * 1024);
  PingPong both;
  both.main.AdoptThreadStack();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    if (pooled) {
      const Stack stack = pool.Take();
      both.fiber.Prepare(stack, &EndAtOnce, &both);
      Fiber::Switch(both.main, both.fiber);
      pool.Return(stack);
    } else {
      StackPool fresh(64 * 1024);
      both.fiber.Prepare(fresh.Take(), &EndAtOnce, &both);
      Fiber::Switch(both.main, both.fiber);
    }
  }
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  state.counters["ratio_to_raw"] = elapsed.count() / static_cast<double>(state.iterations()) / raw_ns;
}
void BM_FiberStartEndPooled(benchmark::State& state) { StartEnd(state, true); }
BENCHMARK(BM_FiberStartEndPooled);
void BM_FiberStartEndMapped(benchmark::State& state) { StartEnd(state, false); }
BENCHMARK(BM_FiberStartEndMapped);

// A whole run of the scheduler with one task that does nothing.
void BM_EmptyRun(benchmark::State& state) {
  Scheduler scheduler;
  QuietSource quiet;
  ChoiceRecorder choices;
  for (auto _ : state) {
    choices.Begin(&quiet);
    scheduler.BeginRun(&choices);
    scheduler.Spawn("nothing", [] {});
    benchmark::DoNotOptimize(scheduler.Run());
    scheduler.EndRun();
  }
}
BENCHMARK(BM_EmptyRun);

}  // namespace
}  // namespace ordeal
