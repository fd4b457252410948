// The generated mixes: a clean file system survives them, with faults too, and each switch of a rarer operation is found by the mix
// that dwells on it. --gtest_random_seed=N takes other schedules, for soaks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/choice/prng.h"
#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/vfs/vfs.h"
#include "harness/filesystems/xfs/xfs.h"
#include "harness/pagecache/lock_order.h"
#include "harness/scenario/scenario.h"

namespace ordeal {
namespace {

constexpr uint64_t kSchedules = 1'500;

// Everything at random; faults and delays rarely.
class RareFaults final : public ChoiceSource {
 public:
  explicit RareFaults(uint64_t seed) : seed_(seed) {}
  void BeginRun(uint64_t run) override { prng_ = Prng(DeriveSeed(seed_, run)); }
  int Choose(const ChoicePoint& point) override {
    const auto options = static_cast<uint32_t>(point.options);
    if (point.kind == ChoiceKind::kIoTorn) return static_cast<int>(prng_.Below(options));  // the error was rare enough
    if (point.kind == ChoiceKind::kIoDelay) return prng_.Below(4) == 0 ? static_cast<int>(prng_.Below(options)) : 0;
    if (IsFault(point.kind)) return prng_.Below(16) == 0 ? 1 + static_cast<int>(prng_.Below(options - 1)) : 0;
    return static_cast<int>(prng_.Below(options));
  }

