// Each fault of the page cache, forced where a script says: the error is reported, what was there before is still there, and
// nothing is left behind (TearDown). The faults of allocation and I/O error are in page_cache_test.cc.
#include <deque>
#include <functional>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

// Answers the questions of each kind from a list of its own, then quietly; counts them.
class Script final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint& point) override {
    ++asked[point.kind];
    std::deque<int>& answers = next[point.kind];
    if (answers.empty()) return 0;
    const int answer = answers.front();
    answers.pop_front();
    EXPECT_LT(answer, point.options) << ToString(point);
    return answer;
  }
  std::map<ChoiceKind, std::deque<int>> next;
  std::map<ChoiceKind, int> asked;
};

// Counts page faults that have to look for their folio.
class CountingFileSystem final : public FileSystem {
 public:
  const char* name() const override { return "counting"; }
  AsyncDirectIoRule async_direct_io() const override { return AsyncDirectIoRule::kMayExtend; }
  Error FaultEnter(World&, AddressSpace&) const override {
    ++faults;
    return Error::kOk;
  }
  mutable int faults = 0;
};

std::vector<Stamp> Stamps(StampKind kind, uint32_t file, uint32_t first, uint32_t count, uint32_t operation) {
  std::vector<Stamp> stamps;
  for (uint32_t i = 0; i < count; ++i) stamps.push_back(Stamp::Make(kind, file, first + i, operation));
  return stamps;
}

// File a has 3 pages and b 2, of which a's are its own and nothing is cached.
class FaultsTest : public ::testing::Test {
 protected:
  void Begin(FaultSet faults, WorldOptions options = {}) {
    options.faults = faults;
    world_ = std::make_unique<World>(sim_, fs_, options);
    choices_.Begin(&script_);
    sim_.BeginRun(&choices_);
    world_->BeginRun();
    for (uint32_t uid = 1; uid <= 2; ++uid) files_.push_back(&world_->CreateFile(Initial(uid, 0, uid == 1 ? 12 : 8)));
    mm_ = &world_->CreateMm();
    for (Inode* file : files_) world_->Map(*mm_, *file);
  }
  void InTask(std::function<void()> body) {
    sim_.scheduler().Spawn("task", [&body] { body(); });
    EXPECT_EQ(sim_.scheduler().Run().kind, RunEndKind::kCompleted) << sim_.scheduler().DescribeTasks();
  }
  void TearDown() override {
    for (const auto& [kind, answers] : script_.next) EXPECT_THAT(answers, IsEmpty()) << ChoiceKindName(kind);
    InTask([this] { EXPECT_TRUE(world_->Quiesce()); });
    for (const InvariantViolation& v : CheckInvariants(*world_, CheckMoment::kQuiescent)) {
      ADD_FAILURE() << v.id << " " << v.rule << ": " << v.message;
    }
    sim_.EndRun();
    EXPECT_THAT(sim_.validator().violations(), IsEmpty());
    world_->EndRun();
  }
  static std::vector<Stamp> Initial(uint32_t uid, uint32_t first, uint32_t count) {
    return Stamps(StampKind::kWrite, uid, first, count, 0);
  }
  Inode& a() { return *files_[0]; }
  Inode& b() { return *files_[1]; }
  Io At(Inode& file, uint32_t offset, uint32_t length, const std::vector<Stamp>& stamps = {}) {
    return {&file, offset, length, {}, stamps};
  }
  Io FromMapping(Io io, Inode& buffer, uint32_t offset) {
    io.buffer = {&buffer, offset};
    return io;
  }
  std::vector<Stamp> OnDisk(const Inode& file, uint32_t first, uint32_t count) {
    std::vector<Stamp> cells;
    for (uint32_t c = first; c < first + count; ++c) cells.push_back(world_->DiskCell(file, c));
    return cells;
  }
  std::vector<Stamp> Seen(Inode& file, uint32_t first, uint32_t count) {
    return world_->Read(*mm_, At(file, first, count)).seen;
  }
  void Answer(ChoiceKind kind, std::deque<int> answers) { script_.next[kind] = std::move(answers); }
  ExtentKind Extent(const Inode& file, uint32_t page) { return file.extents[page].kind; }

