#include "harness/corpus/minimise.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "harness/corpus/corpus_replay.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using Answers = std::vector<uint16_t>;  // by ordinal

// Answers from a list; what does not fit is the quiet choice.
class LenientSource final : public ChoiceSource {
 public:
  explicit LenientSource(const Answers& answers) : answers_(answers) {}
  void BeginRun(uint64_t) override { next_ = 0; }
  int Choose(const ChoicePoint& point) override {
    if (next_ >= answers_.size()) return 0;
    const int answer = answers_[next_++];
    return answer < point.options ? answer : 0;
  }

 private:
  const Answers& answers_;
  size_t next_ = 0;
};

uint64_t CountDeviations(const Answers& answers) {
  return static_cast<uint64_t>(answers.size()) -
         static_cast<uint64_t>(std::count(answers.begin(), answers.end(), uint16_t{0}));
}

class Minimiser {
 public:
  Minimiser(Runner& runner, const CorpusEntry& entry, const MinimiseOptions& options)
      : runner_(runner), options_(options), best_(entry), wanted_(*entry.finding) {
    answers_.resize(entry.choices.choices);
    for (const SparseRecording::Deviation& d : entry.choices.deviations) answers_[d.ordinal] = d.choice.answer;
    choices_ = entry.choices.choices;
  }

  bool Run() {
    for (bool improved = true; improved && !exhausted();) {
      improved = CutTail();
      improved |= ZeroChunks();
      improved |= DropChoices();
      improved |= LowerAnswers();
    }
    return !exhausted();
  }
  uint64_t runs() const { return runs_; }
  CorpusEntry TakeBest() { return std::move(best_); }

 private:
  bool exhausted() const { return runs_ >= options_.runs_max; }

  // Deviations first: they are what a person must understand.
  static std::tuple<uint64_t, uint64_t, uint64_t> Cost(const Answers& answers, uint64_t choices) {
    uint64_t sum = 0;
    for (const uint16_t answer : answers) sum += answer;
    return {CountDeviations(answers), choices, sum};
  }

  bool Try(const Answers& candidate) {
    if (exhausted()) return false;
    ++runs_;
    LenientSource source(candidate);
    const RunResult result = runner_.Run(source);
    if (result.findings.empty() || result.findings[0].kind != wanted_.kind ||
        result.findings[0].signature != wanted_.signature) {
      return false;
    }
    Answers got;
    for (const RecordedChoice& choice : runner_.recorded()) got.push_back(choice.answer);
    const uint64_t choices = got.size();
    if (Cost(got, choices) >= Cost(answers_, choices_)) return false;
    best_ = MakeCorpusEntry(runner_, result, best_.found_by);
    answers_ = std::move(got);
    choices_ = choices;
    return true;
  }

  // The shortest prefix of the answers after which everything may be quiet.
  bool CutTail() {
    bool improved = false;
    size_t low = 0;
    size_t high = answers_.size();
    while (low < high && !exhausted()) {
      const size_t middle = low + (high - low) / 2;
      const Answers prefix(answers_.begin(), answers_.begin() + static_cast<std::ptrdiff_t>(middle));
      if (Try(prefix)) {
        improved = true;
        high = std::min(middle, answers_.size());
      } else {
        low = middle + 1;
      }
    }
    return improved;
  }

  std::vector<size_t> Deviations() const {
    std::vector<size_t> at;
    for (size_t i = 0; i < answers_.size(); ++i) {
      if (answers_[i] != 0) at.push_back(i);
    }
    return at;
  }

  bool ZeroChunks() {
    bool improved = false;
    for (size_t chunk = std::max<size_t>(1, Deviations().size() / 2);; chunk = (chunk + 1) / 2) {
      for (size_t first = 0; !exhausted(); first += chunk) {
        const std::vector<size_t> at = Deviations();
        if (first >= at.size()) break;
        Answers candidate = answers_;
        for (size_t i = first; i < std::min(first + chunk, at.size()); ++i) candidate[at[i]] = 0;
        if (Try(candidate)) {
          improved = true;
          first = first < chunk ? 0 - chunk : first - chunk;  // the same place again, with what is there now
        }
      }
      if (chunk == 1 || exhausted()) return improved;
    }
  }

  // Without a choice what follows moves up: one operation or one switch less.
  bool DropChoices() {
    bool improved = false;
    const size_t last = answers_.empty() ? 0 : Deviations().empty() ? 0 : Deviations().back();
    for (size_t i = 0; i < std::min(last + 1, answers_.size()) && !exhausted(); ++i) {
      Answers candidate = answers_;
      candidate.erase(candidate.begin() + static_cast<std::ptrdiff_t>(i));
      improved |= Try(candidate);
    }
    return improved;
  }

  bool LowerAnswers() {
    bool improved = false;
    for (size_t i = 0; i < answers_.size() && !exhausted(); ++i) {
      if (answers_[i] < 2) continue;
      Answers candidate = answers_;
      candidate[i] = 1;
      improved |= Try(candidate);
    }
    return improved;
  }

  Runner& runner_;
  const MinimiseOptions& options_;
  CorpusEntry best_;
  const ExpectedFinding wanted_;
  Answers answers_;
  uint64_t choices_ = 0;
  uint64_t runs_ = 0;
};

RunSize SizeOf(const CorpusEntry& entry) {
  return {entry.choices.deviations.size(), entry.choices.choices, entry.steps};
}

}  // namespace

absl::StatusOr<Minimised> Minimise(const Registry& registry, const CorpusEntry& entry, const MinimiseOptions& options) {
  if (!entry.finding.has_value()) {
    return absl::InvalidArgumentError("the run finds nothing: there is nothing to keep while it gets smaller");
  }
  ASSIGN_OR_RETURN(const ReplayOutcome outcome, ReplayEntry(registry, entry));
  if (outcome.verdict != ReplayVerdict::kSame) {
    return absl::FailedPreconditionError(absl::StrCat("the run does not replay as it is: ", outcome.explanation));
  }
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve(entry.spec));
  const ScenarioEntry* scenario = registry.FindScenario(spec.scenario);
  Runner runner(*scenario, std::move(spec));
  Minimiser minimiser(runner, entry, options);
  Minimised minimised;
  minimised.before = SizeOf(entry);
  minimised.complete = minimiser.Run();
  minimised.runs = minimiser.runs();
  minimised.entry = minimiser.TakeBest();
  minimised.after = SizeOf(minimised.entry);
  return minimised;
}

}  // namespace ordeal
