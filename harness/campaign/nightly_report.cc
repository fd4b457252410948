// The two renderings of a nightly report. They hold the same facts; the JSON is for machines and keeps every number.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "harness/campaign/nightly.h"

namespace ordeal {
namespace {

// Text inside a Markdown table.
std::string Cell(const std::string& text) { return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}}); }

std::string Faults(const ScenarioSpec& spec) {
  const std::vector<std::string> names = FaultNames(spec.faults);
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

std::string Verdict(const NightlyReport& report) {
  std::vector<std::string> problems;
  if (report.new_findings() > 0) problems.push_back(absl::StrCat(report.new_findings(), " new findings"));
  if (report.missed_canaries() > 0) problems.push_back(absl::StrCat(report.missed_canaries(), " canaries missed"));
  if (report.unrepeatable() > 0) problems.push_back(absl::StrCat(report.unrepeatable(), " findings do not replay"));
  return problems.empty() ? "nothing new found, every canary found" : absl::StrJoin(problems, ", ");
}

void AppendConfirmation(const std::optional<Confirmation>& confirmation, const std::string& file, std::string* out) {
  if (!confirmation.has_value()) return;
  if (!confirmation->confirmed) {
    absl::StrAppend(out, "* not confirmed: ", confirmation->reason, "\n");
    return;
  }
  absl::StrAppend(out, "* ", confirmation->reason, ": ", confirmation->deadlock->signature, "; replay: `ordeal replay ",
                  file, " --verbose`\n");
}

void AppendFindings(const NightlyReport& report, bool known, std::string* out) {
  for (const NightlyFinding& finding : report.findings) {
    if (finding.known_as.empty() == known) continue;
    const UniqueFinding& found = finding.found;
    absl::StrAppend(out, "\n### ", found.finding.signature, "\n\n", found.finding.summary, "\n\n");
    absl::StrAppend(out, "* scenario `", found.entry.spec.scenario, "`");
    if (!found.entry.spec.filesystem.empty()) absl::StrAppend(out, " on `", found.entry.spec.filesystem, "`");
    absl::StrAppend(out, ", faults: ", Faults(found.entry.spec), ", strategy `", found.entry.found_by.strategy,
                    "`, seed ", found.entry.found_by.seed, ", schedule ", found.first_run, "; seen ", found.count,
                    " times\n");
    if (known) absl::StrAppend(out, "* known hole of this protocol: ", absl::StrJoin(finding.known_as, ", "), "\n");
    absl::StrAppend(out, "* replay: `ordeal replay ", finding.file, " --verbose`", "\n");
    if (!found.replays) absl::StrAppend(out, "* **does not replay**: ", found.replay_problem, "\n");
    AppendConfirmation(found.confirmation, finding.confirmation_file, out);
    absl::StrAppend(out, "\n```\n", found.finding.details, "\n```\n");
  }
  for (const NightlyAcross& finding : report.across) {
    if (finding.known_as.empty() == known) continue;
    absl::StrAppend(out, "\n### ", finding.across.finding.signature, "\n\n", finding.across.finding.summary, "\n\n");
    absl::StrAppend(out, "* seen across schedules of `", finding.spec.scenario, "`");
    if (!finding.spec.filesystem.empty()) absl::StrAppend(out, " on `", finding.spec.filesystem, "`");
    absl::StrAppend(out, ", faults: ", Faults(finding.spec), ": no single schedule has both halves\n");
    if (known) absl::StrAppend(out, "* known hole of this protocol: ", absl::StrJoin(finding.known_as, ", "), "\n");
    AppendConfirmation(finding.across.confirmation, finding.confirmation_file, out);
    absl::StrAppend(out, "\n```\n", finding.across.finding.details, "\n```\n");
  }
}

void AppendCanaries(const NightlyReport& report, std::string* out) {
  absl::StrAppend(out, "\n## Canaries\n\nEach known bug, switched on, must be found.\n");
  if (!report.canaries_complete) absl::StrAppend(out, "\nThe time was too short for all of them.\n");
  absl::StrAppend(out, "\n| bug | file system | scenario | result | schedules | signature |\n|---|---|---|---|---:|---|\n");
  for (const CanaryResult& canary : report.canaries) {
    const char* result = canary.scenario.empty() ? "no scenario" : canary.found ? "found" : "**missed**";
    absl::StrAppend(out, "| ", canary.bug, " ", canary.slug, " | ", canary.filesystem, " | ", canary.scenario, " | ",
                    result, " | ", canary.schedules, " | ", Cell(canary.signature), " |\n");
  }
}

void AppendCells(const NightlyReport& report, std::string* out) {
  absl::StrAppend(out, "\n## Cells\n\n`inconclusive`: schedules that hit the step limit.\n\n",
                  "| scenario | file system | strategy | faults | schedules | schedules/s | inconclusive | findings |\n",
                  "|---|---|---|---|---:|---:|---:|---:|\n");
  for (const CellResult& cell : report.cells) {
    const double rate = cell.seconds > 0 ? static_cast<double>(cell.schedules) / cell.seconds : 0;
    absl::StrAppend(out, "| ", cell.spec.scenario, " | ", cell.spec.filesystem, " | ", cell.strategy, " | ",
                    Faults(cell.spec), " | ", cell.schedules, " | ", absl::StrFormat("%.0f", rate), " | ",
                    cell.inconclusive, " | ", cell.findings, " |\n");
  }
}

using Json = nlohmann::ordered_json;

// null for what is no lock cycle, or was not tried.
Json ConfirmationJson(const std::optional<Confirmation>& confirmation, const std::string& file) {
  if (!confirmation.has_value()) return nullptr;
  return Json{{"confirmed", confirmation->confirmed},
              {"grade", lockdep::GradeName(confirmation->grade)},
              {"reason", confirmation->reason},
              {"schedules", confirmation->schedules},
              {"instances", confirmation->instances},
              {"file", file}};
}

Json FindingJson(const NightlyFinding& finding) {
  const UniqueFinding& found = finding.found;
  return Json{{"kind", FindingKindName(found.finding.kind)},
              {"signature", found.finding.signature},
              {"summary", found.finding.summary},
              {"details", found.finding.details},
              {"sites", found.finding.sites},
              {"known_as", finding.known_as},
              {"scenario", found.entry.spec.scenario},
              {"filesystem", found.entry.spec.filesystem},
              {"faults", FaultNames(found.entry.spec.faults)},
              {"strategy", found.entry.found_by.strategy},
              {"seed", found.entry.found_by.seed},
              {"run", found.first_run},
              {"count", found.count},
              {"replays", found.replays},
              {"file", finding.file},
              {"confirmation", ConfirmationJson(found.confirmation, finding.confirmation_file)}};
}

Json AcrossJson(const NightlyAcross& finding) {
  const Finding& found = finding.across.finding;
  return Json{{"kind", FindingKindName(found.kind)},
              {"signature", found.signature},
              {"summary", found.summary},
              {"details", found.details},
              {"sites", found.sites},
              {"known_as", finding.known_as},
              {"scenario", finding.spec.scenario},
              {"filesystem", finding.spec.filesystem},
              {"faults", FaultNames(finding.spec.faults)},
              {"confirmation", ConfirmationJson(finding.across.confirmation, finding.confirmation_file)}};
}

}  // namespace

