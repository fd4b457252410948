// Invariants that page_cache_test.cc does not break by hand: each is broken and found, and its twin, which does nearly the
// same, is silent.
#include "harness/pagecache/invariants.h"

#include <functional>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/lock_order.h"
#include "harness/pagecache/page_cache.h"
#include "harness/sync/spinlock.h"

namespace ordeal::pagecache {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PlainFileSystem final : public FileSystem {
 public:
  const char* name() const override { return "plain"; }
};

class InvariantsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_ = std::make_unique<World>(sim_, fs_);
    choices_.Begin(&source_);
    sim_.BeginRun(&choices_);
    world_->BeginRun();
    std::vector<Stamp> content;
    for (uint32_t cell = 0; cell < 8; ++cell) content.push_back(Stamp::Make(StampKind::kWrite, 1, cell, 0));
    file_ = &world_->CreateFile(content);
    mm_ = &world_->CreateMm();
    world_->Map(*mm_, *file_);
  }
  void TearDown() override {
    sim_.EndRun();
    world_->EndRun();
  }
  void Spawn(std::function<void()> body) {
    bodies_.push_back(std::make_unique<std::function<void()>>(std::move(body)));
    sim_.scheduler().Spawn("task", [run = bodies_.back().get()] { (*run)(); });
  }
  void Run() { EXPECT_EQ(sim_.scheduler().Run().kind, RunEndKind::kCompleted) << sim_.scheduler().DescribeTasks(); }
  // Of the one violation there is; empty: none.
  std::string Found(CheckMoment moment = CheckMoment::kSafePoint) const {
    const std::vector<InvariantViolation> found = CheckInvariants(*world_, moment);
    if (found.empty()) return "";
    EXPECT_THAT(found, SizeIs(1));
    return std::string(found[0].id) + ": " + found[0].rule;
  }
  Folio& CachedPage() {
    EXPECT_EQ(world_->Load(*mm_, *file_, 0, 1).cells_done, 1u);
    return *file_->mapping.pages[0];
  }

  Simulation sim_;
  PlainFileSystem fs_;
  QuietSource source_;
  ChoiceRecorder choices_;
  std::unique_ptr<World> world_;
  std::vector<std::unique_ptr<std::function<void()>>> bodies_;
  Inode* file_ = nullptr;
  Mm* mm_ = nullptr;
};

TEST_F(InvariantsTest, S7AFolioWhoseOwnerHasEndedIsFound) {
  Spawn([this] { CachedPage().lock.Lock(); });
  Run();
  EXPECT_EQ(Found(), "S7: the owner of a folio lock is alive");
}

TEST_F(InvariantsTest, S7AFolioWhoseOwnerLivesIsNone) {
  Spawn([this] {
    Folio& folio = CachedPage();
    folio.lock.Lock();
    EXPECT_EQ(Found(), "");
    folio.lock.Unlock();
  });
  Run();
  EXPECT_EQ(Found(CheckMoment::kQuiescent), "");
}

TEST_F(InvariantsTest, S8AReferenceThatIsLeftIsFoundAtTheEnd) {
  Spawn([this] {
    Folio& folio = CachedPage();
    world_->memory().Get(folio);
    EXPECT_EQ(Found(), "");  // somebody may be at work
    EXPECT_EQ(Found(CheckMoment::kQuiescent), "S8: no reference is left at the end");
    world_->memory().Put(folio);
    EXPECT_EQ(Found(CheckMoment::kQuiescent), "");
  });
  Run();
}

TEST_F(InvariantsTest, S9DirectIoThatNeverEndsIsFoundAtTheEnd) {
  Spawn([this] {
    file_->dio.Begin();
    EXPECT_EQ(Found(), "");
    EXPECT_EQ(Found(CheckMoment::kQuiescent), "S9: no direct I/O is left at the end");
    file_->dio.End();
    EXPECT_EQ(Found(CheckMoment::kQuiescent), "");
  });
  Run();
}

TEST_F(InvariantsTest, S13ATaskThatSleepsWithASpinLockHeldIsFound) {
  Spawn([this] {
    file_->mapping.i_pages.Lock();
    sim_.scheduler().Sleep(100 * kStepNs);
    file_->mapping.i_pages.Unlock();
  });
  Spawn([this] { EXPECT_EQ(Found(), "S13: no task sleeps with a spin lock held"); });
  Run();
  EXPECT_EQ(Found(), "");
}

TEST_F(InvariantsTest, S13ATaskThatSpinsForASecondSpinLockIsNone) {
  Spinlock pte_lock(sim_, sim_.Class("pte_lock", {.inner = lockdep::WaitType::kConfig}));
  Spawn([&] {
    pte_lock.Lock();
    sim_.scheduler().NoteRetry(RetryReason::kOther);  // lets the other one run, and does not sleep
    EXPECT_EQ(sim_.scheduler().task_state(sim_.scheduler().current()), ordeal::TaskState::kRunnable);
    EXPECT_EQ(Found(), "");
    pte_lock.Unlock();
  });
  Spawn([&] {
    file_->mapping.i_pages.Lock();
    pte_lock.Lock();
    pte_lock.Unlock();
    file_->mapping.i_pages.Unlock();
  });
  Run();
  EXPECT_EQ(Found(), "");
}

