// The scenarios of the page cache: each finds its bug, and nothing without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "harness/catalogue/catalogue.h"
#include "harness/choice/replay.h"
#include "harness/scenario/run_findings.h"
#include "harness/scenario/scenario.h"
#include "harness/catalogue/clean_schedules_for_test.h"
#include "harness/scenario/workload_executor.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::ContainsRegex;

constexpr uint64_t kSchedulesMax = 2'000;

struct BugCase {
  const char* scenario;
  const char* filesystem;
  const char* bug;
  const char* signature;  // of some finding, in part
};

void PrintTo(const BugCase& c, std::ostream* out) { *out << c.scenario << " on " << c.filesystem << " with " << c.bug; }

constexpr char kTwoInodes[] = "deadlock: acquire i_rwsem of inode > acquire i_rwsem of inode";

constexpr BugCase kBugCases[] = {
    {"punch-hole-vs-read", "vfs", "B01", ""},
    {"punch-hole-vs-read", "vfs", "B01", "data: exposure"},
    {"punch-hole-vs-fault", "vfs", "B02", ""},
    {"punch-hole-vs-fault", "vfs", "B02", "data: exposure"},
    {"punch-hole-vs-fault", "xfs", "B02", ""},
    {"direct-write-vs-read", "vfs", "B14", "vs direct-write"},
    {"direct-write-vs-read", "vfs-2020", "B14", "vs direct-write"},
    {"direct-write-vs-read", "xfs", "B14", "vs direct-write"},
    {"write-from-own-mapping", "vfs", "B27", "deadlock: acquire folio"},
    {"write-from-own-mapping", "vfs-2020", "B27", "deadlock: acquire folio"},
    {"write-from-own-mapping", "xfs", "B27", "deadlock: acquire folio"},
    {"two-inode-lock", "vfs", "B67", kTwoInodes},
    {"two-inode-lock", "vfs-2020", "B67", kTwoInodes},
    {"two-inode-lock", "xfs", "B67", kTwoInodes},
    {"truncate-vs-store", "vfs", "B09", "invariant: S2"},
    {"truncate-vs-store", "xfs", "B09", "invariant: S2"},
    {"direct-write-into-hole", "vfs", "B16", "data: incoherent"},
    {"direct-write-into-hole", "xfs", "B16", "data: incoherent"},
    {"direct-write-vs-store", "vfs", "B17", "data: lost-write"},
    {"direct-write-vs-store", "xfs", "B17", "data: lost-write"},
    {"write-then-direct-read", "vfs", "B18", "data: stale: direct-read vs write"},
    {"write-then-direct-read", "xfs", "B18", "data: stale: direct-read vs write"},
    {"writers-crossing-mappings", "vfs", "B28", "deadlock: acquire folio > acquire folio"},
    {"writers-crossing-mappings", "xfs", "B28", "deadlock: acquire folio > acquire folio"},
    {"punch-hole-vs-fault", "vfs", "B70", "deadlock: acquire invalidate_lock of inode"},
    {"punch-hole-vs-fault", "xfs", "B70", "deadlock: acquire invalidate_lock of inode"},
};

ScenarioSpec Resolve(const Registry& registry, const std::string& scenario, const std::string& filesystem,
                     std::vector<std::string> bugs = {}) {
  const auto spec = registry.Resolve({.scenario = scenario, .filesystem = filesystem, .bugs = std::move(bugs)});
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *spec : ScenarioSpec{};
}

std::string Describe(const RunResult& result) {
  std::string text;
  for (const Finding& finding : result.findings) text += finding.signature + "\n" + finding.details + "\n";
  return text;
}

class BugTest : public ::testing::TestWithParam<BugCase> {};

