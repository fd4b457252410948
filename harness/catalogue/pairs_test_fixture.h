// For tests of scenarios: pairs of a bug that must be found, by the oracle that is named, and a twin that must be silent. They
// use no registry, so that a section's test links that section only.
//
// Thread-safety: none.
// Example:
//   FindsBug(PunchHoleVsReadScenario(), "ext4-immap", {}, FindingKind::kData, "data: exposure");
//   FindsNothing(PunchHoleVsReadScenario(), "ext4");
#ifndef ORDEAL_HARNESS_CATALOGUE_PAIRS_TEST_FIXTURE_H_
#define ORDEAL_HARNESS_CATALOGUE_PAIRS_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/filesystems/filesystems.h"
#include "harness/scenario/scenario.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr uint64_t kSilentSchedules = 500;
#else
inline constexpr uint64_t kSilentSchedules = 2'000;
#endif
// A search ends at its first finding: a limit costs time only where a test fails, so it is the same under sanitizers.
inline constexpr uint64_t kFindSchedules = 4'000;

inline ScenarioSpec SpecOf(const ScenarioEntry& entry, const std::string& filesystem, std::vector<std::string> bugs = {}) {
  ScenarioSpec spec{.scenario = entry.name, .filesystem = filesystem, .bugs = std::move(bugs)};
  spec.faults = entry.default_faults;
  if (const FileSystemType* type = FindFileSystemType(filesystem); type != nullptr) spec.filesystem_type = *type;
  return spec;
}

// Of so many random schedules: the first with a finding of that kind whose signature contains `signature`; -1 if there is none.
// *kinds: of all findings in all of them.
inline int SchedulesToFind(const ScenarioEntry& entry, const ScenarioSpec& spec, FindingKind kind,
                           const std::string& signature, std::set<FindingKind>* kinds = nullptr,
                           uint64_t schedules = kFindSchedules) {
  Runner runner(entry, spec);
  RandomWalk source(7);
  int first = -1;
  std::set<std::string> others;
  for (uint64_t run = 0; run < schedules && (first < 0 || kinds != nullptr); ++run) {
    for (const Finding& finding : runner.Run(source, run).findings) {
      if (kinds != nullptr) kinds->insert(finding.kind);
      const bool fits = finding.kind == kind && finding.signature.find(signature) != std::string::npos;
      if (fits && first < 0) first = static_cast<int>(run) + 1;
      if (!fits) others.insert(finding.signature);
    }
  }
  if (first < 0) {
    for (const std::string& other : others) std::printf("  found instead: %s\n", other.c_str());
  }
  return first;
}

inline void FindsBug(const ScenarioEntry& entry, const std::string& filesystem, std::vector<std::string> bugs,
                     FindingKind kind, const std::string& signature = "", uint64_t schedules = kFindSchedules) {
  const int needed = SchedulesToFind(entry, SpecOf(entry, filesystem, bugs), kind, signature, nullptr, schedules);
  std::printf("  %s on '%s': after %d schedules\n", entry.name.c_str(), filesystem.c_str(), needed);
  EXPECT_GT(needed, 0) << entry.name << " on " << filesystem << ": no " << FindingKindName(kind) << " " << signature;
}

inline void FindsNothing(const ScenarioEntry& entry, const std::string& filesystem, std::vector<std::string> bugs = {}) {
  Runner runner(entry, SpecOf(entry, filesystem, std::move(bugs)));
  RandomWalk source(1);
  for (uint64_t run = 0; run < kSilentSchedules; ++run) {
    const RunResult result = runner.Run(source, run);
    ASSERT_TRUE(result.findings.empty()) << entry.name << " on " << filesystem << ", schedule " << run << ": "
                                         << result.findings[0].signature << "\n" << result.findings[0].details;
    ASSERT_EQ(result.end.kind, RunEndKind::kCompleted) << entry.name << " on " << filesystem << ", schedule " << run;
  }
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_PAIRS_TEST_FIXTURE_H_
