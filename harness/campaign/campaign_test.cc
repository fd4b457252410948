// Exploration and the nightly job on tiny scenarios: what is found, saved, counted and called known.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/campaign/explore.h"
#include "harness/campaign/nightly.h"
#include "harness/campaign/two_locks_for_test.h"
#include "harness/corpus/corpus_file.h"
#include "harness/corpus/corpus_replay.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ExploreTest, FindsTheBugAndNothingWithoutIt) {
  const Registry registry = TestRegistry();
  const auto with = Explore(registry, Spec("new", {"abba"}), {});
  ASSERT_TRUE(with.ok()) << with.status();
  ASSERT_EQ(with->findings.size(), 1u);
  EXPECT_TRUE(with->findings[0].replays) << with->findings[0].replay_problem;
  EXPECT_EQ(with->spec.bugs, (std::vector<std::string>{"T1"}));

  const auto without = Explore(registry, Spec("new"), {.schedules_max = 1000});
  ASSERT_TRUE(without.ok());
  EXPECT_TRUE(without->findings.empty());
  EXPECT_EQ(without->schedules, 1000u);
}

TEST(ExploreTest, SameSeedGivesTheSameFindingsInTheSameSchedules) {
  const Registry registry = TestRegistry();
  const ExploreOptions options{.strategy = "pct:2", .seed = 11, .schedules_max = 500, .findings_max = 0};
  const auto a = Explore(registry, Spec("old"), options);
  const auto b = Explore(registry, Spec("old"), options);
  ASSERT_TRUE(a.ok() && b.ok());
  ASSERT_EQ(a->findings.size(), b->findings.size());
  ASSERT_GE(a->findings.size(), 2u);  // the inversion without blocking, and the deadlock
  for (size_t i = 0; i < a->findings.size(); ++i) {
    EXPECT_EQ(a->findings[i].first_run, b->findings[i].first_run);
    EXPECT_EQ(a->findings[i].count, b->findings[i].count);
    EXPECT_EQ(FormatCorpusEntry(a->findings[i].entry), FormatCorpusEntry(b->findings[i].entry));
  }
  EXPECT_EQ(a->steps, b->steps);
}

TEST(ExploreTest, FirstRunContinuesWhereAnotherExplorationEnded) {
  const Registry registry = TestRegistry();
  const auto whole = Explore(registry, Spec("old"), {.schedules_max = 200, .findings_max = 0});
  const auto first = Explore(registry, Spec("old"), {.schedules_max = 100, .findings_max = 0});
  const auto second = Explore(registry, Spec("old"), {.first_run = 100, .schedules_max = 100, .findings_max = 0});
  ASSERT_TRUE(whole.ok() && first.ok() && second.ok());
  EXPECT_EQ(whole->steps, first->steps + second->steps);
}

TEST(ExploreTest, UnknownNamesAreErrors) {
  const Registry registry = TestRegistry();
  EXPECT_EQ(Explore(registry, {"none", "", {}, {}}, {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Explore(registry, Spec("new"), {.strategy = "none"}).status().code(), absl::StatusCode::kInvalidArgument);
}

class NightlyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/nightly_test.",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  NightlyReport Run(const Registry& registry) {
    Progress progress(/*silent=*/true);
    auto report = RunNightly(registry, {.seconds = 0.5, .directory = folder_}, progress);
    EXPECT_TRUE(report.ok()) << report.status();
    return *report;
  }
  std::string Text(const std::string& name) { return *ReadFileBounded(absl::StrCat(folder_, "/", name), 1 << 24); }

  std::string folder_;
};

TEST_F(NightlyTest, HoleOfAHistoricalFileSystemIsKnownAndTheCanaryIsFound) {
  const NightlyReport report = Run(TestRegistry());
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.cells.size(), 8u);  // two file systems, two strategies, two fault sets
  ASSERT_EQ(report.canaries.size(), 1u);
  EXPECT_TRUE(report.canaries[0].found);
  ASSERT_FALSE(report.findings.empty());
  for (const NightlyFinding& finding : report.findings) {
    EXPECT_EQ(finding.found.entry.spec.filesystem, "old");
    EXPECT_EQ(finding.known_as, (std::vector<std::string>{"T1"}));
    const auto entry = ReadCorpusEntry(absl::StrCat(folder_, "/", finding.file));
    ASSERT_TRUE(entry.ok()) << entry.status();
  }
  EXPECT_THAT(Text("report.md"), HasSubstr("nothing new found, every canary found"));
  EXPECT_THAT(Text("report.md"), Not(HasSubstr("missed |")));
}

TEST_F(NightlyTest, UnexplainedFindingIsNewAndAnUncoveredBugIsSaid) {
  const NightlyReport report = Run(TestRegistry(/*bugs_of_scenario=*/{}, /*kind_of_bug=*/"stale exposure"));
  EXPECT_FALSE(report.ok());
  EXPECT_GT(report.new_findings(), 0u);  // a hole in the data does not explain a deadlock
  ASSERT_EQ(report.canaries.size(), 1u);
  EXPECT_EQ(report.canaries[0].scenario, "");
  EXPECT_EQ(report.missed_canaries(), 0u);
  EXPECT_THAT(Text("report.md"), HasSubstr("no scenario"));
}

TEST_F(NightlyTest, HoleExplainsFindingsOfItsKindInEveryScenario) {
  const NightlyReport report = Run(TestRegistry(/*bugs_of_scenario=*/{}));
  EXPECT_EQ(report.new_findings(), 0u);
  EXPECT_FALSE(report.findings.empty());
}

TEST_F(NightlyTest, JsonAndMarkdownAgree) {
  const NightlyReport report = Run(TestRegistry());
  const auto json = nlohmann::json::parse(Text("report.json"));
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["schedules"], report.schedules());
  EXPECT_EQ(json["findings"].size(), report.findings.size());
  EXPECT_EQ(json["cells"].size(), report.cells.size());
  for (const auto& finding : json["findings"]) {
    EXPECT_THAT(Text("report.md"), HasSubstr(finding["signature"].get<std::string>()));
  }
}

TEST_F(NightlyTest, UnwritableFolderIsAnErrorAtTheStart) {
  ASSERT_TRUE(WriteFileAtomically(folder_, "a file").ok());
  Progress progress(true);
  EXPECT_FALSE(RunNightly(TestRegistry(), {.seconds = 0.1, .directory = folder_}, progress).ok());
}

// The cheap half of the two-process rule; corpora/ replays whole programs.
TEST(CrossProcessTest, AForkGivesTheSameTrace) {
  const Registry registry = TestRegistry();
  const auto result = Explore(registry, Spec("old"), {});
  ASSERT_TRUE(result.ok() && !result->findings.empty());
  const CorpusEntry& entry = result->findings[0].entry;
  const pid_t child = fork();
  if (child == 0) {
    const auto outcome = ReplayEntry(registry, entry);
    _exit(outcome.ok() && outcome->verdict == ReplayVerdict::kSame ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace ordeal
