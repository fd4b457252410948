// A write behind the end of a file that has a part of a page there first makes that page zero up to the write. A device without
// space for it is told before anything has changed; with space the same write grows the file.
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/filesystems/filesystems.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;

// The first demand for space fails, if that is wanted.
class FullOnce final : public ChoiceSource {
 public:
  explicit FullOnce(bool full) : full_(full) {}
  int Choose(const ChoicePoint& point) override {
    if (point.kind != ChoiceKind::kDeviceFull || !full_) return 0;
    full_ = false;
    return 1;
  }
  bool full() const { return full_; }

 private:
  bool full_;
};

std::vector<Stamp> Stamps(uint32_t first, uint32_t count, uint32_t operation) {
  std::vector<Stamp> stamps;
  for (uint32_t i = 0; i < count; ++i) stamps.push_back(Stamp::Make(StampKind::kWrite, 1, first + i, operation));
  return stamps;
}

// Writes page 2 of a file that ends in the middle of page 1, of which nothing is on the device.
class ExtendingWriteTest : public ::testing::TestWithParam<bool> {};

TEST_P(ExtendingWriteTest, NeedsSpaceBeforeItChangesThePage) {
  Simulation sim;
  FullOnce source(GetParam());
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem("ocfs2-fs-misc");
  World world(sim, *fs, {.faults = {ChoiceKind::kDeviceFull}});
  world.BeginRun();
  Inode& inode = world.CreateFile(Stamps(0, 6, 0));
  Mm& mm = world.CreateMm();
  sim.scheduler().Spawn("task", [&] {
    ASSERT_EQ(world.PunchHole(inode, 4, 4).error, Error::kOk);
    const std::vector<Stamp> data = Stamps(8, 4, 1);
    const Result result = world.Write(mm, {.file = &inode, .offset_cells = 8, .length_cells = 4, .buffer = {}, .stamps = data});
    EXPECT_FALSE(source.full());
    EXPECT_EQ(result.error, GetParam() ? Error::kNoSpace : Error::kOk);
    EXPECT_EQ(inode.i_size, GetParam() ? 6u : 12u);
    const Folio* folio = inode.mapping.pages[1];
    EXPECT_EQ(folio != nullptr && folio->dirty, !GetParam());
    for (const InvariantViolation& v : CheckInvariants(world)) ADD_FAILURE() << v.id << " " << v.rule << ": " << v.message;
    EXPECT_THAT(world.Read(mm, {.file = &inode, .offset_cells = 4, .length_cells = 2}).seen, Each(Stamp::Zero()));
    EXPECT_TRUE(world.Quiesce());
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted) << sim.scheduler().DescribeTasks();
  for (const InvariantViolation& v : CheckInvariants(world, CheckMoment::kQuiescent)) {
    ADD_FAILURE() << v.id << " " << v.rule << ": " << v.message;
  }
  sim.EndRun();
  EXPECT_THAT(sim.validator().violations(), IsEmpty());
  world.EndRun();
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutSpace, ExtendingWriteTest, ::testing::Bool());

}  // namespace
}  // namespace ordeal::pagecache
