#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "harness/cli/arguments.h"
#include "harness/cli/commands.h"
#include "harness/cli/exit_status.h"
#include "harness/corpus/corpus_file.h"
#include "harness/corpus/minimise.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

nlohmann::ordered_json ToJson(const RunSize& size) {
  return {{"deviations", size.deviations}, {"choices", size.choices}, {"steps", size.steps}};
}

absl::StatusOr<int> MinimiseFile(const Registry& registry, const MinimiseArguments& arguments) {
  MinimiseOptions options;
  ASSIGN_OR_RETURN(options.runs_max, ParseCount("--runs", arguments.runs, 1));
  ASSIGN_OR_RETURN(const CorpusEntry entry, ReadCorpusEntry(arguments.path));
  const absl::StatusOr<Minimised> small = Minimise(registry, entry, options);
  if (!small.ok()) {
    const std::string message(small.status().message());
    return absl::Status(small.status().code(), absl::StrCat(arguments.path, ": ", message));
  }
  std::string output = arguments.output;
  if (output.empty()) {
    const absl::string_view stem = absl::StripSuffix(arguments.path, ".txtpb");
    output = absl::StrCat(stem, ".min.txtpb");
  }
  RETURN_IF_ERROR(WriteCorpusEntry(output, small->entry));
  if (arguments.json) {
    const nlohmann::ordered_json json = {{"file", output}, {"before", ToJson(small->before)},
                                         {"after", ToJson(small->after)}, {"runs", small->runs},
                                         {"complete", small->complete}};
    std::printf("%s\n", json.dump(2).c_str());
    return kExitQuiet;
  }
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%s\n  choices that differ from the quiet one: %llu, now %llu\n  choices: %llu, now %llu; steps: %llu, now %llu\n",
              output.c_str(), number(small->before.deviations), number(small->after.deviations),
              number(small->before.choices), number(small->after.choices), number(small->before.steps),
              number(small->after.steps));
  std::printf("  %llu runs; %s\n", number(small->runs),
              small->complete ? "nothing can be left out any more" : "--runs was reached: more may be possible");
  return kExitQuiet;
}

}  // namespace

int MinimiseCommand(const Registry& registry, const MinimiseArguments& arguments) {
  const absl::StatusOr<int> status = MinimiseFile(registry, arguments);
  return status.ok() ? *status : Fail(status.status());
}

}  // namespace ordeal
