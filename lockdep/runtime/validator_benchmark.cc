// The hot path: what the validator adds to a lock and its unlock when the chain is known, nested 1 to 64 deep.
//
// An iteration takes `depth` locks one inside the other and releases them newest first; the counter `pair` is the time of one
// acquisition and release. `inlined` compiles the hot path into the caller; `out_of_line` calls it, as a library does, with
// the task's context as an argument. Abseil's own detector is measured beside it, off (kIgnore) and on (kReport); it
// follows at most 40 held locks, so its figures of depth 64 are those of a detector that looks away.
// `unseen_dependency` is the slow path, for comparison with lockdep/graph/dependency_graph_benchmark.
// hot_path_table.py runs this and mutex_benchmark (plain and under TSan) and prints one table.
//
// The process has a second, sleeping thread throughout: with one thread alone glibc's mutex uses no atomic instructions.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "lockdep/runtime/validator.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

[[maybe_unused]] const bool kSecondThread = [] {
  std::thread([] { pause(); }).detach();
  return true;
}();

struct NoLock {
  void lock() {}
  void unlock() {}
};

class SpinWord {
 public:
  void lock() {
    while (taken_.exchange(true, std::memory_order_acquire)) {
    }
  }
  void unlock() { taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> taken_{false};
};

class AbslMutex {
 public:
  void lock() { mutex_.Lock(); }
  void unlock() { mutex_.Unlock(); }

