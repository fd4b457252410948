#include "bpf/vm/guest_program.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

bool Plain(absl::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("_.,=+-", absl::string_view(&c, 1));
  });
}

absl::Status NotOurs(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", why, "; the machine runs static x86-64 programs (cc -static)"));
}

// A program with an interpreter needs a loader and libraries, which the machine does not have.
absl::Status CheckStatic(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Elf64_Ehdr header = {};
  file.read(reinterpret_cast<char*>(&header), sizeof(header));
  if (!file || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr)) {
    return NotOurs(path, "not an x86-64 program");
  }
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment = {};
    file.read(reinterpret_cast<char*>(&segment), sizeof(segment));
    if (!file) return NotOurs(path, "a program that is cut short");
    if (segment.p_type == PT_INTERP) return NotOurs(path, "dynamically linked");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GuestProgram> ParseGuestProgram(absl::string_view words) {
  GuestProgram program;
  program.arguments = absl::StrSplit(words, ' ', absl::SkipEmpty());
  if (program.arguments.empty()) return absl::InvalidArgumentError("a program for the machine has no name");
  program.path = program.arguments.front();
  program.arguments.erase(program.arguments.begin());
  program.name = std::filesystem::path(program.path).filename().string();
  if (!Plain(program.name)) {
    return absl::InvalidArgumentError(absl::StrCat(program.path, ": a program's name has letters, digits and _.,=+- only"));
  }
  for (const std::string& argument : program.arguments) {
    if (!Plain(argument)) {
      return absl::InvalidArgumentError(absl::StrCat("argument '", argument, "' of ", program.name,
                                                     ": letters, digits and _.,=+- only"));
    }
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(program.path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(program.path, ": no such file"));
  }
  if (access(program.path.c_str(), R_OK | X_OK) != 0) return NotOurs(program.path, "not executable");
  RETURN_IF_ERROR(CheckStatic(program.path));
  return program;
}

}  // namespace ordeal::bpf
