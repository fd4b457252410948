#include "lockdep/exam/notation.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::lockdep {
namespace {

absl::Status Malformed(absl::string_view what, absl::string_view where) {
  return absl::InvalidArgumentError(absl::StrCat(what, " in '", where.substr(0, 80), "'"));
}

bool IsSeparator(char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)) || c == ';' || c == '!'; }

// Splits at blanks and semicolons outside of parentheses and braces; drops comments.
absl::StatusOr<std::vector<std::string>> Words(absl::string_view text) {
  std::vector<std::string> words;
  std::string word;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '[') {
      i = text.find(']', i);
      if (i == absl::string_view::npos) return Malformed("a comment without its ']'", text);
      continue;
    }
    if (c == '(' || c == '{') ++depth;
    if (c == ')' || c == '}') --depth;
    if (depth < 0) return Malformed("a closing parenthesis without its opening one", text);
    if (depth > 0 || !IsSeparator(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (depth != 0) return Malformed("a parenthesis that is not closed", text);
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

// Splits at `separator` outside of parentheses, and trims.
std::vector<std::string> SplitList(absl::string_view text, char separator) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == separator && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  for (std::string& part : parts) part = std::string(absl::StripAsciiWhitespace(part));
  return parts;
}

void SetTarget(absl::string_view text, Statement* statement) {
  const size_t dot = text.find('.');
  statement->target = std::string(text.substr(0, dot));
  if (dot != absl::string_view::npos) statement->field = std::string(text.substr(dot + 1));
}

// "t2:=t", "o.ctx:=poison", "t.stamp++". Context verbs such as "h+" have no field and one sign.
bool ParseAssignment(absl::string_view word, Statement* statement) {
  absl::string_view left = word;
  if (absl::ConsumeSuffix(&left, "++") || absl::ConsumeSuffix(&left, "--")) {
    statement->value = std::string(word.substr(left.size()));
  } else if (const size_t at = word.find(":="); at != absl::string_view::npos) {
    left = word.substr(0, at);
    statement->value = std::string(word.substr(at + 2));
  } else {
    return false;
  }
  statement->kind = Statement::Kind::kAssign;
  SetTarget(left, statement);
  return true;
}

absl::StatusOr<Statement> ParseCall(absl::string_view word) {
  Statement call;
  call.text = std::string(word);
  const size_t open = word.find('(');
  absl::string_view rest;
  if (open == absl::string_view::npos) {
    const size_t equals = word.find('=');
    call.verb = std::string(word.substr(0, equals));
    if (equals != absl::string_view::npos) rest = word.substr(equals);
  } else {
    const size_t close = word.rfind(')');
    call.verb = std::string(word.substr(0, open));
    const absl::string_view list = word.substr(open + 1, close - open - 1);
    if (!absl::StripAsciiWhitespace(list).empty()) call.args = SplitList(list, ',');
    for (std::string& arg : call.args) {
      const size_t equals = arg.find('=');
      if (equals != std::string::npos) arg = std::string(absl::StripAsciiWhitespace(arg.substr(equals + 1)));
      if (arg.empty()) return Malformed("an empty argument", word);
    }
    rest = word.substr(close + 1);
  }
  if (absl::ConsumePrefix(&rest, "=")) {
    absl::ConsumePrefix(&rest, "-");
    if (rest.empty()) return Malformed("a '=' without the expected value", word);
    call.expected = std::string(rest);
    rest = {};
  }
  if (call.verb.empty() || !rest.empty()) return Malformed("cannot read the operation", word);
  return call;
}

// One entry of "each of {...}(target) then release".
absl::Status ExpandEntry(const std::string& entry, const std::string& target, const Statement& release,
                         std::vector<Statement>* out) {
  std::vector<std::string> words = SplitList(entry, ' ');
  ASSIGN_OR_RETURN(Statement call, ParseCall(words[0]));
  call.text = absl::StrCat(entry, "(", target, ")");
  call.args.insert(call.args.begin(), target);
  const std::string outcome = words.size() > 1 ? words.back() : "";
  if (!outcome.empty() && outcome != "ok" && outcome != "fail") return Malformed("neither 'ok' nor 'fail'", entry);
  if (outcome == "fail") {
    Statement taken = release;
    taken.verb = std::string("mL");
    out->push_back(std::move(taken));
  }
  if (!outcome.empty()) call.expected = std::string(outcome == "ok" ? "1" : "0");
  out->push_back(std::move(call));
  out->push_back(release);
  return absl::OkStatus();
}

// words[*at] is "each"; leaves *at at the last word of the form.
absl::Status ParseEach(const std::vector<std::string>& words, size_t* at, std::vector<Statement>* out) {
  if (*at + 4 >= words.size() || words[*at + 1] != "of" || words[*at + 3] != "then") {
    return Malformed("'each' is not followed by 'of {...}(lock) then release'", words[*at]);
  }
  const std::string& list = words[*at + 2];
  const size_t end = list.find('}');
  if (list.front() != '{' || end == std::string::npos || end + 2 >= list.size() || list[end + 1] != '(') {
    return Malformed("'each of' is not followed by '{...}(lock)'", list);
  }
  const std::string target = list.substr(end + 2, list.size() - end - 3);
  ASSIGN_OR_RETURN(const Statement release, ParseCall(words[*at + 4]));
  for (const std::string& entry : SplitList(absl::string_view(list).substr(1, end - 1), ',')) {
    RETURN_IF_ERROR(ExpandEntry(entry, target, release, out));
  }
  *at += 4;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Statement>> ParseNotation(absl::string_view text) {
  ASSIGN_OR_RETURN(const std::vector<std::string> words, Words(text));
  std::vector<Statement> statements;
  for (size_t i = 0; i < words.size(); ++i) {
    Statement statement;
    statement.text = words[i];
    if (words[i] == "each") {
      RETURN_IF_ERROR(ParseEach(words, &i, &statements));
    } else if (i + 1 < words.size() && words[i + 1] == "must") {
      if (i + 3 >= words.size()) return Malformed("'must' is not followed by 'stay' or 'be' and a value", words[i]);
      statement.kind = Statement::Kind::kMustBe;
      SetTarget(words[i], &statement);
      statement.value = words[i + 3];
      statements.push_back(std::move(statement));
      i += 3;
    } else if (ParseAssignment(words[i], &statement)) {
      statements.push_back(std::move(statement));
    } else {
      ASSIGN_OR_RETURN(statement, ParseCall(words[i]));
      statements.push_back(std::move(statement));
    }
  }
  return statements;
}

}  // namespace ordeal::lockdep
