// The inference follows check_prevs_add() of kernel/locking/lockdep.c (Linux 6.1): a new chain gets dependencies from its
// nearest held locks down to the first one that was not a trylock; unchecked ones are passed over.

#include "lockdep/report/proc_revalidation.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lockdep/report/splat.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using Pair = std::pair<uint32_t, uint32_t>;

// A chain as indices. Locks that no class is known for get none and are left out of everything.
std::vector<uint32_t> Indices(const ProcChain& chain, size_t depth) {
  std::vector<uint32_t> indices;
  for (size_t i = 0; i < depth; ++i) indices.push_back(chain.held[i].index);
  return indices;
}

using ChainSet = std::set<std::pair<std::string, std::vector<uint32_t>>>;

std::vector<std::vector<bool>> FindWaited(const ProcChains& chains) {
  ChainSet known;
  for (const ProcChain& chain : chains.chains) known.insert({chain.irq_context, Indices(chain, chain.held.size())});
  std::vector<std::vector<bool>> waited;
  for (const ProcChain& chain : chains.chains) {
    std::vector<bool> of_chain;
    for (size_t depth = 1; depth <= chain.held.size(); ++depth) {
      of_chain.push_back(known.count({chain.irq_context, Indices(chain, depth)}) > 0);
    }
    waited.push_back(std::move(of_chain));
  }
  return waited;
}

// Classes that locks were waited for directly under, but that neither have successors nor end a chain.
std::vector<bool> FindUnchecked(const ProcLockdep& graph, const ProcChains& chains) {
  std::vector<bool> ends(graph.classes.size(), false);
  std::vector<bool> precedes_end(graph.classes.size(), false);
  for (const ProcChain& chain : chains.chains) {
    if (chain.held.empty()) continue;
    if (chain.held.back().index != kUnlisted) ends[chain.held.back().index] = true;
    const size_t size = chain.held.size();
    if (size > 1 && chain.held[size - 2].index != kUnlisted) precedes_end[chain.held[size - 2].index] = true;
  }
  std::vector<bool> unchecked;
  for (size_t i = 0; i < graph.classes.size(); ++i) {
    unchecked.push_back(precedes_end[i] && !ends[i] && graph.classes[i].successors.empty());
  }
  return unchecked;
}

// The kernel's walk down from the last lock of a chain. `listed`: the neighbours of /proc/lockdep.
void AddChainEdges(const ProcChain& chain, const std::vector<bool>& waited, const std::vector<bool>& unchecked,
                   const std::set<Pair>& listed, std::set<Pair>* edges) {
  const uint32_t last = chain.held.back().index;
  for (size_t i = chain.held.size() - 1; i-- > 0;) {
    const uint32_t holder = chain.held[i].index;
    if (holder == kUnlisted || unchecked[holder]) continue;
    const bool neighbour = i + 2 == chain.held.size();
    // A neighbour without its line in /proc/lockdep is none: a test at boot left the chain, or a dead class stood between.
    if (holder != last && (!neighbour || listed.count({holder, last}) > 0)) edges->insert({holder, last});
    if (waited[i]) return;
  }
}

// For each class the number of classes that `edges` lead to, with itself.
std::vector<uint64_t> CountReachable(size_t classes, const std::vector<Pair>& edges, bool backward) {
  std::vector<std::vector<uint32_t>> out(classes);
  for (const auto& [from, to] : edges) out[backward ? to : from].push_back(backward ? from : to);
  std::vector<uint64_t> counts;
  std::vector<uint32_t> seen(classes, kUnlisted);
  for (uint32_t root = 0; root < classes; ++root) {
    std::vector<uint32_t> reached = {root};
    seen[root] = root;
    for (size_t i = 0; i < reached.size(); ++i) {
      for (const uint32_t next : out[reached[i]]) {
        if (seen[next] == root) continue;
        seen[next] = root;
        reached.push_back(next);
      }
    }
    counts.push_back(reached.size());
  }
  return counts;
}

