#include "lockdep/graph/chain_cache.h"

#include <gtest/gtest.h>

#include <map>

#include "lockdep/graph/chain_key.h"

namespace ordeal::lockdep {
namespace {

// The keys are compared across processes by nobody, but they must not depend on the build: these vectors pin them.
TEST(ChainKeyTest, MatchesItsTestVectors) {
  const uint64_t a = MixChainKey(kEmptyChainKey, ChainWord(NodeId{8}, Mode::kExclusive, false, true));
  EXPECT_EQ(a, 5267540165419336581u);
  EXPECT_NE(a, MixChainKey(kEmptyChainKey, ChainWord(NodeId{8}, Mode::kExclusive, false, false)));
  EXPECT_NE(a, MixChainKey(kEmptyChainKey, ChainWord(NodeId{8}, Mode::kExclusive, true, true)));
  EXPECT_NE(a, MixChainKey(kEmptyChainKey, ChainWord(NodeId{8}, Mode::kShared, false, true)));
  EXPECT_NE(a, MixChainKey(kEmptyChainKey, ChainWord(NodeId{9}, Mode::kExclusive, false, true)));
}

TEST(ChainCacheTest, KnowsTheRunOfEachChain) {
  ChainCache cache;
  EXPECT_FALSE(cache.Touch(5, 1, true));
  cache.Insert(5, 1, 10, 2);
  EXPECT_TRUE(cache.Touch(5, 1, false));
  EXPECT_FALSE(cache.Touch(5, 2, false)) << "known, but not of run 2";
  EXPECT_TRUE(cache.Touch(5, 2, true)) << "marked as seen now";
  EXPECT_TRUE(cache.Touch(5, 2, false));
}

TEST(ChainCacheTest, VisitsTheDependenciesOfOneRun) {
  ChainCache cache;
  cache.Insert(1, 1, 0, 3);
  cache.Insert(2, 2, 3, 4);
  cache.Insert(1, 2, 99, 99);  // a known chain keeps its range
  std::map<uint32_t, uint32_t> ranges;
  cache.ForEachSeenIn(2, [&](uint32_t begin, uint32_t count) { ranges[begin] = count; });
  EXPECT_EQ(ranges, (std::map<uint32_t, uint32_t>{{0, 3}, {3, 4}}));
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
    cache.Insert(short_key, run, i, 1);
    model[short_key] = run;
  }
  EXPECT_EQ(cache.size(), model.size());
}

}  // namespace
}  // namespace ordeal::lockdep
