#include "lockdep/preload/launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lockdep/preload/channel_file.h"
#include "lockdep/preload/program_check.h"
#include "lockdep/preload/record_reader.h"
#include "lockdep/preload/source_lookup.h"
#include "lockdep/preload/violation_codec.h"
#include "lockdep/report/splat.h"
#include "lockdep/support/status_macros.h"

extern char** environ;

namespace ordeal::lockdep {
namespace {

constexpr char kLibraryName[] = "libordeal_preload.so";
// Sent to the launcher, they are meant for the program.
constexpr int kForwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

absl::Status SystemError(absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(errno)));
}

std::string FolderOfThisProgram() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) return ".";
  const std::string program(path, static_cast<size_t>(length));
  return program.substr(0, program.rfind('/'));
}

absl::StatusOr<std::string> FindLibrary(const std::string& asked_for) {
  std::vector<std::string> candidates;
  const char* from_environment = std::getenv("ORDEAL_LOCKDEP_LIBRARY");
  if (!asked_for.empty()) {
    candidates = {asked_for};
  } else if (from_environment != nullptr && from_environment[0] != '\0') {
    candidates = {from_environment};
  } else {
    const std::string here = FolderOfThisProgram();
    candidates = {absl::StrCat(here, "/", kLibraryName), absl::StrCat(here, "/../lib/ordeal/", kLibraryName),
                  ORDEAL_PRELOAD_BUILT};
  }
  for (const std::string& candidate : candidates) {
    char absolute[PATH_MAX];
    if (realpath(candidate.c_str(), absolute) == nullptr) continue;
    if (std::strpbrk(absolute, " :") != nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("'", absolute, "': LD_PRELOAD cannot name a path with a space or a colon; move the library"));
    }
    return std::string(absolute);
  }
  return absl::NotFoundError(absl::StrCat("no ", kLibraryName, " at '", candidates.front(),
                                          "'; build or install it, or name it in ORDEAL_LOCKDEP_LIBRARY"));
}

// A folder of our own for the report's file, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* base = std::getenv("TMPDIR");
    path_ = absl::StrCat(base != nullptr && base[0] != '\0' ? base : "/tmp", "/ordeal-lockdep-XXXXXX");
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TemporaryFolder() {
    if (path_.empty()) return;
    unlink(channel().c_str());
    unlink(events().c_str());
    rmdir(path_.c_str());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  bool ok() const { return !path_.empty(); }
  std::string channel() const { return absl::StrCat(path_, "/report"); }
  std::string events() const { return absl::StrCat(path_, "/events"); }

 private:
  std::string path_;
};

std::vector<std::string> EnvironmentFor(const PreloadOptions& options, const std::string& library,
                                        const TemporaryFolder& folder, bool record) {
  std::vector<std::string> environment;
  std::string preload = absl::StrCat("LD_PRELOAD=", library);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    if (absl::StartsWith(text, "LD_PRELOAD=")) {
      if (text.size() > std::strlen("LD_PRELOAD=")) absl::StrAppend(&preload, ":", text.substr(std::strlen("LD_PRELOAD=")));
    } else if (!absl::StartsWith(text, "ORDEAL_LOCKDEP_")) {
      environment.emplace_back(text);
    }
  }
  environment.push_back(std::move(preload));
  environment.push_back(absl::StrCat("ORDEAL_LOCKDEP_CHANNEL=", folder.channel()));
  if (record) environment.push_back(absl::StrCat("ORDEAL_LOCKDEP_EVENTS=", folder.events()));
  if (options.strict_nesting) environment.emplace_back("ORDEAL_LOCKDEP_STRICT_NESTING=1");
  if (options.posix_rwlocks) environment.emplace_back("ORDEAL_LOCKDEP_POSIX_RWLOCKS=1");
  if (options.backtraces) environment.emplace_back("ORDEAL_LOCKDEP_BACKTRACES=1");
  if (!options.grades) environment.emplace_back("ORDEAL_LOCKDEP_NO_GRADES=1");
  return environment;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// The signals that this process takes by sigwaitinfo while the program runs, and what was blocked before.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigemptyset(&held_);
    sigaddset(&held_, SIGCHLD);
    for (const int signal : kForwarded) sigaddset(&held_, signal);
    sigprocmask(SIG_BLOCK, &held_, &before_);
  }
  ~SignalsHeld() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  const sigset_t& held() const { return held_; }
  const sigset_t& before() const { return before_; }

 private:
  sigset_t held_;
  sigset_t before_;
};

