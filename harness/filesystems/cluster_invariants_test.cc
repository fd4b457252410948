// S17 on clusters: nobody refers to a cluster lock of an evicted inode. Broken by hand, beside the same without the mistake.
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/gfs2/gfs2.h"
#include "harness/filesystems/ocfs2/ocfs2_state.h"
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

}  // namespace
}  // namespace ordeal
