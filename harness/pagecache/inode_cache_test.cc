// Names, the life of inodes in memory, and who has to wait for write-back: rename, replace, open against eviction, the inode
// shrinker in direct reclaim, balance_dirty_pages. Each protocol that has a mistake to make is run with it and without.
#include <functional>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/choice/prng.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;

class TestFileSystem final : public FileSystem {
 public:
  explicit TestFileSystem(bool serializes_renames = true) : serializes_renames_(serializes_renames) {}
  const char* name() const override { return "test"; }
  bool SerializesRenames() const override { return serializes_renames_; }

 private:
  const bool serializes_renames_;
};

class RandomSource final : public ChoiceSource {
 public:
  explicit RandomSource(uint64_t seed) : seed_(seed) {}
  void BeginRun(uint64_t run) override { prng_ = Prng(DeriveSeed(seed_, run)); }
  int Choose(const ChoicePoint& point) override {
    return static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options)));
  }

 private:
  const uint64_t seed_;
  Prng prng_;
};

// Schedules of one experiment: `setup` makes files and tasks, `check` looks at the end.
class Experiment {
 public:
  explicit Experiment(WorldOptions options = {}, bool serializes_renames = true)
      : fs_(serializes_renames), world_(sim_, fs_, options) {}

  Inode& AddFile(uint32_t cells) {
    std::vector<Stamp> content;
    const uint32_t uid = world_.next_uid();
    for (uint32_t cell = 0; cell < cells; ++cell) content.push_back(Stamp::Make(StampKind::kWrite, uid, cell, 0));
    return world_.CreateFile(content);
  }
  void Spawn(std::function<void()> body) {
    bodies_.push_back(std::make_unique<std::function<void()>>(std::move(body)));
    sim_.scheduler().Spawn("task", [run = bodies_.back().get()] { (*run)(); });
  }
  World& world() { return world_; }

  // The first end that is not "completed", or that breaks an invariant or a lock rule.
  std::string FirstFinding(int schedules, const std::function<void()>& setup, const std::function<void()>& check = {}) {
    RandomSource source(static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed()) + 7);
    for (int run = 0; run < schedules; ++run) {
      source.BeginRun(static_cast<uint64_t>(run));
      choices_.Begin(&source);
      sim_.BeginRun(&choices_);
      world_.BeginRun();
      bodies_.clear();
      setup();
      const RunEnd end = sim_.scheduler().Run();
      std::string finding = end.kind == RunEndKind::kCompleted ? "" : RunEndKindName(end.kind);
      if (finding.empty()) finding = LookAtEnd(check);
      sim_.EndRun();
      for (const lockdep::Violation& v : sim_.validator().violations()) {
        if (finding.empty()) finding = "lock-order: " + v.signature;
      }
      world_.EndRun();
      if (!finding.empty()) return finding;
    }
    return "";
  }

 private:
  std::string LookAtEnd(const std::function<void()>& check) {
    bool quiet = false;
    sim_.scheduler().Spawn("final check", [&] {
      if (check) check();
      quiet = world_.Quiesce();
    });
    if (sim_.scheduler().Run().kind != RunEndKind::kCompleted || !quiet) return "leak";
    for (const InvariantViolation& v : CheckInvariants(world_, CheckMoment::kQuiescent)) {
      return std::string(v.id) + ": " + v.message;
    }
    return "";
  }

  Simulation sim_;
  TestFileSystem fs_;
  World world_;
  ChoiceRecorder choices_;
  std::vector<std::unique_ptr<std::function<void()>>> bodies_;
};

// Two files, one in each directory; tasks exchange them, named in either order.
std::string RenameBothWays(bool serializes_renames) {
  Experiment experiment({}, serializes_renames);
  return experiment.FirstFinding(300, [&experiment] {
    Inode& a = experiment.AddFile(4);
    Inode& b = experiment.AddFile(4);
    experiment.world().MakeDirectories();
    for (const bool forwards : {true, false}) {
      experiment.Spawn([&experiment, &a, &b, forwards] {
        experiment.world().Rename(forwards ? a : b, forwards ? b : a);
      });
    }
  });
}

