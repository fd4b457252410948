// S17, S5 and S4 on clusters: nobody refers to a cluster lock of an evicted inode; who caches a page has the lock, who has a
// dirty one exclusively. Broken by hand, beside the same without the mistake.
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/gfs2/gfs2.h"
#include "harness/filesystems/ocfs2/ocfs2_state.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {
namespace {

// What is found in a world of one file whose inode is said to be evicted while `body` has taken its lock, and after.
struct Found {
  std::string while_held;
  std::string after;
};

std::string FirstOf(const pagecache::World& world) {
  const std::vector<pagecache::InvariantViolation> found = pagecache::CheckInvariants(world);
  return found.empty() ? "" : std::string(found[0].id) + ": " + found[0].rule;
}

Found EvictUnder(const char* filesystem, const std::function<void(pagecache::Inode&)>& lock,
                 const std::function<void(pagecache::Inode&)>& unlock) {
  Found found;
  Simulation sim;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem(filesystem);
  pagecache::World world(sim, *fs);
  world.BeginRun();
  pagecache::Inode& inode = world.CreateFile({});
  sim.scheduler().Spawn("task", [&world, &inode, &lock, &unlock, &found] {
    lock(inode);
    EXPECT_EQ(FirstOf(world), "");
    inode.state = pagecache::InodeState::kFreed;
    found.while_held = FirstOf(world);
    unlock(inode);
    found.after = FirstOf(world);
    inode.state = pagecache::InodeState::kLive;
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted) << sim.scheduler().DescribeTasks();
  sim.EndRun();
  world.EndRun();
  return found;
}

TEST(ClusterInvariantsTest, S17AGlockOfAnEvictedInodeHasNoHolders) {
  const Found found = EvictUnder("gfs2", [](pagecache::Inode& inode) { GlockOf(inode).Lock(GlockState::kShared); },
                                 [](pagecache::Inode& inode) { GlockOf(inode).Unlock(); });
  EXPECT_EQ(found.while_held, "S17: nobody refers to the glock of an evicted inode");
  EXPECT_EQ(found.after, "");
}

TEST(ClusterInvariantsTest, S17AClusterLockOfAnEvictedInodeHasNoUsers) {
  const Found found =
      EvictUnder("ocfs2", [](pagecache::Inode& inode) { OcfsInode(inode).LockMeta(lockdep::kDlmProtectedRead); },
                 [](pagecache::Inode& inode) { OcfsInode(inode).UnlockMeta(lockdep::kDlmProtectedRead); });
  EXPECT_EQ(found.while_held, "S17: nobody has a cluster lock of an evicted inode");
  EXPECT_EQ(found.after, "");
}

// What is found when node 2 comes to cache a page, clean or dirty, after `lock`.
std::string CachePage(const char* filesystem, bool dirty, const std::function<void(pagecache::Inode&)>& lock) {
  std::string found;
  Simulation sim;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem(filesystem);
  pagecache::World world(sim, *fs, {.nodes = 2});
  world.BeginRun();
  const std::vector<pagecache::Stamp> content(4, pagecache::Stamp::Make(pagecache::StampKind::kWrite, world.next_uid(), 0, 0));
  pagecache::Inode& inode = world.OnNode(world.CreateFile(content), 1);
  sim.scheduler().Spawn("task", [&] {
    lock(inode);
    pagecache::Filemap filemap(world);
    pagecache::Folio* folio = filemap.GetLocked(inode.mapping, 0);
    ASSERT_NE(folio, nullptr);
    folio->cells.fill(content[0]);
    folio->uptodate = true;
    if (dirty) filemap.SetDirty(*folio);
    EXPECT_EQ(FirstOf(world), "") << "a locked folio is its owner's business";
    folio->lock.Unlock();
    world.memory().Put(*folio);
    found = FirstOf(world);
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted) << sim.scheduler().DescribeTasks();
  sim.EndRun();
  world.EndRun();
  return found;
}

TEST(ClusterInvariantsTest, S5ACachedPageMeansThatTheNodeHasTheGlock) {
  const auto have = [](GlockState state) {
    return [state](pagecache::Inode& inode) {
      GlockOf(inode).Lock(state);
      GlockOf(inode).Unlock();
    };
  };
  const auto nothing = [](pagecache::Inode&) {};
  EXPECT_EQ(CachePage("gfs2", false, nothing), "S5: a node that caches a page has the glock shared or exclusively");
  EXPECT_EQ(CachePage("gfs2", false, have(GlockState::kDeferred)),
            "S5: a node that caches a page has the glock shared or exclusively");
  EXPECT_EQ(CachePage("gfs2", false, have(GlockState::kShared)), "");
  EXPECT_EQ(CachePage("gfs2", true, have(GlockState::kShared)), "S4: a node with a dirty page has the glock exclusively");
  EXPECT_EQ(CachePage("gfs2", true, have(GlockState::kExclusive)), "");
}

TEST(ClusterInvariantsTest, S5ACachedPageMeansThatTheNodeHasTheInodeLock) {
  const auto have = [](DlmMode mode) {
    return [mode](pagecache::Inode& inode) {
      OcfsInode(inode).LockMeta(mode);
      OcfsInode(inode).UnlockMeta(mode);
    };
  };
  const auto nothing = [](pagecache::Inode&) {};
  EXPECT_EQ(CachePage("ocfs2", false, nothing), "S5: a node that caches a page has the inode lock shared or exclusively");
  EXPECT_EQ(CachePage("ocfs2", false, have(lockdep::kDlmProtectedRead)), "");
  EXPECT_EQ(CachePage("ocfs2", true, have(lockdep::kDlmProtectedRead)),
            "S4: a node with a dirty page has the inode lock exclusively");
  EXPECT_EQ(CachePage("ocfs2", true, have(lockdep::kDlmExclusive)), "");
}

}  // namespace
}  // namespace ordeal
