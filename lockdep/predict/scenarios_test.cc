// The scenarios of docs/grades.md: what the validator reports on each trace, with its own grade, and what prediction makes of
// it. testdata/expected.tsv has a row for each; a lone value "-" is nothing. UPDATE_GOLDEN=1 rewrites it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lockdep/predict/predictor.h"
#include "lockdep/predict/trace_for_test.h"
#include "lockdep/trace/player.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal::lockdep {
namespace {

const char kFolder[] = ORDEAL_SOURCE_DIR "/lockdep/predict/testdata/";

std::string Graded(Grade grade, const std::string& what, const std::string& reason,
                   const std::vector<std::string>& instances) {
  std::string text = absl::StrCat(GradeName(grade), ": ", what);
  if (!reason.empty()) absl::StrAppend(&text, " (", reason, ")");
  if (!instances.empty() && instances.size() < 6) absl::StrAppend(&text, " [", absl::StrJoin(instances, ", "), "]");
  return text;
}

// "NAME<tab>violations<tab>cycles".
std::string RowOf(const std::string& name) {
  Trace trace;
  Validator validator({.grade_online = true});
  Player player(&trace.symbols, &validator);
  const absl::Status status =
      ReadTraceFile(absl::StrCat(kFolder, name, ".trace"), TraceFormat::kOwn, &trace.symbols,
                    [&](const LockEvent& event) {
                      trace.events.push_back(event);
                      player.Play(event);
                    });
  EXPECT_TRUE(status.ok()) << status;
  player.Finish();
  const Predictor predictor(trace);
  std::vector<std::string> violations, cycles;
  for (Violation violation : validator.violations()) {
    violations.push_back(
        violation.kind == ViolationKind::kCircular || violation.kind == ViolationKind::kRecursive
            ? Graded(violation.grade, violation.signature, violation.grade_reason, {})
            : violation.signature);
    if (violation.kind != ViolationKind::kCircular && violation.kind != ViolationKind::kRecursive) continue;
    // Every cycle that the validator reports has a grade of prediction, and it is one of its cycles.
    const GradedCycle graded = predictor.GradeViolation(violation);
    EXPECT_FALSE(graded.signature.empty()) << name;
    EXPECT_TRUE(graded.grade == Grade::kFeasible || !graded.reason.empty()) << name;
  }
  for (const GradedCycle& cycle : predictor.cycles()) {
    cycles.push_back(Graded(cycle.grade, cycle.signature, cycle.reason, cycle.instances));
    EXPECT_EQ(cycle.grade == Grade::kFeasible ? ReplayError(trace, cycle) : "", "");
  }
  const auto cell = [](const std::vector<std::string>& values) {
    return values.empty() ? std::string("-") : absl::StrJoin(values, " | ");
  };
  return absl::StrCat(name, "\t", cell(violations), "\t", cell(cycles));
}

TEST(ScenariosTest, EachGetsItsVerdict) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".trace") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  ASSERT_GE(names.size(), 28u);
  std::string text = "scenario\tvalidator\tprediction\n";
  for (const std::string& name : names) absl::StrAppend(&text, RowOf(name), "\n");
  const std::string path = absl::StrCat(kFolder, "expected.tsv");
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ostringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, expected.str());
}

}  // namespace
}  // namespace ordeal::lockdep
