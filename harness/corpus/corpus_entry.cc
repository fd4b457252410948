#include "harness/corpus/corpus_entry.h"

#include <google/protobuf/text_format.h>

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "harness/corpus/corpus_entry.pb.h"
#include "lockdep/report/proto_errors.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr char kRecordAgain[] = "restore the file, or record the run again with 'ordeal run --save=DIR'";
constexpr char kChecksumKey[] = "checksum: 0x";

// FNV-1a, 64 bits: stable everywhere, and good enough against accidents (it is no signature).
uint64_t Checksum(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::string Hex(uint64_t value) { return absl::StrFormat("0x%016x", value); }
std::string Quoted(const std::string& text) { return absl::StrCat("\"", absl::CEscape(text), "\""); }

int LineOf(absl::string_view text, size_t offset) {
  int line = 1;
  for (size_t i = 0; i < offset && i < text.size(); ++i) line += text[i] == '\n';
  return line;
}

// Makes the messages of one file: "FILE:LINE: what; remedy".
class FileErrors {
 public:
  explicit FileErrors(absl::string_view file) : file_(file.data(), file.size()) {}
  absl::Status Damaged(int line, absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(file_, ":", line, ": ", what, "; ", kRecordAgain));
  }
  absl::Status NotOurs(int line) const {
    return absl::InvalidArgumentError(absl::StrCat(file_, ":", line, ": not a corpus entry: it must begin with ",
                                                   "'format_version: N'; give a file that 'ordeal run' saved"));
  }
  absl::Status OtherVersion(int line, absl::string_view what) const {
    return absl::FailedPreconditionError(absl::StrCat(file_, ":", line, ": ", what));
  }

 private:
  std::string file_;
};

// The parser quotes what it read: nothing of that may reach a terminal unescaped.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;

// A parsed file with the places of its fields.
class ParsedFile {
 public:
  ParsedFile(absl::string_view text, absl::string_view file) : text_(text), errors_(file) {}

  absl::StatusOr<CorpusEntry> Read() {
    RETURN_IF_ERROR(CheckFormatVersion());
    RETURN_IF_ERROR(CheckChecksum());
    RETURN_IF_ERROR(Parse());
    RETURN_IF_ERROR(ReadSpec());
    RETURN_IF_ERROR(ReadFinding());
    RETURN_IF_ERROR(ReadRun());
    RETURN_IF_ERROR(ReadChoices());
    RETURN_IF_ERROR(ReadCheckpoints());
    return std::move(entry_);
  }

 private:
  // The first line that is no comment says the format; it is looked at before anything that a newer format may change.
  absl::Status CheckFormatVersion() {
    size_t begin = 0;
    int line = 1;
    while (begin < text_.size() && (text_[begin] == '#' || text_[begin] == '\n')) {
      const size_t end = text_.find('\n', begin);
      if (end == absl::string_view::npos) break;
      begin = end + 1;
      ++line;
    }
    absl::string_view rest = text_.substr(begin);
    const absl::string_view first = rest.substr(0, rest.find('\n'));
    constexpr absl::string_view kKey = "format_version: ";
    uint64_t version = 0;
    if (first.substr(0, kKey.size()) != kKey || !absl::SimpleAtoi(first.substr(kKey.size()), &version)) {
      return errors_.NotOurs(line);
    }
    if (version > kFormatVersion) {
      return errors_.OtherVersion(line, absl::StrCat("format version ", version, " is newer than ", kFormatVersion,
                                                     ", the newest that this ordeal reads; use a newer ordeal"));
    }
    if (version == 0) return errors_.Damaged(line, "format version 0 does not exist");
    return absl::OkStatus();
  }

  absl::Status CheckChecksum() {
    const int last_line = LineOf(text_, text_.empty() ? 0 : text_.size() - 1);
    size_t begin = absl::string_view::npos;
    if (!text_.empty() && text_.back() == '\n') begin = text_.rfind('\n', text_.size() - 2);
    if (begin == absl::string_view::npos) return errors_.Damaged(last_line, "truncated: the last line must be the checksum");
    ++begin;
    const absl::string_view key(kChecksumKey);
    const absl::string_view line = text_.substr(begin, text_.size() - 1 - begin);
    uint64_t stored = 0;
    if (line.substr(0, key.size()) != key || line.size() != key.size() + 16 ||
        !absl::SimpleHexAtoi(line.substr(key.size()), &stored)) {
      return errors_.Damaged(last_line, "truncated: the last line must be the checksum");
    }
    const uint64_t actual = Checksum(text_.substr(0, begin));
    if (stored != actual) {
      return errors_.Damaged(last_line, absl::StrCat("edited or damaged: the checksum is ", Hex(stored),
                                                     " but the content above has ", Hex(actual)));
    }
    return absl::OkStatus();
  }