// The schedules that each of 20 seeds needs; kSchedulesMax where it finds nothing.
std::vector<uint64_t> SchedulesToFind(const BugCase& c) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario(c.scenario), Resolve(registry, c.scenario, c.filesystem, {c.bug}));
  std::vector<uint64_t> needed;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    RandomWalk source(seed);
    uint64_t run = 0;
    bool found = false;
    for (; run < kSchedulesMax && !found; ++run) {
      const RunResult result = runner.Run(source, run);
      for (const Finding& finding : result.findings) found |= finding.signature.find(c.signature) != std::string::npos;
    }
    needed.push_back(run);
  }
  std::sort(needed.begin(), needed.end());
  return needed;
}

TEST_P(BugTest, IsFoundSoon) {
  const std::vector<uint64_t> needed = SchedulesToFind(GetParam());
  const uint64_t median = (needed[9] + needed[10]) / 2;
  RecordProperty("median_schedules", static_cast<int>(median));
  std::printf("  median %d, worst %d schedules\n", static_cast<int>(median), static_cast<int>(needed.back()));
  EXPECT_LT(median, kSchedulesMax / 4);
  EXPECT_LT(needed.back(), kSchedulesMax);
}

TEST_P(BugTest, IsReplayedWithTheSameFindingAndTrace) {
  const Registry registry = BuiltIn();
  const ScenarioEntry& entry = *registry.FindScenario(GetParam().scenario);
  const ScenarioSpec spec = Resolve(registry, GetParam().scenario, GetParam().filesystem, {GetParam().bug});
  Runner runner(entry, spec);
  RandomWalk source(5);
  RunResult result;
  for (uint64_t run = 0; run < kSchedulesMax && result.findings.empty(); ++run) result = runner.Run(source, run);
  ASSERT_FALSE(result.findings.empty());
  Runner second(entry, spec, {.scheduler = {.keep_trace = true}});
  ReplaySource replay(runner.recorded());
  const RunResult again = second.Run(replay);
  ASSERT_TRUE(again.status.ok()) << again.status;
  EXPECT_TRUE(replay.Finished().ok()) << replay.Finished();
  EXPECT_EQ(again.end.trace_hash, result.end.trace_hash);
  ASSERT_EQ(again.findings.size(), result.findings.size());
  EXPECT_EQ(again.findings[0].signature, result.findings[0].signature);
  // A check of the whole world (S1, S2 ...) sees what is wrong, not who did it: it names the last operation on the file.
  const Finding& finding = result.findings[0];
  EXPECT_FALSE(finding.sites.empty());
  for (const std::string& site : finding.sites) EXPECT_THAT(site, ContainsRegex("^harness/[a-z_/]+\\.cc:[0-9]+$"));
}

INSTANTIATE_TEST_SUITE_P(Bugs, BugTest, ::testing::ValuesIn(kBugCases));

struct CleanCase {
  const char* scenario;
  const char* filesystem;
};

void PrintTo(const CleanCase& c, std::ostream* out) { *out << c.scenario << " on " << c.filesystem; }

std::vector<CleanCase> CleanCases() {
  constexpr const char* kScenarios[] = {
      "punch-hole-vs-read",     "punch-hole-vs-fault", "direct-write-vs-read",      "write-from-own-mapping",
      "two-inode-lock",         "punch-hole-vs-store", "direct-write-into-hole",    "direct-write-vs-store",
      "write-then-direct-read", "truncate-vs-store",   "writers-crossing-mappings", "write-from-vanishing-source",
      "operations-mix",
  };
  std::vector<CleanCase> cases;
  for (const char* scenario : kScenarios) {
    for (const char* filesystem : {"vfs", "xfs"}) cases.push_back({scenario, filesystem});
  }
  return cases;
}

class CleanTest : public ::testing::TestWithParam<CleanCase> {};

TEST_P(CleanTest, FindsNothing) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario(GetParam().scenario),
                Resolve(registry, GetParam().scenario, GetParam().filesystem));
  RandomWalk source(1);
  uint64_t completed = 0;
  for (uint64_t run = 0; run < kCleanSchedules; ++run) {
    const RunResult result = runner.Run(source, run);
    ASSERT_TRUE(result.findings.empty()) << "run " << run << "\n" << Describe(result);
    completed += result.end.kind == RunEndKind::kCompleted;
  }
  EXPECT_EQ(completed, kCleanSchedules);
}