  Simulation sim_;
  CountingFileSystem fs_;
  Script script_;
  ChoiceRecorder choices_;
  std::unique_ptr<World> world_;
  std::vector<Inode*> files_;
  Mm* mm_ = nullptr;
};

// --- io-torn ---

TEST_F(FaultsTest, ATornWriteBackLeavesItsFirstCellsOnTheDeviceAndTheDataInTheCache) {
  Begin({ChoiceKind::kIoError, ChoiceKind::kIoTorn});
  InTask([this] {
    const std::vector<Stamp> data = Stamps(StampKind::kWrite, 1, 0, 4, 1);
    EXPECT_EQ(world_->Write(*mm_, At(a(), 0, 4, data)).cells_done, 4u);
    Answer(ChoiceKind::kIoError, {1});
    Answer(ChoiceKind::kIoTorn, {3});
    EXPECT_EQ(world_->Fsync(a()).error, Error::kIo);
    EXPECT_THAT(OnDisk(a(), 0, 3), ElementsAreArray(Stamps(StampKind::kWrite, 1, 0, 3, 1)));
    EXPECT_THAT(OnDisk(a(), 3, 1), ElementsAreArray(Initial(1, 3, 1)));
    EXPECT_THAT(Seen(a(), 0, 4), ElementsAreArray(data));
    EXPECT_EQ(world_->Fsync(a()).error, Error::kOk);
    EXPECT_THAT(OnDisk(a(), 0, 4), ElementsAreArray(data));
  });
}

TEST_F(FaultsTest, ATornDirectWriteIsAnErrorAndShowsNothingOfANewBlock) {
  Begin({ChoiceKind::kIoError, ChoiceKind::kIoTorn});
  InTask([this] {
    Answer(ChoiceKind::kIoError, {0, 1});
    Answer(ChoiceKind::kIoTorn, {2});
    const Result result = world_->DirectWrite(*mm_, At(a(), 8, 8, Stamps(StampKind::kDirect, 1, 8, 8, 1)));
    EXPECT_EQ(result.error, Error::kIo);
    EXPECT_EQ(result.cells_done, 0u);
    EXPECT_EQ(a().i_size, 12u);
    EXPECT_EQ(Extent(a(), 3), ExtentKind::kUnwritten);
    EXPECT_EQ(world_->Truncate(a(), 16).error, Error::kOk);
    EXPECT_THAT(Seen(a(), 12, 4), Each(Stamp::Zero()));
  });
}

// Its first block has been written and lies behind the end of file, as before.
TEST_F(FaultsTest, ADirectWriteThatFailsInPartShowsNothingOfItsNewBlocks) {
  Begin({ChoiceKind::kIoError});
  InTask([this] {
    Answer(ChoiceKind::kIoError, {0, 1});
    EXPECT_EQ(world_->DirectWrite(*mm_, At(a(), 12, 8, Stamps(StampKind::kDirect, 1, 12, 8, 1))).error, Error::kIo);
    EXPECT_EQ(a().i_size, 12u);
    EXPECT_EQ(Extent(a(), 3), ExtentKind::kUnwritten);
    EXPECT_EQ(world_->Truncate(a(), 16).error, Error::kOk);
    EXPECT_THAT(Seen(a(), 12, 4), Each(Stamp::Zero()));
  });
}

