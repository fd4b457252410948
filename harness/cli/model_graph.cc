#include "harness/cli/model_graph.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "injectors/schedule/random_walk.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr uint64_t kSeed = 1;

bool RunsOn(const ScenarioEntry& scenario, const std::string& filesystem) {
  const std::vector<std::string>& list = scenario.filesystems;
  return std::find(list.begin(), list.end(), filesystem) != list.end();
}

absl::StatusOr<lockdep::OrderGraph> GraphOf(const Registry& registry, const ScenarioEntry& scenario,
                                            const std::string& filesystem, uint64_t schedules) {
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve({scenario.name, filesystem, {}, {}}));
  Runner runner(scenario, std::move(spec));
  RandomWalk source(kSeed);
  for (uint64_t run = 0; run < schedules; ++run) RETURN_IF_ERROR(runner.Run(source, run).status);
  return lockdep::OrderGraphFromValidator(runner.sim().validator(), absl::StrCat("model ", filesystem));
}

}  // namespace

absl::StatusOr<lockdep::OrderGraph> ModelOrderGraph(const Registry& registry, const std::string& filesystem,
                                                    uint64_t schedules) {
  lockdep::OrderGraph all;
  for (const ScenarioEntry& scenario : registry.scenarios()) {
    if (!RunsOn(scenario, filesystem)) continue;
    ASSIGN_OR_RETURN(lockdep::OrderGraph graph, GraphOf(registry, scenario, filesystem, schedules));
    all.source = graph.source;
    std::move(graph.nodes.begin(), graph.nodes.end(), std::back_inserter(all.nodes));
    std::move(graph.edges.begin(), graph.edges.end(), std::back_inserter(all.edges));
  }
  if (all.source.empty()) {
    std::vector<std::string> known;
    for (const FileSystemType& entry : registry.filesystems()) known.push_back(entry.name);
    return absl::NotFoundError(absl::StrCat("no scenario runs on a file system called '", filesystem,
                                            "'; there are: ", absl::StrJoin(known, ", ")));
  }
  all.Normalise();
  return all;
}

}  // namespace ordeal
