#include "lockdep/preload/program_check.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lockdep/preload/elf_file.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::lockdep {
namespace {

constexpr int kInterpretersMax = 4;  // the kernel's own limit on scripts that are run by scripts

bool IsExecutableFile(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

absl::Status CheckPrivileges(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return absl::NotFoundError(absl::StrCat("no such program: '", path, "'"));
  const char* what = nullptr;
  if ((status.st_mode & S_ISUID) != 0) what = "is setuid";
  if ((status.st_mode & S_ISGID) != 0 && what == nullptr) what = "is setgid";
  if (what == nullptr && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) what = "has file capabilities";
  if (what == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "'", path, "' ", what, ": the loader ignores LD_PRELOAD in such a program; check a copy without the privilege"));
}

absl::Status CheckElf(const std::string& path) {
  absl::StatusOr<ElfFile> file = ElfFile::Open(path);
  if (absl::IsNotFound(file.status())) {
    return absl::FailedPreconditionError(absl::StrCat("'", path, "' cannot be read, so it is not known whether it can be checked"));
  }
  if (!file.ok() || !file->is_this_machine()) {
    return absl::FailedPreconditionError(absl::StrCat("'", path, "' is neither a program for this machine nor a script"));
  }
  if (file->loader().empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "'", path, "' is linked statically: there is no call to interpose; link it dynamically, or use lockdep/locks"));
  }
  if (file->loader().find("/ld-linux") == std::string::npos) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", path, "' is loaded by '", file->loader(), "'; only programs on glibc can be checked"));
  }
  return absl::OkStatus();
}

// The interpreter of a "#!" line; empty if there is none.
std::string InterpreterOf(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  char start[2] = {};
  std::string line;
  if (!stream.read(start, 2) || start[0] != '#' || start[1] != '!' || !std::getline(stream, line)) return "";
  const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  return words.empty() ? "" : words[0];
}

}  // namespace

absl::StatusOr<std::string> FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (IsExecutableFile(name)) return name;
    return absl::NotFoundError(absl::StrCat("'", name, "' is not an executable file"));
  }
  const char* path = std::getenv("PATH");
  const std::vector<std::string> folders = absl::StrSplit(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin", ':');
  for (const std::string& folder : folders) {
    const std::string candidate = absl::StrCat(folder.empty() ? "." : folder, "/", name);
    if (!name.empty() && IsExecutableFile(candidate)) return candidate;
  }
  return absl::NotFoundError(absl::StrCat("no program '", name, "' in PATH"));
}

absl::Status CheckProgram(const std::string& path) {
  std::string file = path;
  for (int depth = 0; depth <= kInterpretersMax; ++depth) {
    const std::string interpreter = InterpreterOf(file);
    if (interpreter.empty()) {
      RETURN_IF_ERROR(CheckPrivileges(file));
      return CheckElf(file);
    }
    file = interpreter;  // the kernel ignores a script's own setuid bit
  }
  return absl::FailedPreconditionError(absl::StrCat("'", path, "' is a script of scripts, deeper than the kernel follows"));
}

}  // namespace ordeal::lockdep