TEST_F(FaultsTest, AFailedCopyOnWriteLeavesTheSharedBlockInItsPlace) {
  Begin({ChoiceKind::kIoError, ChoiceKind::kIoTorn});
  InTask([this] {
    EXPECT_EQ(world_->Clone(a(), b(), 0, 4, 0).cells_done, 4u);
    const std::vector<Stamp> data = Stamps(StampKind::kWrite, 2, 0, 4, 1);
    EXPECT_EQ(world_->Write(*mm_, At(b(), 0, 4, data)).cells_done, 4u);
    Answer(ChoiceKind::kIoError, {1});
    Answer(ChoiceKind::kIoTorn, {2});
    EXPECT_EQ(world_->Fsync(b()).error, Error::kIo);
    EXPECT_THAT(OnDisk(a(), 0, 4), ElementsAreArray(Initial(1, 0, 4)));
    EXPECT_THAT(OnDisk(b(), 0, 4), ElementsAreArray(Initial(1, 0, 4)));
    EXPECT_EQ(world_->Fsync(b()).error, Error::kOk);
    EXPECT_THAT(OnDisk(a(), 0, 4), ElementsAreArray(Initial(1, 0, 4)));
    EXPECT_THAT(OnDisk(b(), 0, 4), ElementsAreArray(data));
  });
}

TEST_F(FaultsTest, OnlyAFailingWriteIsTorn) {
  Begin({ChoiceKind::kIoError, ChoiceKind::kIoTorn});
  InTask([this] {
    Answer(ChoiceKind::kIoError, {0, 1});
    EXPECT_EQ(world_->DirectRead(*mm_, At(a(), 0, 4)).error, Error::kOk);
    EXPECT_EQ(world_->DirectRead(*mm_, At(a(), 0, 4)).error, Error::kIo);
    EXPECT_EQ(world_->DirectWrite(*mm_, At(a(), 0, 4, Stamps(StampKind::kDirect, 1, 0, 4, 1))).error, Error::kOk);
    EXPECT_EQ(script_.asked[ChoiceKind::kIoTorn], 0);
  });
}

// --- io-short ---

TEST_F(FaultsTest, AShortDirectReadStopsAfterWholeBlocks) {
  Begin({ChoiceKind::kIoShort});
  InTask([this] {
    Answer(ChoiceKind::kIoShort, {1});
    const Result result = world_->DirectRead(*mm_, At(a(), 0, 12));
    EXPECT_EQ(result.error, Error::kOk);
    EXPECT_EQ(result.cells_done, 8u);
    EXPECT_THAT(result.seen, ElementsAreArray(Initial(1, 0, 8)));
    EXPECT_EQ(world_->DirectRead(*mm_, At(a(), 0, 4)).cells_done, 4u);
    EXPECT_EQ(script_.asked[ChoiceKind::kIoShort], 1);  // one block cannot be shortened
  });
}

TEST_F(FaultsTest, AShortDirectWriteWritesAndGrowsTheFileByWhatItSays) {
  Begin({ChoiceKind::kIoShort});
  InTask([this] {
    Answer(ChoiceKind::kIoShort, {2, 1});
    const std::vector<Stamp> data = Stamps(StampKind::kDirect, 1, 0, 12, 1);
    EXPECT_EQ(world_->DirectWrite(*mm_, At(a(), 0, 12, data)).cells_done, 4u);
    EXPECT_THAT(OnDisk(a(), 0, 4), ElementsAreArray(Stamps(StampKind::kDirect, 1, 0, 4, 1)));
    EXPECT_THAT(OnDisk(a(), 4, 8), ElementsAreArray(Initial(1, 4, 8)));
    const Result longer = world_->DirectWrite(*mm_, At(a(), 12, 8, Stamps(StampKind::kDirect, 1, 12, 8, 2)));
    EXPECT_EQ(longer.error, Error::kOk);
    EXPECT_EQ(longer.cells_done, 4u);
    EXPECT_EQ(a().i_size, 16u);
    EXPECT_EQ(Extent(a(), 4), ExtentKind::kHole);
  });
}

