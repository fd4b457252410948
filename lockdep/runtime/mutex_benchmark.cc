// The same nesting of std::mutex as in validator_benchmark.cc, with nothing of ours: it is built plainly and with
// -fsanitize=thread, so that TSan's lock tracking, with and without its deadlock detector, comes into the same table.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <thread>

namespace {

[[maybe_unused]] const bool kSecondThread = [] {
  std::thread([] { pause(); }).detach();
  return true;
}();

struct alignas(64) Lock {
  std::mutex mutex;
};

void Nested(benchmark::State& state) {
  const auto depth = static_cast<size_t>(state.range(0));
  const auto locks = std::make_unique<Lock[]>(depth);
  for (auto _ : state) {
    for (size_t i = 0; i < depth; ++i) {
      locks[i].mutex.lock();
      benchmark::ClobberMemory();
    }
    for (size_t i = depth; i-- > 0;) {
      locks[i].mutex.unlock();
      benchmark::ClobberMemory();
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(depth));
  state.counters["pair"] = benchmark::Counter(
      static_cast<double>(depth), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

BENCHMARK(Nested)->Name("std_mutex")->ArgName("depth")->Arg(1)->Arg(4)->Arg(16)->Arg(64)->UseRealTime();
BENCHMARK(Nested)->Name("disjoint/std_mutex")->ArgName("depth")->Arg(1)->Arg(4)->UseRealTime()->Threads(1)->Threads(2);

}  // namespace
