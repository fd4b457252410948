#include "harness/workload/workload_text.h"

#include <initializer_list>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr absl::string_view kMagic = "ordeal-workload";
constexpr size_t kLineBytesMax = 512;

// The words of one line, taken from the front.
class Words {
 public:
  explicit Words(absl::string_view line) : words_(absl::StrSplit(line, absl::ByAnyChar(" \t,"), absl::SkipEmpty())) {}
  bool done() const { return next_ == words_.size(); }
  absl::string_view peek() const { return done() ? absl::string_view() : words_[next_]; }
  absl::string_view Take() { return done() ? absl::string_view() : words_[next_++]; }

  absl::Status Expect(absl::string_view word) {
    if (peek() != word) return Unexpected(absl::StrCat("'", word, "'"));
    ++next_;
    return absl::OkStatus();
  }
  absl::Status ExpectAll(std::initializer_list<absl::string_view> words) {
    for (absl::string_view word : words) RETURN_IF_ERROR(Expect(word));
    return absl::OkStatus();
  }
  absl::StatusOr<uint32_t> Number(absl::string_view what) {
    uint32_t value = 0;
    if (done() || !absl::SimpleAtoi(peek(), &value)) return Unexpected(what);
    ++next_;
    return value;
  }
  absl::Status End() const {
    if (done()) return absl::OkStatus();
    return Unexpected("the end of the line");
  }
  absl::Status Unexpected(absl::string_view wanted) const {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", wanted, ", found ", done() ? "the end of the line" : absl::StrCat("'", peek(), "'")));
  }

 private:
  std::vector<absl::string_view> words_;
  size_t next_ = 0;
};

// "cells [4, 8)": the words are cells, [4 and 8).
absl::Status ParseRange(Words& words, FileOperation* operation) {
  RETURN_IF_ERROR(words.Expect("cells"));
  absl::string_view first = words.peek();
  uint32_t begin = 0;
  if (!absl::ConsumePrefix(&first, "[") || !absl::SimpleAtoi(first, &begin)) {
    return words.Unexpected("a range such as [0, 4)");
  }
  words.Take();
  absl::string_view second = words.peek();
  uint32_t end = 0;
  if (!absl::ConsumeSuffix(&second, ")") || !absl::SimpleAtoi(second, &end)) {
    return words.Unexpected("the end of a range such as [0, 4)");
  }
  if (end < begin) {
    return absl::InvalidArgumentError(absl::StrCat("the range ends (", end, ") before it begins (", begin, ")"));
  }
  words.Take();
  operation->offset_cells = begin;
  operation->length_cells = end - begin;
  return absl::OkStatus();
}

absl::StatusOr<FileOperation> ParseOperationWords(Words& words) {
  FileOperation operation;
  if (!ParseFileOperationKind(words.peek(), &operation.kind)) {
    return words.Unexpected("an operation such as 'read' or 'punch-hole'");
  }
  words.Take();
  if (operation.kind != FileOperationKind::kMapUnmap) {
    RETURN_IF_ERROR(words.Expect("file"));
    ASSIGN_OR_RETURN(operation.file, words.Number("a file number"));
  }
  if (operation.kind == FileOperationKind::kTruncate) {
    RETURN_IF_ERROR(words.Expect("to"));
    ASSIGN_OR_RETURN(operation.offset_cells, words.Number("the new size in cells"));
  }
  if (HasRange(operation.kind)) RETURN_IF_ERROR(ParseRange(words, &operation));
  if (HasOtherFile(operation.kind)) {
    RETURN_IF_ERROR(words.ExpectAll({operation.kind == FileOperationKind::kClone    ? "to"
                                     : operation.kind == FileOperationKind::kRename ? "with"
                                                                                    : "against",
                                     "file"}));
    ASSIGN_OR_RETURN(operation.other_file, words.Number("a file number"));
  }
  if (HasUserBuffer(operation.kind) && !words.done()) {
    RETURN_IF_ERROR(words.ExpectAll({IsWriteCall(operation.kind) ? "from" : "into", "mapping", "of", "file"}));
    ASSIGN_OR_RETURN(operation.buffer_file, words.Number("a file number"));
    RETURN_IF_ERROR(words.Expect("at"));
    ASSIGN_OR_RETURN(operation.buffer_offset_cells, words.Number("the cell at which the buffer begins"));
  }
  RETURN_IF_ERROR(words.End());
  return operation;
}

bool IsName(absl::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') return false;
  }
  return name[0] != '.';
}

