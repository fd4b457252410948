// fallocate's modes, appends and synchronous writes in the calm sequential run.
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

class PlainFileSystem final : public FileSystem {
 public:
  explicit PlainFileSystem(BugSet bugs = {}) : FileSystem(bugs) {}
  const char* name() const override { return "plain"; }
};

class QuietChoices final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint& point) override { return point.kind == ChoiceKind::kIoError && io_errors ? 1 : 0; }
  bool io_errors = false;
};

std::vector<Stamp> Stamps(uint32_t first, uint32_t count, uint32_t operation) {
  std::vector<Stamp> stamps;
  for (uint32_t i = 0; i < count; ++i) stamps.push_back(Stamp::Make(StampKind::kWrite, 1, first + i, operation));
  return stamps;
}

// One file of 14 cells: three whole pages and half of a fourth.
class RangeOperationsTest : public ::testing::Test {
 protected:
  RangeOperationsTest() : world_(sim_, fs_, Options()) {
    choices_.Begin(&source_);
    sim_.BeginRun(&choices_);
    world_.BeginRun();
    file_ = &world_.CreateFile(Stamps(0, 14, 0));
    mm_ = &world_.CreateMm();
    world_.Map(*mm_, *file_);
  }
  static WorldOptions Options() {
    WorldOptions options;
    options.faults.Add(ChoiceKind::kIoError);
    return options;
  }
  void InTask(std::function<void()> body) {
    sim_.scheduler().Spawn("task", [&body] { body(); });
    EXPECT_EQ(sim_.scheduler().Run().kind, RunEndKind::kCompleted) << sim_.scheduler().DescribeTasks();
  }
  void TearDown() override {
    InTask([this] { EXPECT_TRUE(world_.Quiesce()); });
    for (const InvariantViolation& v : CheckInvariants(world_, CheckMoment::kQuiescent)) {
      ADD_FAILURE() << v.id << " " << v.rule << ": " << v.message;
    }
    sim_.EndRun();
    EXPECT_THAT(sim_.validator().violations(), IsEmpty());
    world_.EndRun();
  }
  // Through the cache; the same from the device and after the cache was dropped.
  std::vector<Stamp> Content() {
    const std::vector<Stamp> cached = world_.Read(*mm_, {.file = file_, .length_cells = 64}).seen;
    EXPECT_EQ(cached, world_.DirectRead(*mm_, {.file = file_, .length_cells = 64}).seen);
    world_.DropCaches(*file_);
    EXPECT_EQ(cached, world_.Read(*mm_, {.file = file_, .length_cells = 64}).seen);
    return cached;
  }
  Result Write(uint32_t offset, uint32_t length, uint32_t operation) {
    const std::vector<Stamp> stamps = Stamps(offset, length, operation);
    return world_.Write(*mm_, {.file = file_, .offset_cells = offset, .length_cells = length, .stamps = stamps});
  }

  Simulation sim_;
  PlainFileSystem fs_;
  QuietChoices source_;
  ChoiceRecorder choices_;
  World world_;
  Inode* file_ = nullptr;
  Mm* mm_ = nullptr;
};

