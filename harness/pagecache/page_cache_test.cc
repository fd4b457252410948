// Operation semantics in the calm sequential run (every choice 0), error paths included. The protocol is the plain default one;
// the file systems have their own tests.
#include "harness/pagecache/page_cache.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {
namespace {

using ::testing::ElementsAre;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::StrEq;

class PlainFileSystem final : public FileSystem {
 public:
  const char* name() const override { return "plain"; }
};

// Fails every I/O, or every allocation, while asked to; quiet otherwise.
class FaultySource final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint& point) override {
    if (point.kind == ChoiceKind::kIoError) return io ? 1 : 0;
    if (point.kind == ChoiceKind::kAllocation) return memory ? 1 : 0;
    return 0;
  }
  bool io = false;
  bool memory = false;
};

std::vector<Stamp> Stamps(StampKind kind, uint32_t file, uint32_t first, uint32_t count, uint32_t operation) {
  std::vector<Stamp> stamps;
  for (uint32_t i = 0; i < count; ++i) stamps.push_back(Stamp::Make(kind, file, first + i, operation));
  return stamps;
}

class PageCacheTest : public ::testing::Test {
 protected:
  void Begin(WorldOptions options = {}) {
    world_ = std::make_unique<World>(sim_, fs_, options);
    choices_.Begin(&source_);
    sim_.BeginRun(&choices_);
    world_->BeginRun();
    for (uint32_t uid = 1; uid <= 2; ++uid) {
      files_.push_back(&world_->CreateFile(Stamps(StampKind::kWrite, uid, 0, uid == 1 ? 10 : 8, 0)));
    }
    mm_ = &world_->CreateMm();
    for (Inode* file : files_) world_->Map(*mm_, *file);
  }
  // Runs `body` as the only task.
  void InTask(std::function<void()> body) {
    sim_.scheduler().Spawn("task", [&body] { body(); });
    EXPECT_EQ(sim_.scheduler().Run().kind, RunEndKind::kCompleted) << sim_.scheduler().DescribeTasks();
  }
  void TearDown() override {
    InTask([this] { EXPECT_TRUE(world_->Quiesce()); });
    for (const InvariantViolation& v : CheckInvariants(*world_, CheckMoment::kQuiescent)) {
      ADD_FAILURE() << v.id << " " << v.rule << ": " << v.message;
    }
    sim_.EndRun();
    EXPECT_THAT(sim_.validator().violations(), IsEmpty());
    world_->EndRun();
  }
  Inode& a() { return *files_[0]; }
  Inode& b() { return *files_[1]; }
  Io At(Inode& file, uint32_t offset, uint32_t length, const std::vector<Stamp>& stamps = {}) {
    return {&file, offset, length, {}, stamps};
  }

  Simulation sim_;
  PlainFileSystem fs_;
  FaultySource source_;
  ChoiceRecorder choices_;
  std::unique_ptr<World> world_;
  std::vector<Inode*> files_;
  Mm* mm_ = nullptr;
};

TEST_F(PageCacheTest, ReadsStopAtTheEndOfFile) {
  Begin();
  InTask([this] {
    const Result read = world_->Read(*mm_, At(a(), 6, 20));
    EXPECT_EQ(read.cells_done, 4u);
    EXPECT_THAT(read.seen, ElementsAreArray(Stamps(StampKind::kWrite, 1, 6, 4, 0)));
    EXPECT_EQ(world_->Read(*mm_, At(a(), 10, 4)).cells_done, 0u);
    EXPECT_THAT(world_->DirectRead(*mm_, At(a(), 8, 4)).seen, ElementsAreArray(Stamps(StampKind::kWrite, 1, 8, 2, 0)));
    EXPECT_EQ(world_->DirectRead(*mm_, At(a(), 2, 4)).error, Error::kInvalid);
  });
}

