// For tests: one experiment on a file system - files, processes, tasks with lists of operations - run for many random schedules
// and judged by deadlock detection, validator, structural invariants and cell histories.
//
// Thread-safety: none.
// Example:
//   Trial trial("vfs", {"B01"});
//   trial.files = {8, 8};
//   trial.tasks = {{0, {Op::PunchHole(0, 0, 4)}}, {1, {Op::Read(0, 0, 4)}}};
//   const TrialVerdict verdict = trial.Run(/*schedules=*/2000);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_TRIAL_H_
#define ORDEAL_HARNESS_FILESYSTEMS_TRIAL_H_

#include <memory>
#include <string>
#include <vector>

#include "harness/choice/choice_source.h"
#include "harness/choice/prng.h"
#include "harness/choice/recording.h"
#include "harness/filesystems/cell_history.h"
#include "harness/filesystems/filesystems.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {

enum class OpKind : uint8_t {
  kRead, kWrite, kDirectRead, kDirectWrite, kLoad, kStore, kTruncate, kPunchHole, kFadvise, kMadvise, kFsync, kDropCaches,
  kMapUnmap, kDedupe, kLink, kCount,
};

struct Op {
  OpKind kind = OpKind::kRead;
  int file = 0;
  uint32_t offset = 0;
  uint32_t length = 0;
  int buffer_file = -1;  // -1: anonymous
  uint32_t buffer_offset = 0;
  int other_file = 0;
};

struct TrialTask {
  int mm = 0;
  std::vector<Op> ops;
};

struct TrialVerdict {
  int schedules = 0;
  int first = -1;           // the first schedule with a finding
  std::string finding;      // "deadlock", "data", "invariant S1", "lock-order" ...; empty: nothing found
  std::string details;
};

// Everything at random; faults and delays rarely.
class RandomChoices final : public ChoiceSource {
 public:
  explicit RandomChoices(uint64_t seed) : seed_(seed) {}
  void BeginRun(uint64_t run) override { prng_ = Prng(DeriveSeed(seed_, run)); }
  int Choose(const ChoicePoint& point) override {
    switch (point.kind) {
      case ChoiceKind::kAllocation:
      case ChoiceKind::kIoError:
      case ChoiceKind::kIoShort:
      case ChoiceKind::kDeviceFull:
      case ChoiceKind::kUserPage:
      case ChoiceKind::kMemoryPressure:
        return prng_.Below(16) == 0 ? 1 + static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options - 1))) : 0;
      case ChoiceKind::kIoDelay:
        return prng_.Below(4) == 0 ? static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options))) : 0;
      default:
        return static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options)));
    }
  }

 private:
  uint64_t seed_;
  Prng prng_;
};

class Trial {
 public:
  explicit Trial(const std::string& filesystem, std::vector<std::string> bugs = {});

  std::vector<uint32_t> files = {8, 8};  // sizes in cells
  int mms = 2;
  std::vector<TrialTask> tasks;
  pagecache::WorldOptions options;
  bool judge_data = true;
  bool judge_invariants = true;

  // Stops at the first finding.
  TrialVerdict Run(int schedules, uint64_t seed = 1);
  // One schedule with this source; `run` is handed to BeginRun.
  std::string RunOnce(ChoiceSource& source, uint64_t run, std::string* details);
  // The tasks become `tasks_count` lists of `ops` random operations over all kinds, drawn from `seed`.
  void DrawTasks(uint64_t seed, int tasks_count, int ops);
  Simulation& sim() { return *sim_; }
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t steps() const { return steps_; }

 private:
  void Perform(const TrialTask& task, const Op& op);
  void RecordStore(const Op& op, const pagecache::Result& r, const std::vector<pagecache::Stamp>& stamps, uint32_t size,
                   int64_t start, int64_t end);
  void Judge(const Op& op, const pagecache::Result& result, const std::vector<pagecache::Stamp>& stamps, int64_t start,
             int64_t end);
  void JudgeExpectations();
  void RecordWrites(int file, uint32_t offset, const std::vector<pagecache::Stamp>& stamps, uint32_t from, uint32_t to,
                    int64_t start, int64_t end, bool optional);
  void Expect(int file, uint32_t cell, const pagecache::Stamp& seen, int64_t start, int64_t end, const char* what);
  void FinalChecks();
  void Fail(const std::string& finding, const std::string& details);
  pagecache::Inode& File(int i) { return *inodes_[static_cast<size_t>(i)]; }
  uint32_t Uid(int i) const { return static_cast<uint32_t>(i) + 1; }
  // Starts and ends of operations, numbered in the order in which they happened.
  int64_t Tick() { return ++clock_; }

  std::unique_ptr<pagecache::FileSystem> fs_;
  std::unique_ptr<Simulation> sim_;
  std::unique_ptr<pagecache::World> world_;
  std::vector<pagecache::Inode*> inodes_;
  std::vector<pagecache::Mm*> mm_;
  struct Expectation {
    int file;
    uint32_t cell;
    pagecache::Stamp seen;
    int64_t start;
    int64_t end;
    const char* what;
  };
  std::vector<Expectation> pending_expectations_;
  ChoiceRecorder choices_;
  int64_t clock_ = 0;
  CellHistory history_;
  uint32_t operations_ = 0;
  std::string finding_;
  std::string details_;
  uint64_t trace_hash_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_TRIAL_H_