std::set<Pair> ListedEdges(const ProcLockdep& graph) {
  std::set<Pair> listed;
  for (uint32_t i = 0; i < graph.classes.size(); ++i) {
    for (const ProcLock& to : graph.classes[i].successors) {
      if (to.index != kUnlisted) listed.insert({i, to.index});
    }
  }
  return listed;
}

// What is assumed beyond the plain word of the text.
struct Assumptions {
  bool readers = false;    // classes with a reader's usage are always acquired as recursive readers
  bool trylocks = false;   // as inferred
  bool unchecked = false;  // as inferred
};

// Feeds the texts to a validator of its own. A chain, or a listed dependency, is a task.
class Replay {
 public:
  Replay(const ProcLockdep& graph, const ProcInference* inference, Assumptions assumptions)
      : graph_(graph), inference_(inference), assumptions_(assumptions) {
    std::map<std::string, int> names;
    for (const ProcClass& one : graph.classes) {
      const bool again = ++names[one.name] > 1;
      classes_.push_back(validator_.RegisterClass(again ? absl::StrCat(one.name, " [", one.key, "]") : one.name));
    }
  }

  void Run(const ProcChains* chains) {
    for (uint32_t i = 0; i < graph_.classes.size(); ++i) {
      const ProcClass& from = graph_.classes[i];
      for (size_t s = 0; s < from.successors.size(); ++s) {
        const std::string name = absl::StrCat("/proc/lockdep: ", from.name);
        const int line = from.line + static_cast<int>(s) + 1;
        Sequence(name, {{i, {"lockdep", from.line}, false}, {from.successors[s].index, {"lockdep", line}, false}});
      }
    }
    for (size_t c = 0; chains != nullptr && c < chains->chains.size(); ++c) {
      const ProcChain& chain = chains->chains[c];
      std::vector<Step> steps;
      for (size_t i = 0; i < chain.held.size(); ++i) {
        const bool trylock = assumptions_.trylocks && !inference_->waited[c][i];
        steps.push_back({chain.held[i].index, {"lockdep_chains", chain.line + static_cast<int>(i) + 1}, trylock});
      }
      Sequence(absl::StrCat("chain ", c + 1), steps);
    }
  }
  const std::vector<Violation>& violations() const { return validator_.violations(); }
  ProcReading Summary(const std::string& name) const {
    ProcReading reading{name};
    for (const Violation& violation : violations()) {
      (violation.kind == ViolationKind::kCircular ? reading.cycles : reading.recursions) += 1;
    }
    return reading;
  }

 private:
  struct Step {
    uint32_t index;
    Site site;
    bool trylock;
  };

  void Sequence(const std::string& name, const std::vector<Step>& steps) {
    TaskContext task(name.c_str());
    std::vector<std::unique_ptr<LockMap>> maps;
    for (const Step& step : steps) {
      if (step.index == kUnlisted) continue;
      if (assumptions_.unchecked && inference_->unchecked[step.index]) continue;
      const bool reader = assumptions_.readers && graph_.classes[step.index].EverRead();
      maps.push_back(std::make_unique<LockMap>(validator_.NewMap(classes_[step.index])));
      validator_.Acquire(task, *maps.back(), reader ? Mode::kSharedRecursive : Mode::kExclusive,
                         {.trylock = step.trylock, .site = step.site});
    }
    while (!maps.empty()) {
      validator_.Release(task, *maps.back());
      maps.pop_back();
    }
  }

  const ProcLockdep& graph_;
  const ProcInference* inference_;
  Assumptions assumptions_;
  Validator validator_;
  std::vector<LockClassId> classes_;
};

// The steps of a finding as indices: of a recursion, one from the class to itself. Empty if a name is unknown.
std::vector<Pair> StepsOf(const Violation& violation, const std::map<std::string, uint32_t>& by_name) {
  std::vector<Pair> steps;
  for (const DependencyReport& dependency : violation.cycle) {
    const auto from = by_name.find(dependency.from);
    const auto to = by_name.find(dependency.to);
    if (from == by_name.end() || to == by_name.end()) return {};
    steps.push_back({from->second, to->second});
  }
  const auto self = by_name.find(violation.acquiring.node);
  if (steps.empty() && self != by_name.end()) steps.push_back({self->second, self->second});
  return steps;
}

