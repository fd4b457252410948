#include "lockdep/preload/source_lookup.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

extern char** environ;

namespace ordeal::lockdep {
namespace {

constexpr size_t kAddressesAtOnce = 500;

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Inline and out-of-line code of the C++ library that stands between a lock and its user.
bool IsWrapper(absl::string_view function, absl::string_view file) {
  return absl::StartsWith(function, "std::") || absl::StartsWith(function, "__gthread") ||
         absl::StartsWith(function, "__gnu_cxx::") || absl::StartsWith(function, "void std::") ||
         absl::StrContains(file, "/include/c++/") || absl::StrContains(file, "gthr-default.h");
}

// "/build/x/src/server.c:12 (discriminator 3)" -> "src/server.c:12"; empty if the line is unknown.
std::string ShortFileLine(absl::string_view text) {
  text = text.substr(0, text.find(" ("));
  if (absl::StartsWith(text, "??") || absl::EndsWith(text, ":?") || absl::EndsWith(text, ":0")) return "";
  const size_t last = text.rfind('/');
  if (last == absl::string_view::npos) return std::string(text);
  const size_t before = last == 0 ? absl::string_view::npos : text.rfind('/', last - 1);
  return std::string(before == absl::string_view::npos ? text : text.substr(before + 1));
}

// What the command writes to its standard output; empty if it cannot be run.
std::string OutputOf(const std::vector<std::string>& argv) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string output;
  char buffer[4096];
  for (ssize_t size; error == 0 && (size = read(ends[0], buffer, sizeof buffer)) > 0;) {
    output.append(buffer, static_cast<size_t>(size));
  }
  close(ends[0]);
  if (error == 0) waitpid(child, nullptr, 0);
  return output;
}

}  // namespace

// "{module SIGN 0xHEX}" at the start of `text`. A path may hold any of the signs; the last one counts.
bool SourceLookup::ParseToken(absl::string_view text, Token* token) {
  if (text.empty() || text[0] != '{') return false;
  const size_t end = text.find('}');
  if (end == absl::string_view::npos) return false;
  const absl::string_view inside = text.substr(1, end - 1);
  const size_t sign = inside.find_last_of("+=@");
  if (sign == absl::string_view::npos || !absl::StartsWith(inside.substr(sign + 1), "0x")) return false;
  if (!absl::SimpleHexAtoi(inside.substr(sign + 1), &token->address)) return false;
  token->module = std::string(inside.substr(0, sign));
  token->sign = inside[sign];
  token->length = end + 1;
  return true;
}

void SourceLookup::Collect(const std::string& text) {
  for (size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1)) {
    Token token;
    if (ParseToken(absl::string_view(text).substr(at), &token) && token.sign == '+' && token.module != "?") {
      wanted_[token.module].insert(token.address);
    }
  }
}

void SourceLookup::Resolve() {
  for (const auto& [module, addresses] : wanted_) {
    if (lines_) AskAddr2line(module, addresses);
    const ElfFile* file = FileOf(module);
    for (const uint64_t address : addresses) {
      Place& place = places_[{module, address}];
      if (place.function.empty() && file != nullptr) place.function = file->FunctionAt(address);
      place.is_wrapper = place.is_wrapper || IsWrapper(place.function, "");
    }
  }
}

const ElfFile* SourceLookup::FileOf(const std::string& module) {
  auto [entry, added] = files_.try_emplace(module);
  if (added) {
    absl::StatusOr<ElfFile> file = ElfFile::Open(module);
    if (file.ok()) entry->second = std::make_unique<ElfFile>(*std::move(file));
  }
  return entry->second.get();
}

// addr2line -aifC prints for each address "0x...", then a function and a file:line for each frame inlined there, innermost
// first. The first that is not the C++ library's is meant.
void SourceLookup::AskAddr2line(const std::string& module, const std::set<uint64_t>& addresses) {
  const std::vector<uint64_t> all(addresses.begin(), addresses.end());
  for (size_t begin = 0; begin < all.size(); begin += kAddressesAtOnce) {
    std::vector<std::string> command = {"addr2line", "-aifC", "-e", module};
    const size_t end = std::min(all.size(), begin + kAddressesAtOnce);
    for (size_t i = begin; i < end; ++i) command.push_back(absl::StrCat("0x", absl::Hex(all[i])));
    Place* place = nullptr;
    const std::vector<std::string> lines = absl::StrSplit(OutputOf(command), '\n');
    for (size_t i = 0; i < lines.size(); ++i) {
      uint64_t address = 0;
      if (absl::StartsWith(lines[i], "0x") && absl::SimpleHexAtoi(lines[i], &address)) {
        place = &places_[{module, address}];
        continue;
      }
      if (place == nullptr || i + 1 >= lines.size()) continue;
      const std::string& function = lines[i];
      const std::string& file = lines[++i];
      if (!place->function.empty() && !place->is_wrapper) continue;
      // Without a line it names the nearest symbol before the address, which in a stripped file is any exported function.
      if (function == "??" || ShortFileLine(file).empty()) continue;
      place->function = function.substr(0, function.find('('));
      place->file_line = ShortFileLine(file);
      place->is_wrapper = IsWrapper(function, file);
    }
  }
}

std::string SourceLookup::Describe(const Token& token) {
  const std::string offset = absl::StrCat(BaseName(token.module), "+0x", absl::Hex(token.address));
  if (token.module == "?") return absl::StrCat("0x", absl::Hex(token.address));
  if (token.sign == '+') {
    const Place& place = places_[{token.module, token.address}];
    const std::string& where = place.file_line.empty() ? offset : place.file_line;
    return place.function.empty() ? where : absl::StrCat(where, " (", place.function, ")");
  }
  const ElfFile* file = FileOf(token.module);
  if (file == nullptr) return offset;
  const std::string name = token.sign == '=' ? file->FunctionAt(token.address) : file->VariableAt(token.address);
  return name.empty() ? offset : name;
}

std::string SourceLookup::Unique(const std::string& name, const std::string& chain) {
  const auto [entry, added] = names_.try_emplace(chain, name);
  if (!added) return entry->second;
  const int number = ++used_names_[name];
  if (number > 1) entry->second = absl::StrCat(name, "#", number);
  return entry->second;
}

// A class's name is short: where, and not in which function.
std::string SourceLookup::DescribeClass(const std::string& chain, const std::vector<Token>& tokens) {
  if (const auto known = names_.find(chain); known != names_.end()) return known->second;
  for (const Token& token : tokens) {
    const Place& place = places_[{token.module, token.address}];
    if (place.is_wrapper && &token != &tokens.back()) continue;
    if (!place.file_line.empty()) return Unique(place.file_line, chain);
    return Unique(place.function.empty() ? Describe(token) : place.function, chain);
  }
  return chain;
}

std::string SourceLookup::Rewrite(const std::string& text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    Token token;
    if (!ParseToken(absl::string_view(text).substr(at), &token)) {
      result += text[at++];
      continue;
    }
    const size_t begin = at;
    std::vector<Token> chain = {token};
    at += token.length;
    while (at + 1 < text.size() && text[at] == '<' && ParseToken(absl::string_view(text).substr(at + 1), &token)) {
      chain.push_back(token);
      at += token.length + 1;
    }
    const std::string written = text.substr(begin, at - begin);
    if (begin > 0 && text[begin - 1] == '@' && chain[0].sign == '+') {
      result += DescribeClass(written, chain);
    } else if (chain[0].sign == '@') {
      result += Unique(Describe(chain[0]), written);
    } else {
      result += Describe(chain[0]);
    }
  }
  return result;
}

}  // namespace ordeal::lockdep