std::string RenderMarkdown(const NightlyReport& report) {
  std::string out = absl::StrCat("# ordeal nightly: ", Verdict(report), "\n\n");
  absl::StrAppend(&out, "Started ", report.started, ", ran ", absl::StrFormat("%.0f", report.seconds), " s of ",
                  absl::StrFormat("%.0f", report.options.seconds), " s, seed ", report.options.seed, ". ",
                  report.schedules(), " schedules in ", report.cells.size(), " cells; ",
                  report.findings.size() + report.across.size(),
                  " distinct findings, ", report.new_findings(), " of them new.\n");
  absl::StrAppend(&out, "\n## New findings\n");
  if (report.new_findings() == 0) absl::StrAppend(&out, "\nNone.\n");
  AppendFindings(report, false, &out);
  AppendCanaries(report, &out);
  AppendCells(report, &out);
  absl::StrAppend(&out, "\n## Known findings\n\nOn historical file systems, whose protocols have these holes.\n");
  if (report.findings.size() + report.across.size() == report.new_findings()) absl::StrAppend(&out, "\nNone.\n");
  AppendFindings(report, true, &out);
  return out;
}

std::string RenderJson(const NightlyReport& report) {
  Json json{{"format", "ordeal nightly report 1"},
            {"ok", report.ok()},
            {"started", report.started},
            {"seconds", report.seconds},
            {"seconds_planned", report.options.seconds},
            {"seed", report.options.seed},
            {"schedules", report.schedules()},
            {"new_findings", report.new_findings()},
            {"missed_canaries", report.missed_canaries()},
            {"canaries_complete", report.canaries_complete}};
  json["findings"] = Json::array();
  for (const NightlyFinding& finding : report.findings) json["findings"].push_back(FindingJson(finding));
  json["across_schedules"] = Json::array();
  for (const NightlyAcross& finding : report.across) json["across_schedules"].push_back(AcrossJson(finding));
  json["canaries"] = Json::array();
  for (const CanaryResult& canary : report.canaries) {
    json["canaries"].push_back({{"bug", canary.bug},
                                {"filesystem", canary.filesystem},
                                {"scenario", canary.scenario},
                                {"found", canary.found},
                                {"schedules", canary.schedules},
                                {"signature", canary.signature}});
  }
  json["cells"] = Json::array();
  for (const CellResult& cell : report.cells) {
    json["cells"].push_back({{"scenario", cell.spec.scenario},
                             {"filesystem", cell.spec.filesystem},
                             {"strategy", cell.strategy},
                             {"faults", FaultNames(cell.spec.faults)},
                             {"schedules", cell.schedules},
                             {"steps", cell.steps},
                             {"inconclusive", cell.inconclusive},
                             {"findings", cell.findings},
                             {"seconds", cell.seconds}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ordeal
