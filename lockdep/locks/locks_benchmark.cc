// What a checked lock costs beside the plain one, in one process. `added_ns` is the difference a pair, `ratio` the quotient:
// both medians over alternating rounds, so that the machine's moods hit both alike.
//
// BM_Disjoint*: threads on locks of their own. If the hot path wrote a shared cache line, two threads would do less than
// twice the work of one; compare items_per_second of /threads:1 and /threads:2.

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "lockdep/locks/locks.h"

namespace ordeal::lockdep {

// locks_off_for_benchmark.cc: the same pair with ORDEAL_LOCKDEP_OFF.
void CompiledOutPairs(int pairs);

namespace {

// glibc takes a mutex without atomic operations until the process has started a thread: no comparison for programs with locks.
[[maybe_unused]] const bool threads_exist = (std::thread([] {}).join(), true);

using Clock = std::chrono::steady_clock;
constexpr int kPairs = 1000;

template <class Body>
double NanosecondsEach(Body body) {
  const Clock::time_point start = Clock::now();
  body(kPairs);
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kPairs;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

template <class Plain, class Ours>
void Compare(benchmark::State& state, Plain plain, Ours ours) {
  std::vector<double> plain_ns, ours_ns;
  for (auto _ : state) {
    plain_ns.push_back(NanosecondsEach(plain));
    ours_ns.push_back(NanosecondsEach(ours));
  }
  state.counters["plain_ns"] = Median(plain_ns);
  state.counters["ours_ns"] = Median(ours_ns);
  state.counters["added_ns"] = Median(ours_ns) - Median(plain_ns);
  state.counters["ratio"] = Median(ours_ns) / Median(plain_ns);
}

std::mutex& PlainMutex() {
  static std::mutex mutex;
  return mutex;
}

void PlainPairs(int pairs) {
  std::mutex& mutex = PlainMutex();
  for (int i = 0; i < pairs; ++i) {
    mutex.lock();
    benchmark::ClobberMemory();
    mutex.unlock();
  }
}

template <class Lock>
void Pairs(Lock& lock, int pairs) {
  for (int i = 0; i < pairs; ++i) {
    lock.Lock();
    benchmark::ClobberMemory();
    lock.Unlock();
  }
}

void BM_MutexPair(benchmark::State& state) {
  static Mutex mutex("benchmark");
  Compare(state, PlainPairs, [](int pairs) { Pairs(mutex, pairs); });
}
BENCHMARK(BM_MutexPair);

// Under 1, 4, 16 and 64 held locks: the cost must not grow.
void BM_NestedMutexPair(benchmark::State& state) {
  static std::vector<std::string>* const names = [] {
    auto* made = new std::vector<std::string>;
    for (int i = 0; i < 64; ++i) made->push_back("nested " + std::to_string(i));
    return made;
  }();
  std::vector<std::unique_ptr<Mutex>> outer;
  for (int i = 0; i < state.range(0); ++i) outer.push_back(std::make_unique<Mutex>((*names)[i].c_str()));
  Mutex inner("nested inner");
  for (const auto& lock : outer) lock->Lock();
  Compare(state, PlainPairs, [&](int pairs) { Pairs(inner, pairs); });
  for (const auto& lock : outer) lock->Unlock();
}
BENCHMARK(BM_NestedMutexPair)->Arg(1)->Arg(4)->Arg(16)->Arg(64);

void BM_StandardGuard(benchmark::State& state) {
  static Mutex mutex("guarded");
  Compare(state, PlainPairs, [](int pairs) {
    for (int i = 0; i < pairs; ++i) {
      const std::lock_guard guard(mutex);
      benchmark::ClobberMemory();
    }
  });
}
BENCHMARK(BM_StandardGuard);

void BM_SharedMutexReaderPair(benchmark::State& state) {
  static std::shared_mutex plain;
  static SharedMutex ours("shared");
  Compare(
      state,
      [](int pairs) {
        for (int i = 0; i < pairs; ++i) {
          plain.lock_shared();
          benchmark::ClobberMemory();
          plain.unlock_shared();
        }
      },
      [](int pairs) {
        for (int i = 0; i < pairs; ++i) {
          ours.ReaderLock();
          benchmark::ClobberMemory();
          ours.ReaderUnlock();
        }
      });
}
BENCHMARK(BM_SharedMutexReaderPair);

void BM_RecursiveMutexPair(benchmark::State& state) {
  static std::recursive_mutex plain;
  static RecursiveMutex ours("recursive");
  Compare(
      state,
      [](int pairs) {
        for (int i = 0; i < pairs; ++i) {
          plain.lock();
          benchmark::ClobberMemory();
          plain.unlock();
        }
      },
      [](int pairs) { Pairs(ours, pairs); });
}
BENCHMARK(BM_RecursiveMutexPair);

void BM_SpinLockPair(benchmark::State& state) {
  static NativeSpinLock plain;
  static SpinLock ours("spin");
  Compare(
      state,
      [](int pairs) {
        for (int i = 0; i < pairs; ++i) {
          plain.lock();
          benchmark::ClobberMemory();
          plain.unlock();
        }
      },
      [](int pairs) { Pairs(ours, pairs); });
}
BENCHMARK(BM_SpinLockPair);

void BM_MutexPairSwitchedOff(benchmark::State& state) {
  static Mutex mutex("switched off");
  SetValidation(false);
  Compare(state, PlainPairs, [](int pairs) { Pairs(mutex, pairs); });
  SetValidation(true);
}
BENCHMARK(BM_MutexPairSwitchedOff);

void BM_MutexPairCompiledOut(benchmark::State& state) { Compare(state, PlainPairs, CompiledOutPairs); }
BENCHMARK(BM_MutexPairCompiledOut);

// Once the process has an event, threads remember what they acquire. Behind the others: it cannot be undone.
void BM_WithEvents_MutexPair(benchmark::State& state) {
  static Completion event("some event");
  static Mutex mutex("with events");
  Compare(state, PlainPairs, [](int pairs) { Pairs(mutex, pairs); });
}

// A lock object, constructed, taken once and destroyed: what objects that carry a lock pay.
void BM_ShortLivedMutex(benchmark::State& state) {
  Compare(
      state,
      [](int pairs) {
        for (int i = 0; i < pairs; ++i) {
          std::mutex mutex;
          mutex.lock();
          benchmark::DoNotOptimize(&mutex);
          mutex.unlock();
        }
      },
      [](int pairs) {
        for (int i = 0; i < pairs; ++i) {
          Mutex mutex("short-lived");
          mutex.Lock();
          benchmark::DoNotOptimize(&mutex);
          mutex.Unlock();
        }
      });
}
BENCHMARK(BM_ShortLivedMutex);

struct alignas(128) OwnLock {
  Mutex mutex{"own"};
};
struct alignas(128) OwnPlainLock {
  std::mutex mutex;
};

void BM_DisjointMutexes(benchmark::State& state) {
  static OwnLock locks[64];
  Mutex& mutex = locks[state.thread_index()].mutex;
  for (auto _ : state) Pairs(mutex, kPairs);
  state.SetItemsProcessed(state.iterations() * kPairs);
}
BENCHMARK(BM_DisjointMutexes)->ThreadRange(1, 2)->UseRealTime();

void BM_DisjointPlainMutexes(benchmark::State& state) {
  static OwnPlainLock locks[64];
  std::mutex& mutex = locks[state.thread_index()].mutex;
  for (auto _ : state) {
    for (int i = 0; i < kPairs; ++i) {
      mutex.lock();
      benchmark::ClobberMemory();
      mutex.unlock();
    }
  }
  state.SetItemsProcessed(state.iterations() * kPairs);
}
BENCHMARK(BM_DisjointPlainMutexes)->ThreadRange(1, 2)->UseRealTime();

BENCHMARK(BM_WithEvents_MutexPair);

}  // namespace
}  // namespace ordeal::lockdep
