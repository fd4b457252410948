// Every saved run, in two processes; and its clean twin: the same scenario without the bug must survive many schedules.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "harness/campaign/explore.h"
#include "harness/catalogue/catalogue.h"
#include "harness/cli/program_for_test.h"
#include "harness/corpus/corpus_file.h"

namespace ordeal {
namespace {

using nlohmann::json;

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kTwinSchedules = 200;
#else
constexpr uint64_t kTwinSchedules = 2000;
#endif

const char kCorpora[] = ORDEAL_SOURCE_DIR "/corpora";

std::vector<CorpusEntry> Entries() {
  std::vector<CorpusEntry> entries;
  const auto files = ListCorpusFiles({kCorpora});
  EXPECT_TRUE(files.ok()) << files.status();
  if (!files.ok()) return entries;
  for (const std::string& file : *files) {
    auto entry = ReadCorpusEntry(file);
    EXPECT_TRUE(entry.ok()) << entry.status();
    if (entry.ok()) entries.push_back(*std::move(entry));
  }
  return entries;
}

TEST(CorporaTest, EveryEntryReplaysInTwoProcessesWithIdenticalTraceHashes) {
  const std::string folder = absl::StrCat(::testing::TempDir(), "/corpora_test.", getpid());
  std::filesystem::create_directories(folder);
  const ProgramResult first = RunProgram({"replay", kCorpora, "--json"}, folder);
  const ProgramResult second = RunProgram({"replay", kCorpora, "--json"}, folder);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(first.status, 0) << first.out << first.err;
  EXPECT_EQ(second.status, 0) << second.out << second.err;
  EXPECT_EQ(first.out, second.out);
  for (const json& replay : json::parse(first.out)) EXPECT_EQ(replay["verdict"], "same") << replay;
}

// Every switch of every file system, and of every scenario without one. On a historical file system a hole of its own may be
// found before the switch: there no run is asked for.
TEST(CorporaTest, EveryBugHasAnEntry) {
  std::set<std::string> saved;
  for (const CorpusEntry& entry : Entries()) {
    for (const std::string& bug : entry.spec.bugs) saved.insert(absl::StrCat(bug, " on ", entry.spec.filesystem));
  }
  const Registry registry = BuiltIn();
  for (const FileSystemType& type : registry.filesystems()) {
    if (!type.inherent_bugs.empty()) continue;
    for (const std::string& bug : type.bugs) {
      EXPECT_EQ(saved.count(absl::StrCat(bug, " on ", type.name)), 1u) << bug << " on " << type.name;
    }
  }
  for (const ScenarioEntry& scenario : registry.scenarios()) {
    if (!scenario.filesystems.empty()) continue;
    for (const std::string& bug : scenario.bugs) EXPECT_EQ(saved.count(absl::StrCat(bug, " on ")), 1u) << bug;
  }
}

// Every hole of a historical protocol that a scenario shows.
TEST(CorporaTest, EveryHoleHasAnEntry) {
  std::set<std::string> saved;
  for (const CorpusEntry& entry : Entries()) {
    if (entry.spec.bugs.empty()) saved.insert(absl::StrCat(entry.spec.scenario, " on ", entry.spec.filesystem));
  }
  const Registry registry = BuiltIn();
  for (const FileSystemType& type : registry.filesystems()) {
    for (const std::string& bug : type.inherent_bugs) {
      bool shown = false;
      bool has_entry = false;
      for (const ScenarioEntry& scenario : registry.scenarios()) {
        if (!scenario.ShowsHole(bug, type.name)) continue;
        shown = true;
        has_entry |= saved.count(absl::StrCat(scenario.name, " on ", type.name)) > 0;
      }
      EXPECT_EQ(shown, has_entry) << bug << ", a hole of " << type.name;
    }
  }
}

TEST(CorporaTest, EveryEntryIsSmall) {
  for (const CorpusEntry& entry : Entries()) {
    EXPECT_LE(entry.choices.deviations.size(), 60u) << entry.spec.scenario << " " << absl::StrJoin(entry.spec.bugs, ",");
  }
}

TEST(CorporaTest, CleanTwinOfEveryEntryFindsNothing) {
  const Registry registry = BuiltIn();
  std::set<std::string> done;
  for (const CorpusEntry& entry : Entries()) {
    if (entry.spec.bugs.empty()) continue;  // a hole of the protocol itself: there is no switch to turn it off
    ScenarioSpec twin = entry.spec;
    twin.bugs.clear();
    const std::string name = absl::StrCat(twin.scenario, " on ", twin.filesystem, " ",
                                          absl::StrJoin(FaultNames(twin.faults), ","));
    if (!done.insert(name).second) continue;
    const auto result = Explore(registry, twin, {.schedules_max = kTwinSchedules});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->schedules, kTwinSchedules) << name;
    EXPECT_TRUE(result->findings.empty()) << name << ": " << result->findings[0].finding.details;
  }
}

}  // namespace
}  // namespace ordeal