TEST_F(PageCacheTest, AWriteIsReadBackCachedDirectAndAfterEviction) {
  Begin();
  InTask([this] {
    const std::vector<Stamp> stamps = Stamps(StampKind::kWrite, 1, 3, 6, 1);
    EXPECT_EQ(world_->Write(*mm_, At(a(), 3, 6, stamps)).cells_done, 6u);
    EXPECT_TRUE(world_->CachedDirty(a(), 3));
    EXPECT_THAT(world_->Read(*mm_, At(a(), 3, 6)).seen, ElementsAreArray(stamps));
    EXPECT_EQ(world_->DirectRead(*mm_, At(a(), 4, 4)).seen[0], stamps[1]);
    EXPECT_EQ(world_->DiskCell(a(), 4), stamps[1]);  // the direct read wrote it back
    EXPECT_EQ(world_->Fsync(a()).error, Error::kOk);
    EXPECT_EQ(world_->DropCaches(a()).cells_done, 3 * kPageCells);
    EXPECT_FALSE(world_->CachedCell(a(), 3).has_value());
    EXPECT_THAT(world_->Read(*mm_, At(a(), 3, 6)).seen, ElementsAreArray(stamps));
  });
}

TEST_F(PageCacheTest, AWriteBehindTheEndLeavesZerosBetween) {
  Begin();
  InTask([this] {
    EXPECT_EQ(world_->Write(*mm_, At(a(), 18, 2, Stamps(StampKind::kWrite, 1, 18, 2, 1))).cells_done, 2u);
    EXPECT_EQ(a().i_size, 20u);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 10, 8)).seen, Each(Stamp::Zero()));
    EXPECT_EQ(world_->Write(*mm_, At(a(), 62, 4, Stamps(StampKind::kWrite, 1, 62, 4, 2))).error, Error::kInvalid);
  });
}

TEST_F(PageCacheTest, StoresAndLoadsShareThePagesOfReads) {
  Begin();
  InTask([this] {
    const std::vector<Stamp> stamps = Stamps(StampKind::kStore, 1, 2, 3, 1);
    EXPECT_EQ(world_->Store(*mm_, a(), 2, stamps).cells_done, 3u);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 2, 3)).seen, ElementsAreArray(stamps));
    EXPECT_THAT(world_->Load(*mm_, a(), 2, 3).seen, ElementsAreArray(stamps));
    EXPECT_EQ(world_->Fsync(a()).error, Error::kOk);
    EXPECT_EQ(world_->DiskCell(a(), 4), stamps[2]);
    const Result past = world_->Load(*mm_, a(), 8, 4);
    EXPECT_EQ(past.cells_done, 2u);
    EXPECT_EQ(past.error, Error::kSigBus);
  });
}

TEST_F(PageCacheTest, WhatIsStoredBehindTheEndInTheLastPageIsZeroedWhenTheFileGrows) {
  Begin();
  InTask([this] {
    const std::vector<Stamp> stamps = Stamps(StampKind::kStore, 1, 9, 5, 1);
    const Result stored = world_->Store(*mm_, a(), 9, stamps);  // the file ends at 10, its last page at 12
    EXPECT_EQ(stored.cells_done, 3u);
    EXPECT_EQ(stored.error, Error::kSigBus);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 9, 4)).seen, ElementsAre(stamps[0]));
    EXPECT_EQ(world_->Truncate(a(), 11).error, Error::kOk);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 9, 4)).seen, ElementsAre(stamps[0], Stamp::Zero()));
    EXPECT_EQ(world_->Store(*mm_, a(), 11, Stamps(StampKind::kStore, 1, 11, 1, 2)).cells_done, 1u);
    EXPECT_EQ(world_->Fsync(a()).error, Error::kOk);  // write-back zeroes it as well
    EXPECT_EQ(*world_->CachedCell(a(), 11), Stamp::Zero());
  });
}

