// The scenarios of waits and events: with the bug the validator finds it in the quiet schedule, which runs to its end, and some
// schedules deadlock; without it no schedule finds anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "harness/catalogue/catalogue.h"
#include "harness/choice/replay.h"
#include "harness/catalogue/clean_schedules_for_test.h"
#include "harness/scenario/scenario.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;

constexpr uint64_t kSchedulesMax = 2'000;

struct EventBug {
  const char* scenario;
  const char* bug;
  const char* predicted;  // signature, in part: names the event
  const char* deadlock;   // signature, in part
};

void PrintTo(const EventBug& bug, std::ostream* out) { *out << bug.scenario << " with " << bug.bug; }

class EventBugTest : public ::testing::TestWithParam<EventBug> {
 protected:
  static ScenarioSpec Spec(bool with_bug) {
    ScenarioSpec spec{.scenario = GetParam().scenario};
    if (with_bug) spec.bugs = {GetParam().bug};
    return *BuiltIn().Resolve(spec);
  }
};

TEST_P(EventBugTest, IsFoundInTheQuietScheduleWhichRunsToItsEnd) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario(GetParam().scenario), Spec(true));
  QuietSource quiet;
  const RunResult result = runner.Run(quiet);
  EXPECT_EQ(result.end.kind, RunEndKind::kCompleted);
  ASSERT_FALSE(result.findings.empty());
  std::set<std::string> signatures;
  for (const Finding& finding : result.findings) {
    EXPECT_EQ(finding.kind, FindingKind::kLockOrder) << finding.signature;
    signatures.insert(finding.signature);
  }
  EXPECT_TRUE(std::any_of(signatures.begin(), signatures.end(), [](const std::string& signature) {
    return absl::StrContains(signature, GetParam().predicted);
  })) << *signatures.begin();
}

TEST_P(EventBugTest, SomeSchedulesDeadlock) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario(GetParam().scenario), Spec(true));
  int deadlocks = 0;
  int completed = 0;
  bool named = false;
  for (uint64_t seed = 0; seed < kSchedulesMax; ++seed) {
    RandomWalk source(seed);
    const RunResult result = runner.Run(source);
    completed += result.end.kind == RunEndKind::kCompleted;
    if (result.end.kind != RunEndKind::kDeadlock) continue;
    ++deadlocks;
    named |= absl::StrContains(result.findings.at(0).signature, GetParam().deadlock);
  }
  EXPECT_GT(deadlocks, 0);
  EXPECT_GT(completed, 0);
  EXPECT_TRUE(named);
}

TEST_P(EventBugTest, NothingIsFoundWithoutIt) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario(GetParam().scenario), Spec(false));
  QuietSource quiet;
  ASSERT_THAT(runner.Run(quiet).findings, IsEmpty());
  for (uint64_t seed = 0; seed < kCleanSchedules; ++seed) {
    RandomWalk source(seed);
    const RunResult result = runner.Run(source);
    ASSERT_EQ(result.end.kind, RunEndKind::kCompleted) << seed;
    ASSERT_THAT(result.findings, IsEmpty()) << seed << "\n" << result.findings[0].details;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EventBugTest,
                         ::testing::Values(EventBug{"dio-sync-before-dio-end", "B19", "i_rwsem > inode_dio", "wait direct I/O"},
                                           EventBug{"ocfs2-page-lock-dlm", "B46", "dlm_unblocked > page_lock",
                                                    "wait cluster lock unblocked"},
                                           EventBug{"workqueue-flush", "B96", "conversion slot > reclaim work",
                                                    "wait reclaim"},
                                           EventBug{"workqueue-flush", "flush-under-lock", "inode list > reclaim work",
                                                    "wait reclaim"}));

}  // namespace
}  // namespace ordeal