absl::StatusOr<pid_t> Start(const std::string& program, const std::vector<std::string>& argv,
                            const std::vector<std::string>& environment, const SignalsHeld& signals) {
  int failure[2];  // closed by a successful exec, else it brings errno
  if (pipe2(failure, O_CLOEXEC) != 0) return SystemError("pipe");
  const std::vector<char*> arguments = Pointers(argv);
  const std::vector<char*> variables = Pointers(environment);
  const pid_t child = fork();
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &signals.before(), nullptr);
    execve(program.c_str(), arguments.data(), variables.data());
    const int error = errno;
    (void)!write(failure[1], &error, sizeof error);
    _exit(127);
  }
  close(failure[1]);
  int error = 0;
  const bool failed = child > 0 && read(failure[0], &error, sizeof error) == sizeof error;
  close(failure[0]);
  if (child < 0) return SystemError("fork");
  if (!failed) return child;
  waitpid(child, nullptr, 0);
  errno = error;
  return absl::FailedPreconditionError(absl::StrCat("cannot execute '", program, "': ", std::strerror(error)));
}

// Until the program ends. A signal typed at the terminal has reached the program already: only sent ones are passed on.
int WaitFor(pid_t child, const SignalsHeld& signals) {
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return status;
    siginfo_t info;
    const int signal = sigwaitinfo(&signals.held(), &info);
    if (signal > 0 && signal != SIGCHLD && info.si_code <= 0) kill(child, signal);
  }
}

// The newest state of each violation, in the order in which they were first seen.
std::vector<Violation> Distinct(const ChannelContents& contents, uint64_t* lost_bytes) {
  std::vector<Violation> violations;
  std::map<std::string, size_t> by_signature;
  for (const ChannelRecord& record : contents.records) {
    if (record.type != RecordType::kViolation) continue;
    Violation violation;
    if (!DecodeViolation(record.bytes, &violation)) {
      *lost_bytes += record.bytes.size();
      continue;
    }
    const auto [entry, added] = by_signature.try_emplace(violation.signature, violations.size());
    if (added) {
      violations.push_back(std::move(violation));
    } else if (violation.grade >= violations[entry->second].grade) {
      violations[entry->second] = std::move(violation);
    }
  }
  return violations;
}

// The members of a signature are sorted by name, and names have changed.
void SortSignature(Violation& violation) {
  constexpr absl::string_view kPrefix = "circular: ";
  if (!absl::StartsWith(violation.signature, kPrefix)) return;
  std::vector<std::string> nodes = absl::StrSplit(violation.signature.substr(kPrefix.size()), " > ");
  std::rotate(nodes.begin(), std::min_element(nodes.begin(), nodes.end()), nodes.end());
  violation.signature = absl::StrCat(kPrefix, absl::StrJoin(nodes, " > "));
}

void NameSources(std::vector<Violation>& violations, bool lines) {
  SourceLookup lookup(lines);
  for (Violation& violation : violations) {
    RewriteTexts(violation, [&](const std::string& text) {
      lookup.Collect(text);
      return text;
    });
  }
  lookup.Resolve();
  for (Violation& violation : violations) {
    RewriteTexts(violation, [&](const std::string& text) { return lookup.Rewrite(text); });
    SortSignature(violation);
  }
}

// Orders contradict each other in a way that may or may not be excluded; everything else has happened.
const char* Certainty(const Violation& violation) {
  const bool same_lock = violation.acquiring.node == violation.conflicting.node &&
                         violation.acquiring.instance == violation.conflicting.instance;
  const bool is_order =
      violation.kind == ViolationKind::kCircular || (violation.kind == ViolationKind::kRecursive && !same_lock);
  return is_order ? GradeName(violation.grade) : "certain";
}

