#include "harness/campaign/known_holes.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace ordeal {

std::vector<std::string> HolesThatExplain(const Registry& registry, const ScenarioSpec& spec, FindingKind kind) {
  const FileSystemType* filesystem = registry.FindFileSystem(spec.filesystem);
  const ScenarioEntry* scenario = registry.FindScenario(spec.scenario);
  if (filesystem == nullptr || scenario == nullptr) return {};
  const bool by_data = kind == FindingKind::kData || kind == FindingKind::kInvariant || kind == FindingKind::kLivelock;
  std::vector<std::string> all;
  std::vector<std::string> of_scenario;
  for (const std::string& id : filesystem->inherent_bugs) {
    const BugEntry* bug = registry.FindBug(id);
    const bool deadlocks = bug != nullptr && absl::StrContains(bug->kind, "deadlock");
    const bool is_switch = std::find(scenario->bugs.begin(), scenario->bugs.end(), id) != scenario->bugs.end();
    const bool shown = is_switch || scenario->ShowsHole(id, filesystem->name);
    if (by_data == deadlocks && !(shown && kind == FindingKind::kInvariant)) continue;
    all.push_back(id);
    if (shown) of_scenario.push_back(id);
  }
  return of_scenario.empty() ? all : of_scenario;
}

}  // namespace ordeal