std::vector<Stamp> Join(std::vector<Stamp> a, const std::vector<Stamp>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST_F(RangeOperationsTest, CollapseMovesTheTailDown) {
  InTask([this] {
    EXPECT_EQ(Write(9, 2, 1).cells_done, 2u);  // dirty in the tail
    EXPECT_EQ(world_.CollapseRange(*file_, 4, 4).cells_done, 4u);
    EXPECT_EQ(file_->i_size, 10u);
    EXPECT_EQ(Content(), Join(Join(Join(Stamps(0, 4, 0), Stamps(8, 1, 0)), Stamps(9, 2, 1)), Stamps(11, 3, 0)));
  });
}

TEST_F(RangeOperationsTest, InsertMovesTheTailUpAndLeavesAHole) {
  InTask([this] {
    EXPECT_EQ(Write(9, 2, 1).cells_done, 2u);
    EXPECT_EQ(world_.InsertRange(*file_, 8, 4).cells_done, 4u);
    EXPECT_EQ(file_->i_size, 18u);
    const std::vector<Stamp> tail = Join(Join(Stamps(8, 1, 0), Stamps(9, 2, 1)), Stamps(11, 3, 0));
    EXPECT_EQ(Content(), Join(Join(Stamps(0, 8, 0), std::vector<Stamp>(4, Stamp::Zero())), tail));
    EXPECT_EQ(world_.CollapseRange(*file_, 8, 4).cells_done, 4u);  // and back
    EXPECT_EQ(Content(), Join(Stamps(0, 8, 0), tail));
  });
}

TEST_F(RangeOperationsTest, CollapseAndInsertRefuseWhatLiesOutside) {
  InTask([this] {
    EXPECT_EQ(world_.CollapseRange(*file_, 12, 4).error, Error::kInvalid);
    EXPECT_EQ(world_.CollapseRange(*file_, 2, 4).error, Error::kInvalid);
    EXPECT_EQ(world_.InsertRange(*file_, 16, 4).error, Error::kInvalid);
    EXPECT_EQ(world_.InsertRange(*file_, 0, 13 * kPageCells).error, Error::kNoSpace);
    EXPECT_EQ(world_.ZeroRange(*file_, 60, 8).error, Error::kNoSpace);
    EXPECT_EQ(Content(), Stamps(0, 14, 0));
  });
}

TEST_F(RangeOperationsTest, ZeroRangeKeepsBlocksAndExtendsTheFile) {
  InTask([this] {
    EXPECT_EQ(Write(4, 4, 1).cells_done, 4u);
    const uint32_t blocks = world_.allocator().allocated();
    EXPECT_EQ(world_.ZeroRange(*file_, 4, 4).cells_done, 4u);
    EXPECT_EQ(world_.allocator().allocated(), blocks);
    EXPECT_EQ(file_->extents[1].kind, ExtentKind::kUnwritten);
    EXPECT_EQ(world_.ZeroRange(*file_, 20, 4).cells_done, 4u);
    EXPECT_EQ(file_->i_size, 24u);
    EXPECT_EQ(Content(), Join(Join(Join(Stamps(0, 4, 0), std::vector<Stamp>(4, Stamp::Zero())), Stamps(8, 6, 0)),
                              std::vector<Stamp>(10, Stamp::Zero())));
  });
}

TEST_F(RangeOperationsTest, AllocateFillsHolesAndExtendsWithoutChangingData) {
  InTask([this] {
    EXPECT_EQ(world_.PunchHole(*file_, 4, 4).error, Error::kOk);
    EXPECT_EQ(Write(13, 1, 2).cells_done, 1u);
    EXPECT_EQ(world_.Allocate(*file_, 2, 17).cells_done, 17u);
    EXPECT_EQ(file_->i_size, 19u);
    EXPECT_EQ(world_.allocator().allocated(), 5u);
    EXPECT_EQ(Content(),
              Join(Join(Join(Stamps(0, 4, 0), std::vector<Stamp>(4, Stamp::Zero())), Join(Stamps(8, 5, 0), Stamps(13, 1, 2))),
                   std::vector<Stamp>(5, Stamp::Zero())));
  });
}

TEST_F(RangeOperationsTest, AnAppendFindsItsPlaceAndNamesItsCells) {
  InTask([this] {
    const std::vector<Stamp> stamps = Stamps(0, 5, 3);
    const Result result = world_.Write(*mm_, {.file = file_, .length_cells = 5, .stamps = stamps, .append = true});
    EXPECT_EQ(result.cells_done, 5u);
    EXPECT_EQ(result.offset_cells, 14u);
    EXPECT_EQ(Content(), Join(Stamps(0, 14, 0), Stamps(14, 5, 3)));
    const std::vector<Stamp> many = Stamps(0, 60, 4);
    EXPECT_EQ(world_.Write(*mm_, {.file = file_, .length_cells = 60, .stamps = many, .append = true}).error,
              Error::kNoSpace);
  });
}

TEST_F(RangeOperationsTest, ASynchronousWriteIsOnTheDeviceOrSaysThatItFailed) {
  InTask([this] {
    const std::vector<Stamp> stamps = Stamps(4, 4, 5);
    const Io io{.file = file_, .offset_cells = 4, .length_cells = 4, .stamps = stamps, .sync = true};
    EXPECT_EQ(world_.Write(*mm_, io).cells_done, 4u);
    EXPECT_EQ(world_.DiskCell(*file_, 4), stamps[0]);
    source_.io_errors = true;
    EXPECT_EQ(world_.Write(*mm_, io).error, Error::kIo);
    source_.io_errors = false;
    EXPECT_EQ(world_.Fsync(*file_).error, Error::kIo);  // reported once more, by the next fsync
    EXPECT_EQ(world_.Fsync(*file_).error, Error::kOk);
  });
}

}  // namespace
}  // namespace ordeal::pagecache