TEST(RenameTest, DirectoriesInOppositeOrdersNeedTheRenameLock) {
  EXPECT_NE(RenameBothWays(false), "");
  EXPECT_EQ(RenameBothWays(true), "");
}

TEST(RenameTest, TheFilesChangeDirectories) {
  Experiment experiment;
  Inode* a = nullptr;
  Inode* b = nullptr;
  const std::string finding = experiment.FirstFinding(
      1,
      [&] {
        a = &experiment.AddFile(4);
        b = &experiment.AddFile(4);
        experiment.world().MakeDirectories();
        EXPECT_NE(&experiment.world().DirectoryOf(*a), &experiment.world().DirectoryOf(*b));
        experiment.Spawn([&] {
          Inode& before = experiment.world().DirectoryOf(*a);
          EXPECT_EQ(experiment.world().Rename(*a, *b).error, Error::kOk);
          EXPECT_EQ(&experiment.world().DirectoryOf(*b), &before);
          EXPECT_EQ(experiment.world().Unlink(*b).error, Error::kOk);
          EXPECT_EQ(experiment.world().Rename(*a, *b).error, Error::kNoEntry);
        });
      });
  EXPECT_EQ(finding, "");
}

// Of two at once nothing is left.
TEST(MakeDirectoryTest, TheDirectoryIsGoneAgain) {
  Experiment experiment;
  const std::string finding = experiment.FirstFinding(
      100,
      [&experiment] {
        Inode& file = experiment.AddFile(4);
        for (int i = 0; i < 2; ++i) {
          experiment.Spawn(
              [&experiment, &file] { EXPECT_EQ(experiment.world().MakeAndRemoveDirectory(file).error, Error::kOk); });
        }
      },
      [&experiment] {
        const World& world = experiment.world();
        ASSERT_EQ(world.inodes(), 4);
        for (int i = 2; i < 4; ++i) EXPECT_EQ(world.inode(i).state, InodeState::kFreed);
      });
  EXPECT_EQ(finding, "");
}

// Whoever has the level of writers exclusively sees all names stay as they are.
TEST(FreezeTest, NamesStayWhileTheFileSystemIsFrozen) {
  Experiment experiment;
  int changes = 0;
  const std::string finding = experiment.FirstFinding(300, [&] {
    World& world = experiment.world();
    world.MakeFreezable();
    Inode& a = experiment.AddFile(4);
    Inode& b = experiment.AddFile(4);
    world.MakeDirectories();
    const auto names = [&a, &b] {
      return std::vector<uint32_t>{a.nlink, b.nlink, static_cast<uint32_t>(a.directory), static_cast<uint32_t>(b.directory)};
    };
    experiment.Spawn([&world, names, &changes] {
      const std::vector<uint32_t> before = names();
      world.freeze_level(FreezeLevel::kWrite)->LockExclusive();
      const std::vector<uint32_t> frozen = names();
      changes += frozen != before;
      for (int i = 0; i < 20; ++i) world.scheduler().Point(OperationKind::kWait, world.root().id);
      EXPECT_EQ(names(), frozen);
      world.freeze_level(FreezeLevel::kWrite)->UnlockExclusive();
    });
    experiment.Spawn([&world, &a] {
      EXPECT_EQ(world.Link(a).error, Error::kOk);
      EXPECT_EQ(world.Unlink(a).error, Error::kOk);
    });
    experiment.Spawn([&world, &a, &b] { EXPECT_EQ(world.Rename(a, b).error, Error::kOk); });
    experiment.Spawn([&world, &b] { EXPECT_EQ(world.MakeAndRemoveDirectory(b).error, Error::kOk); });
  });
  EXPECT_EQ(finding, "");
  EXPECT_GT(changes, 0);  // they do change in between
}