TEST_F(PageCacheTest, PunchedCellsReadAsZeroAndTheirBlockIsReused) {
  Begin();
  InTask([this] {
    EXPECT_EQ(world_->Read(*mm_, At(a(), 0, 10)).cells_done, 10u);
    const uint32_t block = a().extents[1].block;
    EXPECT_EQ(world_->PunchHole(a(), 4, 4).error, Error::kOk);
    EXPECT_EQ(world_->PunchHole(a(), 1, 4).error, Error::kInvalid);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 4, 4)).seen, Each(Stamp::Zero()));
    EXPECT_THAT(world_->DirectRead(*mm_, At(a(), 4, 4)).seen, Each(Stamp::Zero()));
    EXPECT_EQ(world_->device().block(block)[0].kind, StampKind::kPoisonFree);
    EXPECT_EQ(world_->Write(*mm_, At(b(), 8, 4, Stamps(StampKind::kWrite, 2, 8, 4, 1))).cells_done, 4u);
    EXPECT_EQ(world_->Fsync(b()).error, Error::kOk);
    EXPECT_EQ(b().extents[2].block, block);
  });
}

TEST_F(PageCacheTest, TruncateDownAndUpLeavesZeros) {
  Begin();
  InTask([this] {
    EXPECT_EQ(world_->Truncate(a(), 5).error, Error::kOk);
    EXPECT_EQ(world_->Read(*mm_, At(a(), 0, 16)).cells_done, 5u);
    EXPECT_EQ(a().extents[2].kind, ExtentKind::kHole);
    EXPECT_EQ(world_->Truncate(a(), 12).error, Error::kOk);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 5, 7)).seen, Each(Stamp::Zero()));
    EXPECT_THAT(world_->Load(*mm_, a(), 5, 7).seen, Each(Stamp::Zero()));
    EXPECT_EQ(world_->Truncate(a(), 1000).error, Error::kInvalid);
  });
}

TEST_F(PageCacheTest, ADirectWriteReplacesWhatIsCached) {
  Begin();
  InTask([this] {
    EXPECT_EQ(world_->Store(*mm_, a(), 0, Stamps(StampKind::kStore, 1, 0, 4, 1)).cells_done, 4u);
    const std::vector<Stamp> stamps = Stamps(StampKind::kDirect, 1, 0, 4, 2);
    const Result write = world_->DirectWrite(*mm_, At(a(), 0, 4, stamps));
    EXPECT_EQ(write.cells_done, 4u);
    EXPECT_FALSE(write.cache_conflict);
    EXPECT_THAT(world_->Load(*mm_, a(), 0, 4).seen, ElementsAreArray(stamps));
    // Behind the end of file, into a hole.
    EXPECT_EQ(world_->DirectWrite(*mm_, At(a(), 16, 4, Stamps(StampKind::kDirect, 1, 16, 4, 3))).cells_done, 4u);
    EXPECT_EQ(a().i_size, 20u);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 10, 6)).seen, Each(Stamp::Zero()));
  });
}

TEST_F(PageCacheTest, UserBuffersMayBeMappings) {
  Begin();
  InTask([this] {
    std::vector<Stamp> stamps = Stamps(StampKind::kWrite, 1, 1, 6, 1);
    Io io = At(a(), 1, 6, stamps);
    io.buffer = {&b(), 2};
    const Result write = world_->Write(*mm_, io);
    EXPECT_THAT(write.seen, ElementsAreArray(Stamps(StampKind::kWrite, 2, 2, 6, 0)));
    EXPECT_THAT(world_->Read(*mm_, At(a(), 1, 6)).seen, ElementsAreArray(stamps));

    const std::vector<Stamp> stored = Stamps(StampKind::kStore, 2, 1, 4, 2);
    Io into = At(a(), 4, 4, stored);
    into.buffer = {&b(), 1};
    EXPECT_EQ(world_->DirectRead(*mm_, into).cells_done, 4u);
    EXPECT_THAT(world_->Read(*mm_, At(b(), 1, 4)).seen, ElementsAreArray(stored));

    // The source ends: a short write, then EFAULT.
    io.buffer.offset_cells = 5;
    EXPECT_EQ(world_->Write(*mm_, io).cells_done, 3u);
    io.buffer.offset_cells = 8;
    EXPECT_EQ(world_->Write(*mm_, io).error, Error::kFault);

    // Its own page.
    Io own = At(a(), 0, 4, stamps);
    own.buffer = {&a(), 0};
    own.stamps = absl::MakeConstSpan(stamps).subspan(0, 4);
    EXPECT_EQ(world_->Write(*mm_, own).cells_done, 4u);
    EXPECT_EQ(world_->DirectWrite(*mm_, own).cells_done, 4u);
  });
}

