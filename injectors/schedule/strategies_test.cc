#include "injectors/schedule/strategies.h"

#include "gtest/gtest.h"

namespace ordeal {
namespace {

std::string ErrorOf(absl::string_view text) { return std::string(MakeStrategy(text, 1).status().message()); }

TEST(StrategiesTest, EveryTableEntryCanBeMade) {
  for (const StrategyEntry& entry : Strategies()) {
    const auto source = MakeStrategy(entry.name, 1);
    ASSERT_TRUE(source.ok()) << source.status();
    EXPECT_NE(*source, nullptr);
    EXPECT_NE(std::string(entry.summary), "");
  }
}

TEST(StrategiesTest, ParameterIsRead) {
  const auto source = MakeStrategy("pct:5", 1);
  ASSERT_TRUE(source.ok());
  EXPECT_TRUE((*source)->WantsCandidates());
}

TEST(StrategiesTest, BadTextIsRefusedWithWhatIsAccepted) {
  EXPECT_EQ(ErrorOf("pcx"), "no strategy is called 'pcx'; there are: random, pct");
  EXPECT_EQ(ErrorOf(""), "no strategy is called ''; there are: random, pct");
  EXPECT_EQ(ErrorOf("random:3"), "strategy 'random' takes no parameter");
  EXPECT_EQ(ErrorOf("pct:0"), "strategy 'pct:0': the parameter must be a number from 1 to 16");
  EXPECT_EQ(ErrorOf("pct:x"), "strategy 'pct:x': the parameter must be a number from 1 to 16");
  EXPECT_EQ(ErrorOf("pct:"), "strategy 'pct:': the parameter must be a number from 1 to 16");
}

}  // namespace
}  // namespace ordeal