ProcExplanation Explain(const std::vector<Pair>& steps, const ProcInference* inference, bool readers) {
  const auto any = [&](auto&& holds) { return std::any_of(steps.begin(), steps.end(), holds); };
  if (inference != nullptr) {
    if (any([&](Pair step) { return inference->unchecked[step.first]; })) return ProcExplanation::kUnchecked;
    if (any([&](Pair step) { return inference->waited_pairs.count(step) == 0; })) return ProcExplanation::kTrylock;
  }
  return readers ? ProcExplanation::kReaders : ProcExplanation::kUnexplained;
}

std::vector<ProcFinding> ExplainAll(const std::vector<Violation>& violations, const ProcLockdep& graph,
                                    const ProcInference* inference) {
  std::map<std::string, uint32_t> by_name;
  for (uint32_t i = 0; i < graph.classes.size(); ++i) by_name.emplace(graph.classes[i].name, i);
  std::vector<ProcFinding> findings;
  for (const Violation& violation : violations) {
    ProcFinding finding{violation};
    const std::vector<Pair> steps = StepsOf(violation, by_name);
    for (const Pair& step : steps) {
      if (graph.classes[step.first].EverRead()) finding.readers.push_back(graph.classes[step.first].name);
    }
    finding.explanation = Explain(steps, inference, !finding.readers.empty());
    findings.push_back(std::move(finding));
  }
  return findings;
}

bool UsedIn(char state) { return state == '-' || state == '?'; }
bool Enabled(char state) { return state == '+' || state == '?'; }

// The shortest path from `root` to a class that may be held when `root`'s interrupt comes; empty if there is none.
std::vector<std::string> IrqPath(const ProcLockdep& graph, const std::vector<std::vector<uint32_t>>& out, uint32_t root,
                                 size_t state) {
  const bool written = UsedIn(graph.classes[root].usage[state]);
  std::vector<uint32_t> parent(graph.classes.size(), kUnlisted);
  std::deque<uint32_t> queue = {root};
  parent[root] = root;
  while (!queue.empty()) {
    const uint32_t at = queue.front();
    queue.pop_front();
    const std::string& usage = graph.classes[at].usage;
    if (usage.size() > state + 1 && (Enabled(usage[state]) || (written && Enabled(usage[state + 1])))) {
      std::vector<std::string> path;
      for (uint32_t i = at;; i = parent[i]) {
        path.push_back(graph.classes[i].name);
        if (i == root) break;
      }
      std::reverse(path.begin(), path.end());
      return path;
    }
    for (const uint32_t next : out[at]) {
      if (parent[next] != kUnlisted) continue;
      parent[next] = at;
      queue.push_back(next);
    }
  }
  return {};
}

std::vector<ProcIrqPath> FindIrqPaths(const ProcLockdep& graph, const std::vector<Pair>& edges) {
  std::vector<std::vector<uint32_t>> out(graph.classes.size());
  for (const auto& [from, to] : edges) out[from].push_back(to);
  std::vector<ProcIrqPath> found;
  for (uint32_t i = 0; i < graph.classes.size(); ++i) {
    for (size_t state = 0; state + 1 < graph.classes[i].usage.size() && state < 4; state += 2) {
      const std::string& usage = graph.classes[i].usage;
      if (!UsedIn(usage[state]) && !UsedIn(usage[state + 1])) continue;
      std::vector<std::string> path = IrqPath(graph, out, i, state);
      if (!path.empty()) found.push_back({state == 0 ? "hardirq" : "softirq", std::move(path)});
    }
  }
  return found;
}

