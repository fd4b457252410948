#include "lockdep/graph/chain_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "lockdep/graph/chain_key.h"

namespace ordeal::lockdep {
namespace {

// The keys are compared across processes by nobody, but they must not depend on the build: these vectors pin them.
TEST(ChainKeyTest, MatchesItsTestVectors) {
  const uint64_t word = ChainWord(NodeId{8}, Mode::kExclusive);
  const uint64_t a = MixChainKey(kEmptyChainKey, word);
  EXPECT_EQ(a, 9577005839049314158u);
  for (const uint64_t bit : {kTrylock, kOrdered, kNested, kUnchecked, kSync, kOwed, kInHardirq, kInSoftirq, kHardirqsOn,
                             kSoftirqsOn, kInReclaim, kThreadedIrq}) {
    EXPECT_NE(a, MixChainKey(kEmptyChainKey, word | bit)) << "a verdict depends on bit " << bit;
  }
  EXPECT_NE(a, MixChainKey(kEmptyChainKey, ChainWord(NodeId{8}, Mode::kShared)));
  EXPECT_NE(a, MixChainKey(kEmptyChainKey, ChainWord(NodeId{9}, Mode::kExclusive)));
}

TEST(ChainCacheTest, KnowsTheRunOfEachChain) {
  ChainCache cache;
  EXPECT_FALSE(cache.Touch(5, 1, true));
  EXPECT_TRUE(cache.Insert(5, 1, 10, false));
  EXPECT_TRUE(cache.Touch(5, 1, false));
  EXPECT_FALSE(cache.Touch(5, 2, false)) << "known, but not of run 2";
  EXPECT_TRUE(cache.Touch(5, 2, true)) << "marked as seen now";
  EXPECT_TRUE(cache.Touch(5, 2, false));
}

TEST(ChainCacheTest, VisitsTheChainsOfOneRun) {
  ChainCache cache;
  cache.Insert(1, 1, 10, false);
  cache.Insert(2, 2, 20, false);
  EXPECT_FALSE(cache.Insert(1, 2, 99, false)) << "a known chain keeps its record";
  cache.Insert(3, 1, 30, false);
  std::set<uint32_t> records;
  cache.ForEachSeenIn(2, [&](uint32_t record) { records.insert(record); });
  EXPECT_EQ(records, (std::set<uint32_t>{10, 20}));
}

TEST(ChainCacheTest, AChainThatBreaksARuleIsJudgedInEachRun) {
  ChainCache cache;
  cache.Insert(1, 1, 0, true);
  EXPECT_TRUE(cache.Touch(1, 1, true)) << "reported in this run";
  EXPECT_FALSE(cache.Touch(1, 2, true));
}

// Model test against std::map, through several growths.
TEST(ChainCacheTest, AgreesWithAMapWhileItGrows) {
  ChainCache cache(16);
  std::map<uint64_t, uint32_t> model;
  uint64_t key = 1;
  for (uint32_t i = 0; i < 20'000; ++i) {
    key = MixChainKey(key, i % 5000);
    const uint64_t short_key = key % 8191 + 1;
    const uint32_t run = i / 4000 + 1;
    const bool known = model.count(short_key) != 0;
    ASSERT_EQ(cache.Touch(short_key, run, false), known && model[short_key] == run);
    cache.Insert(short_key, run, i, false);
    model[short_key] = run;
  }
  EXPECT_EQ(cache.size(), model.size());
}

}  // namespace
}  // namespace ordeal::lockdep