 private:
  absl::Mutex mutex_;
};

[[gnu::noinline]] void AcquireOutOfLine(Validator& validator, TaskContext& task, const LockMap& map, Site site) {
  validator.Acquire(task, map, Mode::kExclusive, {.site = site});
}
[[gnu::noinline]] void ReleaseOutOfLine(Validator& validator, TaskContext& task, const LockMap& map, Site site) {
  validator.Release(task, map, site);
}

struct Inlined {
  static void Acquire(Validator& validator, TaskContext& task, const LockMap& map) {
    validator.Acquire(task, map, Mode::kExclusive, {.site = Site::Here()});
  }
  static void Release(Validator& validator, TaskContext& task, const LockMap& map) {
    validator.Release(task, map, Site::Here());
  }
};
struct OutOfLine {
  static void Acquire(Validator& validator, TaskContext& task, const LockMap& map) {
    AcquireOutOfLine(validator, task, map, Site::Here());
  }
  static void Release(Validator& validator, TaskContext& task, const LockMap& map) {
    ReleaseOutOfLine(validator, task, map, Site::Here());
  }
};
struct Bare {
  static void Acquire(Validator&, TaskContext&, const LockMap&) {}
  static void Release(Validator&, TaskContext&, const LockMap&) {}
};

template <typename Lock>
struct alignas(64) TrackedLock {
  Lock lock;
  LockMap map;
};

// One validator for all threads and benchmarks; 64 classes for each thread.
struct World {
  Validator validator;
  std::vector<LockClassId> classes;
  World() {
    for (int i = 0; i < 128; ++i) classes.push_back(validator.RegisterClass("class " + std::to_string(i)));
  }
};
World& TheWorld() {
  static World& world = *new World();
  return world;
}

template <typename Lock, typename Validation>
void RunNested(benchmark::State& state) {
  World& world = TheWorld();
  Validator& validator = world.validator;
  const auto depth = static_cast<size_t>(state.range(0));
  const auto locks = std::make_unique<TrackedLock<Lock>[]>(depth);
  for (size_t i = 0; i < depth; ++i) {
    locks[i].map = validator.NewMap(world.classes[static_cast<size_t>(state.thread_index()) * 64 + i]);
  }
  const auto task = std::make_unique<TaskContext>("benchmark");
  for (auto _ : state) {
    for (size_t i = 0; i < depth; ++i) {
      Validation::Acquire(validator, *task, locks[i].map);
      locks[i].lock.lock();
      benchmark::ClobberMemory();
    }
    for (size_t i = depth; i-- > 0;) {
      locks[i].lock.unlock();
      Validation::Release(validator, *task, locks[i].map);
      benchmark::ClobberMemory();
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(depth));
  state.counters["pair"] = benchmark::Counter(
      static_cast<double>(depth), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  if (state.thread_index() == 0) LD_CHECK(validator.Violations().empty(), "one order, no violation");
}

template <absl::OnDeadlockCycle kMode>
void RunAbseil(benchmark::State& state) {
  if (state.thread_index() == 0) absl::SetMutexDeadlockDetectionMode(kMode);
  RunNested<AbslMutex, Bare>(state);
}

// The slow path: a chain never seen before, with a dependency that is new, in a validator that knows `classes` of them with
// 3 dependencies out of each, most of them in the order in which the classes were registered.
void RunUnseen(benchmark::State& state) {
  constexpr uint32_t kWindow = 64;
  const auto classes = static_cast<uint32_t>(state.range(0));
  uint64_t random = 1;
  const auto draw = [&random](uint32_t bound) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>((random >> 33) % bound);
  };
  for (auto _ : state) {
    state.PauseTiming();
    auto validator = std::make_unique<Validator>();
    std::vector<LockMap> maps;
    for (uint32_t i = 0; i < classes; ++i) {
      maps.push_back(validator->NewMap(validator->RegisterClass("class " + std::to_string(i))));
    }
    TaskContext task("benchmark");
    state.ResumeTiming();
    for (uint32_t i = 0; i < 3 * classes; ++i) {
      const uint32_t first = draw(classes - kWindow - 1);
      const LockMap& outer = maps[first];
      const LockMap& inner = maps[first + 1 + draw(kWindow)];
      Inlined::Acquire(*validator, task, outer);
      Inlined::Acquire(*validator, task, inner);
      Inlined::Release(*validator, task, inner);
      Inlined::Release(*validator, task, outer);
    }
    state.PauseTiming();
    const ValidatorStats stats = validator->stats();
    LD_CHECK(stats.violations == 0, "one order, no violation");
    state.counters["dependencies"] = static_cast<double>(stats.dependencies);
    state.counters["bytes_each"] = static_cast<double>(stats.memory_bytes) / static_cast<double>(stats.dependencies);
    state.counters["each"] = benchmark::Counter(
        static_cast<double>(stats.dependencies),
        benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
    validator.reset();
    state.ResumeTiming();
  }
}

void Depths(benchmark::internal::Benchmark* benchmark) {
  for (const int depth : {1, 4, 16, 64}) benchmark->Arg(depth);
  benchmark->ArgName("depth")->UseRealTime();
}
void OneAndTwoThreads(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1)->Arg(4)->ArgName("depth")->UseRealTime()->Threads(1)->Threads(2);
}

BENCHMARK(RunNested<NoLock, Inlined>)->Name("no_lock/inlined")->Apply(Depths);
BENCHMARK(RunNested<NoLock, OutOfLine>)->Name("no_lock/out_of_line")->Apply(Depths);
BENCHMARK(RunNested<SpinWord, Bare>)->Name("spin_word/bare")->Apply(Depths);
BENCHMARK(RunNested<SpinWord, Inlined>)->Name("spin_word/inlined")->Apply(Depths);
BENCHMARK(RunNested<SpinWord, OutOfLine>)->Name("spin_word/out_of_line")->Apply(Depths);
BENCHMARK(RunNested<std::mutex, Bare>)->Name("std_mutex/bare")->Apply(Depths);
BENCHMARK(RunNested<std::mutex, Inlined>)->Name("std_mutex/inlined")->Apply(Depths);
BENCHMARK(RunNested<std::mutex, OutOfLine>)->Name("std_mutex/out_of_line")->Apply(Depths);
BENCHMARK(RunAbseil<absl::OnDeadlockCycle::kIgnore>)->Name("absl_mutex/bare")->Apply(Depths);
BENCHMARK(RunAbseil<absl::OnDeadlockCycle::kReport>)->Name("absl_mutex/detector")->Apply(Depths);

BENCHMARK(RunNested<std::mutex, Bare>)->Name("disjoint/std_mutex/bare")->Apply(OneAndTwoThreads);
BENCHMARK(RunNested<std::mutex, OutOfLine>)->Name("disjoint/std_mutex/out_of_line")->Apply(OneAndTwoThreads);
BENCHMARK(RunNested<NoLock, OutOfLine>)->Name("disjoint/no_lock/out_of_line")->Apply(OneAndTwoThreads);
BENCHMARK(RunAbseil<absl::OnDeadlockCycle::kReport>)->Name("disjoint/absl_mutex/detector")->Apply(OneAndTwoThreads);

BENCHMARK(RunUnseen)->Name("unseen_dependency")->ArgName("classes")->Arg(1'000)->Arg(10'000)->Arg(100'000);

}  // namespace
}  // namespace ordeal::lockdep