void JudgeChains(const ProcLockdep& graph, const ProcChains& chains, ProcRevalidation* result) {
  const ProcInference inference = InferAcquisitions(graph, chains);
  const struct {
    const char* name;
    Assumptions assumptions;
  } readings[] = {
      {"every lock exclusive, waited for and checked", {}},
      {"classes ever read: always as recursive readers", {.readers = true}},
      {"trylocks as inferred", {.trylocks = true}},
      {"trylocks and unchecked classes as inferred", {.trylocks = true, .unchecked = true}},
  };
  for (const auto& [name, assumptions] : readings) {
    Replay replay(graph, &inference, assumptions);
    replay.Run(&chains);
    result->readings.push_back(replay.Summary(name));
    const bool first = result->readings.size() == 2;  // behind the reading of /proc/lockdep alone
    if (first) result->findings = ExplainAll(replay.violations(), graph, &inference);
    if (!first) result->remaining = ExplainAll(replay.violations(), graph, &inference);
  }
  for (size_t i = 0; i < graph.classes.size(); ++i) {
    if (inference.unchecked[i]) result->unchecked.push_back(graph.classes[i].name);
    result->counts_compared += 2;
    result->counts_equal += (inference.forward[i] == graph.classes[i].forward) +
                            (inference.backward[i] == graph.classes[i].backward);
  }
  result->irq_paths = FindIrqPaths(graph, inference.edges);
}

std::string FindingLines(const std::vector<ProcFinding>& findings) {
  std::map<ProcExplanation, std::vector<const ProcFinding*>> groups;
  for (const ProcFinding& finding : findings) groups[finding.explanation].push_back(&finding);
  std::string text;
  for (const auto& [explanation, group] : groups) {
    absl::StrAppend(&text, "  ", group.size(), " ", ProcExplanationName(explanation), ": ", ProcExplanationText(explanation),
                    "\n");
    constexpr size_t kShown = 5;
    const size_t shown = explanation == ProcExplanation::kUnexplained ? group.size() : std::min(group.size(), kShown);
    for (size_t i = 0; i < shown; ++i) {
      const Violation& violation = group[i]->violation;
      absl::StrAppend(&text, "    ", SummarizeViolation(violation), "  (", violation.acquiring.site.ToString());
      if (!group[i]->readers.empty()) absl::StrAppend(&text, "; also read: ", absl::StrJoin(group[i]->readers, ", "));
      absl::StrAppend(&text, ")\n");
    }
    if (shown < group.size()) absl::StrAppend(&text, "    and ", group.size() - shown, " more\n");
  }
  return text;
}

}  // namespace

const char* ProcExplanationName(ProcExplanation explanation) {
  switch (explanation) {
    case ProcExplanation::kUnchecked: return "unchecked";
    case ProcExplanation::kTrylock: return "trylock";
    case ProcExplanation::kReaders: return "readers";
    case ProcExplanation::kUnexplained: return "unexplained";
  }
  return "unknown";
}

const char* ProcExplanationText(ProcExplanation explanation) {
  switch (explanation) {
    case ProcExplanation::kUnchecked:
      return "runs through a class that the kernel tracks without checking it (read-side sections, classes without validation)";
    case ProcExplanation::kTrylock:
      return "one of its steps was never waited for: a trylock, which cannot deadlock, or an unchecked acquisition";
    case ProcExplanation::kReaders:
      return "runs through a class that is also read; the text has no kinds of dependency, and a recursive reader does not wait";
    case ProcExplanation::kUnexplained:
      return "nothing in the text excuses it: a deadlock, or a chain that the kernel's own lock tests left at boot";
  }
  return "";
}

ProcInference InferAcquisitions(const ProcLockdep& graph, const ProcChains& chains) {
  ProcInference inference;
  inference.waited = FindWaited(chains);
  inference.unchecked = FindUnchecked(graph, chains);
  const std::set<Pair> listed = ListedEdges(graph);
  std::set<Pair> edges = listed;
  for (size_t c = 0; c < chains.chains.size(); ++c) {
    const ProcChain& chain = chains.chains[c];
    if (chain.held.empty() || chain.held.back().index == kUnlisted) continue;
    AddChainEdges(chain, inference.waited[c], inference.unchecked, listed, &edges);
    for (size_t i = 0; i + 1 < chain.held.size(); ++i) {
      const uint32_t holder = chain.held[i].index;
      if (holder != kUnlisted && !inference.unchecked[holder]) inference.waited_pairs.insert({holder, chain.held.back().index});
    }
  }
  inference.waited_pairs.insert(listed.begin(), listed.end());
  inference.edges.assign(edges.begin(), edges.end());
  inference.forward = CountReachable(graph.classes.size(), inference.edges, false);
  inference.backward = CountReachable(graph.classes.size(), inference.edges, true);
  return inference;
}