TEST_F(PageCacheTest, IoErrorsAreReportedAndLoseNothing) {
  Begin({.faults = {ChoiceKind::kIoError}});
  InTask([this] {
    source_.io = true;
    EXPECT_EQ(world_->Read(*mm_, At(a(), 0, 4)).error, Error::kIo);
    EXPECT_EQ(world_->Load(*mm_, a(), 0, 4).error, Error::kSigBus);
    EXPECT_EQ(world_->DirectRead(*mm_, At(a(), 0, 4)).error, Error::kIo);
    EXPECT_EQ(world_->Write(*mm_, At(a(), 1, 2, Stamps(StampKind::kWrite, 1, 1, 2, 1))).error, Error::kIo);
    const std::vector<Stamp> stamps = Stamps(StampKind::kWrite, 1, 0, 4, 2);
    EXPECT_EQ(world_->Write(*mm_, At(a(), 0, 4, stamps)).cells_done, 4u);
    EXPECT_EQ(world_->Fsync(a()).error, Error::kIo);
    source_.io = false;
    EXPECT_EQ(world_->Fsync(a()).error, Error::kOk);  // reported once, and the folio was still dirty
    EXPECT_EQ(world_->DiskCell(a(), 3), stamps[3]);
  });
}

TEST_F(PageCacheTest, AFailedAllocationIsAnError) {
  Begin({.faults = {ChoiceKind::kAllocation}});
  InTask([this] {
    source_.memory = true;
    EXPECT_EQ(world_->Read(*mm_, At(a(), 0, 4)).error, Error::kNoMemory);
    EXPECT_EQ(world_->Load(*mm_, a(), 0, 4).error, Error::kNoMemory);
    EXPECT_EQ(world_->Write(*mm_, At(a(), 0, 4, Stamps(StampKind::kWrite, 1, 0, 4, 1))).error, Error::kNoMemory);
    source_.memory = false;
    EXPECT_EQ(world_->Read(*mm_, At(a(), 0, 4)).cells_done, 4u);
  });
}

TEST_F(PageCacheTest, ReclaimMakesRoomInATinyMachine) {
  Begin({.memory_folios = 4, .kswapd = true});
  InTask([this] {
    const std::vector<Stamp> stamps = Stamps(StampKind::kWrite, 1, 0, 40, 1);
    EXPECT_EQ(world_->Write(*mm_, At(a(), 0, 40, stamps)).cells_done, 40u);
    EXPECT_THAT(world_->Read(*mm_, At(a(), 0, 40)).seen, ElementsAreArray(stamps));
    EXPECT_THAT(world_->Load(*mm_, a(), 0, 40).seen, ElementsAreArray(stamps));
  });
}

TEST_F(PageCacheTest, DedupeComparesAndNamesCome) {
  Begin();
  InTask([this] {
    EXPECT_EQ(world_->Dedupe(a(), 0, b(), 0, 8).error, Error::kDiffers);
    EXPECT_EQ(world_->PunchHole(a(), 0, 4).error, Error::kOk);
    EXPECT_EQ(world_->PunchHole(b(), 4, 4).error, Error::kOk);
    EXPECT_EQ(world_->Dedupe(b(), 4, a(), 0, 4).cells_done, 4u);
    EXPECT_EQ(world_->Link(a()).error, Error::kOk);
    EXPECT_EQ(a().nlink, 2u);
    EXPECT_EQ(world_->Unlink(a()).error, Error::kOk);
    EXPECT_EQ(world_->FadviseWillNeed(b(), 0, 8).error, Error::kOk);
    EXPECT_EQ(world_->MadviseWillNeed(*mm_, b(), 0, 8).error, Error::kOk);
    EXPECT_EQ(world_->MapUnmap(*mm_).error, Error::kOk);
  });
}

