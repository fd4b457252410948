// A CanaryTable as Markdown and as JSON.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "harness/campaign/canary_table.h"
#include "harness/campaign/grouped.h"
#include "harness/corpus/corpus_entry.h"

namespace ordeal {
namespace {

// The first row is the head. Columns from `numbers` on are set flush right.
std::string RenderTable(const std::vector<std::vector<std::string>>& rows, size_t numbers) {
  std::vector<size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t i = 0; i < rows[r].size(); ++i) {
      const std::string pad(widths[i] - rows[r][i].size(), ' ');
      absl::StrAppend(&text, "| ", i < numbers ? "" : pad, rows[r][i], i < numbers ? pad : "", " ");
    }
    absl::StrAppend(&text, "|\n");
    if (r > 0) continue;
    for (size_t i = 0; i < widths.size(); ++i) {
      absl::StrAppend(&text, "|", std::string(widths[i] + 1, '-'), i < numbers ? "-" : ":");
    }
    absl::StrAppend(&text, "|\n");
  }
  return text;
}

std::string NameOf(const CanaryRow& row) {
  return row.bug == row.slug ? row.bug : absl::StrCat(row.bug, " ", row.slug);
}

// A hole needs no switch.
std::string PlaceOf(const CanaryRow& row) {
  if (row.filesystem.empty()) return "-";
  return row.twin.empty() ? row.filesystem : absl::StrCat(row.filesystem, " itself (clean: ", row.twin, ")");
}

std::string Canaries(const CanaryTable& table) {
  const bool saved = std::any_of(table.canaries.begin(), table.canaries.end(),
                                 [](const CanaryRow& row) { return !row.file.empty(); });
  std::vector<std::vector<std::string>> rows = {
      {"bug", "file system", "scenario", "strategy", "finding", "seeds", "median", "max"}};
  if (saved) rows.front().push_back("deviations");
  std::set<std::string> found;
  std::vector<std::string> missed;
  std::vector<std::string> unknown;
  for (const CanaryRow& row : table.canaries) {
    const std::string where = row.filesystem.empty() ? "" : absl::StrCat(" on ", row.filesystem);
    if (row.scenario.empty()) {
      unknown.push_back(absl::StrCat(NameOf(row), where));
      continue;
    }
    if (row.found > 0) found.insert(row.bug);
    if (row.found == 0) missed.push_back(absl::StrCat(NameOf(row), where));
    rows.push_back({NameOf(row), PlaceOf(row), row.scenario, row.strategy,
                    row.found > 0 ? row.finding : "MISSED", absl::StrCat(row.found, " of ", row.seeds),
                    Grouped(row.median), Grouped(row.max)});
    if (saved) rows.back().push_back(row.file.empty() ? "" : absl::StrCat(row.deviations));
  }
  std::string text = absl::StrFormat(
      "# Canaries\n\n"
      "Each known bug is switched on, alone, on each file system that has it; a hole of a historical protocol needs no switch,\n"
      "and the protocol that closed it is named. Which scenario and strategy find it soonest, in how many of the seeds 1 to %d,\n"
      "and in how many schedules: median and maximum over the seeds that found it, of at most %s each. A scenario counts only\n"
      "if every strategy is silent in it without the bug. (Fewer seeds: the time ran out.)\n\n"
      "%d bugs found%s.\n\n",
      table.options.seeds, Grouped(table.options.schedules_max), found.size(),
      missed.empty() ? ", none missed" : absl::StrCat("; MISSED: ", absl::StrJoin(missed, ", ")));
  absl::StrAppend(&text, RenderTable(rows, 5));
  if (!unknown.empty()) {
    absl::StrAppend(&text, "\nNo scenario here is known to find these:\n\n* ", absl::StrJoin(unknown, "\n* "), "\n");
  }
  return text;
}

