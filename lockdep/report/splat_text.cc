#include "lockdep/report/splat_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

constexpr size_t kColumnsFrom = 7;      // where the kernel puts "CPU0"
constexpr size_t kColumnWidthMin = 24;  // and how far behind it "CPU1"

std::string Verb(Mode mode, const std::string& mode_name, const std::string& node) {
  if (!mode_name.empty()) return absl::StrCat("lock(", node, ", ", mode_name, ");");
  return absl::StrCat(mode == Mode::kExclusive ? "lock(" : "rlock(", node, ");");
}

// Trailing blanks are of no use to anybody.
void AppendLine(std::string line, std::string* text) {
  line.erase(line.find_last_not_of(' ') + 1);
  absl::StrAppend(text, line, "\n");
}

}  // namespace

std::string ModeSuffix(Mode mode, const std::string& mode_name) {
  if (!mode_name.empty()) return absl::StrCat(" (", mode_name, ")");
  return mode == Mode::kExclusive ? "" : absl::StrCat(" (", ModeName(mode), ")");
}

std::string ClassText(const HeldLockReport& lock) {
  // The kernel prints the inner type twice for a lock without an outer one.
  const WaitType outer = lock.outer == WaitType::kUnchecked ? lock.inner : lock.outer;
  return absl::StrCat("(", lock.node, "){", lock.usage, "}-{", static_cast<int>(outer), ":", static_cast<int>(lock.inner), "}");
}

std::string LockLine(const HeldLockReport& lock) {
  std::string line = absl::StrCat(lock.instance, lock.instance.empty() ? "" : " ", ClassText(lock), ", at: ",
                                  lock.site.ToString(), ModeSuffix(lock.mode, lock.mode_name));
  if (lock.trylock) line += " (trylock)";
  if (lock.sync) line += " (sync)";
  if (lock.event) line += " (event)";
  if (lock.nested) line += " (nested)";
  return line;
}

std::string BacktraceLines(const std::vector<std::string>& backtrace, const std::string& indent) {
  std::string text;
  for (const std::string& frame : backtrace) absl::StrAppend(&text, indent, frame, "\n");
  return text;
}

std::string ChainEntry(const DependencyReport& dependency, int number) {
  std::string text = absl::StrCat("-> ", number < 0 ? std::string() : absl::StrCat("#", number, " "), "(", dependency.to, "):\n");
  const char* did = dependency.to_event ? "waited for" : dependency.to_sync ? "synchronised with" : "acquired";
  absl::StrAppend(&text, "       ", did, " at ", dependency.to_site.ToString(),
                  ModeSuffix(dependency.to_mode, dependency.to_mode_name), " by ",
                  dependency.task, "\n");
  absl::StrAppend(&text, BacktraceLines(dependency.backtrace, "         "), "       while ",
                  dependency.from_event ? "owing " : "holding ", dependency.from,
                  ModeSuffix(dependency.from_mode, dependency.from_mode_name),
                  dependency.from_event ? ", owed or triggered at " : ", acquired at ", dependency.from_site.ToString(), "\n");
  return text;
}

std::string PathText(const std::vector<DependencyReport>& path) {
  std::string text;
  for (size_t i = 0; i < path.size(); ++i) {
    if (i == 0) text += path[i].from;
    absl::StrAppend(&text, " --> ", path[i].to);
  }
  return text;
}

std::string ScenarioColumns(size_t cpus, const std::vector<ScenarioLine>& lines) {
  std::vector<size_t> starts(cpus, kColumnsFrom);
  for (size_t cpu = 1; cpu < cpus; ++cpu) {
    size_t width = kColumnWidthMin;
    for (const ScenarioLine& line : lines) {
      if (line.cpu == cpu - 1) width = std::max(width, line.text.size() + 2);
    }
    starts[cpu] = starts[cpu - 1] + width;
  }
  std::string heads;
  std::string rules;
  for (size_t cpu = 0; cpu < cpus; ++cpu) {
    heads.resize(starts[cpu], ' ');
    rules.resize(starts[cpu], ' ');
    absl::StrAppend(&heads, "CPU", cpu);
    rules += "----";
  }
  std::string text = absl::StrCat(heads, "\n", rules, "\n");
  for (const ScenarioLine& line : lines) {
    AppendLine(std::string(line.cpu == 0 ? 2 : starts[line.cpu], ' ') + line.text, &text);
  }
  return text;
}

std::string HolderVerb(const DependencyReport& dependency) {
  if (dependency.from_event) return absl::StrCat("owes(", dependency.from, ");");
  return Verb(dependency.from_mode, dependency.from_mode_name, dependency.from);
}

std::string WaiterVerb(const DependencyReport& dependency) {
  if (dependency.to_event) return absl::StrCat("wait(", dependency.to, ");");
  if (dependency.to_sync) return absl::StrCat("sync(", dependency.to, ");");
  return Verb(dependency.to_mode, dependency.to_mode_name, dependency.to);
}

std::string HeldList(const Violation& violation) {
  if (violation.held.empty()) return absl::StrCat("no locks held by ", violation.task, ".\n");
  std::string text = absl::StrCat(violation.held.size(), violation.held.size() == 1 ? " lock" : " locks", " held by ",
                                  violation.task, ":\n");
  for (size_t i = 0; i < violation.held.size(); ++i) {
    absl::StrAppend(&text, " #", i, ": ", LockLine(violation.held[i]), "\n");
    text += BacktraceLines(violation.held[i].backtrace, "     ");
  }
  return text;
}

}  // namespace ordeal::lockdep
