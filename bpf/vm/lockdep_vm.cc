#include "bpf/vm/lockdep_vm.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bpf/program.h"
#include "bpf/vm/guest_init.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kDiskBytes = 512ull << 20;    // sparse; mkfs.xfs wants 300 MB
constexpr uint64_t kResultBytes = 256ull << 20;  // sparse
constexpr double kBootS = 120;                   // allowed for: measured 15 s on an idle machine
constexpr char kXfsDax[] = "xfs-dax";  // its disk is copied to persistent memory inside, which is as large
constexpr double kFileSystemS = 60;              // beside the workload: mount, drop caches, unmount

struct MkfsCommand {
  const char* file_system;
  const char* program;
  const char* package;  // of Debian
  std::vector<std::string> words;  // of mkfs, before the image
};

const std::vector<MkfsCommand>& MkfsCommands() {
  static const std::vector<MkfsCommand>* const commands = new std::vector<MkfsCommand>{
      {"xfs", "mkfs.xfs", "xfsprogs", {"-q", "-f"}},
      {kXfsDax, "mkfs.xfs", "xfsprogs", {"-q", "-f"}},
      {"ext4", "mkfs.ext4", "e2fsprogs", {"-q", "-F"}},
      {"btrfs", "mkfs.btrfs", "btrfs-progs", {"-q", "-f"}},
      {"gfs2", "mkfs.gfs2", "gfs2-utils", {"-q", "-O", "-p", "lock_nolock", "-j", "1"}},
      {"ocfs2", "mkfs.ocfs2", "ocfs2-tools", {"-q", "-F", "-M", "local", "-N", "1"}},
  };
  return *commands;
}

const MkfsCommand* FindMkfs(const std::string& file_system) {
  for (const MkfsCommand& command : MkfsCommands()) {
    if (file_system == command.file_system) return &command;
  }
  return nullptr;
}

volatile sig_atomic_t interrupted_by = 0;
void OnInterrupt(int number) { interrupted_by = number; }

// While it lives, the three signals that end programs are only noted.
class InterruptsNoted {
 public:
  InterruptsNoted() {
    struct sigaction action = {};
    action.sa_handler = OnInterrupt;
    for (size_t i = 0; i < kNumbers.size(); ++i) sigaction(kNumbers[i], &action, &before_[i]);
  }
  ~InterruptsNoted() {
    for (size_t i = 0; i < kNumbers.size(); ++i) sigaction(kNumbers[i], &before_[i], nullptr);
  }

 private:
  static constexpr std::array<int, 3> kNumbers = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, 3> before_;
};

// The machine's disks and memory file system; gone when it is.
class Workshop {
 public:
  static absl::StatusOr<std::unique_ptr<Workshop>> Make() {
    std::string name = (fs::temp_directory_path() / "ordeal-vm.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      return absl::UnavailableError(absl::StrCat("cannot make a folder ", name, ": ", strerror(errno)));
    }
    return std::unique_ptr<Workshop>(new Workshop(name));
  }
  ~Workshop() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string Path(const std::string& name) const { return absl::StrCat(path_, "/", name); }

