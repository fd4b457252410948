#include "lockdep/report/violation_dot.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lockdep/report/splat.h"
#include "lockdep/report/splat_text.h"

namespace ordeal::lockdep {
namespace {

constexpr char kClosing[] = "#c0392b";
constexpr char kExisting[] = "#2c3e50";
constexpr char kEvent[] = "#2471a3";
constexpr char kInterrupt[] = "#7d3c98";

// Text inside quotes; "\\n" in the source of labels is Graphviz's own line break and is added by the callers.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

class Picture {
 public:
  explicit Picture(const Violation& violation) : violation_(violation) {
    for (const HeldLockReport& held : violation.held) usage_[held.node] = held.usage;
    usage_[violation.acquiring.node] = violation.acquiring.usage;
  }

  void AddNode(const std::string& node) {
    if (node.empty() || !nodes_.emplace(node, nodes_.size()).second) return;
    std::string label = Escaped(node);
    const auto usage = usage_.find(node);
    if (usage != usage_.end() && usage->second != "....") absl::StrAppend(&label, "\\n{", usage->second, "}");
    const bool wanted = node == violation_.acquiring.node;
    const bool held = node == violation_.conflicting.node;
    if (wanted && !held) label += violation_.acquiring.event ? "\\nawaited" : "\\nwanted";
    if (held && !wanted) label += violation_.conflicting.event ? "\\nowed" : "\\nheld";
    absl::StrAppend(&body_, "  n", nodes_.size() - 1, " [label=\"", label, "\"", wanted || held ? ", penwidth=2" : "", "];\n");
  }

  void AddDependency(const DependencyReport& dependency, bool closing) {
    AddNode(dependency.from);
    AddNode(dependency.to);
    const bool event = dependency.from_event || dependency.to_event;
    const char* wants = dependency.to_event ? "waits for " : dependency.to_sync ? "synchronises with " : "wants ";
    const auto modes = [](Mode mode, const std::string& name) { return Escaped(ModeSuffix(mode, name)); };
    const std::string label = absl::StrCat(
        "  ", Escaped(dependency.task), closing ? " closes the cycle" : "", "\\l  ", dependency.from_event ? "owes " : "has ",
        Escaped(dependency.from), modes(dependency.from_mode, dependency.from_mode_name), ": ",
        Escaped(dependency.from_site.ToString()), "\\l  ", wants, Escaped(dependency.to),
        modes(dependency.to_mode, dependency.to_mode_name), ": ", Escaped(dependency.to_site.ToString()), "\\l");
    AddArrow(dependency.from, dependency.to, label, closing ? kClosing : event ? kEvent : kExisting, event ? "dashed" : "solid",
             closing ? 2.5 : 1.2);
  }

  // The interrupt comes on the CPU that holds the unsafe lock, and wants the safe one.
  void AddInterrupt() {
    AddNode(violation_.safe.node);
    AddNode(violation_.unsafe.node);
    const std::string label =
        absl::StrCat("  interrupts the holder\\l  ", Escaped(violation_.unsafe.state), ": ",
                     Escaped(violation_.unsafe.site.ToString()), "\\l  ", Escaped(violation_.safe.state), ": ",
                     Escaped(violation_.safe.site.ToString()), "\\l");
    AddArrow(violation_.unsafe.node, violation_.safe.node, label, kInterrupt, "dotted", 2.5);
  }

  std::string Text() const {
    std::string title = Escaped(SummarizeViolation(violation_));
    if (!violation_.cycle.empty()) absl::StrAppend(&title, "\\ngrade: ", GradeName(violation_.grade));
    if (!violation_.hint.empty()) absl::StrAppend(&title, "\\n", Escaped(violation_.hint));
    return absl::StrCat("digraph violation {\n  label=\"", title,
                        "\";\n  labelloc=t;\n  fontname=\"sans-serif\";\n  nodesep=1;\n  ranksep=1;\n",
                        "  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
                        "  edge [fontname=\"monospace\", fontsize=10];\n", body_, "}\n");
  }