  absl::Status Parse() {
    lockdep::FirstProtoError first;
    TextFormat::Parser parser;
    parser.RecordErrorsTo(&first);
    parser.WriteLocationsTo(&places_);
    parser.SetRecursionLimit(8);
    const bool parsed = parser.ParseFromString(std::string(text_.data(), text_.size()), &message_);
    if (!parsed || !first.message().empty()) return errors_.Damaged(first.line(), Printable(first.message()));
    if (message_.format_version() != kFormatVersion) {
      return errors_.Damaged(1, absl::StrCat("format version ", message_.format_version(), " is not supported"));
    }
    if (message_.semantics_version() != kSemanticsVersion) {
      return errors_.OtherVersion(
          Line("semantics_version", -1),
          absl::StrCat("recorded with semantics version ", message_.semantics_version(), "; this ordeal has ",
                       kSemanticsVersion, ", whose choice points are elsewhere, so the run cannot be repeated; ",
                       "use the ordeal that recorded it, or record it again with 'ordeal run --save=DIR'"));
    }
    return absl::OkStatus();
  }

  absl::Status ReadSpec() {
    if (message_.scenario().empty()) return errors_.Damaged(1, "the field 'scenario' is missing");
    entry_.spec.scenario = message_.scenario();
    entry_.spec.filesystem = message_.filesystem();
    for (int i = 0; i < message_.bug_size(); ++i) {
      if (i > 0 && message_.bug(i) <= message_.bug(i - 1)) {
        return errors_.Damaged(Line("bug", i), "bugs must ascend");
      }
      entry_.spec.bugs.push_back(message_.bug(i));
    }
    for (int i = 0; i < message_.fault_size(); ++i) {
      if (!SetFault(message_.fault(i), &entry_.spec.faults)) {
        return errors_.Damaged(Line("fault", i), absl::StrCat("no fault is called ", Quoted(message_.fault(i))));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadFinding() {
    if (!message_.has_finding()) return absl::OkStatus();
    const proto::CorpusEntry::Finding& finding = message_.finding();
    ExpectedFinding expected{.signature = finding.signature(), .summary = finding.summary()};
    if (!ParseFindingKind(finding.kind(), &expected.kind)) {
      return errors_.Damaged(Line("finding", -1), absl::StrCat("no kind of finding is called ", Quoted(finding.kind())));
    }
    if (expected.signature.empty()) return errors_.Damaged(Line("finding", -1), "the finding has no signature");
    entry_.finding = std::move(expected);
    return absl::OkStatus();
  }

  absl::Status ReadRun() {
    const proto::CorpusEntry::Run& run = message_.run();
    if (!run.has_steps() || !run.has_choices() || !run.has_trace_hash()) {
      return errors_.Damaged(Line("run", -1), "'run' must have steps, choices and trace_hash");
    }
    entry_.steps = run.steps();
    entry_.trace_hash = run.trace_hash();
    entry_.choices.choices = run.choices();
    entry_.found_by = {message_.found_by().strategy(), message_.found_by().seed(), message_.found_by().run()};
    return absl::OkStatus();
  }

  absl::Status ReadChoices() {
    uint64_t next = 0;
    entry_.choices.deviations.reserve(message_.choice_size());
    for (int i = 0; i < message_.choice_size(); ++i) {
      const proto::CorpusEntry::Choice& choice = message_.choice(i);
      const int line = Line("choice", i);
      RecordedChoice recorded;
      if (!ParseChoiceKind(choice.kind(), &recorded.kind)) {
        return errors_.Damaged(line, absl::StrCat("no kind of choice is called ", Quoted(choice.kind())));
      }
      if (!choice.has_at() || choice.at() < next || choice.at() >= entry_.choices.choices) {
        return errors_.Damaged(line, absl::StrCat("choice ", choice.at(), " is out of order or beyond the run's ",
                                                  entry_.choices.choices, " choices"));
      }
      if (choice.options() < 2 || choice.options() > UINT16_MAX || choice.answer() < 1 ||
          choice.answer() >= choice.options() || choice.task() > UINT16_MAX) {
        return errors_.Damaged(line, "a choice needs 2..65535 options, an answer of 1..options-1 and a task of 0..65535");
      }
      recorded.object = choice.object();
      recorded.answer = static_cast<uint16_t>(choice.answer());
      recorded.options = static_cast<uint16_t>(choice.options());
      recorded.task = static_cast<uint16_t>(choice.task());
      entry_.choices.deviations.push_back({choice.at(), recorded});
      next = choice.at() + 1;
    }
    return absl::OkStatus();
  }

  absl::Status ReadCheckpoints() {
    uint64_t last = 0;
    for (int i = 0; i < message_.checkpoint_size(); ++i) {
      const proto::CorpusEntry::Checkpoint& checkpoint = message_.checkpoint(i);
      if (checkpoint.at() <= last || checkpoint.at() > entry_.choices.choices || !checkpoint.has_hash()) {
        return errors_.Damaged(Line("checkpoint", i), absl::StrCat("checkpoint ", checkpoint.at(),
                                                                   " is out of order, beyond the run or has no hash"));
      }
      entry_.choices.checkpoints.push_back({checkpoint.at(), checkpoint.hash()});
      last = checkpoint.at();
    }
    if (last != entry_.choices.choices) {
      return errors_.Damaged(Line("run", -1), absl::StrCat("the last checkpoint must be at ", entry_.choices.choices,
                                                           ", the number of choices"));
    }
    return absl::OkStatus();
  }

  // The line of a field; index -1 for one that is not repeated.
  int Line(const std::string& field, int index) const {
    const FieldDescriptor* descriptor = message_.GetDescriptor()->FindFieldByName(field);
    const TextFormat::ParseLocation place = places_.GetLocation(descriptor, index);
    return place.line < 0 ? 1 : place.line + 1;
  }

  const absl::string_view text_;
  const FileErrors errors_;
  proto::CorpusEntry message_;
  TextFormat::ParseInfoTree places_;
  CorpusEntry entry_;
};

}  // namespace

std::vector<std::string> FaultNames(const FaultSet& faults) {
  std::vector<std::string> names;
  for (const ChoiceKind kind : AllFaults()) {
    if (faults.Has(kind)) names.emplace_back(ChoiceKindName(kind));
  }
  return names;
}

bool SetFault(absl::string_view name, FaultSet* faults) {
  ChoiceKind kind;
  if (!ParseChoiceKind(name, &kind) || !IsFault(kind)) return false;
  faults->Add(kind);
  return true;
}

// Written by hand, not by the protobuf printer, so that each choice is one line in a diff.
CorpusEntry MakeCorpusEntry(const Runner& runner, const RunResult& run, Provenance found_by) {
  CorpusEntry entry;
  entry.spec = runner.spec();
  entry.choices = MakeSparse(runner.recorded());
  if (!run.findings.empty()) {
    const Finding& finding = run.findings.front();
    entry.finding = ExpectedFinding{finding.kind, finding.signature, finding.summary};
  }
  entry.steps = run.end.steps;
  entry.trace_hash = run.end.trace_hash;
  entry.found_by = std::move(found_by);
  return entry;
}

std::string FormatCorpusEntry(const CorpusEntry& entry) {
  std::string text = "# ordeal corpus entry: one saved run. Replay it: ordeal replay FILE. docs/formats/corpus-entry.md\n";
  absl::StrAppend(&text, "format_version: ", kFormatVersion, "\nsemantics_version: ", kSemanticsVersion, "\n\n");
  absl::StrAppend(&text, "scenario: ", Quoted(entry.spec.scenario), "\n");
  if (!entry.spec.filesystem.empty()) absl::StrAppend(&text, "filesystem: ", Quoted(entry.spec.filesystem), "\n");
  for (const std::string& bug : entry.spec.bugs) absl::StrAppend(&text, "bug: ", Quoted(bug), "\n");
  for (const std::string& fault : FaultNames(entry.spec.faults)) absl::StrAppend(&text, "fault: ", Quoted(fault), "\n");
  if (entry.finding) {
    absl::StrAppend(&text, "\nfinding {\n  kind: ", Quoted(FindingKindName(entry.finding->kind)),
                    "\n  signature: ", Quoted(entry.finding->signature), "\n  summary: ", Quoted(entry.finding->summary),
                    "\n}\n");
  }
  absl::StrAppend(&text, "run { steps: ", entry.steps, " choices: ", entry.choices.choices,
                  " trace_hash: ", Hex(entry.trace_hash), " }\n");
  absl::StrAppend(&text, "found_by { strategy: ", Quoted(entry.found_by.strategy), " seed: ", entry.found_by.seed,
                  " run: ", entry.found_by.run, " }\n\n");
  for (const SparseRecording::Deviation& deviation : entry.choices.deviations) {
    const RecordedChoice& choice = deviation.choice;
    absl::StrAppend(&text, "choice { at: ", deviation.ordinal, " kind: \"");
    const absl::string_view kind = ChoiceKindName(choice.kind);
    absl::StrAppend(&text, kind, "\" options: ", choice.options, " task: ", choice.task, " object: ", choice.object,
                    " answer: ", choice.answer, " }\n");
  }
  for (const SparseRecording::Checkpoint& checkpoint : entry.choices.checkpoints) {
    absl::StrAppend(&text, "checkpoint { at: ", checkpoint.ordinal, " hash: ", Hex(checkpoint.hash), " }\n");
  }
  absl::StrAppend(&text, "checksum: ", Hex(Checksum(text)), "\n");
  return text;
}

absl::StatusOr<CorpusEntry> ParseCorpusEntry(absl::string_view text, absl::string_view file) {
  return ParsedFile(text, file).Read();
}

}  // namespace ordeal