TEST_P(CleanTest, EqualChoicesGiveEqualTraces) {
  const Registry registry = BuiltIn();
  const ScenarioEntry& entry = *registry.FindScenario(GetParam().scenario);
  const ScenarioSpec spec = Resolve(registry, GetParam().scenario, GetParam().filesystem);
  Runner warm(entry, spec);
  std::set<uint64_t> hashes;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Runner fresh(entry, spec);
    RandomWalk source(seed);
    const RunResult a = warm.Run(source, 3);
    const RunResult b = fresh.Run(source, 3);
    ASSERT_EQ(a.end.trace_hash, b.end.trace_hash) << "seed " << seed;
    ASSERT_EQ(a.end.steps, b.end.steps);
    hashes.insert(a.end.trace_hash);
  }
  EXPECT_GT(hashes.size(), 20u);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, CleanTest, ::testing::ValuesIn(CleanCases()));

// Faults and shortage may fail operations, never break what they promise.
TEST(FaultTest, TheMixSurvivesEveryFault) {
  const Registry registry = BuiltIn();
  const FaultSet kFaults[] = {{ChoiceKind::kAllocation},
                              {ChoiceKind::kIoError},
                              {ChoiceKind::kIoDelay},
                              {ChoiceKind::kReaderSteal},
                              {ChoiceKind::kIoError, ChoiceKind::kIoTorn},
                              {ChoiceKind::kIoShort},
                              {ChoiceKind::kDeviceFull},
                              {ChoiceKind::kUserPage},
                              {ChoiceKind::kMemoryPressure},
                              FaultSet::All()};
  for (const char* filesystem : {"vfs", "xfs"}) {
    for (const FaultSet& faults : kFaults) {
      ScenarioSpec spec = Resolve(registry, "operations-mix", filesystem);
      spec.faults = faults;
      Runner runner(*registry.FindScenario("operations-mix"), spec);
      RandomWalk source(2);
      for (uint64_t run = 0; run < kCleanSchedules / 10; ++run) {
        const RunResult result = runner.Run(source, run);
        ASSERT_TRUE(result.findings.empty()) << filesystem << " run " << run << "\n" << Describe(result);
      }
    }
  }
}

// Notes which faults are asked about.
class NoteFaults final : public ChoiceSource {
 public:
  explicit NoteFaults(ChoiceSource* strategy) : strategy_(strategy) {}
  void BeginRun(uint64_t run) override { strategy_->BeginRun(run); }
  int Choose(const ChoicePoint& point) override {
    if (IsFault(point.kind)) asked.insert(point.kind);
    return strategy_->Choose(point);
  }
  std::set<ChoiceKind> asked;

 private:
  ChoiceSource* const strategy_;
};

// A fault that no code asks about would be survived by everything.
TEST(FaultTest, TheMixMeetsEveryFaultOfThePageCache) {
  const Registry registry = BuiltIn();
  ScenarioSpec spec = Resolve(registry, "operations-mix", "vfs");
  spec.faults = FaultSet::All();
  Runner runner(*registry.FindScenario("operations-mix"), spec);
  RandomWalk walk(3);
  NoteFaults source(&walk);
  for (uint64_t run = 0; run < 200; ++run) runner.Run(source, run);
  for (const ChoiceKind kind : {ChoiceKind::kAllocation, ChoiceKind::kIoError, ChoiceKind::kIoDelay, ChoiceKind::kReaderSteal,
                                ChoiceKind::kIoShort, ChoiceKind::kIoTorn, ChoiceKind::kDeviceFull, ChoiceKind::kUserPage,
                                ChoiceKind::kTrylock, ChoiceKind::kMemoryPressure}) {
    EXPECT_EQ(source.asked.count(kind), 1u) << ChoiceKindName(kind);
  }
}

