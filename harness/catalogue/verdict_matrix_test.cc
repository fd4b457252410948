// Which protocol permits what: docs/verdicts.md is a table of file systems and scenarios, and every cell of it is run. A hole of a
// protocol must show as the kind of finding that the table names; where it promises safety nothing may be reported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "harness/catalogue/catalogue.h"
#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSchedules = 40;
#else
constexpr uint64_t kSchedules = 400;
#endif

using Cells = std::vector<std::string>;

Cells CellsOf(const std::string& line) {
  Cells cells;
  for (const absl::string_view part : absl::StrSplit(line, '|')) cells.emplace_back(absl::StripAsciiWhitespace(part));
  return {cells.begin() + 1, cells.end() - 1};  // the line begins and ends with a bar
}

// The table's lines: the first names the scenarios.
std::vector<Cells> ReadTable() {
  std::ifstream file(ORDEAL_SOURCE_DIR "/docs/verdicts.md");
  std::vector<Cells> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| ", 0) == 0) rows.push_back(CellsOf(line));
  }
  return rows;
}

struct Verdict {
  std::set<std::string> kinds;
  std::string first_details;
};

// Of kSchedules schedules, or of as many as it takes to see `until`.
Verdict Judge(const ScenarioEntry& entry, const std::string& filesystem, const std::string& until) {
  Runner runner(entry, SpecOf(entry, filesystem));
  RandomWalk source(11);
  Verdict verdict;
  const uint64_t schedules = until.empty() ? kSchedules : kFindSchedules;
  for (uint64_t run = 0; run < schedules && verdict.kinds.count(until) == 0; ++run) {
    const RunResult result = runner.Run(source, run);
    for (const Finding& finding : result.findings) {
      if (verdict.kinds.insert(FindingKindName(finding.kind)).second) {
        absl::StrAppend(&verdict.first_details, "schedule ", run, ": ", finding.signature, "\n", finding.details, "\n");
      }
    }
    if (result.findings.empty() && result.end.kind != RunEndKind::kCompleted) verdict.kinds.insert("unfinished");
  }
  return verdict;
}

void ExpectCell(const ScenarioEntry& entry, const std::string& filesystem, const std::string& cell) {
  const Cells expected = absl::StrSplit(cell, ' ');
  const std::string must = cell == "ok" ? "" : expected.front();
  const Verdict verdict = Judge(entry, filesystem, must);
  EXPECT_TRUE(must.empty() || verdict.kinds.count(must) > 0) << entry.name << " on " << filesystem << ": no " << must;
  for (const std::string& kind : verdict.kinds) {
    EXPECT_THAT(expected, ::testing::Contains(kind)) << entry.name << " on " << filesystem << "\n" << verdict.first_details;
  }
}

TEST(VerdictMatrixTest, EveryCellIsTrue) {
  const Registry registry = BuiltIn();
  const std::vector<Cells> table = ReadTable();
  ASSERT_GE(table.size(), 2u);
  std::set<std::string> rows;
  for (size_t r = 1; r < table.size(); ++r) {
    const std::string& filesystem = table[r][0];
    EXPECT_TRUE(rows.insert(filesystem).second) << filesystem;
    ASSERT_NE(registry.FindFileSystem(filesystem), nullptr) << filesystem;
    ASSERT_EQ(table[r].size(), table[0].size()) << filesystem;
    for (size_t c = 1; c < table[r].size(); ++c) {
      const ScenarioEntry* entry = registry.FindScenario(table[0][c]);
      ASSERT_NE(entry, nullptr) << table[0][c];
      if (table[r][c] != "-") ExpectCell(*entry, filesystem, table[r][c]);
    }
  }
  for (const FileSystemType& type : registry.filesystems()) {
    EXPECT_EQ(rows.count(type.name), 1u) << type.name << " has no row in docs/verdicts.md";
  }
}

}  // namespace
}  // namespace ordeal
