// S16 of a glock: which holders may stand in its queue, and how its state may change.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "harness/choice/choice_source.h"
#include "harness/filesystems/gfs2/glock.h"

namespace ordeal {
namespace {

constexpr GlockState kUN = GlockState::kUnlocked;
constexpr GlockState kSH = GlockState::kShared;
constexpr GlockState kDF = GlockState::kDeferred;
constexpr GlockState kEX = GlockState::kExclusive;

TEST(GlockStateTest, GrantedHoldersStandInFrontAndGoTogether) {
  EXPECT_EQ(FindIllegalHolders(kUN, {}), nullptr);
  EXPECT_EQ(FindIllegalHolders(kUN, {{{kEX, false}}}), nullptr);
  EXPECT_EQ(FindIllegalHolders(kSH, {{{kSH, true}, {kSH, true}, {kEX, false}}}), nullptr);
  EXPECT_EQ(FindIllegalHolders(kEX, {{{kDF, true}, {kDF, true}}}), nullptr);
  EXPECT_STREQ(FindIllegalHolders(kEX, {{{kEX, true}, {kEX, true}}}), "holders that do not go together");
  EXPECT_STREQ(FindIllegalHolders(kEX, {{{kSH, true}, {kDF, true}}}), "holders that do not go together");
  EXPECT_STREQ(FindIllegalHolders(kSH, {{{kEX, false}, {kSH, true}}}), "a granted holder behind a waiting one");
}

TEST(GlockStateTest, TheStateAllowsEveryHolder) {
  EXPECT_EQ(FindIllegalHolders(kEX, {{{kSH, true}}}), nullptr);
  EXPECT_STREQ(FindIllegalHolders(kSH, {{{kEX, true}}}), "a holder that the state does not allow");
  EXPECT_STREQ(FindIllegalHolders(kUN, {{{kSH, true}}}), "a holder that the state does not allow");
  EXPECT_STREQ(FindIllegalHolders(kDF, {{{kSH, true}}}), "a holder that the state does not allow");
}

// The table of glock.h, cell by cell.
TEST(GlockStateTest, TransitionsAreThoseOfTheTable) {
  constexpr GlockState kStates[] = {kUN, kSH, kDF, kEX};
  constexpr const char* kTable[4][4] = {{"", "p", "p", "p"}, {"dl", "", "p", "p"}, {"dl", "p", "", "p"}, {"dl", "d", "d", ""}};
  for (size_t from = 0; from < 4; ++from) {
    for (size_t to = 0; to < 4; ++to) {
      const std::string cell = kTable[from][to];
      const auto legal = [&](GlockCause cause) { return IsLegalGlockTransition(kStates[from], kStates[to], cause); };
      EXPECT_EQ(legal(GlockCause::kPromotion), cell.find('p') != std::string::npos) << from << " to " << to;
      EXPECT_EQ(legal(GlockCause::kDemotion), cell.find('d') != std::string::npos) << from << " to " << to;
      EXPECT_EQ(legal(GlockCause::kLadder), cell.find('l') != std::string::npos) << from << " to " << to;
    }
  }
}

// Goal: a transition that is not in the table is noticed when it happens. Method: two nodes, one has the glock shared, the
// other one wants it deferred; with the mistake the first goes from SH to DF without having been unlocked.
TEST(GlockStateTest, ATransitionThatIsNotInTheTableIsNoted) {
  for (const bool mistake : {true, false}) {
    Simulation sim;
    QuietSource source;
    ChoiceRecorder choices;
    choices.Begin(&source);
    sim.BeginRun(&choices);
    std::vector<std::string> illegal;
    {
      Cluster cluster(sim, {.nodes = 2});
      Dlm dlm(cluster);
      cluster.Start();
      const auto glock_class = sim.Class("gl_inode", {.ordered_by_key = true, .kind = &lockdep::kGlock});
      const auto dlm_class = sim.Class("dlm lock of inode", {.kind = &lockdep::kDlmLock});
      const ResourceId resource = dlm.NewResource({.lock_class = dlm_class});
      const auto nothing = [] {};
      const GlockOperations operations{nothing, nothing, nothing, nothing,
                                       [&](const std::string& what) { illegal.push_back(what); }};
      const GlockOptions options{.demotes_sideways = mistake};
      Glock first(sim, dlm, NodeId{1}, resource, glock_class, 1, options, operations);
      Glock second(sim, dlm, NodeId{2}, resource, glock_class, 1, options, operations);
      cluster.Spawn(NodeId{1}, "reader", [&] {
        first.Lock(kSH);
        cluster.Spawn(NodeId{2}, "direct", [&] {
          second.Lock(kDF);
          second.Unlock();
        });
        first.Unlock();
      });
      EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted) << sim.scheduler().DescribeTasks();
      EXPECT_EQ(second.state(), kDF);
      EXPECT_EQ(first.state(), mistake ? kDF : kUN);
      sim.EndRun();
    }
    if (mistake) {
      ASSERT_EQ(illegal.size(), 1u);
      EXPECT_EQ(illegal[0].rfind("to DF: glock 1 of node 1: SH", 0), 0u) << illegal[0];
    } else {
      EXPECT_TRUE(illegal.empty()) << illegal[0];
    }
  }
}

}  // namespace
}  // namespace ordeal
