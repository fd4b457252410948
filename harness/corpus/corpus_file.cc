#include "harness/corpus/corpus_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

absl::Status ErrnoStatus(const std::string& path, absl::string_view what, int error) {
  const std::string message = absl::StrCat(path, ": ", what, ": ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

// Closes on every way out.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int Close() {
    const int result = close(fd_);
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

absl::Status WriteAndSync(const std::string& path, absl::string_view text) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) return ErrnoStatus(path, "cannot create", errno);
  while (!text.empty()) {
    const ssize_t written = write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(path, "cannot write", errno);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(file.get()) != 0) return ErrnoStatus(path, "cannot sync", errno);
  if (file.Close() != 0) return ErrnoStatus(path, "cannot close", errno);
  return absl::OkStatus();
}

uint32_t NameHash(const CorpusEntry& entry) {
  std::string text = absl::StrCat(entry.spec.scenario, "|", entry.spec.filesystem, "|",
                                  absl::StrJoin(entry.spec.bugs, ","), "|",
                                  absl::StrJoin(FaultNames(entry.spec.faults), ","));
  if (entry.finding) absl::StrAppend(&text, "|", entry.finding->signature);
  uint32_t hash = 0x811c9dc5u;  // FNV-1a, 32 bits
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return hash;
}

}  // namespace

absl::Status CheckFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::path nearest = std::filesystem::absolute(path, error);
  while (!error && !std::filesystem::exists(std::filesystem::symlink_status(nearest, error))) {
    if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) break;
    error.clear();
    nearest = nearest.parent_path();
  }
  if (error) return ErrnoStatus(nearest.string(), "cannot look at", error.value());
  if (!std::filesystem::is_directory(nearest, error)) {
    return ErrnoStatus(path, absl::StrCat("cannot be a folder, ", nearest.string(), " is in the way"), ENOTDIR);
  }
  if (access(nearest.c_str(), W_OK | X_OK) != 0) return ErrnoStatus(path, "cannot make files there", errno);
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view text) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return ErrnoStatus(parent.string(), "cannot create the folder", error.value());
  const std::string temporary = absl::StrCat(path, ".tmp.", getpid());
  absl::Status status = WriteAndSync(temporary, text);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) status = ErrnoStatus(path, "cannot rename to", errno);
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  Descriptor folder(open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0 && fsync(folder.get()) != 0 && errno != EINVAL) return ErrnoStatus(path, "cannot sync", errno);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFileBounded(const std::string& path, int64_t bytes_max) {
  // O_NONBLOCK: a FIFO without a writer must not hang us.
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return ErrnoStatus(path, "cannot open", errno);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return ErrnoStatus(path, "cannot stat", errno);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file"));
  if (info.st_size > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", info.st_size, " bytes; at most ", bytes_max, " are read"));
  }
  std::string text;
  char buffer[1 << 16];
  while (static_cast<int64_t>(text.size()) <= bytes_max) {
    const ssize_t got = read(file.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(path, "cannot read", errno);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
  return absl::InvalidArgumentError(absl::StrCat(path, ": grew beyond ", bytes_max, " bytes while being read"));
}

absl::Status WriteCorpusEntry(const std::string& path, const CorpusEntry& entry) {
  return WriteFileAtomically(path, FormatCorpusEntry(entry));
}

absl::StatusOr<CorpusEntry> ReadCorpusEntry(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFileBounded(path, kCorpusFileBytesMax));
  return ParseCorpusEntry(text, path);
}

std::string CorpusFileName(const CorpusEntry& entry) {
  std::string name;
  for (const std::string& bug : entry.spec.bugs) absl::StrAppend(&name, bug, "-");
  absl::StrAppend(&name, entry.spec.scenario, "-", entry.finding ? FindingKindName(entry.finding->kind) : "clean", "-",
                  absl::StrFormat("%08x", NameHash(entry)), ".txtpb");
  return name;
}

absl::StatusOr<std::vector<std::string>> ListCorpusFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) return ErrnoStatus(path, "cannot open", error ? error.value() : ENOENT);
    if (!std::filesystem::is_directory(status)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    std::filesystem::recursive_directory_iterator walk(path, error), end;
    for (; !error && walk != end; walk.increment(error)) {
      if (walk->path().extension() == ".txtpb") found.push_back(walk->path().string());
    }
    if (error) return ErrnoStatus(path, "cannot list", error.value());
    if (found.empty()) return absl::NotFoundError(absl::StrCat(path, ": no corpus entry (*.txtpb) in this folder"));
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

}  // namespace ordeal
