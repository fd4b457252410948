// What our benchmarks are compared with, measured in the same run: one raw boost::context switch and one uncontended
// lock + unlock of a raw std::mutex. The machine is shared and noisy, so only the ratio means something.
//
// Thread-safety: none. For benchmarks only.
// Cost:          the constructor measures for some milliseconds.
// Example:
//   const RawBaseline baseline;
//   const BenchmarkStopwatch watch;
//   for (auto _ : state) ...;
//   baseline.Report(state, watch);      // adds ratio_to_switch and ratio_to_mutex
#ifndef ORDEAL_HARNESS_SCHED_RAW_BASELINE_FOR_BENCHMARK_H_
#define ORDEAL_HARNESS_SCHED_RAW_BASELINE_FOR_BENCHMARK_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>
#include <chrono>
#include <mutex>
#include <vector>

namespace ordeal {

class BenchmarkStopwatch {
 public:
  double ElapsedNs() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class RawBaseline {
 public:
  RawBaseline() {
    // The median of a few short rounds: one that a neighbour disturbed does not count.
    std::vector<double> switches;
    std::vector<double> mutexes;
    for (int round = 0; round < 9; ++round) {
      switches.push_back(SwitchNs());
      mutexes.push_back(MutexNs());
    }
    switch_ns_ = Median(std::move(switches));
    mutex_ns_ = Median(std::move(mutexes));
  }

  // Ratios of one iteration to one raw switch, and to one raw mutex pair.
  void Report(benchmark::State& state, const BenchmarkStopwatch& watch) const {
    const double ns = watch.ElapsedNs() / static_cast<double>(std::max<int64_t>(state.iterations(), 1));
    state.counters["ratio_to_switch"] = ns / switch_ns_;
    state.counters["ratio_to_mutex"] = ns / mutex_ns_;
  }

 private:
  static constexpr int kOperations = 50'000;

  static double Median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
  }
  static void Bounce(boost::context::detail::transfer_t transfer) {
    while (true) transfer = boost::context::detail::jump_fcontext(transfer.fctx, nullptr);
  }
  static double SwitchNs() {
    std::vector<char> stack(64 * 1024);
    auto context = boost::context::detail::make_fcontext(stack.data() + stack.size(), stack.size(), &Bounce);
    const BenchmarkStopwatch watch;
    for (int i = 0; i < kOperations; ++i) context = boost::context::detail::jump_fcontext(context, nullptr).fctx;
    return watch.ElapsedNs() / (2.0 * kOperations);  // there and back
  }
  static double MutexNs() {
    std::mutex mutex;
    const BenchmarkStopwatch watch;
    for (int i = 0; i < kOperations; ++i) {
      mutex.lock();
      benchmark::ClobberMemory();
      mutex.unlock();
    }
    return watch.ElapsedNs() / kOperations;
  }

  double switch_ns_ = 0;
  double mutex_ns_ = 0;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCHED_RAW_BASELINE_FOR_BENCHMARK_H_
