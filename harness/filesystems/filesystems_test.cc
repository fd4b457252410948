// Each bug is a pair: found with its switch on, in random schedules of a directed experiment; silent with it off, same schedules.
#include "harness/filesystems/filesystems.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/filesystems/trial.h"

namespace ordeal {
namespace {

struct Experiment {
  const char* bug;
  std::vector<const char*> filesystems;
  std::vector<const char*> findings;  // any of them
  std::vector<uint32_t> files;
  std::vector<TrialTask> tasks;
};

Op Ranged(OpKind kind, int file, uint32_t offset, uint32_t length) {
  Op op;
  op.kind = kind;
  op.file = file;
  op.offset = offset;
  op.length = length;
  return op;
}
Op FromMapping(OpKind kind, int file, uint32_t offset, uint32_t length, int buffer_file, uint32_t buffer_offset) {
  Op op = Ranged(kind, file, offset, length);
  op.buffer_file = buffer_file;
  op.buffer_offset = buffer_offset;
  return op;
}
Op Pair(OpKind kind, int first, int second, uint32_t length) {
  Op op = Ranged(kind, first, 0, length);
  op.other_file = second;
  return op;
}

const Op kPunch = Ranged(OpKind::kPunchHole, 0, 0, 4);
const Op kReuse = Ranged(OpKind::kWrite, 1, 0, 4);
const Op kFlush = Ranged(OpKind::kFsync, 1, 0, 0);

std::vector<Experiment> Experiments() {
  const Op read = Ranged(OpKind::kRead, 0, 0, 4);
  const Op direct_write = Ranged(OpKind::kDirectWrite, 0, 0, 4);
  return {
      {"B01", {"vfs"}, {"data", "invariant S1", "invariant S10"}, {4, 0},
       {{0, {kPunch}}, {0, {read, read}}, {1, {kReuse, kFlush}}}},
      {"B02", {"vfs", "xfs"}, {"data", "invariant S1", "invariant S10"}, {4, 0},
       {{0, {kPunch}}, {0, {Ranged(OpKind::kLoad, 0, 0, 4)}}, {1, {kReuse, kFlush}}}},
      {"B09", {"vfs", "xfs"}, {"data", "invariant S2", "invariant S3"}, {4},
       {{0, {kPunch}}, {0, {Ranged(OpKind::kLoad, 0, 0, 4)}}, {1, {Ranged(OpKind::kLoad, 0, 0, 4)}}}},
      {"B14", {"vfs", "vfs-2020", "xfs"}, {"data", "invariant S1"}, {4}, {{0, {direct_write}}, {0, {read, read}}}},
      {"B16", {"vfs", "vfs-2020", "xfs"}, {"data", "invariant S1"}, {4},
       {{0, {Ranged(OpKind::kTruncate, 0, 0, 0), Ranged(OpKind::kTruncate, 0, 4, 0), direct_write}},
        {0, {read, Ranged(OpKind::kLoad, 0, 0, 4), read}}}},
      {"B17", {"vfs", "xfs"}, {"data"}, {4}, {{0, {direct_write}}, {0, {Ranged(OpKind::kStore, 0, 0, 1)}}}},
      {"B18", {"vfs", "vfs-2020", "xfs"}, {"data"}, {4},
       {{0, {Ranged(OpKind::kWrite, 0, 0, 4), Ranged(OpKind::kDirectRead, 0, 0, 4)}}}},
      {"B27", {"vfs", "vfs-2020", "xfs"}, {"deadlock"}, {4}, {{0, {FromMapping(OpKind::kWrite, 0, 0, 4, 0, 0)}}}},
      {"B28", {"vfs", "vfs-2020", "xfs"}, {"deadlock"}, {4, 4},
       {{0, {FromMapping(OpKind::kWrite, 0, 0, 4, 1, 0)}}, {0, {FromMapping(OpKind::kWrite, 1, 0, 4, 0, 0)}}}},
      {"B67", {"vfs", "vfs-2020", "xfs"}, {"deadlock"}, {4, 4},
       {{0, {Pair(OpKind::kDedupe, 0, 1, 4)}}, {1, {Pair(OpKind::kDedupe, 1, 0, 4)}}}},
      {"B70", {"vfs", "xfs"}, {"deadlock", "lock-order"}, {4}, {{0, {kPunch}}, {0, {Ranged(OpKind::kLoad, 0, 0, 4)}}}},
  };
}

TrialVerdict RunExperiment(const Experiment& e, const char* fs, bool on, int schedules, uint64_t seed) {
  Trial trial(fs, on ? std::vector<std::string>{e.bug} : std::vector<std::string>{});
  trial.files = e.files;
  trial.tasks = e.tasks;
  trial.options.memory_folios = 16;
  return trial.Run(schedules, seed);
}

TEST(BugTest, IsFoundWithItsSwitchAndSilentWithout) {
  for (const Experiment& e : Experiments()) {
    for (const char* fs : e.filesystems) {
      const TrialVerdict found = RunExperiment(e, fs, true, 20000, 1);
      EXPECT_THAT(e.findings, ::testing::Contains(::testing::StrEq(found.finding)))
          << e.bug << " on " << fs << "\n" << found.details;
      const TrialVerdict clean = RunExperiment(e, fs, false, 2000, 1);
      EXPECT_EQ(clean.finding, "") << e.bug << " off on " << fs << "\n" << clean.details;
    }
  }
}

}  // namespace
}  // namespace ordeal