 private:
  explicit Workshop(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

absl::Status Copy(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot copy ", from, " to ", to, ": ", error.message())) : absl::OkStatus();
}

absl::Status MakeDisk(const std::string& path, uint64_t bytes) {
  RETURN_IF_ERROR(WriteText(path, ""));
  std::error_code error;
  fs::resize_file(path, bytes, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot size ", path, ": ", error.message())) : absl::OkStatus();
}

std::string Disk(size_t index) { return absl::StrCat("vd", std::string(1, static_cast<char>('a' + index))); }

bool HasDax(const LockdepVmOptions& options) {
  return std::find(options.file_systems.begin(), options.file_systems.end(), kXfsDax) != options.file_systems.end();
}

// One a line, with its arguments: guest_init.sh reads it.
std::string ProgramList(const LockdepVmOptions& options) {
  std::string list;
  for (const GuestProgram& program : options.programs) {
    absl::StrAppend(&list, program.name, program.arguments.empty() ? "" : " ", absl::StrJoin(program.arguments, " "), "\n");
  }
  return list;
}

// Shell variables that guest_init.sh reads. Words come from fixed lists and numbers, but for run_options.
std::string Plan(const LockdepVmOptions& options) {
  std::vector<std::string> disks;
  for (size_t i = 0; i < options.file_systems.size(); ++i) {
    disks.push_back(absl::StrCat(options.file_systems[i], ":/dev/", Disk(i)));
  }
  return absl::StrCat("DISKS='", absl::StrJoin(disks, " "), "'\nRESULT_DISK=", Disk(disks.size()), "\nTIME=", options.time_s,
                      "s\nPROGRAM_TIME=", std::ceil(options.time_s), "\nSEED=", options.seed,
                      "\nFAULT_KINDS='", absl::StrJoin(options.fault_kinds, " "), "'\nFAULT_PERCENT=", options.fault_percent,
                      "\nRUN_OPTIONS='", options.run_options, "'\nRECORD=", options.record ? "yes" : "",
                      "\nCRASH=", options.crash ? "yes" : "", "\n");
}

absl::Status MakeMemoryFileSystem(const LockdepVmOptions& options, const Workshop& shop) {
  const std::string root = shop.Path("root");
  fs::create_directories(root + "/bin");
  fs::create_directories(root + "/dev");
  RETURN_IF_ERROR(Copy(FindProgram("busybox"), root + "/bin/busybox"));
  fs::create_symlink("busybox", root + "/bin/sh");
  RETURN_IF_ERROR(Copy(options.program, root + "/bin/ordeal"));
  fs::create_directories(root + "/programs");
  for (const GuestProgram& program : options.programs) {
    RETURN_IF_ERROR(Copy(program.path, absl::StrCat(root, "/programs/", program.name)));
  }
  RETURN_IF_ERROR(WriteText(root + "/program-list", ProgramList(options)));
  RETURN_IF_ERROR(WriteText(root + "/init", kGuestInit));
  fs::permissions(root + "/init", fs::perms::owner_all);
  RETURN_IF_ERROR(WriteText(root + "/workload", kGuestWorkload));
  RETURN_IF_ERROR(WriteText(root + "/plan", Plan(options)));
  RETURN_IF_ERROR(Copy(root + "/plan", absl::StrCat(options.out, "/plan")));
  return RunProgram({"/bin/sh", "-c", "find . | cpio --quiet -o -H newc >../initrd"}, {.directory = root}).status();
}

absl::Status MakeDisks(const LockdepVmOptions& options, const Workshop& shop) {
  for (size_t i = 0; i < options.file_systems.size(); ++i) {
    const MkfsCommand& mkfs = *FindMkfs(options.file_systems[i]);
    const std::string image = shop.Path(Disk(i));
    RETURN_IF_ERROR(MakeDisk(image, kDiskBytes));
    std::vector<std::string> words = {FindProgram(mkfs.program)};
    words.insert(words.end(), mkfs.words.begin(), mkfs.words.end());
    words.push_back(image);
    RETURN_IF_ERROR(RunProgram(words).status());
  }
  return MakeDisk(shop.Path(Disk(options.file_systems.size())), kResultBytes);
}

std::vector<std::string> MachineWords(const LockdepVmOptions& options, const Workshop& shop) {
  std::vector<std::string> words = {
      FindProgram("qemu-system-x86_64"), "-nodefaults", "-no-reboot", "-display", "none",
      // More processors than the host has: preempted where a kernel on its own would not be.
      "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", HasDax(options) ? "2048" : "1536", "-kernel",
      options.kernel, "-initrd", shop.Path("initrd"), "-append",
      // Addresses as they are, and the same in each boot: the keys of lock classes are then symbols of System.map.
      absl::StrCat("console=ttyS0 rdinit=/init no_hash_pointers nokaslr panic=-1 ignore_loglevel",
                   HasDax(options) ? " memmap=512M!1G" : ""),
      "-serial",
      absl::StrCat("file:", options.out, "/console.log"), "-object", "rng-random,id=rng,filename=/dev/urandom", "-device",
      "virtio-rng-pci,rng=rng"};
  for (size_t i = 0; i <= options.file_systems.size(); ++i) {
    const std::string disk = Disk(i);
    words.insert(words.end(), {"-drive", absl::StrCat("if=none,format=raw,cache=unsafe,id=", disk, ",file=", shop.Path(disk)),
                               "-device", absl::StrCat("virtio-blk-pci,drive=", disk)});
  }
  return words;
}

double MachineTimeMax(const LockdepVmOptions& options) {
  if (options.machine_time_max_s > 0) return options.machine_time_max_s;
  const double runs = static_cast<double>(std::max<size_t>(options.programs.size(), 1));
  return 2 * (kBootS + static_cast<double>(options.file_systems.size()) * (runs * options.time_s + kFileSystemS));
}

std::vector<VmFileSystemRun> ReadRuns(const LockdepVmOptions& options) {
  std::vector<VmFileSystemRun> runs;
  for (const std::string& name : options.file_systems) {
    VmFileSystemRun run{.file_system = name};
    const std::string base = absl::StrCat(options.out, "/", name);
    if (!absl::SimpleAtoi(ReadText(base + ".status"), &run.exit_status)) run.exit_status = -1;
    run.errors = ReadText(base + ".err");
    if (!ReadText(base + ".json").empty()) run.report = base + ".json";
    if (!ReadText(base + ".record.txtpb").empty()) run.record = base + ".record.txtpb";
    run.record_errors = ReadText(base + ".record.err");
    runs.push_back(std::move(run));
  }
  return runs;
}

std::vector<VmProgramRun> ReadProgramRuns(const LockdepVmOptions& options) {
  std::vector<VmProgramRun> runs;
  for (const std::string& name : options.file_systems) {
    for (const GuestProgram& program : options.programs) {
      VmProgramRun run{.file_system = name, .program = program.name};
      const std::string base = absl::StrCat(options.out, "/", name, ".", program.name);
      if (!absl::SimpleAtoi(ReadText(base + ".status"), &run.exit_status)) run.exit_status = -1;
      run.output = ReadText(base + ".out");
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

// What the machine left: results if it came to its end, findings of its console in any case.
LockdepVmResult ReadResult(const LockdepVmOptions& options, const absl::Status& machine) {
  LockdepVmResult result;
  result.release = ReadText(absl::StrCat(options.out, "/release"));
  result.release = result.release.substr(0, result.release.find('\n'));
  result.runs = ReadRuns(options);
  result.programs = ReadProgramRuns(options);
  const std::string log = ReadText(absl::StrCat(options.out, "/console.log"));
  result.console = FindInConsole(log, !options.fault_kinds.empty());
  const std::string stats = ReadText(absl::StrCat(options.out, "/lockdep_stats.txt"));
  result.lockdep_stayed_on =
      !absl::StrContains(stats, "debug_locks:                             0") &&
      std::none_of(result.console.begin(), result.console.end(), [](const ConsoleFinding& finding) {
        return finding.kind == "lockdep" || finding.kind == "lockdep-full";
      });
  if (!absl::StrContains(log, "ordeal-vm: end")) {
    const bool hung = absl::IsDeadlineExceeded(machine);
    result.console.push_back({.kind = hung ? "vm-hang" : "vm-died",
                              .title = hung ? absl::StrCat("the machine did not come to its end: ", machine.message())
                                            : std::string("the machine ended before its work was done"),
                              .text = log.substr(log.size() > 4000 ? log.size() - 4000 : 0)});
  }
  return result;
}

// The results of an earlier run would pass for this one's.
void RemoveOldResults(const LockdepVmOptions& options) {
  std::vector<std::string> names = {"console.log", "plan", "release", "dmesg.txt", "lock_stat.txt", "lockdep.txt",
                                    "lockdep_chains.txt", "lockdep_stats.txt", "System.map"};
  for (const MkfsCommand& mkfs : MkfsCommands()) {
    for (const char* end : {".json", ".err", ".status", ".findings", ".record.txtpb", ".record.json", ".record.err",
                            ".record.status"}) {
      names.push_back(absl::StrCat(mkfs.file_system, end));
    }
    for (const GuestProgram& program : options.programs) {
      for (const char* end : {".out", ".status"}) names.push_back(absl::StrCat(mkfs.file_system, ".", program.name, end));
    }
  }
  std::error_code ignored;
  for (const std::string& name : names) fs::remove_all(absl::StrCat(options.out, "/", name), ignored);
}

}  // namespace

const std::vector<std::string>& VmFaultKinds() {
  static const std::vector<std::string>* const kinds =
      new std::vector<std::string>{"failslab", "fail_page_alloc", "fail_make_request"};
  return *kinds;
}

const std::vector<std::string>& VmFileSystems() {
  static const std::vector<std::string>* const names = [] {
    auto* result = new std::vector<std::string>;
    for (const MkfsCommand& command : MkfsCommands()) result->push_back(command.file_system);
    return result;
  }();
  return *names;
}

absl::Status CheckLockdepVm(const LockdepVmOptions& options) {
  for (const std::string& name : options.file_systems) {
    const MkfsCommand* mkfs = FindMkfs(name);
    if (mkfs == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("no file system '", name, "' in the machine; it has ", absl::StrJoin(VmFileSystems(), ", ")));
    }
    if (FindProgram(mkfs->program).empty()) {
      return absl::UnavailableError(absl::StrCat(mkfs->program, " is not installed; apt-get install ", mkfs->package));
    }
  }
  for (const auto& [program, package] : {std::pair{"qemu-system-x86_64", "qemu-system-x86"}, {"busybox", "busybox-static"},
                                         {"cpio", "cpio"}, {"tar", "tar"}}) {
    if (FindProgram(program).empty()) {
      return absl::UnavailableError(absl::StrCat(program, " is not installed; apt-get install ", package));
    }
  }
  if (access(options.kernel.c_str(), R_OK) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot read the kernel '", options.kernel,
                                               "'; ci/lockdep-kernel builds one and prints its path"));
  }
  if (access(options.program.c_str(), X_OK) != 0) {
    return absl::UnavailableError(absl::StrCat("no static program '", options.program, "'; build it: ninja ordeal_static"));
  }
  return absl::OkStatus();
}

absl::StatusOr<LockdepVmResult> RunLockdepVm(const LockdepVmOptions& options) {
  RETURN_IF_ERROR(CheckLockdepVm(options));
  std::error_code error;
  fs::create_directories(options.out, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make ", options.out, ": ", error.message()));
  RemoveOldResults(options);
  ASSIGN_OR_RETURN(const std::unique_ptr<Workshop> shop, Workshop::Make());
  RETURN_IF_ERROR(MakeMemoryFileSystem(options, *shop));
  RETURN_IF_ERROR(MakeDisks(options, *shop));
  const std::string symbols = (fs::path(options.kernel).parent_path() / "System.map").string();
  if (fs::exists(symbols)) RETURN_IF_ERROR(Copy(symbols, absl::StrCat(options.out, "/System.map")));

  const InterruptsNoted noted;
  const auto start = std::chrono::steady_clock::now();
  const absl::Status machine =
      RunProgram(MachineWords(options, *shop), {.time_max_s = MachineTimeMax(options), .stop = [] { return interrupted_by != 0; }})
          .status();
  if (absl::IsCancelled(machine)) return machine;
  if (machine.code() == absl::StatusCode::kUnavailable) return machine;  // qemu itself failed
  // A machine that died has left zeros there, which is an empty archive.
  const std::string results = shop->Path(Disk(options.file_systems.size()));
  RETURN_IF_ERROR(RunProgram({FindProgram("tar"), "-xf", results, "-C", options.out}).status());
  LockdepVmResult result = ReadResult(options, machine);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace ordeal::bpf