TEST_F(FaultsTest, AnAsynchronousWriteMayBeShortToo) {
  Begin({ChoiceKind::kIoShort});
  Result result;
  InTask([&] {
    Answer(ChoiceKind::kIoShort, {1});
    bool done = false;
    const std::vector<Stamp> data = Stamps(StampKind::kDirect, 2, 0, 8, 1);
    world_->SubmitDirect(*mm_, At(b(), 0, 8, data), true, [&](const Result& r) {
      result = r;
      done = true;
      world_->io_done().WakeAll();
    });
    world_->io_done().WaitUntil([&] { return done; });
  });
  EXPECT_EQ(result.error, Error::kOk);
  EXPECT_EQ(result.cells_done, 4u);
  EXPECT_THAT(OnDisk(b(), 4, 4), ElementsAreArray(Initial(2, 4, 4)));
}

// --- device-full ---

TEST_F(FaultsTest, AWriteWithoutSpaceStopsBeforeItsPageIsChanged) {
  Begin({ChoiceKind::kDeviceFull});
  InTask([this] {
    EXPECT_EQ(world_->PunchHole(a(), 0, 8).error, Error::kOk);
    Answer(ChoiceKind::kDeviceFull, {0, 1});
    const Result result = world_->Write(*mm_, At(a(), 0, 8, Stamps(StampKind::kWrite, 1, 0, 8, 1)));
    EXPECT_EQ(result.error, Error::kNoSpace);
    EXPECT_EQ(result.cells_done, 4u);
    EXPECT_EQ(Extent(a(), 1), ExtentKind::kHole);
    EXPECT_THAT(Seen(a(), 0, 4), ElementsAreArray(Stamps(StampKind::kWrite, 1, 0, 4, 1)));
    EXPECT_THAT(Seen(a(), 4, 4), Each(Stamp::Zero()));
    EXPECT_EQ(world_->Write(*mm_, At(a(), 4, 4, Stamps(StampKind::kWrite, 1, 4, 4, 2))).cells_done, 4u);
  });
}

TEST_F(FaultsTest, WriteBackNeedsNoLeave) {
  Begin({ChoiceKind::kDeviceFull});
  InTask([this] {
    EXPECT_EQ(world_->Clone(a(), b(), 0, 8, 0).cells_done, 8u);
    EXPECT_EQ(world_->Write(*mm_, At(b(), 0, 4, Stamps(StampKind::kWrite, 2, 0, 4, 1))).cells_done, 4u);     // shared block
    EXPECT_EQ(world_->Write(*mm_, At(b(), 0, 4, Stamps(StampKind::kWrite, 2, 0, 4, 2))).cells_done, 4u);     // reserved
    EXPECT_EQ(world_->Write(*mm_, At(b(), 12, 4, Stamps(StampKind::kWrite, 2, 12, 4, 3))).cells_done, 4u);   // hole
    EXPECT_EQ(world_->Write(*mm_, At(a(), 8, 4, Stamps(StampKind::kWrite, 1, 8, 4, 4))).cells_done, 4u);     // its own block
    EXPECT_EQ(script_.asked[ChoiceKind::kDeviceFull], 2);
    EXPECT_EQ(world_->Fsync(a()).error, Error::kOk);
    EXPECT_EQ(world_->Fsync(b()).error, Error::kOk);
    EXPECT_EQ(script_.asked[ChoiceKind::kDeviceFull], 2);
    EXPECT_THAT(OnDisk(a(), 0, 4), ElementsAreArray(Initial(1, 0, 4)));
    EXPECT_THAT(OnDisk(b(), 0, 4), ElementsAreArray(Stamps(StampKind::kWrite, 2, 0, 4, 2)));
  });
}

TEST_F(FaultsTest, ACopyThatBroughtNothingGivesItsReservationBack) {
  Begin({ChoiceKind::kDeviceFull, ChoiceKind::kUserPage});
  InTask([this] {
    EXPECT_EQ(world_->PunchHole(a(), 0, 4).error, Error::kOk);
    Answer(ChoiceKind::kUserPage, {0, 1, 2});  // faulted in, evicted again, then a bad address
    const Io io = FromMapping(At(a(), 0, 4), b(), 0);
    Io write = io;
    const std::vector<Stamp> data = Stamps(StampKind::kWrite, 1, 0, 4, 1);
    write.stamps = data;
    const Result result = world_->Write(*mm_, write);
    EXPECT_EQ(result.error, Error::kFault);
    EXPECT_EQ(result.cells_done, 0u);
    EXPECT_EQ(Extent(a(), 0), ExtentKind::kHole);
    EXPECT_EQ(script_.asked[ChoiceKind::kDeviceFull], 1);
  });
}

