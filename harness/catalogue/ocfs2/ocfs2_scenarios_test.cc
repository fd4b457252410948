// Each hole of a historical OCFS2, and each switch of today's, is found by the oracle that the catalogue names; the protocols that
// replaced them find nothing in the same scenario.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/lock_orders_for_test.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/workload_scenario.h"
#include "injectors/schedule/pct.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

constexpr uint64_t kSchedulesMax = 2'000;
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kCleanSchedules = 100;
#else
constexpr uint64_t kCleanSchedules = kSchedulesMax;
#endif
constexpr uint64_t kFindSchedules = 20'000;  // a search ends at its first finding
constexpr int kSeeds = 5;

struct BugCase {
  const char* scenario;
  const char* filesystem;
  const char* bug;        // "": a hole of the file system itself
  const char* signature;  // of some finding, in part
  bool priorities = false;  // needs tasks held back for long, which a random walk does not do
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
    {"page-lent-to-worker", "ocfs2-fs-misc", "B52", "invariant: F1"},
    {"page-lent-to-worker", "ocfs2-fs-misc", "B53", "data: lost-write"},
    {"page-lent-to-worker", "ocfs2-fs-misc", "B54", "deadlock: "},
    {"truncate-vs-fill", "ocfs2-fs-misc", "", "folio_lock > ocfs2_data_lock"},
    {"nodes-store-one-page", "ocfs2", "B62", "livelock", true},
    {"eager-readers", "ocfs2", "B48", "starvation"},
    {"nodes-upconvert", "ocfs2", "B56", "livelock: a granted conversion"},
    {"reader-and-appender", "ocfs2-atp", "", "livelock", true},
};

// This section alone, so that the test needs no other.
Registry Section() {
  Registry registry;
  for (const FileSystemType& type : FileSystemTypes()) registry.Add(type);
  AddOcfs2Scenarios(registry);
  for (const char* id : {"B46", "B48", "B50", "B51", "B52", "B53", "B54", "B55", "B56", "B57", "B58", "B59", "B62"}) {
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
    RandomWalk walk(seed);
    Pct pct(seed, 3);
    ChoiceSource& source = c.priorities ? static_cast<ChoiceSource&>(pct) : walk;
    uint64_t run = 0;
    bool found = false;
    for (; run < kFindSchedules && !found; ++run) {
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
    {"reader-and-appender", "ocfs2-fs-misc"}, {"nodes-write-one-page", "ocfs2-fs-misc"},
    {"page-lent-to-worker", "ocfs2-fs-misc"}, {"page-lent-to-worker", "ocfs2"}, {"page-lent-to-worker", "ocfs2-guard"},
    {"truncate-vs-fill", "ocfs2"}, {"truncate-vs-fill", "ocfs2-guard"}, {"nodes-store-one-page", "ocfs2"},
    {"eager-readers", "ocfs2"}, {"nodes-upconvert", "ocfs2"},
};

class Ocfs2CleanTest : public ::testing::TestWithParam<CleanCase> {};

TEST_P(Ocfs2CleanTest, FindsNothing) {
  const Registry registry = Section();
  Runner runner(*registry.FindScenario(GetParam().scenario),
                Resolve(registry, GetParam().scenario, GetParam().filesystem));
  RandomWalk walk(1);
  Pct pct(1, 3);
  for (uint64_t run = 0; run < kCleanSchedules; ++run) {
    const RunResult result = runner.Run(run % 2 == 0 ? static_cast<ChoiceSource&>(walk) : pct, run);
    ASSERT_TRUE(result.findings.empty()) << "run " << run << "\n"
                                         << result.findings[0].signature << "\n"
                                         << result.findings[0].details;
    ASSERT_EQ(result.end.kind, RunEndKind::kCompleted) << "run " << run;
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Ocfs2CleanTest, ::testing::ValuesIn(kCleanCases));

// Operations on two files of two nodes, short of memory, as the scenario operations-mix.
ScenarioEntry Mix(const char* filesystem) {
  ScenarioEntry entry;
  entry.name = "mix";
  entry.filesystems = {filesystem};
  WorkloadShape shape;
  if (entry.filesystems[0] == "ocfs2-fs-misc") {  // others take folio locks under cluster locks
    shape.kinds = {{FileOperationKind::kRead, 3}, {FileOperationKind::kWrite, 2}, {FileOperationKind::kLoad, 2},
                   {FileOperationKind::kDirectRead, 1}, {FileOperationKind::kFsync, 1}, {FileOperationKind::kDropCaches, 1}};
    shape.mapped_buffers = 0;
  }
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
LockOrders OrdersOfMix(const char* filesystem) {
  Registry registry = Section();
  registry.Add(Mix(filesystem));
  Runner runner(*registry.FindScenario("mix"), Resolve(registry, "mix", filesystem));
  RandomWalk source(7);
  LockOrders orders;
  for (uint64_t run = 0; run < kCleanSchedules; ++run) {
    const RunResult result = runner.Run(source, run);
    EXPECT_TRUE(result.findings.empty()) << "run " << run << "\n"
                                         << result.findings[0].signature << "\n"
                                         << result.findings[0].details;
    EXPECT_EQ(result.end.kind, RunEndKind::kCompleted) << "run " << run;
    if (::testing::Test::HasFailure()) break;
    AddOrders(runner.sim().validator(), &orders);
  }
  return orders;
}

TEST(Ocfs2MixTest, KeepsTheLockOrderOfItsReadme) {
  const LockOrders orders = OrdersOfMix("ocfs2");
  ExpectOrder(orders, "i_rwsem", "ocfs2_rw_lock");
  ExpectOrder(orders, "ocfs2_rw_lock", "mmap_lock");
  ExpectOrder(orders, "ocfs2_rw_lock", "ocfs2_inode_lock");
  ExpectOrder(orders, "mmap_lock", "ocfs2_inode_lock");
  ExpectOrder(orders, "ocfs2_inode_lock", "ip_alloc_sem");
  ExpectOrder(orders, "ocfs2_inode_lock", "folio_lock");
  ExpectOrder(orders, "ip_alloc_sem", "folio_lock");
  ExpectOrder(orders, "folio_lock", "ocfs2_extent_map");
}

// The folio lock comes first; what the worker does under the data lock is no order against it.
TEST(Ocfs2MixTest, FoliosAreLentInTheOrderOfTheReadme) {
  const LockOrders orders = OrdersOfMix("ocfs2-fs-misc");
  ExpectOrder(orders, "folio_lock", "ocfs2_inode_lock");
  ExpectOrder(orders, "folio_lock", "ocfs2_data_lock");
  ExpectOrder(orders, "ocfs2_inode_lock", "ocfs2_data_lock");
  ExpectOrder(orders, "folio_lock", "page_fs_misc");
  ExpectOrder(orders, "i_rwsem", "folio_lock");
}

}  // namespace
}  // namespace ordeal
