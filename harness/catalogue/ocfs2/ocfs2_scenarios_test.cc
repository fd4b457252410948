// Each hole of a historical OCFS2, and each switch of today's, is found by the oracle that the catalogue names; the protocols that
// replaced them find nothing in the same scenario.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/filesystems/filesystems.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/workload_scenario.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::Not;

constexpr uint64_t kSchedulesMax = 2'000;
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kCleanSchedules = 100;
#else
constexpr uint64_t kCleanSchedules = kSchedulesMax;
#endif
constexpr int kSeeds = 5;

struct BugCase {
  const char* scenario;
  const char* filesystem;
  const char* bug;        // "": a hole of the file system itself
  const char* signature;  // of some finding, in part
};

void PrintTo(const BugCase& c, std::ostream* out) { *out << c.scenario << " on " << c.filesystem << " with " << c.bug; }

constexpr BugCase kBugCases[] = {
    {"reader-and-appender", "ocfs2-naive", "", "deadlock: "},
    {"reader-and-appender", "ocfs2-naive", "", "folio_lock"},
    {"reader-and-appender", "ocfs2-skip-locked", "", "livelock"},
    {"guarded-copies-cross", "ocfs2-guard", "B50", "deadlock: "},
    {"readers-race-to-fill", "ocfs2-guard", "B51", "deadlock: "},
    {"readahead-gives-up", "ocfs2", "B57", "deadlock"},
    {"nodes-link", "ocfs2", "B58", "deadlock: "},
    {"nodes-rename", "", "B59", "deadlock: "},
};

// This section alone, so that the test needs no other.
Registry Section() {
  Registry registry;
  for (const FileSystemType& type : FileSystemTypes()) registry.Add(type);
  AddOcfs2Scenarios(registry);
  for (const char* id : {"B46", "B50", "B51", "B52", "B53", "B54", "B55", "B56", "B57", "B58", "B59"}) {
    BugEntry entry;
    entry.id = entry.slug = id;
    registry.Add(entry);
  }
  return registry;
}

ScenarioSpec Resolve(const Registry& registry, const std::string& scenario, const std::string& filesystem,
                     const std::string& bug = "") {
  ScenarioSpec wanted{.scenario = scenario, .filesystem = filesystem};
  if (!bug.empty()) wanted.bugs = {bug};
  const auto spec = registry.Resolve(wanted);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *spec : ScenarioSpec{};
}

class Ocfs2BugTest : public ::testing::TestWithParam<BugCase> {};

TEST_P(Ocfs2BugTest, IsFoundSoon) {
  const BugCase& c = GetParam();
  const Registry registry = Section();
  Runner runner(*registry.FindScenario(c.scenario), Resolve(registry, c.scenario, c.filesystem, c.bug));
  std::vector<uint64_t> needed;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    RandomWalk source(seed);
    uint64_t run = 0;
    bool found = false;
    for (; run < kSchedulesMax && !found; ++run) {
      for (const Finding& finding : runner.Run(source, run).findings) {
        found |= finding.signature.find(c.signature) != std::string::npos;
      }
    }
    EXPECT_TRUE(found) << "seed " << seed;
    needed.push_back(run);
  }
  std::sort(needed.begin(), needed.end());
  std::printf("  median %d, worst %d schedules\n", static_cast<int>(needed[kSeeds / 2]), static_cast<int>(needed.back()));
}

INSTANTIATE_TEST_SUITE_P(Bugs, Ocfs2BugTest, ::testing::ValuesIn(kBugCases));

struct CleanCase {
  const char* scenario;
  const char* filesystem;
};

void PrintTo(const CleanCase& c, std::ostream* out) { *out << c.scenario << " on " << c.filesystem; }

constexpr CleanCase kCleanCases[] = {
    {"reader-and-appender", "ocfs2"},   {"reader-and-appender", "ocfs2-guard"},  {"reader-and-appender", "ocfs2-atp"},
    {"nodes-write-one-page", "ocfs2"},  {"nodes-write-one-page", "ocfs2-guard"}, {"guarded-copies-cross", "ocfs2"},
    {"guarded-copies-cross", "ocfs2-guard"}, {"readers-race-to-fill", "ocfs2"},  {"readers-race-to-fill", "ocfs2-guard"},
    {"nodes-link", "ocfs2"},            {"nodes-rename", ""},
    {"readahead-gives-up", "ocfs2"},         {"nodes-write-one-page", "ocfs2-atp"},
};

