#include "lockdep/report/splat.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

constexpr size_t kColumnWidth = 26;

const char* Title(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::kCircular: return "WARNING: possible circular locking dependency detected";
    case ViolationKind::kRecursive: return "WARNING: possible recursive locking detected";
    case ViolationKind::kBadUnlock: return "WARNING: bad unlock balance detected!";
    case ViolationKind::kHeldAtExit: return "WARNING: task ended with locks still held!";
    case ViolationKind::kWaitContext: return "WARNING: sleeping lock acquired while a spinlock is held";
    default: break;
  }
  return "WARNING: lock rule broken";
}

std::string LockLine(const HeldLockReport& lock) {
  std::string line = absl::StrCat(lock.instance.empty() ? lock.node : lock.instance, " (", lock.node, "), ",
                                  ModeName(lock.mode));
  if (lock.trylock) absl::StrAppend(&line, " trylock");
  absl::StrAppend(&line, ", at: ", lock.site.ToString());
  return line;
}

const char* Verb(Mode mode) { return mode == Mode::kExclusive ? "lock" : "rlock"; }

// One column a task: each holds the tail of its dependency and then wants its head.
std::string Scenario(const std::vector<DependencyReport>& cycle) {
  std::string text = " Possible unsafe locking scenario:\n\n";
  std::string heads;
  std::string rules;
  for (size_t i = 0; i < cycle.size(); ++i) {
    std::string head = absl::StrCat("       task ", i);
    std::string rule = "       ----";
    head.resize(kColumnWidth, ' ');
    rule.resize(kColumnWidth, ' ');
    heads += head;
    rules += rule;
  }
  absl::StrAppend(&text, heads, "\n", rules, "\n");
  const auto line = [&](size_t column, Mode mode, const std::string& node) {
    absl::StrAppend(&text, std::string(column * kColumnWidth, ' '), "  ", Verb(mode), "(", node, ");\n");
  };
  for (size_t i = 0; i < cycle.size(); ++i) line(i, cycle[i].from_mode, cycle[i].from);
  for (size_t i = 0; i < cycle.size(); ++i) line(i, cycle[i].to_mode, cycle[i].to);
  return absl::StrCat(text, "\n *** DEADLOCK ***\n");
}

std::string Chain(const std::vector<DependencyReport>& cycle) {
  std::string text = "\nthe existing dependency chain (in reverse order) is:\n";
  for (size_t i = cycle.size() - 1; i-- > 0;) {
    const DependencyReport& dependency = cycle[i];
    absl::StrAppend(&text, "\n-> #", i, " (", dependency.to, "), ", ModeName(dependency.to_mode), ":\n",
                    "       acquired at ", dependency.to_site.ToString(), " by ", dependency.task, "\n",
                    "       while holding ", dependency.from, ", ", ModeName(dependency.from_mode), ", acquired at ",
                    dependency.from_site.ToString(), "\n");
  }
  return text;
}

std::string CircularBody(const Violation& violation) {
  std::string text = absl::StrCat(violation.task, " is trying to acquire lock:\n  ", LockLine(violation.acquiring),
                                  "\n\nbut task is already holding lock:\n  ", LockLine(violation.conflicting),
                                  "\n\nwhich lock already depends on the new lock.\n", Chain(violation.cycle),
                                  "\nother info that might help us debug this:\n\nChain exists of:\n  ");
  for (const DependencyReport& dependency : violation.cycle) absl::StrAppend(&text, dependency.from, " --> ");
  return absl::StrCat(text, violation.cycle.front().from, "\n\n", Scenario(violation.cycle));
}

std::string RecursiveBody(const Violation& violation) {
  return absl::StrCat(violation.task, " is trying to acquire lock:\n  ", LockLine(violation.acquiring),
                      "\n\nbut task is already holding lock:\n  ", LockLine(violation.conflicting),
                      "\n\nother info that might help us debug this:\n Possible unsafe locking scenario:\n\n",
                      "       task 0\n       ----\n  ", Verb(violation.conflicting.mode), "(",
                      violation.conflicting.node, ");\n  ", Verb(violation.acquiring.mode), "(",
                      violation.acquiring.node,
                      ");\n\n *** DEADLOCK ***\n\n May be due to missing lock nesting notation\n");
}

std::string Body(const Violation& violation) {
  switch (violation.kind) {
    case ViolationKind::kCircular: return CircularBody(violation);
    case ViolationKind::kRecursive: return RecursiveBody(violation);
    case ViolationKind::kBadUnlock:
      return absl::StrCat(violation.task, " is trying to release lock ", LockLine(violation.acquiring),
                          "\nbut there is no such lock to release!\n");
    case ViolationKind::kHeldAtExit: return absl::StrCat(violation.task, " has ended with locks still held.\n");
    case ViolationKind::kWaitContext:
      return absl::StrCat(violation.task, " is trying to acquire lock:\n  ", LockLine(violation.acquiring),
                          "\n\nwhich may sleep, while holding spinlock:\n  ", LockLine(violation.conflicting), "\n");
    default: return absl::StrCat(violation.task, ": ", LockLine(violation.acquiring), "\n", violation.message, "\n");
  }
  return "";
}

std::string HeldList(const Violation& violation) {
  if (violation.held.empty()) return absl::StrCat("no locks held by ", violation.task, ".\n");
  std::string text = absl::StrCat(violation.held.size(), violation.held.size() == 1 ? " lock" : " locks", " held by ",
                                  violation.task, ":\n");
  for (size_t i = 0; i < violation.held.size(); ++i) {
    absl::StrAppend(&text, " #", i, ": ", LockLine(violation.held[i]), "\n");
  }
  return text;
}

}  // namespace

std::string RenderSplat(const Violation& violation) {
  const std::string title = Title(violation.kind);
  return absl::StrCat(std::string(title.size(), '='), "\n", title, "\n", std::string(title.size(), '-'), "\n",
                      Body(violation), "\n", HeldList(violation));
}

std::string SummarizeViolation(const Violation& violation) {
  switch (violation.kind) {
    case ViolationKind::kCircular: {
      std::string text = "lock order cycle ";
      for (const DependencyReport& dependency : violation.cycle) absl::StrAppend(&text, dependency.from, " > ");
      return absl::StrCat(text, violation.cycle.front().from);
    }
    case ViolationKind::kRecursive: return absl::StrCat("recursive acquisition of ", violation.acquiring.node);
    case ViolationKind::kBadUnlock: return absl::StrCat("release of ", violation.acquiring.node, ", which is not held");
    case ViolationKind::kHeldAtExit: return absl::StrCat(violation.acquiring.node, " held at the end of its task");
    case ViolationKind::kWaitContext:
      return absl::StrCat(violation.acquiring.node, " may sleep under spinlock ", violation.conflicting.node);
    default: return violation.signature;
  }
  return "lock rule broken";
}

}  // namespace ordeal::lockdep