// An open file outlives its name; its last close frees its blocks. The new one is empty and shows its own data.
TEST(ReplaceTest, TheOldFileIsEvictedAtItsLastClose) {
  Experiment experiment;
  const std::string finding = experiment.FirstFinding(50, [&experiment] {
    World& world = experiment.world();
    Inode& old = experiment.AddFile(8);
    Mm& mm = world.CreateMm();
    experiment.Spawn([&world, &old, &mm] {
      Inode& fresh = world.CreateFileLike(old);
      EXPECT_EQ(world.Open(old), Error::kOk);
      EXPECT_EQ(world.Replace(old, fresh).error, Error::kOk);
      EXPECT_EQ(world.Read(mm, {.file = &old, .length_cells = 8}).cells_done, 8u);
      EXPECT_EQ(world.Open(old), Error::kOk);
      world.Iput(old);
      EXPECT_EQ(old.state, InodeState::kLive);
      world.Iput(old);
      EXPECT_EQ(old.state, InodeState::kFreed);
      EXPECT_EQ(world.Open(old), Error::kNoEntry);
      EXPECT_EQ(world.allocator().allocated(), 0u);
      const Stamp stamp = Stamp::Make(StampKind::kWrite, fresh.uid, 0, 1);
      EXPECT_EQ(world.Write(mm, {.file = &fresh, .length_cells = 1, .stamps = {&stamp, 1}}).cells_done, 1u);
      EXPECT_EQ(world.Read(mm, {.file = &fresh, .length_cells = 8}).cells_done, 1u);
      EXPECT_EQ(world.Replace(old, fresh).error, Error::kNoEntry);
    });
  });
  EXPECT_EQ(finding, "");
}

// Readers open, read and close; the shrinker evicts between them. What was dirty stays, what was evicted is read in again.
TEST(InodeCacheTest, OpenWaitsForAnEvictionAndReadsInAgain) {
  Experiment experiment;
  int evicted = 0;
  const std::string finding = experiment.FirstFinding(300, [&] {
    World& world = experiment.world();
    Inode& file = experiment.AddFile(4);
    Mm& mm = world.CreateMm();
    world.Iput(file);
    for (int reader = 0; reader < 2; ++reader) {
      experiment.Spawn([&world, &file, &mm] {
        for (int i = 0; i < 2; ++i) {
          EXPECT_EQ(world.Open(file), Error::kOk);
          const Result read = world.Read(mm, {.file = &file, .length_cells = 4});
          EXPECT_EQ(read.cells_done, 4u);
          EXPECT_EQ(read.seen[3], Stamp::Make(StampKind::kWrite, file.uid, 3, 0));
          world.Iput(file);
        }
      });
    }
    experiment.Spawn([&] { evicted += static_cast<int>(world.EvictUnused()); });
    experiment.Spawn([&] { evicted += static_cast<int>(world.EvictUnused()); });
  });
  EXPECT_EQ(finding, "");
  EXPECT_GT(evicted, 100);
}

// Four pages of memory: inodes that nobody uses, without a page, may be evicted for an allocation, unless it says NOFS.
TEST(InodeCacheTest, DirectReclaimEvictsInodesUnlessItMustNotEnterTheFileSystem) {
  for (const bool nofs : {false, true}) {
    Experiment experiment({.memory_folios = 4, .readahead_pages = 0});
    int freed = 0;
    const std::string finding = experiment.FirstFinding(100, [&] {
      World& world = experiment.world();
      Inode& big = experiment.AddFile(32);
      Mm& mm = world.CreateMm();
      std::vector<Inode*> unused;
      for (int i = 0; i < 3; ++i) unused.push_back(&experiment.AddFile(4));
      for (Inode* file : unused) world.Iput(*file);
      experiment.Spawn([&world, &big, &mm, &freed, unused, nofs] {
        world.task().nofs = nofs;
        for (uint32_t page = 0; page < 8; ++page) {  // a read's allocation would be readahead's, which is NOFS by itself
          std::vector<Stamp> stamps;
          for (uint32_t c = 0; c < kPageCells; ++c) {
            stamps.push_back(Stamp::Make(StampKind::kWrite, big.uid, page * kPageCells + c, 1));
          }
          const Io io{.file = &big, .offset_cells = page * kPageCells, .length_cells = kPageCells, .stamps = stamps};
          EXPECT_EQ(world.Write(mm, io).cells_done, kPageCells);
          EXPECT_EQ(world.Fsync(big).error, Error::kOk);
          world.task().nofs = nofs;
        }
        for (const Inode* file : unused) freed += file->state == InodeState::kFreed;
        world.task().nofs = false;
      });
    });
    if (nofs) {
      EXPECT_THAT(finding, ::testing::StartsWith("S14"));  // the writes returned to user space with the scope open
      EXPECT_EQ(freed, 0);
    } else {
      EXPECT_EQ(finding, "");
      EXPECT_GT(freed, 0);
    }
  }
}

