// S16 of a glock: which holders may stand in its queue, and which may not.
#include "gtest/gtest.h"
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

}  // namespace
}  // namespace ordeal