class Ocfs2CleanTest : public ::testing::TestWithParam<CleanCase> {};

TEST_P(Ocfs2CleanTest, FindsNothing) {
  const Registry registry = Section();
  Runner runner(*registry.FindScenario(GetParam().scenario),
                Resolve(registry, GetParam().scenario, GetParam().filesystem));
  RandomWalk source(1);
  for (uint64_t run = 0; run < kCleanSchedules; ++run) {
    const RunResult result = runner.Run(source, run);
    ASSERT_TRUE(result.findings.empty()) << "run " << run << "\n"
                                         << result.findings[0].signature << "\n"
                                         << result.findings[0].details;
    ASSERT_EQ(result.end.kind, RunEndKind::kCompleted) << "run " << run;
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Ocfs2CleanTest, ::testing::ValuesIn(kCleanCases));

// All operations on two files of two nodes, short of memory, as the scenario operations-mix.
ScenarioEntry Mix() {
  ScenarioEntry entry;
  entry.name = "mix";
  entry.filesystems = {"ocfs2"};
  WorkloadShape shape;
  shape.pages_per_file = 3;
  shape.tasks = 3;
  shape.processes = 2;
  shape.operations_per_task = 3;
  pagecache::WorldOptions options;
  options.memory_folios = 10;
  options.kswapd = true;
  options.fault_around = true;
  return GeneratedWorkload(entry, shape, options);
}

// "a > b" for every dependency of every run; nothing is found.
std::set<std::string> OrdersOfMix(uint64_t runs) {
  Registry registry = Section();
  registry.Add(Mix());
  Runner runner(*registry.FindScenario("mix"), Resolve(registry, "mix", "ocfs2"));
  RandomWalk source(7);
  std::set<std::string> orders;
  for (uint64_t run = 0; run < runs; ++run) {
    const RunResult result = runner.Run(source, run);
    EXPECT_TRUE(result.findings.empty()) << "run " << run << "\n"
                                         << result.findings[0].signature << "\n"
                                         << result.findings[0].details;
    EXPECT_EQ(result.end.kind, RunEndKind::kCompleted) << "run " << run;
    if (::testing::Test::HasFailure()) break;
    const lockdep::Validator& validator = runner.sim().validator();
    for (uint32_t i = 0; i < validator.graph().size(); ++i) {
      const lockdep::Edge& edge = validator.graph().edge(lockdep::EdgeId{i});
      orders.insert(validator.classes().NodeName(edge.from) + " > " + validator.classes().NodeName(edge.to));
    }
  }
  return orders;
}

void ExpectOrder(const std::set<std::string>& orders, const std::string& first, const std::string& second) {
  EXPECT_THAT(orders, Contains(first + " > " + second));
  EXPECT_THAT(orders, Not(Contains(second + " > " + first)));
}

TEST(Ocfs2MixTest, KeepsTheLockOrderOfItsReadme) {
  const std::set<std::string> orders = OrdersOfMix(kCleanSchedules);
  ExpectOrder(orders, "i_rwsem", "ocfs2_rw_lock");
  ExpectOrder(orders, "ocfs2_rw_lock", "mmap_lock");
  ExpectOrder(orders, "ocfs2_rw_lock", "ocfs2_inode_lock");
  ExpectOrder(orders, "mmap_lock", "ocfs2_inode_lock");
  ExpectOrder(orders, "ocfs2_inode_lock", "ip_alloc_sem");
  ExpectOrder(orders, "ocfs2_inode_lock", "folio_lock");
  ExpectOrder(orders, "ip_alloc_sem", "folio_lock");
  ExpectOrder(orders, "folio_lock", "ocfs2_extent_map");
}

}  // namespace
}  // namespace ordeal