TEST_F(InvariantsTest, S14AScopeThatIsLeftOpenIsFound) {
  Spawn([this] {
    world_->task().nofs = true;
    EXPECT_EQ(world_->Fsync(*file_).error, Error::kOk);
    EXPECT_THAT(Found(), HasSubstr("S14"));
  });
  Run();
}

TEST_F(InvariantsTest, S14APlugThatIsLeftIsFound) {
  Spawn([this] {
    ++world_->task().plug;
    EXPECT_EQ(world_->Fsync(*file_).error, Error::kOk);
    EXPECT_THAT(Found(), HasSubstr("S14"));
  });
  Run();
}

TEST_F(InvariantsTest, S17AnInodeThatIsEvictedUnderDirectIoIsFound) {
  Spawn([this] {
    EXPECT_EQ(world_->Unlink(*file_).error, Error::kOk);
    file_->dio.Begin();
    world_->Iput(*file_);
  });
  Run();
  const std::vector<InvariantViolation> found = CheckInvariants(*world_);
  ASSERT_FALSE(found.empty());
  EXPECT_STREQ(found.back().id, "S17");
  EXPECT_STREQ(found.back().rule, "an evicted inode has no direct I/O");
  EXPECT_STREQ(found.back().last.name, "Evict");
}

TEST_F(InvariantsTest, S17AnInodeThatIsEvictedWithAPinnedPageIsFound) {
  Spawn([this] {
    Folio& folio = CachedPage();
    ++folio.pins;
    ++folio.refs;
    EXPECT_EQ(world_->Unlink(*file_).error, Error::kOk);
    world_->Iput(*file_);
    EXPECT_EQ(Found(), "S17: no page of an inode that is evicted is pinned");
    --folio.pins;
    world_->memory().Put(folio);
  });
  Run();
}

TEST_F(InvariantsTest, S17AnInodeThatIsEvictedAtRestIsNone) {
  Spawn([this] {
    EXPECT_EQ(world_->Store(*mm_, *file_, 0, {{Stamp::Make(StampKind::kStore, 1, 0, 1)}}).cells_done, 1u);
    EXPECT_EQ(world_->Unlink(*file_).error, Error::kOk);
    world_->Iput(*file_);
  });
  Run();
  EXPECT_EQ(Found(CheckMoment::kQuiescent), "");
}

TEST_F(InvariantsTest, ACheckOfTheWholeWorldNamesTheLastOperationOnTheFile) {
  Spawn([this] {
    Folio& folio = CachedPage();
    EXPECT_EQ(world_->PunchHole(*file_, 4, 4).error, Error::kOk);
    std::swap(folio.cells[0], folio.cells[1]);
    const std::vector<InvariantViolation> found = CheckInvariants(*world_);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_STREQ(found[0].id, "S1");
    EXPECT_STREQ(found[0].last.name, "PunchHole");
    EXPECT_THAT(found[0].last.site.file, HasSubstr("fallocate.cc"));
    EXPECT_GT(found[0].last.site.line, 0);
    std::swap(folio.cells[0], folio.cells[1]);
  });
  Run();
  EXPECT_EQ(Found(), "");
}

// Goal: an acquisition against the declared order is found in a run that has nothing to contradict it. Method: the same two orders.
TEST_F(InvariantsTest, S12AnAcquisitionAgainstTheDeclaredOrderIsFoundWithoutACycle) {
  Spawn([this] {
    file_->i_rwsem.LockExclusive();
    mm_->mmap_lock.LockShared();
    mm_->mmap_lock.UnlockShared();
    file_->i_rwsem.UnlockExclusive();
  });
  Run();
  EXPECT_THAT(sim_.validator().violations(), IsEmpty());
  constexpr const char* kUp[] = {"i_rwsem", "mmap_lock"};
  constexpr const char* kDown[] = {"mmap_lock", "i_rwsem"};
  constexpr const char* kUnknown[] = {"i_rwsem"};
  EXPECT_THAT(CheckLockOrder(sim_.validator(), kUp), IsEmpty());
  EXPECT_THAT(CheckLockOrder(sim_.validator(), {}), IsEmpty());
  const std::vector<InvariantViolation> found = CheckLockOrder(sim_.validator(), kDown);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_STREQ(found[0].id, "S12");
  EXPECT_EQ(found[0].message, "mmap_lock is acquired with i_rwsem held, against the declared order");
  EXPECT_THAT(found[0].site.file, HasSubstr("invariants_test.cc"));
  EXPECT_EQ(found[0].against.line + 1, found[0].site.line);
  EXPECT_THAT(CheckLockOrder(sim_.validator(), kUnknown).at(0).message, HasSubstr("does not know"));
}

TEST_F(InvariantsTest, S12ATrylockHasNoOrder) {
  Spawn([this] {
    mm_->mmap_lock.LockShared();
    EXPECT_TRUE(file_->i_rwsem.TryLockExclusive());
    file_->i_rwsem.UnlockExclusive();
    mm_->mmap_lock.UnlockShared();
  });
  Run();
  constexpr const char* kUp[] = {"i_rwsem", "mmap_lock"};
  EXPECT_THAT(CheckLockOrder(sim_.validator(), kUp), IsEmpty());
}

}  // namespace
}  // namespace ordeal::pagecache