 private:
  const uint64_t seed_;
  Prng prng_;
};

uint64_t Seed(const std::string& name) {
  uint64_t seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed());
  for (const char c : name) seed = seed * 31 + static_cast<uint64_t>(c);
  return seed;
}

FaultSet Faults() {
  return {ChoiceKind::kAllocation, ChoiceKind::kIoError,    ChoiceKind::kIoDelay,  ChoiceKind::kIoShort,
          ChoiceKind::kIoTorn,     ChoiceKind::kDeviceFull, ChoiceKind::kUserPage, ChoiceKind::kMemoryPressure};
}

// The first finding of a mix, or nothing.
std::string FirstFinding(const ScenarioEntry& entry, const FileSystemType& type, std::vector<std::string> bugs,
                         FaultSet faults, uint64_t schedules) {
  ScenarioSpec spec{.scenario = entry.name, .filesystem = type.name, .bugs = bugs, .faults = faults};
  spec.filesystem_type = type;
  Runner runner(entry, spec);
  RareFaults source(Seed(entry.name + type.name));
  for (uint64_t run = 0; run < schedules; ++run) {
    const RunResult result = runner.Run(source, run);
    if (result.findings.empty()) continue;
    const Finding& finding = result.findings.front();
    return absl::StrCat("schedule ", run, ": ", finding.signature, "\n", finding.summary, "\n", finding.details);
  }
  return "";
}

using MixMaker = ScenarioEntry (*)();
struct Mix {
  const char* name;
  MixMaker make;
};
void PrintTo(const Mix& mix, std::ostream* out) { *out << mix.name; }
constexpr Mix kMixes[] = {{"operations", OperationsMixScenario},
                          {"fallocate", FallocateMixScenario},
                          {"clone", CloneMixScenario},
                          {"async", AsyncMixScenario},
                          {"mapping", MappingMixScenario},
                          {"freeze", FreezeMixScenario}};

class CleanMixTest : public ::testing::TestWithParam<Mix> {};

TEST_P(CleanMixTest, NothingIsFoundOnVfs) {
  EXPECT_EQ(FirstFinding(GetParam().make(), *FindFileSystemType("vfs"), {}, {}, kSchedules), "");
}
TEST_P(CleanMixTest, NothingIsFoundOnVfsWithFaults) {
  EXPECT_EQ(FirstFinding(GetParam().make(), *FindFileSystemType("vfs"), {}, Faults(), kSchedules), "");
}
TEST_P(CleanMixTest, NothingIsFoundOnXfs) {
  EXPECT_EQ(FirstFinding(GetParam().make(), *FindFileSystemType("xfs"), {}, {}, kSchedules), "");
}
TEST_P(CleanMixTest, NothingIsFoundOnXfsWithFaults) {
  EXPECT_EQ(FirstFinding(GetParam().make(), *FindFileSystemType("xfs"), {}, Faults(), kSchedules), "");
}

INSTANTIATE_TEST_SUITE_P(Mixes, CleanMixTest, ::testing::ValuesIn(kMixes),
                         [](const auto& info) { return std::string(info.param.name); });

// S12: what a mix acquires is in the order that the file system declares.
void ExpectDeclaredOrder(const ScenarioEntry& entry, const char* name) {
  const FileSystemType& type = *FindFileSystemType(name);
  ScenarioSpec spec{.scenario = entry.name, .filesystem = name};
  spec.filesystem_type = type;
  Runner runner(entry, spec);
  RareFaults source(Seed(name));
  for (uint64_t run = 0; run < kSchedules; ++run) runner.Run(source, run);
  const auto fs = type.make({});
  EXPECT_GT(runner.sim().validator().graph().size(), 20u);
  for (const auto& v : pagecache::CheckLockOrder(runner.sim().validator(), fs->lock_order())) {
    ADD_FAILURE() << name << ": " << v.message << " at " << v.site.ToString();
  }
}

TEST(MixLockOrderTest, TheMixOfAllOperationsKeepsTheDeclaredOrders) {
  for (const char* name : {"vfs", "vfs-2020", "ext4", "xfs", "xfs-dax", "btrfs", "nfs"}) {
    ExpectDeclaredOrder(OperationsMixScenario(), name);
  }
}

// The only ones with the freeze levels above names, clones and transactions.
TEST(MixLockOrderTest, TheMixesOfFreezesKeepTheDeclaredOrders) {
  for (const char* name : {"vfs", "xfs", "ext4", "btrfs"}) ExpectDeclaredOrder(FreezeMixScenario(), name);
  for (const char* name : {"gfs2", "ocfs2"}) {
    ExpectDeclaredOrder(ClusterFreezeMixScenario(), name);
    ExpectDeclaredOrder(LoneNodeMixScenario(), name);
  }
}

struct FreezeMix {
  const char* filesystem;
  MixMaker make;
};
constexpr FreezeMix kFreezeMixes[] = {{"ext4", FreezeMixScenario},         {"ext4", MappingMixScenario},
                                      {"btrfs", FreezeMixScenario},        {"btrfs", MappingMixScenario},
                                      {"gfs2", ClusterFreezeMixScenario},  {"gfs2", LoneNodeMixScenario},
                                      {"ocfs2", ClusterFreezeMixScenario}, {"ocfs2", LoneNodeMixScenario}};

TEST(FreezeMixTest, NothingIsFoundWithFaults) {
  for (const FreezeMix& mix : kFreezeMixes) {
    const ScenarioEntry entry = mix.make();
    EXPECT_EQ(FirstFinding(entry, *FindFileSystemType(mix.filesystem), {}, Faults(), kSchedules / 2), "")
        << entry.name << " on " << mix.filesystem;
  }
}

class CleanFileSystemTest : public ::testing::TestWithParam<const char*> {};

TEST_P(CleanFileSystemTest, NothingIsFoundWithFaults) {
  const FileSystemType& type = *FindFileSystemType(GetParam());
  const ScenarioEntry mix = type.nodes > 1 ? ClusterMixScenario() : OperationsMixScenario();
  EXPECT_EQ(FirstFinding(mix, type, {}, Faults(), kSchedules), "");
}

INSTANTIATE_TEST_SUITE_P(OperationsMix, CleanFileSystemTest,
                         ::testing::Values("ext4", "xfs-dax", "bcachefs-repaired", "btrfs", "nfs", "gfs2", "ocfs2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// Asynchronous direct I/O is what the switch of modes waits for.
TEST(AsyncMixTest, NothingIsFoundOnNfsWithFaults) {
  EXPECT_EQ(FirstFinding(AsyncMixScenario(), *FindFileSystemType("nfs"), {}, Faults(), kSchedules), "");
}

struct Switch {
  const char* bug;
  MixMaker mix;
  const char* signature;  // of the finding, in part
};
void PrintTo(const Switch& s, std::ostream* out) { *out << s.bug; }
constexpr Switch kSwitches[] = {{"B06", FallocateMixScenario, ""},
                                {"B15", AsyncMixScenario, ""},
                                {"B19", AsyncMixScenario, "inode"},
                                {"B23", CloneMixScenario, "deadlock"},
                                {"B41", MappingMixScenario, ""},
                                {"B66", CloneMixScenario, "folio"},
                                {"B97", MappingMixScenario, "sb_writers"},
                                {"B98", AsyncMixScenario, "exposure"}};

class SwitchTest : public ::testing::TestWithParam<Switch> {};

TEST_P(SwitchTest, IsFoundOnXfs) {
  const FileSystemType type = MakeFileSystemType<Xfs>("xfs", "with every switch", {GetParam().bug});
  const std::string finding = FirstFinding(GetParam().mix(), type, {GetParam().bug}, {}, 20'000);
  EXPECT_THAT(finding, ::testing::HasSubstr(GetParam().signature));
  EXPECT_NE(finding, "");
}

INSTANTIATE_TEST_SUITE_P(Bugs, SwitchTest, ::testing::ValuesIn(kSwitches),
                         [](const auto& info) { return std::string(info.param.bug); });

}  // namespace
}  // namespace ordeal
