// GFS2's bugs: each is found by the oracle that the catalogue names, and nothing at all is without it.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/catalogue/catalogue.h"
#include "harness/filesystems/lock_orders_for_test.h"
#include "harness/scenario/scenario.h"
#include "injectors/schedule/pct.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

constexpr uint64_t kSchedulesMax = 40'000;
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kCleanSchedules = 100;
#else
constexpr uint64_t kCleanSchedules = 2'000;
#endif

struct BugCase {
  const char* scenario;
  const char* filesystem;
  const char* bug;        // "": the file system's own
  const char* signature;  // of some finding, in part
};

void PrintTo(const BugCase& c, std::ostream* out) { *out << c.scenario << " on " << c.filesystem << " with " << c.bug; }

constexpr BugCase kBugCases[] = {
    {"gfs2-own-mapping", "gfs2-5.15", "", "deadlock: acquire glock of inode"},
    {"gfs2-crossing-mappings", "gfs2-5.15", "", "deadlock: acquire glock of inode"},
    {"gfs2-crossing-nodes", "gfs2-5.15", "", "deadlock: "},
    {"gfs2-direct-read-own-mapping", "gfs2-5.15", "", "deadlock: acquire glock of inode"},
    {"gfs2-direct-read-own-mapping", "gfs2", "B36", "livelock"},
    {"gfs2-direct-read-own-mapping", "gfs2-5.16", "", "livelock"},
    {"gfs2-direct-write-own-mapping", "gfs2", "B35", "livelock"},
    {"gfs2-direct-write-own-mapping", "gfs2-5.16", "", "livelock"},
    {"gfs2-store-vs-remote-read", "gfs2", "B47", "data: "},
    {"gfs2-short-write", "gfs2", "B38", "data: "},
    {"gfs2-short-direct-write", "gfs2", "B40", "data: a write returns less"},
    {"gfs2-appends", "gfs2", "B65", "data: lost-write"},
    {"gfs2-remote-direct-write", "gfs2", "B61", "invariant: S5"},
    {"gfs2-two-upconverts", "gfs2", "B64", "deadlock: "},
    {"gfs2-direct-write-vs-mmap", "gfs2", "B74c", "deadlock: "},
    {"gfs2-fault-in-window", "gfs2-5.16", "", "livelock: a transfer begins again"},
    {"gfs2-iget-vs-evict", "gfs2", "B63", "deadlock: acquire glock of inode > wait eviction of inode"},
    {"gfs2-write-across-pages", "gfs2", "B30", "livelock"},
    {"gfs2-read-vs-remote-write", "gfs2-2006", "", "deadlock: acquire folio"},
    {"gfs2-direct-vs-buffered-write", "gfs2-2006", "", "deadlock: acquire glock of inode > acquire i_rwsem of inode"},
};

ScenarioSpec Resolve(const Registry& registry, const BugCase& c) {
  ScenarioSpec spec{.scenario = c.scenario, .filesystem = c.filesystem};
  if (*c.bug != '\0') spec.bugs = {c.bug};
  const auto resolved = registry.Resolve(spec);
  EXPECT_TRUE(resolved.ok()) << resolved.status();
  return resolved.ok() ? *resolved : ScenarioSpec{};
}

class Gfs2BugTest : public ::testing::TestWithParam<BugCase> {};

TEST_P(Gfs2BugTest, IsFound) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario(GetParam().scenario), Resolve(registry, GetParam()));
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    RandomWalk walk(seed);
    Pct pct(seed, 3);  // some need a task held back for long, which a random walk does rarely
    bool found = false;
    uint64_t run = 0;
    for (; run < kSchedulesMax && !found; ++run) {
      ChoiceSource& source = run % 2 == 0 ? static_cast<ChoiceSource&>(walk) : pct;
      for (const Finding& finding : runner.Run(source, run).findings) {
        found |= finding.signature.find(GetParam().signature) != std::string::npos;
      }
    }
    std::printf("  seed %d: %d schedules\n", static_cast<int>(seed), static_cast<int>(run));
    EXPECT_TRUE(found) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Bugs, Gfs2BugTest, ::testing::ValuesIn(kBugCases));

// In the mix of all operations on two nodes.
TEST(Gfs2Test, KeepsTheLockOrderOfItsReadme) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario("cluster-mix"), Resolve(registry, {"cluster-mix", "gfs2", "", ""}));
  RandomWalk source(5);
  LockOrders orders;
  for (uint64_t run = 0; run < 300; ++run) {
    const RunResult result = runner.Run(source, run);
    ASSERT_TRUE(result.findings.empty()) << "run " << run << ": " << result.findings[0].signature;
    AddOrders(runner.sim().validator(), &orders);
  }
  ExpectOrder(orders, "i_rwsem", "mmap_lock");
  ExpectOrder(orders, "i_rwsem", "gl_inode");
  ExpectOrder(orders, "mmap_lock", "gl_inode");
  ExpectOrder(orders, "gl_inode", "folio_lock");
  ExpectOrder(orders, "folio_lock", "i_data_sem");
  ExpectOrder(orders, "folio_lock", "i_pages");
}

// Every scenario of this section that runs on "gfs2" is silent there.
TEST(Gfs2Test, NothingIsFoundWithoutABug) {
  const Registry registry = BuiltIn();
  for (const ScenarioEntry& entry : registry.scenarios()) {
    if (entry.name.rfind("gfs2-", 0) != 0) continue;
    Runner runner(entry, Resolve(registry, {entry.name.c_str(), "gfs2", "", ""}));
    RandomWalk source(11);
    for (uint64_t run = 0; run < kCleanSchedules; ++run) {
      const RunResult result = runner.Run(source, run);
      ASSERT_EQ(result.end.kind, RunEndKind::kCompleted) << entry.name << " run " << run;
      for (const Finding& finding : result.findings) {
        FAIL() << entry.name << " run " << run << ": " << finding.signature << "\n" << finding.details;
      }
    }
  }
}

}  // namespace
}  // namespace ordeal
