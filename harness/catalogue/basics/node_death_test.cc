// A node of a cluster dies during a mix of operations: nothing that it had synced is lost, nothing foreign shows, nobody hangs. And
// the oracle bites: a survivor that does not wait for the replay of the journal is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/choice/prng.h"
#include "harness/filesystems/filesystems.h"
#include "harness/scenario/scenario.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSchedules = 200;
#else
constexpr uint64_t kSchedules = 600;
#endif

// Everything at random; faults rarely, and a death later than at the first message.
class RareFaults final : public ChoiceSource {
 public:
  void BeginRun(uint64_t run) override { prng_ = Prng(DeriveSeed(11, run)); }
  int Choose(const ChoicePoint& point) override {
    const auto options = static_cast<uint32_t>(point.options);
    if (point.kind == ChoiceKind::kIoTorn) return static_cast<int>(prng_.Below(options));
    if (IsFault(point.kind) && prng_.Below(12) != 0) return 0;
    const int answer = static_cast<int>(prng_.Below(options));
    if (point.kind == ChoiceKind::kNodeDeath) deaths += static_cast<uint64_t>(answer);
    return answer;
  }
  uint64_t deaths = 0;

 private:
  Prng prng_;
};

struct Found {
  std::string first;  // with its schedule and details; empty: nothing
  uint64_t deaths = 0;
};

Found RunAll(const ScenarioEntry& entry, const char* filesystem, std::vector<std::string> bugs, FaultSet faults) {
  ScenarioSpec spec{.scenario = entry.name, .filesystem = filesystem, .bugs = std::move(bugs), .faults = faults};
  spec.filesystem_type = *FindFileSystemType(filesystem);
  Runner runner(entry, spec);
  RareFaults source;
  Found found;
  for (uint64_t run = 0; run < kSchedules && found.first.empty(); ++run) {
    const RunResult result = runner.Run(source, run);
    if (result.findings.empty() && result.end.kind == RunEndKind::kCompleted) continue;
    found.first = absl::StrCat("schedule ", run, ": ", RunEndKindName(result.end.kind));
    for (const Finding& finding : result.findings) {
      absl::StrAppend(&found.first, "\n", finding.signature, "\n", finding.summary, "\n", finding.details);
    }
  }
  found.deaths = source.deaths;
  return found;
}

class NodeDeathTest : public ::testing::TestWithParam<const char*> {};

TEST_P(NodeDeathTest, TheMixesSurviveIt) {
  for (const auto make : {ClusterMixScenario, ClusterMixOf3NodesScenario, ClusterMixOf4NodesScenario, NodeDeathMixScenario}) {
    const ScenarioEntry entry = make();
    const Found found = RunAll(entry, GetParam(), {}, {ChoiceKind::kNodeDeath, ChoiceKind::kMessageDelay});
    EXPECT_EQ(found.first, "") << entry.name;
    EXPECT_GT(found.deaths, kSchedules / 5) << entry.name;
  }
}

TEST_P(NodeDeathTest, TheMixesSurviveItWithAllFaults) {
  for (const auto make : {ClusterMixScenario, ClusterMixOf3NodesScenario, NodeDeathMixScenario}) {
    const ScenarioEntry entry = make();
    EXPECT_EQ(RunAll(entry, GetParam(), {}, FaultSet::All()).first, "") << entry.name;
  }
}

TEST_P(NodeDeathTest, AGrantBeforeTheReplayIsFound) {
  const ScenarioEntry entry = NodeDiesAfterFsyncScenario();
  EXPECT_THAT(RunAll(entry, GetParam(), {"grant-before-replay"}, entry.default_faults).first, HasSubstr("data: short-read"));
  const Found clean = RunAll(entry, GetParam(), {}, entry.default_faults);
  EXPECT_EQ(clean.first, "");
  EXPECT_GT(clean.deaths, kSchedules / 10);
}

INSTANTIATE_TEST_SUITE_P(FileSystems, NodeDeathTest, ::testing::Values("gfs2", "ocfs2"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ordeal