// A historical protocol without the lock has its holes without any switch.
TEST(HistoricalTest, TheHolesOfVfs2020AreFound) {
  const Registry registry = BuiltIn();
  for (const char* scenario : {"punch-hole-vs-read", "punch-hole-vs-fault", "punch-hole-vs-store"}) {
    Runner runner(*registry.FindScenario(scenario), Resolve(registry, scenario, "vfs-2020"));
    RandomWalk source(1);
    bool found = false;
    for (uint64_t run = 0; run < kSchedulesMax && !found; ++run) found = !runner.Run(source, run).findings.empty();
    EXPECT_TRUE(found) << scenario;
  }
}

TEST(TableTest, EveryBugWithASwitchHasAScenarioAndEveryScenarioItsSwitches) {
  const Registry registry = BuiltIn();
  std::set<std::string> covered;
  for (const ScenarioEntry& entry : registry.scenarios()) {
    for (const std::string& bug : entry.bugs) {
      covered.insert(bug);
      bool accepted = entry.filesystems.empty();
      for (const std::string& filesystem : entry.filesystems) {
        const auto spec = registry.Resolve({.scenario = entry.name, .filesystem = filesystem, .bugs = {bug}});
        const std::vector<std::string>& holes = registry.FindFileSystem(filesystem)->inherent_bugs;
        accepted |= spec.ok() || std::find(holes.begin(), holes.end(), bug) != holes.end();
        if (!spec.ok()) continue;
        EXPECT_NE(MakeFileSystem(spec->filesystem, spec->bugs), nullptr) << bug << " on " << filesystem;
      }
      EXPECT_TRUE(accepted) << entry.name << " with " << bug;
    }
  }
  for (const BugEntry& bug : registry.bugs()) {
    if (bug.filesystems.empty()) continue;
    EXPECT_EQ(covered.count(bug.id), 1u) << bug.id << " has no scenario";
  }
}

TEST(SiteTest, EverySiteOfAnOperationIsAFileOfThisTree) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario("operations-mix"), Resolve(registry, "operations-mix", "vfs"));
  Simulation sim;
  ScenarioSpec spec = runner.spec();
  WorkloadExecutor executor(sim, spec, {});
  Workload workload{.files = {{"a", 8}, {"b", 8}}, .tasks = {{}}, .processes = {0}};
  for (const FileOperationKind kind : AllFileOperationKinds()) {
    workload.tasks[0].push_back({.kind = kind, .length_cells = 4, .other_file = 1});
  }
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  executor.Begin(workload);
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted);
  ASSERT_EQ(executor.history().events.size(), AllFileOperationKinds().size());
  for (const OperationEvent& event : executor.history().events) {
    std::ifstream file(std::string(ORDEAL_SOURCE_DIR) + "/" + event.site.file);
    EXPECT_TRUE(file.good()) << ToString(event);
    EXPECT_NE(std::string(event.site.file), "");
    EXPECT_EQ(event.error, 0) << ToString(event);
  }
  sim.EndRun();
  executor.End();
}

TEST(CellValueTest, NamesTheOriginOfAStamp) {
  using pagecache::Stamp;
  using pagecache::StampKind;
  EXPECT_EQ(ToCellValue(Stamp::Zero()).kind, CellKind::kZero);
  EXPECT_EQ(ToCellValue(Stamp::Make(StampKind::kWrite, 1, 3, 0)), (CellValue{CellKind::kInitial, 0, 3, 0}));
  EXPECT_EQ(ToCellValue(Stamp::Make(StampKind::kStore, 2, 3, 9)), (CellValue{CellKind::kData, 1, 3, 9}));
  EXPECT_EQ(ToCellValue(Stamp::Make(StampKind::kPoisonFree, 0, 3, 0)).kind, CellKind::kFreedPoison);
  EXPECT_EQ(ToCellValue(Stamp::Make(StampKind::kPoisonPage, 0, 3, 0)).kind, CellKind::kBlankPoison);
  Stamp torn = Stamp::Make(StampKind::kWrite, 1, 3, 4);
  torn.operation = 5;
  EXPECT_EQ(ToCellValue(torn).kind, CellKind::kTorn);
}

}  // namespace
}  // namespace ordeal
