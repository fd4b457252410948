// A million events: parse alone (the baseline), parse and validate, parse and predict. Each benchmark runs in a fresh child,
// so that its peak memory is its own; counters: events a second, peak MiB.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lockdep/predict/predictor.h"
#include "lockdep/support/check.h"
#include "lockdep/trace/player.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal::lockdep {
namespace {

constexpr int kEvents = 1'000'000;
constexpr int kTasks = 16;
constexpr int kLocks = 400;

// Sixteen workers that run 300 code paths, each a fixed nest of one to four of 400 locks with reads and writes of 50 shared
// variables under them. Five of the paths take their locks in the opposite order.
std::vector<std::vector<int>> MakePaths(std::mt19937* random) {
  std::vector<std::vector<int>> paths;
  while (paths.size() < 300) {
    std::vector<int> path = {static_cast<int>((*random)() % 300)};
    while (path.size() < 1 + paths.size() % 4) path.push_back(path.back() + 1 + static_cast<int>((*random)() % 30));
    if (paths.size() % 60 == 3) std::reverse(path.begin(), path.end());
    paths.push_back(path);
  }
  return paths;
}

void WriteTrace(const std::string& path, TraceFormat format) {
  std::mt19937 random(7);
  std::ofstream out(path);
  const bool own = format == TraceFormat::kOwn;
  std::vector<std::vector<int>> held(kTasks);
  std::vector<int> owner(kLocks, -1);
  std::vector<bool> releasing(kTasks);
  std::string text = own ? "ordeal-lock-trace 1\n" : "";
  int events = 0;
  const auto line = [&](int task, const char* own_op, const char* std_op, char kind, int object, int site) {
    ++events;
    if (own) {
      absl::StrAppend(&text, "T", task, " ", own_op, " ", std::string(1, kind), object, " at=file", site % 40, ".cc:", site, "\n");
    } else {
      absl::StrAppend(&text, "T", task, "|", std_op, "(", std::string(1, kind), object, ")|", site, "\n");
    }
    if (text.size() > 1 << 16) {
      out << text;
      text.clear();
    }
  };
  for (int task = 1; task < kTasks; ++task) line(0, "fork", "fork", 'T', task, 1);
  const std::vector<std::vector<int>> paths = MakePaths(&random);
  std::vector<const std::vector<int>*> running(kTasks, &paths[0]);
  while (events < kEvents) {
    const size_t task = random() % kTasks;
    std::vector<int>& mine = held[task];
    const unsigned dice = random() % 100;
    if (dice < 60 && releasing[task]) {
      owner[static_cast<size_t>(mine.back())] = -1;
      line(static_cast<int>(task), "release", "rel", 'L', mine.back(), 200 + mine.back() % 97);
      mine.pop_back();
      if (mine.empty()) {
        releasing[task] = false;
        running[task] = &paths[random() % paths.size()];
      }
    } else if (dice < 60) {
      const int lock = (*running[task])[mine.size()];
      if (owner[static_cast<size_t>(lock)] >= 0) {
        // The run must not hang: whoever would wait gives its locks back first.
        releasing[task] = !mine.empty();
        continue;
      }
      owner[static_cast<size_t>(lock)] = static_cast<int>(task);
      mine.push_back(lock);
      line(static_cast<int>(task), "acquire", "acq", 'L', lock, 10 + lock % 97);
      releasing[task] = mine.size() == running[task]->size();
    } else if (dice >= 80) {
      const int variable = static_cast<int>(random() % 50);
      const bool write = random() % 3 == 0;
      line(static_cast<int>(task), write ? "write" : "read", write ? "w" : "r", 'V', variable, 300 + variable);
    }
  }
  out << text;
}

enum class Work { kParse, kValidate, kPredict };

void Run(const std::string& path, TraceFormat format, Work work) {
  Trace trace;
  Validator validator;
  Player player(&trace.symbols, &validator);
  uint64_t events = 0;
  const absl::Status status = ReadTraceFile(path, format, &trace.symbols, [&](const LockEvent& event) {
    ++events;
    if (work == Work::kValidate) player.Play(event);
    if (work == Work::kPredict) trace.events.push_back(event);
  });
  LD_CHECK(status.ok(), std::string(status.message()));
  LD_CHECK(events >= kEvents, absl::StrCat(events));
  if (work == Work::kPredict) {
    const Predictor predictor(trace);
    size_t feasible = 0;
    for (const GradedCycle& cycle : predictor.cycles()) feasible += cycle.grade == Grade::kFeasible;
    std::fprintf(stderr, "# %zu cycles, %zu feasible, %llu abstract acquires, %llu patterns, %llu checked, complete %d\n",
                 predictor.cycles().size(), feasible, static_cast<unsigned long long>(predictor.stats().abstract_acquires),
                 static_cast<unsigned long long>(predictor.stats().patterns),
                 static_cast<unsigned long long>(predictor.stats().checked), predictor.stats().complete);
  } else if (work == Work::kValidate) {
    std::fprintf(stderr, "# %zu violations\n", validator.violations().size());
  }
}

void BM_MillionEvents(benchmark::State& state, TraceFormat format, Work work) {
  const std::string path = absl::StrCat("/tmp/ordeal_predict_benchmark.", getpid(), ".", TraceFormatName(format));
  WriteTrace(path, format);
  double peak_mib = 0;
  for (auto _ : state) {
    const pid_t child = fork();
    if (child == 0) {
      Run(path, format, work);
      _exit(0);
    }
    int status = 0;
    rusage usage{};
    wait4(child, &status, 0, &usage);
    LD_CHECK(status == 0, absl::StrCat("child ended with ", status));
    peak_mib = static_cast<double>(usage.ru_maxrss) / 1024;
  }
  std::remove(path.c_str());
  state.counters["peak_MiB"] = peak_mib;
  state.counters["events/s"] = benchmark::Counter(kEvents, benchmark::Counter::kIsIterationInvariantRate);
}
#define MILLION(name, format, work) \
  BENCHMARK_CAPTURE(BM_MillionEvents, name, format, work)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3)
MILLION(own_parse, TraceFormat::kOwn, Work::kParse);
MILLION(own_parse_validate, TraceFormat::kOwn, Work::kValidate);
MILLION(own_parse_predict, TraceFormat::kOwn, Work::kPredict);
MILLION(std_parse, TraceFormat::kStd, Work::kParse);
MILLION(std_parse_validate, TraceFormat::kStd, Work::kValidate);
MILLION(std_parse_predict, TraceFormat::kStd, Work::kPredict);

}  // namespace
}  // namespace ordeal::lockdep
