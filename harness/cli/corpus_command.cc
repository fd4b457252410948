#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "harness/cli/commands.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/paint.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using Json = nlohmann::ordered_json;

// Reads an entry and checks its names against the registry, without running it.
absl::StatusOr<CorpusEntry> ReadChecked(const Registry& registry, const std::string& file) {
  ASSIGN_OR_RETURN(CorpusEntry entry, ReadCorpusEntry(file));
  const absl::Status known = registry.Resolve(entry.spec).status();
  if (!known.ok()) {
    const std::string message(known.message());
    return absl::Status(known.code(), absl::StrCat(file, ": ", message));
  }
  return entry;
}

Json EntryJson(const std::string& file, const CorpusEntry& entry) {
  Json json{{"file", file},
            {"scenario", entry.spec.scenario},
            {"filesystem", entry.spec.filesystem},
            {"bugs", entry.spec.bugs},
            {"faults", FaultNames(entry.spec.faults)},
            {"kind", entry.finding ? FindingKindName(entry.finding->kind) : ""},
            {"signature", entry.finding ? entry.finding->signature : ""},
            {"summary", entry.finding ? entry.finding->summary : ""},
            {"steps", entry.steps},
            {"trace_hash", absl::StrFormat("0x%016x", entry.trace_hash)},
            {"found_by",
             {{"strategy", entry.found_by.strategy}, {"seed", entry.found_by.seed}, {"run", entry.found_by.run}}},
            {"choices", entry.choices.choices}};
  json["deviations"] = Json::array();
  for (const SparseRecording::Deviation& deviation : entry.choices.deviations) {
    const absl::string_view kind = ChoiceKindName(deviation.choice.kind);
    json["deviations"].push_back({{"at", deviation.ordinal},
                                  {"kind", std::string(kind.data(), kind.size())},
                                  {"options", deviation.choice.options},
                                  {"task", deviation.choice.task},
                                  {"object", deviation.choice.object},
                                  {"answer", deviation.choice.answer}});
  }
  return json;
}

void PrintEntry(const std::string& file, const CorpusEntry& entry, const Paint& paint) {
  const auto joined = [](const std::vector<std::string>& list) {
    return list.empty() ? std::string("none") : absl::StrJoin(list, ", ");
  };
  std::printf("%s\n", paint.Bold(file).c_str());
  std::printf("  scenario     %s\n", entry.spec.scenario.c_str());
  if (!entry.spec.filesystem.empty()) std::printf("  file system  %s\n", entry.spec.filesystem.c_str());
  std::printf("  bugs         %s\n", joined(entry.spec.bugs).c_str());
  std::printf("  faults       %s\n", joined(FaultNames(entry.spec.faults)).c_str());
  std::printf("  expects      %s\n", entry.finding ? entry.finding->signature.c_str() : "nothing found");
  if (entry.finding) std::printf("               %s\n", entry.finding->summary.c_str());
  std::printf("  run          %llu steps, trace hash 0x%016llx\n", static_cast<unsigned long long>(entry.steps),
              static_cast<unsigned long long>(entry.trace_hash));
  std::printf("  found by     %s, seed %llu, schedule %llu\n", entry.found_by.strategy.c_str(),
              static_cast<unsigned long long>(entry.found_by.seed), static_cast<unsigned long long>(entry.found_by.run));
  std::printf("  choices      %llu, of which these are not 0:\n",
              static_cast<unsigned long long>(entry.choices.choices));
  for (const SparseRecording::Deviation& deviation : entry.choices.deviations) {
    std::printf("    %6llu  %s\n", static_cast<unsigned long long>(deviation.ordinal),
                ToString(deviation.choice).c_str());
  }
}

enum class Mode { kCheck, kShow };

absl::StatusOr<int> ForEach(const Registry& registry, const CorpusArguments& arguments, Mode mode) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, ListCorpusFiles(arguments.paths));
  const Paint paint;
  Json json = Json::array();
  int worst = kExitQuiet;
  for (const std::string& file : files) {
    const absl::StatusOr<CorpusEntry> entry = ReadChecked(registry, file);
    if (!entry.ok()) {
      worst = std::max(worst, Fail(entry.status()));
    } else if (arguments.json) {
      json.push_back(mode == Mode::kShow ? EntryJson(file, *entry) : Json{{"file", file}, {"ok", true}});
    } else if (mode == Mode::kShow) {
      PrintEntry(file, *entry, paint);
    } else {
      std::printf("%s  %s\n", paint.Green("ok").c_str(), file.c_str());
    }
  }
  if (arguments.json) std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return worst;
}

int Finish(const absl::StatusOr<int>& status) { return status.ok() ? *status : Fail(status.status()); }

}  // namespace

int CorpusCheckCommand(const Registry& registry, const CorpusArguments& arguments) {
  return Finish(ForEach(registry, arguments, Mode::kCheck));
}

int CorpusShowCommand(const Registry& registry, const CorpusArguments& arguments) {
  return Finish(ForEach(registry, arguments, Mode::kShow));
}

}  // namespace ordeal
