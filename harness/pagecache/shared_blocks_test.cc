// Clone, unshare, dedupe of equal pages, and asynchronous direct I/O, in the calm sequential run.
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {
namespace {

using ::testing::IsEmpty;

class PlainFileSystem final : public FileSystem {
 public:
  const char* name() const override { return "plain"; }
  AsyncDirectIoRule async_direct_io() const override { return AsyncDirectIoRule::kMayExtend; }
};

class Choices final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint& point) override {
    if (point.kind == ChoiceKind::kIoError) return io_errors ? 1 : 0;
    return point.kind == ChoiceKind::kCompletionContext && in_interrupt ? 1 : 0;
  }
  bool io_errors = false;
  bool in_interrupt = false;
};

std::vector<Stamp> Stamps(uint32_t file, uint32_t first, uint32_t count, uint32_t operation) {
  std::vector<Stamp> stamps;
  for (uint32_t i = 0; i < count; ++i) stamps.push_back(Stamp::Make(StampKind::kWrite, file, first + i, operation));
  return stamps;
}

std::vector<Stamp> Join(std::vector<Stamp> a, const std::vector<Stamp>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Two files of 12 and 10 cells.
class SharedBlocksTest : public ::testing::Test {
 protected:
  SharedBlocksTest() : world_(sim_, fs_, Options()) {
    choices_.Begin(&source_);
    sim_.BeginRun(&choices_);
    world_.BeginRun();
    a_ = &world_.CreateFile(Stamps(1, 0, 12, 0));
    b_ = &world_.CreateFile(Stamps(2, 0, 10, 0));
    mm_ = &world_.CreateMm();
    world_.Map(*mm_, *a_);
    world_.Map(*mm_, *b_);
  }
  static WorldOptions Options() {
    WorldOptions options;
    options.faults = {ChoiceKind::kIoError};
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
  std::vector<Stamp> Content(Inode& file) {
    const std::vector<Stamp> cached = world_.Read(*mm_, {.file = &file, .length_cells = 64}).seen;
    EXPECT_EQ(cached, world_.DirectRead(*mm_, {.file = &file, .length_cells = 64}).seen);
    world_.DropCaches(file);
    EXPECT_EQ(cached, world_.Read(*mm_, {.file = &file, .length_cells = 64}).seen);
    return cached;
  }
  void Write(Inode& file, uint32_t offset, uint32_t length, uint32_t operation, bool direct = false) {
    const std::vector<Stamp> stamps = Stamps(file.uid, offset, length, operation);
    const Io io{.file = &file, .offset_cells = offset, .length_cells = length, .stamps = stamps};
    EXPECT_EQ((direct ? world_.DirectWrite(*mm_, io) : world_.Write(*mm_, io)).cells_done, length);
  }
  // Submits, says whether it returned before it was complete, and waits.
  bool WriteAsync(uint32_t offset, uint32_t length, uint32_t operation, Result* result, bool sync = false) {
    const std::vector<Stamp> stamps = Stamps(1, offset, length, operation);
    const Io io{.file = a_, .offset_cells = offset, .length_cells = length, .stamps = stamps, .sync = sync};
    bool done = false;
    world_.SubmitDirect(*mm_, io, true, [&](const Result& r) {
      *result = r;
      done = true;
      world_.io_done().WakeAll();
    });
    const bool returned_early = !done;
    EXPECT_EQ(a_->i_rwsem.writer(), kNoTask);
    EXPECT_EQ(a_->dio.count(), returned_early ? 1 : 0);
    world_.io_done().WaitUntil([&] { return done; });
    EXPECT_EQ(a_->dio.count(), 0);
    return returned_early;
  }

  Simulation sim_;
  PlainFileSystem fs_;
  Choices source_;
  ChoiceRecorder choices_;
  World world_;
  Inode* a_ = nullptr;
  Inode* b_ = nullptr;
  Mm* mm_ = nullptr;
};

// They still refer to one block, of which one of the two no longer shows what it holds.
TEST_F(SharedBlocksTest, ACloneOverABlockThatWasSharedAndZeroedSharesItAgain) {
  InTask([this] {
    for (Inode* zeroed : {b_, a_}) {
      ASSERT_EQ(world_.Clone(*a_, *b_, 0, 4, 0).cells_done, 4u);
      ASSERT_EQ(world_.ZeroRange(*zeroed, 0, 4).cells_done, 4u);
      ASSERT_EQ(world_.Clone(*a_, *b_, 0, 4, 0).cells_done, 4u);
      const std::vector<Stamp> source = Content(*a_);
      const std::vector<Stamp> target = Content(*b_);
      for (size_t cell = 0; cell < 4; ++cell) {
        EXPECT_EQ(source[cell], zeroed == a_ ? Stamp::Zero() : Stamp::Make(StampKind::kWrite, 1, static_cast<uint32_t>(cell), 0));
        EXPECT_EQ(target[cell], source[cell]);
      }
    }
  });
}

TEST_F(SharedBlocksTest, ACloneSharesBlocksAndLaterWritesPartThem) {
  InTask([this] {
    Write(*a_, 5, 1, 1);
    EXPECT_EQ(world_.Clone(*a_, *b_, 4, 4, 4).cells_done, 4u);
    EXPECT_EQ(a_->extents[1].block, b_->extents[1].block);
    const std::vector<Stamp> middle = Join(Join(Stamps(1, 4, 1, 0), Stamps(1, 5, 1, 1)), Stamps(1, 6, 2, 0));
    const std::vector<Stamp> clone = Join(Join(Stamps(2, 0, 4, 0), middle), Stamps(2, 8, 2, 0));
    EXPECT_EQ(Content(*b_), clone);
    Write(*a_, 6, 1, 2);  // the source moves away
    EXPECT_EQ(world_.Fsync(*a_).error, Error::kOk);
    EXPECT_NE(a_->extents[1].block, b_->extents[1].block);
    EXPECT_EQ(Content(*b_), clone);
  });
}

TEST_F(SharedBlocksTest, ADirectWriteOfASharedBlockGetsAnotherOneOrLeavesItAlone) {
  InTask([this] {
    EXPECT_EQ(world_.Clone(*a_, *b_, 0, 8, 0).cells_done, 8u);
    Write(*b_, 0, 4, 1, true);
    EXPECT_EQ(Content(*a_), Stamps(1, 0, 12, 0));
    EXPECT_EQ(Content(*b_), Join(Join(Stamps(2, 0, 4, 1), Stamps(1, 4, 4, 0)), Stamps(2, 8, 2, 0)));
    source_.io_errors = true;
    const std::vector<Stamp> stamps = Stamps(2, 4, 4, 2);
    EXPECT_EQ(world_.DirectWrite(*mm_, {.file = b_, .offset_cells = 4, .length_cells = 4, .stamps = stamps}).error,
              Error::kIo);
    source_.io_errors = false;
    EXPECT_EQ(a_->extents[1].block, b_->extents[1].block);
  });
}

TEST_F(SharedBlocksTest, UnshareGivesBlocksOfTheirOwn) {
  InTask([this] {
    EXPECT_EQ(world_.Clone(*a_, *b_, 0, 8, 0).cells_done, 8u);
    EXPECT_EQ(world_.Unshare(*b_, 0, 4).error, Error::kOk);
    EXPECT_NE(a_->extents[0].block, b_->extents[0].block);
    EXPECT_EQ(a_->extents[1].block, b_->extents[1].block);
    EXPECT_EQ(world_.PunchHole(*a_, 0, 8).error, Error::kOk);
    EXPECT_EQ(Content(*b_), Join(Stamps(1, 0, 8, 0), Stamps(2, 8, 2, 0)));
  });
}

TEST_F(SharedBlocksTest, ACloneMayExtendTheTargetAndRefusesAnUnalignedEndInTheMiddle) {
  InTask([this] {
    EXPECT_EQ(world_.Clone(*b_, *a_, 8, 4, 4).error, Error::kInvalid);  // b ends at 10, a goes on
    EXPECT_EQ(world_.Clone(*b_, *a_, 8, 4, 20).cells_done, 2u);
    EXPECT_EQ(a_->i_size, 22u);
    EXPECT_EQ(Content(*a_),
              Join(Join(Stamps(1, 0, 12, 0), std::vector<Stamp>(8, Stamp::Zero())), Stamps(2, 8, 2, 0)));
    EXPECT_EQ(world_.Clone(*a_, *a_, 0, 4, 4).error, Error::kInvalid);
  });
}

TEST_F(SharedBlocksTest, DedupeSharesWhatIsEqualAndLeavesWhatDiffers) {
  InTask([this] {
    EXPECT_EQ(world_.Clone(*a_, *b_, 0, 8, 0).cells_done, 8u);
    EXPECT_EQ(world_.Unshare(*b_, 0, 8).error, Error::kOk);
    Write(*b_, 7, 1, 1);
    EXPECT_EQ(world_.Dedupe(*a_, 4, *b_, 4, 4).error, Error::kDiffers);
    EXPECT_EQ(world_.Dedupe(*a_, 0, *b_, 0, 4).error, Error::kOk);
    EXPECT_EQ(a_->extents[0].block, b_->extents[0].block);
    EXPECT_NE(a_->extents[1].block, b_->extents[1].block);
    EXPECT_EQ(Content(*b_), Join(Join(Stamps(1, 0, 7, 0), Stamps(2, 7, 1, 1)), Stamps(2, 8, 2, 0)));
  });
}

TEST_F(SharedBlocksTest, AnAsynchronousWriteReturnsBeforeItIsComplete) {
  InTask([this] {
    Result result;
    for (const bool interrupt : {false, true}) {
      source_.in_interrupt = interrupt;
      EXPECT_TRUE(WriteAsync(4, 4, 1 + interrupt, &result));
      EXPECT_EQ(result.cells_done, 4u);
      EXPECT_EQ(Content(*a_), Join(Join(Stamps(1, 0, 4, 0), Stamps(1, 4, 4, 1 + interrupt)), Stamps(1, 8, 4, 0)));
    }
    EXPECT_TRUE(WriteAsync(12, 8, 3, &result, true));  // extends the file, and syncs
    EXPECT_EQ(a_->i_size, 20u);
    source_.io_errors = true;
    EXPECT_TRUE(WriteAsync(4, 4, 4, &result));
    EXPECT_EQ(result.error, Error::kIo);
    source_.io_errors = false;
    EXPECT_FALSE(WriteAsync(3, 4, 5, &result));
    EXPECT_EQ(result.error, Error::kInvalid);
  });
}

}  // namespace
}  // namespace ordeal::pagecache