TEST_F(FaultsTest, AStoreWithoutSpaceIsABusError) {
  Begin({ChoiceKind::kDeviceFull});
  InTask([this] {
    EXPECT_EQ(world_->PunchHole(a(), 4, 4).error, Error::kOk);
    Answer(ChoiceKind::kDeviceFull, {1});
    const std::vector<Stamp> data = Stamps(StampKind::kStore, 1, 3, 2, 1);
    const Result result = world_->Store(*mm_, a(), 3, data);
    EXPECT_EQ(result.error, Error::kSigBus);
    EXPECT_EQ(result.cells_done, 1u);
    EXPECT_EQ(Extent(a(), 1), ExtentKind::kHole);
    EXPECT_THAT(world_->Load(*mm_, a(), 4, 4).seen, Each(Stamp::Zero()));
    EXPECT_EQ(world_->Store(*mm_, a(), 4, Stamps(StampKind::kStore, 1, 4, 1, 2)).cells_done, 1u);
  });
}

TEST_F(FaultsTest, ADirectWriteWithoutSpaceKeepsWhatItHasWritten) {
  Begin({ChoiceKind::kDeviceFull});
  InTask([this] {
    EXPECT_EQ(world_->Clone(a(), b(), 0, 8, 0).cells_done, 8u);
    Answer(ChoiceKind::kDeviceFull, {0, 1});
    const Result result = world_->DirectWrite(*mm_, At(b(), 0, 8, Stamps(StampKind::kDirect, 2, 0, 8, 1)));
    EXPECT_EQ(result.error, Error::kNoSpace);
    EXPECT_EQ(result.cells_done, 4u);
    EXPECT_THAT(OnDisk(b(), 0, 4), ElementsAreArray(Stamps(StampKind::kDirect, 2, 0, 4, 1)));
    EXPECT_THAT(OnDisk(b(), 4, 4), ElementsAreArray(Initial(1, 4, 4)));  // a's, shared as before
    EXPECT_THAT(OnDisk(a(), 0, 8), ElementsAreArray(Initial(1, 0, 8)));
    Answer(ChoiceKind::kDeviceFull, {1});
    EXPECT_EQ(world_->DirectWrite(*mm_, At(b(), 8, 4, Stamps(StampKind::kDirect, 2, 8, 4, 2))).error, Error::kNoSpace);
    EXPECT_EQ(b().i_size, 8u);
  });
}

TEST_F(FaultsTest, FallocateWithoutSpaceLeavesTheSize) {
  Begin({ChoiceKind::kDeviceFull});
  InTask([this] {
    Answer(ChoiceKind::kDeviceFull, {0, 1});
    EXPECT_EQ(world_->Allocate(b(), 8, 8).error, Error::kNoSpace);
    EXPECT_EQ(b().i_size, 8u);
    EXPECT_EQ(Extent(b(), 2), ExtentKind::kUnwritten);
    Answer(ChoiceKind::kDeviceFull, {1});
    EXPECT_EQ(world_->ZeroRange(b(), 8, 8).error, Error::kNoSpace);  // the first page has its block by now
    EXPECT_EQ(b().i_size, 8u);
    EXPECT_THAT(Seen(b(), 0, 8), ElementsAreArray(Initial(2, 0, 8)));
  });
}

