#include "harness/corpus/minimise.h"

#include <gtest/gtest.h>

#include "harness/catalogue/catalogue.h"
#include "harness/corpus/corpus_replay.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

// The first finding of a random walk, as a corpus entry.
CorpusEntry Find(const Registry& registry, ScenarioSpec unresolved, uint64_t seed) {
  const ScenarioSpec spec = *registry.Resolve(std::move(unresolved));
  Runner runner(*registry.FindScenario(spec.scenario), spec);
  RandomWalk source(seed);
  for (uint64_t run = 0; run < 20'000; ++run) {
    const RunResult result = runner.Run(source, run);
    if (!result.findings.empty()) return MakeCorpusEntry(runner, result, {"random", seed, run});
  }
  ADD_FAILURE() << "nothing found";
  return {};
}

TEST(MinimiseTest, ARunGetsSmallerAndKeepsItsFinding) {
  const Registry registry = BuiltIn();
  for (const char* scenario : {"dining-philosophers", "punch-hole-vs-read"}) {
    const std::string bug = registry.FindScenario(scenario)->bugs.front();
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const CorpusEntry entry = Find(registry, {scenario, "", {bug}, {}}, seed);
      const absl::StatusOr<Minimised> small = Minimise(registry, entry, {});
      ASSERT_TRUE(small.ok()) << small.status();
      EXPECT_TRUE(small->complete);
      EXPECT_LE(small->after.deviations, small->before.deviations);
      EXPECT_LE(small->after.deviations, 6u) << scenario << " seed " << seed;
      EXPECT_EQ(small->entry.finding->signature, entry.finding->signature);
      const absl::StatusOr<ReplayOutcome> outcome = ReplayEntry(registry, small->entry);
      ASSERT_TRUE(outcome.ok());
      EXPECT_EQ(outcome->verdict, ReplayVerdict::kSame) << outcome->explanation;
    }
  }
}

TEST(MinimiseTest, AMinimalRunStaysAsItIs) {
  const Registry registry = BuiltIn();
  const CorpusEntry entry = Find(registry, {"dining-philosophers", "", {"naive-order"}, {}}, 3);
  const Minimised once = *Minimise(registry, entry, {});
  const Minimised twice = *Minimise(registry, once.entry, {});
  EXPECT_EQ(twice.after.deviations, once.after.deviations);
  EXPECT_EQ(twice.after.choices, once.after.choices);
}

TEST(MinimiseTest, WithoutRunsNothingChanges) {
  const Registry registry = BuiltIn();
  const CorpusEntry entry = Find(registry, {"dining-philosophers", "", {"naive-order"}, {}}, 1);
  const Minimised same = *Minimise(registry, entry, {.runs_max = 0});
  EXPECT_FALSE(same.complete);
  EXPECT_EQ(FormatCorpusEntry(same.entry), FormatCorpusEntry(entry));
}

TEST(MinimiseTest, ARunWithoutFindingIsRefused) {
  const Registry registry = BuiltIn();
  CorpusEntry entry = Find(registry, {"dining-philosophers", "", {"naive-order"}, {}}, 1);
  entry.finding.reset();
  EXPECT_EQ(Minimise(registry, entry, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(MinimiseTest, ARunThatDoesNotReplayIsRefused) {
  const Registry registry = BuiltIn();
  CorpusEntry entry = Find(registry, {"dining-philosophers", "", {"naive-order"}, {}}, 1);
  entry.spec.bugs.clear();
  EXPECT_EQ(Minimise(registry, entry, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ordeal
