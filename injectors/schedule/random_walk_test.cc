#include "injectors/schedule/random_walk.h"

#include <vector>

#include "gtest/gtest.h"

namespace ordeal {
namespace {

std::vector<int> Draw(RandomWalk& source, uint64_t run, int options, int count) {
  source.BeginRun(run);
  std::vector<int> answers;
  for (int i = 0; i < count; ++i) answers.push_back(source.Choose({.options = options}));
  return answers;
}

TEST(RandomWalkTest, RunIsAFunctionOfSeedAndRunNumber) {
  RandomWalk a(7), b(7), c(8);
  Draw(a, 0, 3, 5);  // the history of a source does not matter
  EXPECT_EQ(Draw(a, 4, 3, 100), Draw(b, 4, 3, 100));
  EXPECT_NE(Draw(a, 4, 3, 100), Draw(a, 5, 3, 100));
  EXPECT_NE(Draw(a, 4, 3, 100), Draw(c, 4, 3, 100));
}

// The values are pinned: a change of generator or of seed derivation breaks every stored seed.
TEST(RandomWalkTest, FirstAnswersOfSeedOneAreThese) {
  RandomWalk source(1);
  EXPECT_EQ(Draw(source, 0, 1000, 4), (std::vector<int>{685, 531, 920, 720}));
}

// Chi-squared over 7 options, 70,000 draws: the 99.9 % quantile for 6 degrees of freedom is 22.5.
TEST(RandomWalkTest, AnswersAreUniform) {
  RandomWalk source(42);
  std::vector<int> count(7);
  for (const int answer : Draw(source, 0, 7, 70'000)) ++count[answer];
  double chi_squared = 0;
  for (const int n : count) chi_squared += (n - 10'000.0) * (n - 10'000.0) / 10'000.0;
  EXPECT_LT(chi_squared, 22.5);
}

// The first answer must also be uniform over runs: reseeding by run number must not correlate them.
TEST(RandomWalkTest, FirstAnswerIsUniformOverRuns) {
  RandomWalk source(3);
  std::vector<int> count(4);
  for (uint64_t run = 0; run < 40'000; ++run) {
    source.BeginRun(run);
    ++count[source.Choose({.options = 4})];
  }
  for (const int n : count) EXPECT_NEAR(n, 10'000, 400);
}

}  // namespace
}  // namespace ordeal
