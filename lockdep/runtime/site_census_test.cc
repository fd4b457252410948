#include "lockdep/runtime/site_census.h"

#include <gtest/gtest.h>

namespace ordeal::lockdep {
namespace {

class SiteCensusTest : public ::testing::Test {
 protected:
  NodeId NewNode(const char* name, int subclass = 0) { return NodeOf(classes_.Register(name), subclass); }
  void RecordAt(SiteCensus& census, NodeId from, NodeId to, int first_line, int count) {
    for (int i = 0; i < count; ++i) census.Record(from, to, {"x.cc", first_line + i}, {"x.cc", first_line + i + 1000});
  }

  LockClassTable classes_;
  const NodeId a_ = NewNode("A");
  const NodeId b_ = NewNode("B", 1);
  const NodeId c_ = NewNode("C");
  SiteCensus census_;
};

TEST_F(SiteCensusTest, NamesTheOddSiteOfTwoOrders) {
  RecordAt(census_, a_, b_, 1, 47);
  RecordAt(census_, a_, b_, 1, 47);  // the same places again
  census_.Record(b_, a_, {"y.cc", 7}, {"y.cc", 8});
  EXPECT_EQ(census_.Count(a_, b_), 47u);
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, a_}}, classes_), "47 of 48 sites take A before B/1; the odd one is y.cc:8");
  EXPECT_EQ(census_.Hint({{b_, a_}, {a_, b_}}, classes_), "47 of 48 sites take A before B/1; the odd one is y.cc:8");
}

TEST_F(SiteCensusTest, ListsAFewOddSites) {
  RecordAt(census_, a_, b_, 1, 9);
  RecordAt(census_, b_, a_, 50, 2);
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, a_}}, classes_), "9 of 11 sites take A before B/1; the others are x.cc:1050, x.cc:1051");
  RecordAt(census_, b_, a_, 50, 5);
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, a_}}, classes_),
            "9 of 14 sites take A before B/1; the others are x.cc:1050, x.cc:1051, x.cc:1052 and 2 more");
}

// Silent where nothing stands out, or nothing is known.
TEST_F(SiteCensusTest, IsSilentWithoutAMajority) {
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, a_}}, classes_), "");
  RecordAt(census_, a_, b_, 1, 3);
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, a_}}, classes_), "");
  RecordAt(census_, b_, a_, 50, 3);
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, a_}}, classes_), "");
}

TEST_F(SiteCensusTest, NamesTheRarestOrderOfALongCycle) {
  RecordAt(census_, a_, b_, 1, 12);
  RecordAt(census_, b_, c_, 100, 20);
  RecordAt(census_, c_, a_, 200, 1);
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, c_}, {c_, a_}}, classes_),
            "only 1 site takes C before A, while each other order of the cycle is taken at 12 or more; the odd one is x.cc:1200");
  RecordAt(census_, a_, b_, 1, 12);
  census_.Forget(a_);
  EXPECT_EQ(census_.Count(a_, b_) + census_.Count(c_, a_), 0u);
  EXPECT_EQ(census_.Count(b_, c_), 20u);
  EXPECT_EQ(census_.Hint({{a_, b_}, {b_, c_}, {c_, a_}}, classes_), "");
}

TEST_F(SiteCensusTest, KeepsNoMoreThanItsBoundAndSaysSo) {
  SiteCensus census(16);
  RecordAt(census, a_, b_, 1, 100);
  RecordAt(census, b_, a_, 500, 1);
  EXPECT_EQ(census.Count(a_, b_), 16u);
  EXPECT_EQ(census.Hint({{a_, b_}, {b_, a_}}, classes_), "16+ of 17+ sites take A before B/1; the odd one is x.cc:1500");
  EXPECT_GT(census.MemoryBytes(), 0u);
}

// File names are compared by content: every translation unit has its own copy.
TEST_F(SiteCensusTest, ComparesFilesByName) {
  const std::string copy = "x.cc";
  census_.Record(a_, b_, {"x.cc", 1}, {"x.cc", 2});
  census_.Record(a_, b_, {copy.c_str(), 1}, {copy.c_str(), 2});
  EXPECT_EQ(census_.Count(a_, b_), 1u);
}

}  // namespace
}  // namespace ordeal::lockdep