 private:
  void AddArrow(const std::string& from, const std::string& to, const std::string& label, const char* colour,
                const char* style, double width) {
    absl::StrAppend(&body_, "  n", nodes_.at(from), " -> n", nodes_.at(to), " [label=\"", label, "\",\n    color=\"", colour,
                    "\", fontcolor=\"", colour, "\", style=", style, ", penwidth=", width, "];\n");
  }

  const Violation& violation_;
  std::map<std::string, std::string> usage_;
  std::map<std::string, size_t> nodes_;
  std::string body_;
};

// What a lock that is acquired while another is held would be as a dependency.
DependencyReport Conflict(const Violation& violation) {
  DependencyReport dependency;
  dependency.from = violation.conflicting.node;
  dependency.to = violation.acquiring.node;
  dependency.from_mode = violation.conflicting.mode;
  dependency.to_mode = violation.acquiring.mode;
  dependency.from_mode_name = violation.conflicting.mode_name;
  dependency.to_mode_name = violation.acquiring.mode_name;
  dependency.from_site = violation.conflicting.site;
  dependency.to_site = violation.acquiring.site;
  dependency.task = violation.task;
  dependency.to_event = violation.acquiring.event;
  dependency.to_sync = violation.acquiring.sync;
  return dependency;
}

bool IsNewDependency(const Violation& violation, size_t i) {
  if (violation.kind == ViolationKind::kCircular) return i + 1 == violation.cycle.size();
  return violation.kind == ViolationKind::kIrqOrder && violation.cycle[i].from == violation.conflicting.node &&
         violation.cycle[i].to == violation.acquiring.node;
}

// A file that goes away with its name.
class TemporaryFile {
 public:
  TemporaryFile() : path_((std::filesystem::temp_directory_path() / "ordeal-dot-XXXXXX").string()) {
    descriptor_ = mkstemp(path_.data());
  }
  ~TemporaryFile() {
    if (descriptor_ < 0) return;
    close(descriptor_);
    unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  bool Write(const std::string& text) const {
    size_t done = 0;
    while (descriptor_ >= 0 && done < text.size()) {
      const ssize_t wrote = write(descriptor_, text.data() + done, text.size() - done);
      if (wrote <= 0) return false;
      done += static_cast<size_t>(wrote);
    }
    return descriptor_ >= 0;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace

std::string ViolationToDot(const Violation& violation) {
  Picture picture(violation);
  for (size_t i = 0; i < violation.cycle.size(); ++i) {
    picture.AddDependency(violation.cycle[i], IsNewDependency(violation, i));
  }
  if (!violation.safe.node.empty()) {
    picture.AddInterrupt();
  } else if (violation.cycle.empty() && !violation.conflicting.node.empty()) {
    picture.AddDependency(Conflict(violation), violation.kind == ViolationKind::kRecursive);
  }
  picture.AddNode(violation.acquiring.node);
  return picture.Text();
}

absl::StatusOr<std::string> DotToSvg(const std::string& dot, const std::string& program) {
  const TemporaryFile file;
  if (!file.Write(dot)) {
    return absl::UnavailableError(absl::StrCat("cannot write ", file.path(), "; make room there or set TMPDIR"));
  }
  std::FILE* pipe = popen(absl::StrCat("'", program, "' -Tsvg '", file.path(), "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return absl::UnavailableError("cannot start a shell to run Graphviz; try again");
  std::string svg;
  std::array<char, 65536> block;
  for (size_t got; (got = std::fread(block.data(), 1, block.size(), pipe)) > 0;) svg.append(block.data(), got);
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return absl::FailedPreconditionError(absl::StrCat("'", program, "' is not installed, so there is no picture; ",
                                                      "apt-get install graphviz, or use the DOT text"));
  }
  if (status != 0 || svg.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("'", program, "' refuses the graph; look at the DOT text"));
  }
  return svg;
}

}  // namespace ordeal::lockdep