TEST_F(FaultsTest, UnshareAndTruncateWithoutSpaceChangeNothing) {
  Begin({ChoiceKind::kDeviceFull});
  InTask([this] {
    EXPECT_EQ(world_->Clone(a(), b(), 0, 8, 0).cells_done, 8u);
    Answer(ChoiceKind::kDeviceFull, {1, 1});
    EXPECT_EQ(world_->Unshare(b(), 0, 8).error, Error::kNoSpace);
    EXPECT_EQ(world_->Truncate(b(), 6).error, Error::kNoSpace);  // would have to zero the end of a shared block
    EXPECT_EQ(b().i_size, 8u);
    EXPECT_THAT(Seen(b(), 0, 8), ElementsAreArray(Initial(1, 0, 8)));
    EXPECT_EQ(world_->Truncate(b(), 6).error, Error::kOk);
    EXPECT_EQ(world_->Unshare(b(), 0, 8).error, Error::kOk);
    EXPECT_THAT(Seen(a(), 0, 8), ElementsAreArray(Initial(1, 0, 8)));
  });
}

// --- user-page ---

TEST_F(FaultsTest, AnAccessToAnEvictedPageFaultsItInAgain) {
  Begin({ChoiceKind::kUserPage});
  InTask([this] {
    const std::vector<Stamp> data = Stamps(StampKind::kStore, 1, 1, 1, 1);
    EXPECT_EQ(world_->Store(*mm_, a(), 1, data).error, Error::kOk);
    const int before = fs_.faults;
    EXPECT_EQ(world_->Load(*mm_, a(), 0, 1).error, Error::kOk);
    EXPECT_EQ(fs_.faults, before);
    Answer(ChoiceKind::kUserPage, {1, 1});
    EXPECT_THAT(world_->Load(*mm_, a(), 1, 1).seen, ElementsAreArray(data));  // dirty: out of the page table only
    EXPECT_EQ(fs_.faults, before + 1);
    EXPECT_EQ(world_->Store(*mm_, a(), 2, Stamps(StampKind::kStore, 1, 2, 1, 2)).error, Error::kOk);
    EXPECT_EQ(fs_.faults, before + 2);
    EXPECT_THAT(Seen(a(), 1, 1), ElementsAreArray(data));
  });
}

TEST_F(FaultsTest, ABadAddressEndsACopyAfterWhatWasCopied) {
  Begin({ChoiceKind::kUserPage});
  InTask([this] {
    Answer(ChoiceKind::kUserPage, {0, 0, 2});
    const Result load = world_->Load(*mm_, a(), 0, 4);
    EXPECT_EQ(load.error, Error::kFault);
    EXPECT_EQ(load.cells_done, 2u);
    Answer(ChoiceKind::kUserPage, {0, 0, 0, 0, 0, 2});  // one page of the source faulted in and copied, the next is bad
    const std::vector<Stamp> data = Stamps(StampKind::kWrite, 1, 0, 8, 1);
    const Result write = world_->Write(*mm_, FromMapping(At(a(), 0, 8, data), b(), 0));
    EXPECT_EQ(write.error, Error::kFault);
    EXPECT_EQ(write.cells_done, 4u);
    EXPECT_THAT(Seen(a(), 0, 4), ElementsAreArray(Stamps(StampKind::kWrite, 1, 0, 4, 1)));
    EXPECT_THAT(Seen(a(), 4, 4), ElementsAreArray(Initial(1, 4, 4)));
    Answer(ChoiceKind::kUserPage, {0, 2});
    const std::vector<Stamp> labels = Stamps(StampKind::kStore, 2, 0, 4, 2);
    const Result read = world_->Read(*mm_, FromMapping(At(a(), 4, 4, labels), b(), 0));
    EXPECT_EQ(read.error, Error::kFault);
    EXPECT_EQ(read.cells_done, 1u);
    EXPECT_THAT(Seen(b(), 0, 1), ElementsAreArray(Stamps(StampKind::kStore, 2, 0, 1, 2)));
    EXPECT_THAT(Seen(b(), 1, 3), ElementsAreArray(Initial(2, 1, 3)));
  });
}

