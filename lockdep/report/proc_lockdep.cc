// The forms are those of kernel/locking/lockdep_proc.c (l_show, lc_show), read in Linux 6.1.

#include "lockdep/report/proc_lockdep.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::lockdep {
namespace {

constexpr absl::string_view kClassesHeader = "all lock classes:";
constexpr absl::string_view kChainsHeader = "all lock chains:";
constexpr absl::string_view kOverflowed = "(buggered) ";
constexpr absl::string_view kIrqContexts[] = {"0", "hardirq", "softirq", "hardirq|softirq", "1", "2", "3"};
constexpr absl::string_view kReadAgain = "; read the file again in one go (cat FILE > copy) and do not edit the copy";

std::string String(absl::string_view view) { return std::string(view.data(), view.size()); }

// "(____ptrval____)" (before the kernel has random numbers), "(ptrval)", or zeros (kptr_restrict).
bool KeyIsHidden(const std::string& key) {
  return absl::StrContains(key, "ptrval") || key == "(null)" || key.find_first_not_of('0') == std::string::npos;
}

// Lines with numbers, and the error that names the current one.
class Lines {
 public:
  Lines(const std::string& text, const std::string& name) : name_(name) {
    lines_ = absl::StrSplit(text, '\n');
    ends_with_newline_ = lines_.back().empty();
    if (ends_with_newline_) lines_.pop_back();
  }
  bool done() const { return next_ >= lines_.size(); }
  absl::string_view Next() { return lines_[next_++]; }
  int number() const { return static_cast<int>(next_); }
  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(name_, ":", std::max<size_t>(next_, 1), ": ", what));
  }
  absl::Status CheckEnd() const {
    if (ends_with_newline_) return absl::OkStatus();
    return Error(absl::StrCat("the text ends in the middle of a line", kReadAgain));
  }

 private:
  const std::string& name_;
  std::vector<absl::string_view> lines_;
  bool ends_with_newline_ = true;
  size_t next_ = 0;
};

std::string Shown(absl::string_view line) { return absl::StrCat("'", line.substr(0, 80), line.size() > 80 ? "..." : "", "'"); }

// "FIELD: 12345" with the number in at least `width` places, as printf would; moves past it.
bool TakeNumber(absl::string_view* line, absl::string_view field, int width, uint64_t* number) {
  if (!absl::ConsumePrefix(line, field)) return false;
  const size_t blanks = std::min(line->find_first_not_of(' '), line->size());
  const size_t end = std::min(line->find_first_not_of("0123456789", blanks), line->size());
  const absl::string_view digits = line->substr(blanks, end - blanks);
  if (!absl::SimpleAtoi(digits, number) || absl::StrFormat("%*d", width, *number) != line->substr(0, end)) return false;
  line->remove_prefix(end);
  return true;
}

// "KEY[ OPS:n FD:n BD:n USAGE]: NAME".
bool ParseClassLine(absl::string_view line, ProcLockdep* graph, ProcClass* parsed) {
  const size_t key_end = line.find_first_of(" :");
  if (key_end == absl::string_view::npos || key_end == 0) return false;
  parsed->key = String(line.substr(0, key_end));
  line.remove_prefix(key_end);
  const bool has_operations = TakeNumber(&line, " OPS:", 8, &parsed->operations);
  const bool has_dependencies = TakeNumber(&line, " FD:", 5, &parsed->forward);
  if (has_dependencies) {
    if (!TakeNumber(&line, " BD:", 5, &parsed->backward) || !absl::ConsumePrefix(&line, " ")) return false;
    const size_t end = line.find_first_not_of(".+-?");
    if (end == absl::string_view::npos || end < 4 || end % 2 != 0) return false;
    parsed->usage = String(line.substr(0, end));
    line.remove_prefix(end);
  }
  if (!absl::ConsumePrefix(&line, ": ") || line.empty()) return false;
  parsed->name = String(line);
  if (graph->classes.empty()) {
    graph->has_operations = has_operations;
    graph->has_dependencies = has_dependencies;
  }
  return has_operations == graph->has_operations && has_dependencies == graph->has_dependencies;
}

// "PREFIX[KEY] NAME". A key may itself be in parentheses, never in brackets.
bool ParseLockLine(absl::string_view line, absl::string_view prefix, ProcLock* parsed) {
  if (!absl::ConsumePrefix(&line, prefix) || !absl::ConsumePrefix(&line, "[")) return false;
  const size_t key_end = line.find("] ");
  if (key_end == absl::string_view::npos || key_end == 0 || key_end + 2 == line.size()) return false;
  parsed->key = String(line.substr(0, key_end));
  parsed->name = String(line.substr(key_end + 2));
  return true;
}

