#include "harness/cli/arguments.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ArgumentsTest, DurationsHaveUnits) {
  EXPECT_DOUBLE_EQ(*ParseDuration("--time", "90"), 90);
  EXPECT_DOUBLE_EQ(*ParseDuration("--time", "250ms"), 0.25);
  EXPECT_DOUBLE_EQ(*ParseDuration("--time", "2m"), 120);
  EXPECT_DOUBLE_EQ(*ParseDuration("--time", "1.5h"), 5400);
  EXPECT_DOUBLE_EQ(*ParseDuration("--time", "1d"), 86400);
}

TEST(ArgumentsTest, BadDurationsAreRefused) {
  for (const char* text : {"", "m", "s", "0", "0s", "-1s", "1e3s", "nan", "inf", "1w", "1 s", "0x10", "366d", "1.2.3s"}) {
    EXPECT_FALSE(ParseDuration("--time", text).ok()) << text;
  }
  EXPECT_EQ(std::string(ParseDuration("--time", "soon").status().message()),
            "--time must be a duration such as 30s, 2m or 8h, not 'soon'");
}

TEST(ArgumentsTest, CountsHaveBounds) {
  EXPECT_EQ(*ParseCount("--seed", "0", 0), 0u);
  EXPECT_EQ(*ParseCount("--seed", "18446744073709551615", 0), UINT64_MAX);
  for (const char* text : {"", "-1", "1.5", "0x1", "18446744073709551616", "ten"}) {
    EXPECT_FALSE(ParseCount("--seed", text, 0).ok()) << text;
  }
  EXPECT_FALSE(ParseCount("--schedules", "0", 1).ok());
}

TEST(ArgumentsTest, FaultsAreAListOrAllOrNone) {
  EXPECT_EQ(ParseFaults("none")->set, FaultSet{});
  EXPECT_EQ(ParseFaults("all")->set, FaultSet::All());
  EXPECT_EQ(ParseFaults("io-error,allocation")->set, (FaultSet{ChoiceKind::kIoError, ChoiceKind::kAllocation}));
  EXPECT_THAT(std::string(ParseFaults("io-eror").status().message()), HasSubstr("did you mean 'io-error'?"));
  EXPECT_THAT(std::string(ParseFaults("plague").status().message()), HasSubstr("known: all, none, allocation"));
  EXPECT_FALSE(ParseFaults(",").ok());
}

TEST(ArgumentsTest, AFaultMayHaveItsProbabilities) {
  const auto faults = ParseFaults("io-error:5,allocation:10:20,io-delay");
  ASSERT_TRUE(faults.ok()) << faults.status();
  EXPECT_EQ(faults->set, (FaultSet{ChoiceKind::kIoError, ChoiceKind::kAllocation, ChoiceKind::kIoDelay}));
  ASSERT_EQ(faults->probabilities.size(), 2u);
  EXPECT_EQ(faults->probabilities[0].second.fires_percent, 5u);
  EXPECT_EQ(faults->probabilities[0].second.activated_percent, 100u);
  EXPECT_EQ(faults->probabilities[1].first, ChoiceKind::kAllocation);
  EXPECT_EQ(faults->probabilities[1].second.activated_percent, 20u);
  for (const char* text : {"io-error:", "io-error:101", "io-error:-1", "io-error:5:", "io-error:1:2:3", "io-error:x"}) {
    EXPECT_THAT(std::string(ParseFaults(text).status().message()), HasSubstr("must be NAME, NAME:PERCENT or")) << text;
  }
}

TEST(ArgumentsTest, ListsAreSplitAtCommas) {
  EXPECT_THAT(SplitList({"a,b", "c", ",", ""}), ElementsAre("a", "b", "c"));
}

TEST(ArgumentsTest, NearestNameIsASlipOrNothing) {
  const std::vector<std::string> known = {"list", "run", "replay", "nightly"};
  EXPECT_EQ(NearestName("rnu", known), "run");
  EXPECT_EQ(NearestName("reply", known), "replay");
  EXPECT_EQ(NearestName("night", known), "nightly");
  EXPECT_EQ(NearestName("frobnicate", known), "");
}

}  // namespace
}  // namespace ordeal
