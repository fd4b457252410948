#include "lockdep/report/violation_json.h"

#include <nlohmann/json.hpp>

#include "lockdep/report/splat.h"

namespace ordeal::lockdep {
namespace {

using Json = nlohmann::ordered_json;

Json SiteToJson(const Site& site) {
  if (site.file[0] == '\0') return nullptr;
  const std::string text = site.ToString();  // without the path of the repository
  return {{"file", text.substr(0, text.rfind(':'))}, {"line", site.line}};
}

const char* WaitTypeName(WaitType type) {
  switch (type) {
    case WaitType::kUnchecked: return "unchecked";
    case WaitType::kFree: return "free";
    case WaitType::kSpin: return "spin";
    case WaitType::kConfig: return "config";
    case WaitType::kSleep: return "sleep";
  }
  return "unknown";
}

Json LockToJson(const HeldLockReport& lock) {
  if (lock.node.empty()) return nullptr;
  return {{"node", lock.node},
          {"instance", lock.instance},
          {"mode", ModeName(lock.mode)},
          {"mode_name", lock.mode_name},
          {"trylock", lock.trylock},
          {"sync", lock.sync},
          {"event", lock.event},
          {"nested", lock.nested},
          {"site", SiteToJson(lock.site)},
          {"usage", lock.usage},
          {"outer_wait", WaitTypeName(lock.outer)},
          {"inner_wait", WaitTypeName(lock.inner)},
          {"backtrace", lock.backtrace}};
}

Json DependencyToJson(const DependencyReport& dependency) {
  return {{"from", dependency.from},
          {"from_mode", ModeName(dependency.from_mode)},
          {"from_mode_name", dependency.from_mode_name},
          {"from_event", dependency.from_event},
          {"from_site", SiteToJson(dependency.from_site)},
          {"to", dependency.to},
          {"to_mode", ModeName(dependency.to_mode)},
          {"to_mode_name", dependency.to_mode_name},
          {"to_event", dependency.to_event},
          {"to_sync", dependency.to_sync},
          {"to_site", SiteToJson(dependency.to_site)},
          {"task", dependency.task},
          {"backtrace", dependency.backtrace}};
}

Json UsageToJson(const UsageReport& usage) {
  if (usage.node.empty()) return nullptr;
  return {{"node", usage.node}, {"state", usage.state}, {"site", SiteToJson(usage.site)}, {"task", usage.task}};
}

Json StateToJson(const TaskStateReport& state) {
  return {{"in_hardirq", state.in_hardirq},
          {"in_softirq", state.in_softirq},
          {"hardirqs_on", state.hardirqs_on},
          {"softirqs_on", state.softirqs_on},
          {"in_reclaim", state.in_reclaim}};
}

}  // namespace

Json ViolationToJson(const Violation& violation) {
  Json cycle = Json::array();
  for (const DependencyReport& dependency : violation.cycle) cycle.push_back(DependencyToJson(dependency));
  Json held = Json::array();
  for (const HeldLockReport& lock : violation.held) held.push_back(LockToJson(lock));
  return {{"kind", ViolationKindName(violation.kind)},
          {"variant", violation.variant},
          {"signature", violation.signature},
          {"summary", SummarizeViolation(violation)},
          {"grade", GradeName(violation.grade)},
          {"grade_reason", violation.grade_reason},
          {"task", violation.task},
          {"message", violation.message},
          {"acquiring", LockToJson(violation.acquiring)},
          {"conflicting", LockToJson(violation.conflicting)},
          {"cycle", std::move(cycle)},
          {"safe", UsageToJson(violation.safe)},
          {"unsafe", UsageToJson(violation.unsafe)},
          {"state", StateToJson(violation.state)},
          {"wait_context", WaitTypeName(violation.wait_context)},
          {"held", std::move(held)},
          {"instances", violation.instances},
          {"hint", violation.hint},
          {"corpus_file", violation.corpus_file},
          {"splat", RenderSplat(violation)}};
}

std::string FormatViolationsJson(const std::vector<Violation>& violations) {
  Json array = Json::array();
  for (const Violation& violation : violations) array.push_back(ViolationToJson(violation));
  const Json document = {{"format", kViolationsJsonFormat}, {"violations", std::move(array)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ordeal::lockdep
