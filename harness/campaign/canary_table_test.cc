// The canary table on a registry with one bug: as a switch of the new file system, as a hole of the old one.
#include "harness/campaign/canary_table.h"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/campaign/known_holes.h"
#include "harness/campaign/two_locks_for_test.h"
#include "harness/corpus/corpus_file.h"
#include "harness/corpus/corpus_replay.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CanaryTable Make(const Registry& registry, CanaryTableOptions options) {
  Progress progress(/*silent=*/true);
  const auto table = MakeCanaryTable(registry, options, progress);
  EXPECT_TRUE(table.ok()) << table.status();
  return table.ok() ? *table : CanaryTable{};
}

TEST(CanaryTableTest, ASwitchAndAHoleAreFoundAndSaved) {
  const std::string folder = absl::StrCat(::testing::TempDir(), "/canary_table_test.", getpid());
  const Registry registry = TestRegistry();
  const CanaryTable table = Make(registry, {.seeds = 3, .schedules_max = 500, .clean_schedules = 0, .corpus = folder});
  ASSERT_EQ(table.canaries.size(), 2u);
  EXPECT_EQ(table.canaries[0].filesystem, "new");
  EXPECT_EQ(table.canaries[0].twin, "");
  EXPECT_EQ(table.canaries[1].filesystem, "old");
  EXPECT_EQ(table.canaries[1].twin, "new");
  EXPECT_EQ(table.canaries[1].finding, "deadlock");  // not the inversion, which is seen first
  for (const CanaryRow& row : table.canaries) {
    EXPECT_EQ(row.found, 3u);
    const auto entry = ReadCorpusEntry(absl::StrCat(folder, "/", row.file));
    ASSERT_TRUE(entry.ok()) << entry.status();
    EXPECT_EQ(entry->spec.bugs.empty(), row.filesystem == "old");
    const auto replay = ReplayEntry(registry, *entry, /*keep_trace=*/false);
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_EQ(replay->verdict, ReplayVerdict::kSame);
  }
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(table.ok());
  EXPECT_THAT(RenderMarkdown(table), HasSubstr("old itself (clean: new)"));
  EXPECT_EQ(nlohmann::json::parse(RenderJson(table))["canaries"][1]["twin"], "new");
}

// A twin that reports something proves nothing about the bug.
TEST(CanaryTableTest, AHoleWhoseTwinIsNotSilentIsNotCounted) {
  Registry registry;
  ScenarioEntry entry = *TestRegistry().FindScenario("two-locks");
  entry.bugs.clear();
  entry.filesystems = {"old", "older"};
  entry.holes = {{"T1", "older", "old", ""}};
  registry.Add(std::move(entry));
  registry.Add(FileSystemType{.name = "old"});
  registry.Add(FileSystemType{.name = "older", .inherent_bugs = {"T1"}});
  registry.Add(BugEntry{.id = "T1", .slug = "abba"});
  EXPECT_TRUE(Make(registry, {.seeds = 1, .schedules_max = 500, .clean_schedules = 0}).canaries.empty());
}

TEST(CanaryTableTest, ABugThatIsNotFoundIsMissed) {
  const CanaryTable table = Make(TestRegistry(), {.seeds = 1, .schedules_max = 500, .clean_schedules = 0});
  EXPECT_TRUE(table.ok());
  CanaryTable missed = table;
  missed.canaries[1].found = 0;
  EXPECT_FALSE(missed.ok());
}

TEST(CanaryTableTest, AFindingWithoutASwitchNeedsAHoleThatExplainsIt) {
  CanaryTable table;
  table.clean.push_back({.filesystem = "older", .findings = {{"data: stale", 3, {"T1"}}}, .known_holes = {"T1"}});
  EXPECT_TRUE(table.ok());
  table.clean[0].findings.push_back({"deadlock: a > b", 1, {}});
  EXPECT_FALSE(table.ok());
}

TEST(CanaryTableTest, AHoleExplainsFindingsOfItsKindOnly) {
  const Registry registry = TestRegistry();
  const ScenarioSpec old{.scenario = "two-locks", .filesystem = "old", .bugs = {}, .faults = {}};
  const ScenarioSpec repaired{.scenario = "two-locks", .filesystem = "new", .bugs = {}, .faults = {}};
  EXPECT_THAT(HolesThatExplain(registry, old, FindingKind::kDeadlock), ElementsAre("T1"));
  EXPECT_THAT(HolesThatExplain(registry, old, FindingKind::kData), IsEmpty());
  EXPECT_THAT(HolesThatExplain(registry, old, FindingKind::kInvariant), ElementsAre("T1"));  // the scenario shows T1
  EXPECT_THAT(HolesThatExplain(registry, repaired, FindingKind::kDeadlock), IsEmpty());
}

}  // namespace
}  // namespace ordeal