TEST_F(PageCacheTest, TheLastPutOfAFileWithoutNamesFreesIt) {
  Begin();
  InTask([this] {
    EXPECT_EQ(world_->Store(*mm_, a(), 0, Stamps(StampKind::kStore, 1, 0, 4, 1)).cells_done, 4u);
    const uint32_t allocated = world_->allocator().allocated();
    EXPECT_EQ(world_->Unlink(a()).error, Error::kOk);
    EXPECT_EQ(world_->Link(a()).error, Error::kNoEntry);
    world_->Iput(a());
    EXPECT_EQ(a().state, InodeState::kFreed);
    EXPECT_EQ(a().mapping.nrpages, 0u);
    EXPECT_EQ(world_->allocator().allocated(), allocated - 3);
    world_->Iput(b());
    EXPECT_EQ(b().state, InodeState::kLive);  // it has a name: it stays until the shrinker comes
    EXPECT_EQ(world_->EvictUnused(), 1u);
    EXPECT_EQ(b().state, InodeState::kFreed);
  });
}

// A task that is awake, preempted or not, keeps what it has plugged; once it sleeps, or unplugs, the device has it.
TEST_F(PageCacheTest, PluggedRequestsAreSubmittedAtUnplugAndWhenTheirTaskSleeps) {
  Begin({.plugs = true});
  InTask([this] {
    const auto let_others_run = [this] {
      for (int i = 0; i < 20; ++i) sim_.scheduler().NoteRetry(RetryReason::kOther, static_cast<uint64_t>(i));
    };
    for (const bool sleeps : {true, false}) {
      world_->StartPlug();
      Filemap(*world_).Readahead(a().mapping, 0, 2, FillKind::kRead);
      let_others_run();
      EXPECT_EQ(world_->device().pending().size(), 2u);
      EXPECT_FALSE(a().mapping.pages[0]->uptodate);
      if (sleeps) sim_.scheduler().Sleep(50 * kStepNs);
      if (!sleeps) world_->FinishPlug();
      if (!sleeps) let_others_run();
      EXPECT_TRUE(world_->device().pending().empty());
      EXPECT_TRUE(a().mapping.pages[0]->uptodate);
      if (sleeps) world_->FinishPlug();
      EXPECT_EQ(world_->DropCaches(a()).cells_done, 2 * kPageCells);
    }
    EXPECT_THAT(CheckInvariants(*world_), IsEmpty());
  });
}

// Negative space: each rule is broken by hand and found, and the world is mended.
TEST_F(PageCacheTest, BrokenInvariantsAreFound) {
  Begin();
  InTask([this] {
    EXPECT_EQ(world_->Load(*mm_, a(), 0, 1).cells_done, 1u);
    EXPECT_THAT(CheckInvariants(*world_), IsEmpty());
    Folio& folio = *a().mapping.pages[0];
    const auto expect = [this](const char* id) {
      const std::vector<InvariantViolation> found = CheckInvariants(*world_);
      EXPECT_THAT(found, Contains(Field("id", &InvariantViolation::id, StrEq(id))));
    };
    std::swap(folio.cells[0], folio.cells[1]);
    expect("S1");
    std::swap(folio.cells[0], folio.cells[1]);
    folio.index = 3;
    expect("S2");
    folio.index = 0;
    folio.uptodate = false;
    expect("S3");
    folio.uptodate = true;
    mm_->FindVma(a())->table[0].writable = true;
    expect("S4");
    mm_->FindVma(a())->table[0].writable = false;
    const Extent extent = a().extents[0];
    a().extents[0] = {};
    folio.dirty = true;
    expect("S4");
    folio.dirty = false;
    a().extents[0] = extent;
    a().extents[1].block = extent.block + 7;
    expect("S6");
    a().extents[1].block = extent.block + 1;
    a().dropped = {true, 0, 1};
    expect("S10");
    a().dropped = {};
    EXPECT_THAT(CheckInvariants(*world_), IsEmpty());
  });
}

}  // namespace
}  // namespace ordeal::pagecache
