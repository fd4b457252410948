#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "harness/scenario/scenario.h"
#include "lockdep/support/check.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

// Levenshtein distance: how many letters to add, drop or change.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// "; did you mean 'x' or 'y'?"; when none is near, all names, or how to list them if they are many. `list`: "scenarios".
std::string Suggest(const std::string& name, const std::vector<std::string>& known, const std::string& list) {
  constexpr size_t kShown = 3;
  constexpr size_t kKnownMax = 12;
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& candidate : known) {
    const bool inside = !name.empty() && candidate.find(name) != std::string::npos;
    const size_t distance = inside ? 0 : EditDistance(name, candidate);
    if (distance <= 2 + candidate.size() / 3) ranked.emplace_back(distance, candidate);
  }
  std::sort(ranked.begin(), ranked.end());
  if (ranked.empty()) {
    if (known.size() > kKnownMax) return absl::StrCat("; 'ordeal list ", list, "' prints all ", known.size());
    return known.empty() ? "" : absl::StrCat("; known: ", absl::StrJoin(known, ", "));
  }
  if (ranked.size() > kShown) ranked.resize(kShown);
  std::vector<std::string> names;
  for (const auto& [distance, candidate] : ranked) names.push_back(absl::StrCat("'", candidate, "'"));
  return absl::StrCat("; did you mean ", absl::StrJoin(names, " or "), "?");
}

bool Contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

absl::Status ResolveFileSystem(const ScenarioEntry& entry, ScenarioSpec* spec) {
  if (entry.filesystems.empty()) {
    if (spec->filesystem.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("scenario '", entry.name, "' has no file system; leave '", spec->filesystem, "' out"));
  }
  if (spec->filesystem.empty()) spec->filesystem = entry.filesystems.front();
  if (Contains(entry.filesystems, spec->filesystem)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("scenario '", entry.name, "' does not run on file system '", spec->filesystem,
                                          "'", Suggest(spec->filesystem, entry.filesystems, "filesystems")));
}

absl::Status CheckBugSwitch(const ScenarioEntry& entry, const BugEntry& bug, const std::string& filesystem) {
  if (entry.filesystems.empty()) {
    if (Contains(entry.bugs, bug.id)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("scenario '", entry.name, "' has no switch for bug '", bug.id, "'",
                                                   entry.bugs.empty() ? "; it has none" : Suggest("", entry.bugs, "bugs")));
  }
  if (Contains(bug.filesystems, filesystem)) return absl::OkStatus();
  std::string which = bug.filesystems.empty() ? "no file system has one"
                                              : absl::StrCat("these have: ", absl::StrJoin(bug.filesystems, ", "));
  if (!bug.hole_of.empty()) {
    absl::StrAppend(&which, "; without --bug it is a hole of --fs=", absl::StrJoin(bug.hole_of, ", --fs="));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("file system '", filesystem, "' has no switch for bug '", bug.id, "'; ", which));
}

}  // namespace

bool ScenarioEntry::ShowsHole(const std::string& bug, const std::string& filesystem) const {
  return std::any_of(holes.begin(), holes.end(),
                     [&](const ProtocolHole& hole) { return hole.bug == bug && hole.filesystem == filesystem; });
}

void Registry::Add(ScenarioEntry entry) {
  LD_CHECK(FindScenario(entry.name) == nullptr, absl::StrCat("scenario ", entry.name, " is there twice"));
  LD_CHECK(entry.make != nullptr, absl::StrCat("scenario ", entry.name, " cannot be made"));
  scenarios_.push_back(std::move(entry));
}

void Registry::Add(FileSystemType type) {
  LD_CHECK(FindFileSystem(type.name) == nullptr, absl::StrCat("file system ", type.name, " is there twice"));
  filesystems_.push_back(std::move(type));
  for (BugEntry& bug : bugs_) NameFileSystems(&bug);
}

void Registry::Add(BugEntry entry) {
  LD_CHECK(FindBug(entry.id) == nullptr, absl::StrCat("bug ", entry.id, " is there twice"));
  NameFileSystems(&entry);
  bugs_.push_back(std::move(entry));
}

void Registry::NameFileSystems(BugEntry* bug) const {
  for (const FileSystemType& type : filesystems_) {
    if (Contains(type.bugs, bug->id) && !Contains(bug->filesystems, type.name)) bug->filesystems.push_back(type.name);
    if (Contains(type.inherent_bugs, bug->id) && !Contains(bug->hole_of, type.name)) bug->hole_of.push_back(type.name);
  }
}

bool Registry::IsScenarioSwitch(const std::string& bug) const {
  return std::any_of(scenarios_.begin(), scenarios_.end(), [&](const ScenarioEntry& scenario) {
    return scenario.filesystems.empty() && Contains(scenario.bugs, bug);
  });
}

const FileSystemType* Registry::FindFileSystem(const std::string& name) const {
  for (const FileSystemType& type : filesystems_) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

const ScenarioEntry* Registry::FindScenario(const std::string& name) const {
  for (const ScenarioEntry& entry : scenarios_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

const BugEntry* Registry::FindBug(const std::string& id_or_slug) const {
  for (const BugEntry& entry : bugs_) {
    if (entry.id == id_or_slug || entry.slug == id_or_slug) return &entry;
  }
  return nullptr;
}

absl::StatusOr<ScenarioSpec> Registry::Resolve(ScenarioSpec spec) const {
  const ScenarioEntry* entry = FindScenario(spec.scenario);
  if (entry == nullptr) {
    std::vector<std::string> known;
    for (const ScenarioEntry& candidate : scenarios_) known.push_back(candidate.name);
    return absl::NotFoundError(
        absl::StrCat("there is no scenario '", spec.scenario, "'", Suggest(spec.scenario, known, "scenarios")));
  }
  RETURN_IF_ERROR(ResolveFileSystem(*entry, &spec));
  if (const FileSystemType* type = FindFileSystem(spec.filesystem); type != nullptr) spec.filesystem_type = *type;
  for (std::string& name : spec.bugs) {
    const BugEntry* bug = FindBug(name);
    if (bug == nullptr) {
      std::vector<std::string> known;
      for (const BugEntry& candidate : bugs_) {
        known.push_back(candidate.id);
        if (candidate.slug != candidate.id) known.push_back(candidate.slug);
      }
      return absl::NotFoundError(absl::StrCat("there is no bug '", name, "'", Suggest(name, known, "bugs")));
    }
    RETURN_IF_ERROR(CheckBugSwitch(*entry, *bug, spec.filesystem));
    name = bug->id;
  }
  std::sort(spec.bugs.begin(), spec.bugs.end());
  spec.bugs.erase(std::unique(spec.bugs.begin(), spec.bugs.end()), spec.bugs.end());
  return spec;
}

}  // namespace ordeal