// Finds classes by name; by address among classes of one name.
class ClassIndex {
 public:
  explicit ClassIndex(const ProcLockdep& graph) : graph_(graph) {
    for (uint32_t i = 0; i < graph.classes.size(); ++i) by_name_[graph.classes[i].name].push_back(i);
  }
  // kUnlisted if there is no such class; nothing if several could be meant.
  std::optional<uint32_t> Find(const ProcLock& lock) const {
    const auto named = by_name_.find(lock.name);
    if (named == by_name_.end()) return kUnlisted;
    const std::vector<uint32_t>& candidates = named->second;
    std::vector<uint32_t> same_key;
    for (const uint32_t i : candidates) {
      if (graph_.classes[i].key == lock.key) same_key.push_back(i);
    }
    if (same_key.size() == 1) return same_key.front();
    if (same_key.size() > 1) return std::nullopt;
    // Another address: another class, unless one of the two is hidden.
    for (const uint32_t i : candidates) {
      if (!KeyIsHidden(lock.key) && !KeyIsHidden(graph_.classes[i].key)) continue;
      if (candidates.size() > 1) return std::nullopt;
      return i;
    }
    return kUnlisted;
  }

 private:
  const ProcLockdep& graph_;
  std::map<std::string, std::vector<uint32_t>> by_name_;
};

std::string Ambiguous(const ProcLock& lock) {
  return absl::StrCat("'", lock.name, "' is the name of several classes and their addresses are hidden, so it is not clear which ",
                      "one is meant; boot with no_hash_pointers, or read the file as root once the kernel has random numbers");
}

}  // namespace

bool ProcClass::EverRead() const {
  for (size_t i = 1; i < usage.size(); i += 2) {
    if (usage[i] != '.') return true;
  }
  return false;
}

bool ProcLockdep::KeysAreDistinct() const {
  std::set<std::string> seen;
  return std::all_of(classes.begin(), classes.end(), [&](const ProcClass& one) {
    return !KeyIsHidden(one.key) && seen.insert(one.key).second;
  });
}

bool ProcChain::InHardirq() const {
  return absl::StartsWith(irq_context, "hardirq") || irq_context == "1" || irq_context == "3";
}

bool ProcChain::InSoftirq() const {
  return absl::EndsWith(irq_context, "softirq") || irq_context == "2" || irq_context == "3";
}

ProcName SplitProcName(const std::string& name) {
  ProcName split{name};
  const size_t slash = name.size() >= 2 ? name.size() - 2 : 0;
  if (slash > 0 && name[slash] == '/' && name.back() >= '1' && name.back() <= '7') {
    split.subclass = name.back() - '0';
    split.base.resize(slash);
  }
  const size_t hash = split.base.rfind('#');
  int version = 0;
  if (hash != std::string::npos && hash > 0 && absl::SimpleAtoi(absl::string_view(split.base).substr(hash + 1), &version) &&
      version > 1 && absl::StrCat("#", version) == split.base.substr(hash)) {
    split.version = version;
    split.base.resize(hash);
  }
  return split;
}

namespace {

absl::Status ParseClasses(Lines* lines, ProcLockdep* graph) {
  bool open = false;  // the last class may still get successors
  while (!lines->done()) {
    const absl::string_view line = lines->Next();
    if (line.empty()) {
      if (!open) return lines->Error("an empty line where a class is expected; remove it");
      open = false;
      continue;
    }
    ProcLock successor;
    if (ParseLockLine(line, " -> ", &successor)) {
      if (!open) return lines->Error(absl::StrCat("a successor outside of a class: ", Shown(line), kReadAgain));
      graph->classes.back().successors.push_back(std::move(successor));
      continue;
    }
    if (open) return lines->Error(absl::StrCat("an empty line is expected between classes, not ", Shown(line), kReadAgain));
    ProcClass parsed;
    if (!ParseClassLine(line, graph, &parsed)) {
      return lines->Error(absl::StrCat("neither a class ('KEY FD: n BD: n ....: NAME') nor a successor (' -> [KEY] NAME'): ",
                                       Shown(line), "; is this /proc/lockdep?", kReadAgain.substr(1)));
    }
    parsed.line = lines->number();
    graph->classes.push_back(std::move(parsed));
    open = graph->has_dependencies;
  }
  if (open) return lines->Error(absl::StrCat("the empty line behind the last class is missing", kReadAgain));
  return lines->CheckEnd();
}

}  // namespace

absl::StatusOr<ProcLockdep> ParseProcLockdep(const std::string& text, const std::string& name) {
  Lines lines(text, name);
  if (lines.done() || lines.Next() != kClassesHeader) {
    return lines.Error(absl::StrCat("the first line is not '", kClassesHeader,
                                    "'; give a copy of /proc/lockdep of a kernel built with CONFIG_PROVE_LOCKING"));
  }
  ProcLockdep graph;
  RETURN_IF_ERROR(ParseClasses(&lines, &graph));

  const ClassIndex index(graph);
  for (ProcClass& from : graph.classes) {
    int line = from.line;
    for (ProcLock& successor : from.successors) {
      ++line;
      const std::optional<uint32_t> found = index.Find(successor);
      if (!found.has_value()) return absl::InvalidArgumentError(absl::StrCat(name, ":", line, ": ", Ambiguous(successor)));
      successor.index = *found;
      if (*found == kUnlisted) ++graph.unlisted;
    }
  }
  return graph;
}