TEST_F(FaultsTest, ASourceThatGoesDuringTheCopyIsFaultedInAgain) {
  Begin({ChoiceKind::kUserPage});
  InTask([this] {
    Answer(ChoiceKind::kUserPage, {0, 0, 0, 1});  // faulted in, two cells copied, then it is gone
    const std::vector<Stamp> data = Stamps(StampKind::kWrite, 1, 0, 4, 1);
    const Result write = world_->Write(*mm_, FromMapping(At(a(), 0, 4, data), b(), 0));
    EXPECT_EQ(write.error, Error::kOk);
    EXPECT_EQ(write.cells_done, 4u);
    EXPECT_EQ(fs_.faults, 4);  // two, each of which begins again when it has let mmap_lock go and read the page
    EXPECT_THAT(write.seen, ElementsAreArray(Initial(2, 0, 4)));
    EXPECT_THAT(Seen(a(), 0, 4), ElementsAreArray(data));
  });
}

TEST_F(FaultsTest, ADirectWriteFromABadAddressKeepsWhatItHasWritten) {
  Begin({ChoiceKind::kUserPage});
  InTask([this] {
    Answer(ChoiceKind::kUserPage, {0, 2});
    const std::vector<Stamp> data = Stamps(StampKind::kDirect, 1, 0, 8, 1);
    const Result write = world_->DirectWrite(*mm_, FromMapping(At(a(), 0, 8, data), b(), 0));
    EXPECT_EQ(write.error, Error::kFault);
    EXPECT_EQ(write.cells_done, 4u);
    EXPECT_THAT(OnDisk(a(), 4, 4), ElementsAreArray(Initial(1, 4, 4)));
    EXPECT_EQ(b().mapping.pages[0]->pins, 0);
  });
}

// --- memory-pressure, and who reclaims ---

TEST_F(FaultsTest, AnAllocationUnderPressureReclaimsOneFolioAndWakesKswapd) {
  Begin({ChoiceKind::kMemoryPressure}, {.readahead_pages = 0, .kswapd = true});
  InTask([this] {
    EXPECT_EQ(world_->Read(*mm_, At(a(), 0, 12)).cells_done, 12u);
    EXPECT_EQ(a().mapping.nrpages, 3u);
    EXPECT_FALSE(world_->memory().low());
    Answer(ChoiceKind::kMemoryPressure, {1});
    EXPECT_THAT(Seen(b(), 0, 4), ElementsAreArray(Initial(2, 0, 4)));
    sim_.scheduler().Sleep(100 * kStepNs);
    EXPECT_EQ(a().mapping.nrpages, 1u);  // the reader took one, kswapd another
    EXPECT_THAT(Seen(a(), 0, 12), ElementsAreArray(Initial(1, 0, 12)));
  });
}

TEST_F(FaultsTest, WhoReclaimsAllocatesWithoutReclaimAndFaults) {
  Begin({ChoiceKind::kAllocation, ChoiceKind::kMemoryPressure}, {.memory_folios = 4, .readahead_pages = 0});
  InTask([this] {
    EXPECT_EQ(world_->Read(*mm_, At(a(), 0, 12)).cells_done, 12u);
    const int asked = script_.asked[ChoiceKind::kAllocation];
    world_->task().memalloc = true;
    Folio* last = world_->memory().Allocate(b().mapping, 0, Gfp::kKernel);
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(world_->memory().Allocate(b().mapping, 1, Gfp::kKernel), nullptr);
    world_->task().memalloc = false;
    EXPECT_EQ(script_.asked[ChoiceKind::kAllocation], asked);
    EXPECT_EQ(a().mapping.nrpages, 3u);
    Folio* next = world_->memory().Allocate(b().mapping, 1, Gfp::kKernel);
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(a().mapping.nrpages, 2u);
    EXPECT_FALSE(world_->task().memalloc);
    world_->memory().Put(*next);
    world_->memory().Put(*last);
  });
}

}  // namespace
}  // namespace ordeal::pagecache