class Parser {
 public:
  absl::Status Line(absl::string_view line) {
    if (line.size() > kLineBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat("the line is longer than ", kLineBytesMax, " bytes"));
    }
    const size_t comment = line.find('#');
    if (comment != absl::string_view::npos) line = line.substr(0, comment);
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) return absl::OkStatus();
    Words words(line);
    if (!has_header_) return Header(words);
    if (words.peek() == "file") return File(words);
    if (words.peek() == "task") return Task(words);
    return Operation(words);
  }

  absl::StatusOr<Workload> Finish() {
    if (!has_header_) {
      return absl::InvalidArgumentError(absl::StrCat("the text is empty; begin with '", kMagic, " 1'"));
    }
    return std::move(workload_);
  }

 private:
  absl::Status Header(Words& words) {
    if (words.peek() != kMagic) return words.Unexpected(absl::StrCat("the first line '", kMagic, " 1'"));
    words.Take();
    ASSIGN_OR_RETURN(const uint32_t version, words.Number("a version number"));
    if (version > kWorkloadTextVersion) {
      return absl::FailedPreconditionError(absl::StrCat("version ", version, " is newer than ", kWorkloadTextVersion,
                                                        ", the newest this program reads; use a newer program"));
    }
    if (version != kWorkloadTextVersion) {
      return absl::InvalidArgumentError(absl::StrCat("there is no version ", version));
    }
    has_header_ = true;
    return words.End();
  }

  absl::Status File(Words& words) {
    words.Take();
    if (!workload_.tasks.empty()) {
      return absl::InvalidArgumentError("files come before the first task; move this line up");
    }
    const absl::string_view name = words.Take();
    if (!IsName(name)) {
      return absl::InvalidArgumentError(
          "a file's name has 1 to 64 letters, digits, '-', '_' and '.', and does not begin with '.'");
    }
    for (const WorkloadFile& file : workload_.files) {
      if (name == file.name) return absl::InvalidArgumentError(absl::StrCat("file ", name, " is there twice"));
    }
    ASSIGN_OR_RETURN(const uint32_t cells, words.Number("the initial size in cells"));
    if (cells > kFileCellsMax) {
      return absl::InvalidArgumentError(absl::StrCat("the size exceeds ", kFileCellsMax, " cells"));
    }
    const bool unmapped = words.peek() == "unmapped";
    if (unmapped) words.Take();
    workload_.files.push_back({std::string(name), cells, !unmapped});
    return words.End();
  }

  absl::Status Task(Words& words) {
    words.Take();
    RETURN_IF_ERROR(words.Expect("process"));
    ASSIGN_OR_RETURN(const uint32_t process, words.Number("a process number"));
    if (process >= kWorkloadTasksMax || workload_.tasks.size() >= kWorkloadTasksMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("at most ", kWorkloadTasksMax, " tasks and processes are supported, from 0"));
    }
    workload_.tasks.emplace_back();
    workload_.processes.push_back(process);
    return words.End();
  }

  absl::Status Operation(Words& words) {
    ASSIGN_OR_RETURN(const FileOperation operation, ParseOperationWords(words));
    if (workload_.tasks.empty()) {
      return absl::InvalidArgumentError("the operation belongs to no task; put a line 'task process 0' before it");
    }
    RETURN_IF_ERROR(ValidateOperation(operation, workload_.files.size()));
    RETURN_IF_ERROR(ValidateMappings(operation, workload_.files));
    workload_.tasks.back().push_back(operation);
    return absl::OkStatus();
  }

  bool has_header_ = false;
  Workload workload_;
};

}  // namespace

std::string PrintWorkload(const Workload& workload) {
  std::string text = absl::StrCat(kMagic, " ", kWorkloadTextVersion, "\n");
  for (const WorkloadFile& file : workload.files) {
    absl::StrAppend(&text, "file ", file.name, " ", file.size_cells, file.mapped ? "\n" : " unmapped\n");
  }
  for (size_t task = 0; task < workload.tasks.size(); ++task) {
    absl::StrAppend(&text, "task process ", workload.processes[task], "\n");
    for (const FileOperation& operation : workload.tasks[task]) {
      absl::StrAppend(&text, "  ", ToString(operation), "\n");
    }
  }
  return text;
}

absl::StatusOr<FileOperation> ParseFileOperation(absl::string_view text) {
  Words words(text);
  return ParseOperationWords(words);
}

absl::StatusOr<Workload> ParseWorkload(absl::string_view text, absl::string_view name) {
  Parser parser;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::Status status = parser.Line(line);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat(name, ":", number, ": ", status.message()));
    }
  }
  absl::StatusOr<Workload> workload = parser.Finish();
  if (!workload.ok()) {
    return absl::Status(workload.status().code(), absl::StrCat(name, ":1: ", workload.status().message()));
  }
  return workload;
}

}  // namespace ordeal