namespace {

absl::Status ParseChain(Lines* lines, const ClassIndex* index, ProcChains* chains) {
  absl::string_view line = lines->Next();
  ProcChain chain;
  chain.line = lines->number();
  if (!absl::ConsumePrefix(&line, "irq_context: ") ||
      std::find(std::begin(kIrqContexts), std::end(kIrqContexts), line) == std::end(kIrqContexts)) {
    return lines->Error(absl::StrCat("'irq_context: ' and 0, hardirq, softirq or hardirq|softirq are expected, not ",
                                     Shown(line), "; is this /proc/lockdep_chains?", kReadAgain.substr(1)));
  }
  chain.irq_context = String(line);
  for (;;) {
    if (lines->done()) return lines->Error(absl::StrCat("the empty line behind the last chain is missing", kReadAgain));
    line = lines->Next();
    if (line.empty()) break;
    ProcLock lock;
    if (!ParseLockLine(line, "", &lock)) {
      return lines->Error(absl::StrCat("not a lock of a chain ('[KEY] NAME'): ", Shown(line), kReadAgain));
    }
    if (index != nullptr) {
      const std::optional<uint32_t> found = index->Find(lock);
      if (!found.has_value()) return lines->Error(Ambiguous(lock));
      lock.index = *found;
      if (*found == kUnlisted) ++chains->unlisted;
    }
    chain.held.push_back(std::move(lock));
  }
  chains->chains.push_back(std::move(chain));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProcChains> ParseProcChains(const std::string& text, const std::string& name, const ProcLockdep* graph) {
  Lines lines(text, name);
  ProcChains chains;
  absl::string_view header = lines.done() ? "" : lines.Next();
  chains.overflowed = absl::ConsumePrefix(&header, kOverflowed);
  if (header != kChainsHeader) {
    return lines.Error(absl::StrCat("the first line is not '", kChainsHeader,
                                    "'; give a copy of /proc/lockdep_chains of a kernel built with CONFIG_PROVE_LOCKING"));
  }
  std::optional<ClassIndex> index;
  if (graph != nullptr) index.emplace(*graph);
  while (!lines.done()) RETURN_IF_ERROR(ParseChain(&lines, index.has_value() ? &*index : nullptr, &chains));
  RETURN_IF_ERROR(lines.CheckEnd());
  return chains;
}

namespace {

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();  // files of /proc have no size: read to the end
  if (!file) {
    const int error = errno;
    const std::string what = absl::StrCat(path, ": cannot read it: ", std::strerror(error), "; ");
    if (error == EACCES) return absl::PermissionDeniedError(absl::StrCat(what, "run as root, or give a copy"));
    return absl::NotFoundError(absl::StrCat(
        what, absl::StartsWith(path, "/proc/") ? "this kernel was built without CONFIG_PROVE_LOCKING" : "give a readable file"));
  }
  if (absl::StartsWith(text.str(), "\xfd" "7zXZ")) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":1: this is compressed; unpack it first (xz -d)"));
  }
  return text.str();
}

}  // namespace

absl::StatusOr<ProcLockdep> ReadProcLockdep(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  return ParseProcLockdep(text, path);
}

absl::StatusOr<ProcChains> ReadProcChains(const std::string& path, const ProcLockdep* graph) {
  ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  return ParseProcChains(text, path, graph);
}

std::string FormatProcLockdep(const ProcLockdep& graph) {
  std::string text = absl::StrCat(kClassesHeader, "\n");
  for (const ProcClass& one : graph.classes) {
    text += one.key;
    if (graph.has_operations) absl::StrAppendFormat(&text, " OPS:%8d", one.operations);
    if (graph.has_dependencies) absl::StrAppendFormat(&text, " FD:%5d BD:%5d %s", one.forward, one.backward, one.usage);
    absl::StrAppend(&text, ": ", one.name, "\n");
    for (const ProcLock& successor : one.successors) {
      absl::StrAppend(&text, " -> [", successor.key, "] ", successor.name, "\n");
    }
    if (graph.has_dependencies) text += '\n';
  }
  return text;
}

std::string FormatProcChains(const ProcChains& chains) {
  std::string text = absl::StrCat(chains.overflowed ? kOverflowed : "", kChainsHeader, "\n");
  for (const ProcChain& chain : chains.chains) {
    absl::StrAppend(&text, "irq_context: ", chain.irq_context, "\n");
    for (const ProcLock& lock : chain.held) absl::StrAppend(&text, "[", lock.key, "] ", lock.name, "\n");
    text += '\n';
  }
  return text;
}

}  // namespace ordeal::lockdep
