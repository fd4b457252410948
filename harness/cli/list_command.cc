#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "harness/cli/arguments.h"
#include "harness/cli/commands.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/paint.h"
#include "harness/corpus/corpus_entry.h"
#include "injectors/fault/fault_plan.h"
#include "injectors/schedule/strategies.h"

namespace ordeal {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string>& Topics() {
  static const std::vector<std::string> topics = {"scenarios", "filesystems", "bugs", "strategies", "faults"};
  return topics;
}

Json ScenariosJson(const Registry& registry) {
  Json list = Json::array();
  for (const ScenarioEntry& entry : registry.scenarios()) {
    std::vector<std::string> holes;
    for (const ProtocolHole& hole : entry.holes) holes.push_back(absl::StrCat(hole.bug, " of ", hole.filesystem));
    list.push_back({{"name", entry.name},
                    {"summary", entry.summary},
                    {"filesystems", entry.filesystems},
                    {"bugs", entry.bugs},
                    {"holes", holes},
                    {"faults", FaultNames(entry.default_faults)}});
  }
  return list;
}

Json FileSystemsJson(const Registry& registry) {
  Json list = Json::array();
  for (const FileSystemType& entry : registry.filesystems()) {
    list.push_back({{"name", entry.name}, {"summary", entry.summary}, {"inherent_bugs", entry.inherent_bugs}});
  }
  return list;
}

Json BugsJson(const Registry& registry) {
  Json list = Json::array();
  for (const BugEntry& entry : registry.bugs()) {
    list.push_back({{"id", entry.id},
                    {"slug", entry.slug},
                    {"filesystems", entry.filesystems},
                    {"hole_of", entry.hole_of},
                    {"kind", entry.kind},
                    {"oracle", entry.oracle},
                    {"classic_lockdep", entry.classic_lockdep},
                    {"reference", entry.reference},
                    {"summary", entry.summary}});
  }
  return list;
}

Json StrategiesJson() {
  Json list = Json::array();
  for (const StrategyEntry& entry : Strategies()) list.push_back({{"name", entry.name}, {"summary", entry.summary}});
  return list;
}

Json FaultsJson() {
  Json list = Json::array();
  for (const FaultEntry& entry : Faults()) {
    list.push_back({{"name", entry.name},
                    {"summary", entry.summary},
                    {"activated_percent", entry.activated_percent},
                    {"fires_percent", entry.fires_percent}});
  }
  return list;
}

Json TopicJson(const Registry& registry, const std::string& topic) {
  if (topic == "scenarios") return ScenariosJson(registry);
  if (topic == "filesystems") return FileSystemsJson(registry);
  if (topic == "bugs") return BugsJson(registry);
  if (topic == "strategies") return StrategiesJson();
  return FaultsJson();
}

// What follows the name and the summary, for people.
std::string Extra(const std::string& topic, const Json& item) {
  const auto joined = [&](const char* key) { return absl::StrJoin(item[key].get<std::vector<std::string>>(), ", "); };
  std::string extra;
  if (topic == "scenarios") {
    if (!item["filesystems"].empty()) absl::StrAppend(&extra, "on ", joined("filesystems"));
    if (!item["bugs"].empty()) absl::StrAppend(&extra, extra.empty() ? "" : "; ", "finds ", joined("bugs"));
    if (!item["holes"].empty()) absl::StrAppend(&extra, "; shows ", joined("holes"));
    if (!item["faults"].empty()) absl::StrAppend(&extra, extra.empty() ? "" : "; ", "faults: ", joined("faults"));
  } else if (topic == "filesystems" && !item["inherent_bugs"].empty()) {
    extra = absl::StrCat("historical, with these holes: ", joined("inherent_bugs"));
  } else if (topic == "bugs") {
    extra = absl::StrCat(item["kind"].get<std::string>(), "; found by: ", item["oracle"].get<std::string>(),
                         "; the kernel's lockdep sees it: ", item["classic_lockdep"].get<std::string>());
    if (!item["filesystems"].empty()) absl::StrAppend(&extra, "; on ", joined("filesystems"));
    if (!item["hole_of"].empty()) absl::StrAppend(&extra, "; a hole of ", joined("hole_of"));
    if (item["reference"] != "") absl::StrAppend(&extra, "; ", item["reference"].get<std::string>());
  } else if (topic == "faults") {
    extra = absl::StrCat("in ", item["activated_percent"].get<int>(), " % of the runs, then at ",
                         item["fires_percent"].get<int>(), " % of the visits");
  }
  return extra;
}

void PrintTopic(const Registry& registry, const std::string& topic, const Paint& paint) {
  std::printf("%s\n", paint.Bold(topic).c_str());
  const Json list = TopicJson(registry, topic);
  const bool bugs = topic == "bugs";
  const auto name_of = [&](const Json& item) {
    if (!bugs) return item["name"].get<std::string>();
    return absl::StrCat(item["id"].get<std::string>(), " ", item["slug"].get<std::string>());
  };
  size_t width = 0;
  for (const Json& item : list) width = std::max(width, name_of(item).size());
  for (const Json& item : list) {
    std::printf("  %-*s  %s\n", static_cast<int>(width), name_of(item).c_str(),
                item["summary"].get<std::string>().c_str());
    const std::string extra = Extra(topic, item);
    if (!extra.empty()) std::printf("  %*s  %s\n", static_cast<int>(width), "", paint.Dim(extra).c_str());
  }
}

}  // namespace

int ListCommand(const Registry& registry, const ListArguments& arguments) {
  std::vector<std::string> topics = Topics();
  if (!arguments.topic.empty()) {
    if (std::find(topics.begin(), topics.end(), arguments.topic) == topics.end()) {
      const std::string nearest = NearestName(arguments.topic, topics);
      return Fail(absl::NotFoundError(
          absl::StrCat("cannot list '", arguments.topic, "'",
                       nearest.empty() ? absl::StrCat("; there are: ", absl::StrJoin(topics, ", "))
                                       : absl::StrCat("; did you mean '", nearest, "'?"))));
    }
    topics = {arguments.topic};
  }
  if (arguments.json) {
    Json all = Json::object();
    for (const std::string& topic : topics) all[topic] = TopicJson(registry, topic);
    std::printf("%s\n", all.dump(2).c_str());
    return kExitQuiet;
  }
  const Paint paint;
  for (const std::string& topic : topics) {
    if (topic != topics.front()) std::printf("\n");
    PrintTopic(registry, topic, paint);
  }
  return kExitQuiet;
}

}  // namespace ordeal