ProcRevalidation RevalidateProc(const ProcLockdep& graph, const ProcChains* chains) {
  ProcRevalidation result;
  result.classes = graph.classes.size();
  result.unlisted = graph.unlisted;
  const std::set<Pair> listed = ListedEdges(graph);
  result.dependencies = listed.size();
  Replay neighbours(graph, nullptr, {});
  neighbours.Run(nullptr);
  result.readings.push_back(neighbours.Summary("the dependencies of /proc/lockdep alone, as exclusive"));
  if (chains == nullptr) {
    result.findings = ExplainAll(neighbours.violations(), graph, nullptr);
    result.remaining = result.findings;
    result.irq_paths = FindIrqPaths(graph, {listed.begin(), listed.end()});
    return result;
  }
  result.chains = chains->chains.size();
  result.unlisted += chains->unlisted;
  ChainSet distinct;
  for (const ProcChain& chain : chains->chains) {
    result.same_text_chains += !distinct.insert({chain.irq_context, Indices(chain, chain.held.size())}).second;
  }
  JudgeChains(graph, *chains, &result);
  return result;
}

std::string ProcRevalidation::ToString() const {
  std::string text = absl::StrCat(classes, " classes, ", dependencies, " dependencies, ", chains, " chains");
  if (same_text_chains > 0) {
    absl::StrAppend(&text, "; ", same_text_chains, " chains are printed like another one: they differ in reader modes,",
                    " or in locks whose class is gone and is not printed");
  }
  absl::StrAppend(&text, "\n");
  if (unlisted > 0) {
    absl::StrAppend(&text, unlisted,
                    " locks name no listed class (the kernel changed while it was being read) and are left out\n");
  }
  absl::StrAppend(&text,
                  "\nThe text has no edge kinds: a cycle here may run through recursive readers, trylocks or unchecked ",
                  "classes.\n\n",
                  "  cycles  recursions  reading\n");
  for (const ProcReading& reading : readings) {
    absl::StrAppendFormat(&text, "  %6d  %10d  %s\n", reading.cycles, reading.recursions, reading.name);
  }
  if (!findings.empty()) {
    const auto read = [](const ProcFinding& finding) { return !finding.readers.empty(); };
    const auto vanish = std::count_if(findings.begin(), findings.end(), read);
    absl::StrAppend(&text, "\nFindings of the texts at their word (", findings.size(), ", of which ", vanish,
                    " vanish if classes that are also read are only ever read recursively):\n", FindingLines(findings));
  }
  if (!unchecked.empty()) {
    absl::StrAppend(&text, "\nUnchecked classes, as inferred: ", absl::StrJoin(unchecked, ", "), "\n");
  }
  if (counts_compared > 0) {
    absl::StrAppend(&text, "Recomputed numbers of dependent classes (FD, BD) equal the printed ones in ", counts_equal, " of ",
                    counts_compared, " cases.\n");
  }
  absl::StrAppend(&text, "\nWhat remains: ", remaining.empty() ? "nothing.\n" : "\n", FindingLines(remaining));
  absl::StrAppend(&text, "Interrupt-safe locks that lead to interrupt-unsafe ones: ", irq_paths.empty() ? "none.\n" : "\n");
  for (const ProcIrqPath& irq : irq_paths) {
    absl::StrAppend(&text, "  ", irq.context, ": ", absl::StrJoin(irq.path, " --> "), "\n");
  }
  return text;
}

}  // namespace ordeal::lockdep