std::string Clean(const CanaryTable& table) {
  std::vector<std::vector<std::string>> rows = {
      {"file system", "nodes", "scenario", "known holes", "schedules", "points a schedule", "inconclusive", "findings"}};
  std::string findings;
  for (const CleanRow& row : table.clean) {
    rows.push_back({row.filesystem, absl::StrCat(row.nodes), row.scenario, absl::StrJoin(row.known_holes, ", "),
                    Grouped(row.schedules), absl::StrCat(row.steps / std::max<uint64_t>(row.schedules, 1)),
                    Grouped(row.inconclusive), absl::StrCat(row.findings.size())});
    for (const CleanRow::Finding& finding : row.findings) {
      absl::StrAppend(&findings, "* ", row.filesystem, ": ", finding.signature, " (",
                      finding.runs == 0 ? "across schedules" : absl::StrCat(Grouped(finding.runs), " runs"), ") ",
                      finding.holes.empty() ? "NEW" : absl::StrCat("explained by ", absl::StrJoin(finding.holes, ", ")), "\n");
    }
  }
  std::vector<std::string> strategies;
  for (const CleanRow::Strategy& strategy : table.clean.front().by_strategy) {
    strategies.push_back(absl::StrCat(Grouped(strategy.schedules), " ", strategy.name));
  }
  std::string text = absl::StrCat(
      "# Clean file systems\n\nNo bug is switched on; ", absl::StrJoin(strategies, " and "), " schedules. Faults: ",
      absl::StrJoin(FaultNames(FaultSet::All()), ", "),
      ".\nKnown holes are those of a protocol as it was, which nothing turns off: they explain findings of their kind.\n\n",
      RenderTable(rows, 4));
  if (!findings.empty()) absl::StrAppend(&text, "\nWhat was found:\n\n", findings);
  return text;
}

}  // namespace

std::string RenderMarkdown(const CanaryTable& table) {
  std::string text;
  if (!table.canaries.empty()) absl::StrAppend(&text, Canaries(table));
  if (!table.clean.empty()) absl::StrAppend(&text, text.empty() ? "" : "\n", Clean(table));
  absl::StrAppendFormat(&text, "\nMade by: ordeal nightly --canaries --seeds=%d --clean=%d\n", table.options.seeds,
                        table.options.clean_schedules);
  return text;
}

std::string RenderJson(const CanaryTable& table) {
  nlohmann::ordered_json canaries = nlohmann::ordered_json::array();
  for (const CanaryRow& row : table.canaries) {
    canaries.push_back({{"bug", row.bug}, {"slug", row.slug}, {"filesystem", row.filesystem}, {"twin", row.twin},
                        {"scenario", row.scenario}, {"strategy", row.strategy}, {"finding", row.finding},
                        {"seeds", row.seeds}, {"found", row.found}, {"median", row.median}, {"max", row.max},
                        {"file", row.file}, {"deviations", row.deviations}});
  }
  nlohmann::ordered_json clean = nlohmann::ordered_json::array();
  for (const CleanRow& row : table.clean) {
    nlohmann::ordered_json findings = nlohmann::ordered_json::array();
    for (const CleanRow::Finding& finding : row.findings) {
      findings.push_back({{"signature", finding.signature}, {"runs", finding.runs}, {"holes", finding.holes}});
    }
    nlohmann::ordered_json strategies;
    for (const CleanRow::Strategy& strategy : row.by_strategy) strategies[strategy.name] = strategy.schedules;
    clean.push_back({{"filesystem", row.filesystem}, {"scenario", row.scenario}, {"nodes", row.nodes},
                     {"schedules", row.schedules}, {"strategies", strategies}, {"steps", row.steps},
                     {"inconclusive", row.inconclusive}, {"findings", findings}, {"known_holes", row.known_holes},
                     {"seconds", row.seconds}});
  }
  const nlohmann::ordered_json json = {{"seeds", table.options.seeds}, {"schedules_max", table.options.schedules_max},
                                       {"ok", table.ok()}, {"canaries", canaries}, {"clean", clean}};
  return absl::StrCat(json.dump(2), "\n");
}

}  // namespace ordeal