std::string Render(const PreloadOutcome& outcome, bool recorded) {
  std::string text;
  for (const Violation& violation : outcome.violations) absl::StrAppend(&text, RenderSplat(violation), "\n");
  const size_t found = outcome.violations.size();
  absl::StrAppend(&text, "ordeal lockdep: ", found == 0 ? "no" : absl::StrCat(found), found == 1 ? " violation" : " violations",
                  " of lock rules; ", outcome.locks, outcome.locks == 1 ? " lock" : " locks", " in ", outcome.processes,
                  outcome.processes == 1 ? " process\n" : " processes\n");
  for (const Violation& violation : outcome.violations) {
    absl::StrAppend(&text, "  ", Certainty(violation), ": ",
                    SummarizeViolation(violation), "\n");
  }
  if (outcome.lost_bytes != 0) {
    absl::StrAppend(&text, "  lost: ", outcome.lost_bytes, " bytes of findings that did not fit or were damaged\n");
  }
  if (outcome.lost_events != 0) {
    absl::StrAppend(&text, "  lost: ", outcome.lost_events, " recorded events for which there was no room\n");
  }
  if (recorded && outcome.recorded_processes < outcome.processes) {
    absl::StrAppend(&text, "  lost: ", outcome.processes - outcome.recorded_processes,
                    " processes could not map the recording; is their address space limited?\n");
  }
  if (outcome.processes == 0) {
    absl::StrAppend(&text, "  warning: no process loaded the validator; does the program clear LD_PRELOAD?\n");
  }
  return text;
}

std::string RecordPath(const PreloadOptions& options) {
  if (!options.record_path.empty()) return options.record_path;
  const char* from_environment = std::getenv("ORDEAL_LOCKDEP_RECORD");
  return from_environment == nullptr ? "" : from_environment;
}

// Known before the program runs, not after.
absl::Status CheckWritable(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return absl::NotFoundError(absl::StrCat("cannot write '", path, "': ", std::strerror(errno)));
  close(fd);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PreloadOutcome> RunUnderLockdep(const PreloadOptions& options, const std::vector<std::string>& argv) {
  if (argv.empty() || argv[0].empty()) return absl::InvalidArgumentError("no program was named");
  ASSIGN_OR_RETURN(const std::string program, FindProgram(argv[0]));
  RETURN_IF_ERROR(CheckProgram(program));
  ASSIGN_OR_RETURN(const std::string library, FindLibrary(options.library));
  const TemporaryFolder folder;
  if (!folder.ok()) return SystemError("cannot make a temporary folder");
  RETURN_IF_ERROR(CreateChannel(folder.channel()));
  const std::string record = RecordPath(options);
  if (!record.empty()) {
    RETURN_IF_ERROR(CheckWritable(record));
    RETURN_IF_ERROR(CreateRecordFile(folder.events()));
  }

  PreloadOutcome outcome;
  {
    const SignalsHeld signals;
    ASSIGN_OR_RETURN(const pid_t child, Start(program, argv, EnvironmentFor(options, library, folder, !record.empty()), signals));
    outcome.wait_status = WaitFor(child, signals);
  }
  outcome.exit_status =
      WIFEXITED(outcome.wait_status) ? WEXITSTATUS(outcome.wait_status) : 128 + WTERMSIG(outcome.wait_status);
  ASSIGN_OR_RETURN(const ChannelContents contents, ReadChannel(folder.channel()));
  outcome.processes = static_cast<int>(contents.processes);
  outcome.locks = contents.locks;
  outcome.lost_bytes = contents.lost_bytes;
  outcome.violations = Distinct(contents, &outcome.lost_bytes);
  NameSources(outcome.violations, options.source_lines);
  if (!record.empty()) {
    ASSIGN_OR_RETURN(const RecordTotals totals, WriteRecording(folder.events(), record, options.source_lines));
    outcome.recorded_processes = static_cast<int>(totals.processes);
    outcome.recorded_events = totals.events;
    outcome.lost_events = totals.lost;
  }
  outcome.report = Render(outcome, !record.empty());
  return outcome;
}

}  // namespace ordeal::lockdep