uint32_t DirtyFolios(const World& world) {
  uint32_t dirty = 0;
  for (const Folio* folio : world.memory().lru()) dirty += folio->dirty || folio->writeback.is_set();
  return dirty;
}

// The most that was dirty when a writer had returned.
uint32_t DirtyAfterWrites(uint32_t dirty_folios_max, std::string* finding) {
  Experiment experiment({.dirty_folios_max = dirty_folios_max});
  uint32_t most = 0;
  *finding = experiment.FirstFinding(50, [&] {
    World& world = experiment.world();
    Inode& file = experiment.AddFile(40);
    Mm& mm = world.CreateMm();
    world.Map(mm, file);
    experiment.Spawn([&world, &file, &mm, &most] {
      for (uint32_t page = 0; page < 10; ++page) {
        const Stamp stamp = Stamp::Make(StampKind::kWrite, file.uid, page * kPageCells, page + 1);
        const Io io{.file = &file, .offset_cells = page * kPageCells, .length_cells = 1, .stamps = {&stamp, 1}};
        EXPECT_EQ(page % 2 == 0 ? world.Write(mm, io).cells_done
                                : world.Store(mm, file, io.offset_cells, io.stamps).cells_done,
                  1u);
        most = std::max(most, DirtyFolios(world));
      }
    });
  });
  return most;
}

TEST(DirtyThrottleTest, AWriterWaitsUntilTheFlusherHasWrittenBelowTheLimit) {
  std::string finding;
  // A store goes on after the wait: one folio more than the limit.
  EXPECT_LE(DirtyAfterWrites(3, &finding), 4u);
  EXPECT_EQ(finding, "");
  EXPECT_EQ(DirtyAfterWrites(0, &finding), 10u);
  EXPECT_EQ(finding, "");
}

// Negative space: a writer that is throttled while it holds what the flusher needs waits for itself.
TEST(DirtyThrottleTest, AWriterThatIsThrottledWithAFolioLockedWaitsForItself) {
  for (const bool locked : {true, false}) {
    Experiment experiment({.dirty_folios_max = 1});
    const std::string finding = experiment.FirstFinding(20, [&experiment, locked] {
      World& world = experiment.world();
      Inode& file = experiment.AddFile(12);
      Mm& mm = world.CreateMm();
      experiment.Spawn([&world, &file, &mm, locked] {
        std::vector<Stamp> stamps;
        for (uint32_t cell = 0; cell < 4; ++cell) stamps.push_back(Stamp::Make(StampKind::kWrite, file.uid, cell, 1));
        EXPECT_EQ(world.Write(mm, {.file = &file, .length_cells = 4, .stamps = stamps}).cells_done, 4u);
        Folio* folio = file.mapping.pages[0];
        ASSERT_NE(folio, nullptr);
        if (locked) folio->lock.Lock();
        for (uint32_t page = 1; page < 3; ++page) {
          const Stamp stamp = Stamp::Make(StampKind::kWrite, file.uid, page * kPageCells, 2);
          const Io io{.file = &file, .offset_cells = page * kPageCells, .length_cells = 1, .stamps = {&stamp, 1}};
          EXPECT_EQ(world.Write(mm, io).cells_done, 1u);
        }
        if (locked) folio->lock.Unlock();
      });
    });
    EXPECT_EQ(finding, locked ? "deadlock" : "");
  }
}

}  // namespace
}  // namespace ordeal::pagecache
