#include "bpf/lock_order_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bpf/kernel_types.h"
#include "bpf/lock_order_probe.skel.h"
#include "bpf/lock_order_record.h"
#include "bpf/page_lock_probe.skel.h"
#include "bpf/recording_reader.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

constexpr size_t kLibraryLogBytes = 1 << 20;  // of one message
constexpr size_t kLogShown = 3000;
// With lock events.
constexpr uint32_t kLockTasksMax = 4096;
constexpr uint32_t kLockEdgesMax = 32768;
constexpr uint32_t kLockStacksMax = 65536;
constexpr uint32_t kLockWaitsMax = 8192;

// What libbpf said last: with a refusal, the end of the verifier's log. Of one load at a time.
std::string& LibraryLog() {
  static std::string* const log = new std::string;
  return *log;
}

int KeepWarnings(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::string text(kLibraryLogBytes, '\0');
  const int length = vsnprintf(text.data(), text.size(), format, arguments);
  text.resize(std::min(static_cast<size_t>(std::max(length, 0)), text.size() - 1));
  LibraryLog() += text;
  return 0;
}

std::string EndOfLibraryLog() {
  const std::string& log = LibraryLog();
  return log.substr(log.size() > kLogShown ? log.find('\n', log.size() - kLogShown) + 1 : 0);
}

absl::Status Unavailable(const std::string& what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(error)));
}

// What the kernel lacks or forbids is no fault of ours; a program that its verifier does not accept is.
absl::Status LoadError(int error) {
  for (const int environment : {EPERM, ENOENT, ESRCH, EOPNOTSUPP, ENOSYS, ENOMEM}) {
    if (error != environment) continue;
    return Unavailable("cannot load the eBPF programs (they need CAP_BPF, CAP_PERFMON and BTF)", error);
  }
  return absl::InternalError(absl::StrCat("the kernel's verifier refuses the eBPF programs: ", strerror(error),
                                          "; a fault of this program: report it with the kernel's version and this:\n",
                                          EndOfLibraryLog()));
}

// The programs that need one another, and what is not seen without them.
struct Source {
  const char* what;
  std::vector<const char*> tracepoints;  // of programs with the section tp_btf/...
  const char* why;                       // they may be absent
};

const Source kLockEvents = {"every lock of the kernel",
                            {"lock_acquire", "lock_release"},
                            "the kernel is not built with lock debugging (CONFIG_LOCKDEP)"};
const Source kLockWaits = {"waits by lock class for every lock",
                           {"lock_contended", "lock_acquired"},
                           "the kernel is not built with CONFIG_LOCK_STAT"};
const Source kXfsEvents = {"the locks of XFS inodes",
                           {"xfs_ilock", "xfs_ilock_nowait", "xfs_iunlock", "xfs_ilock_demote"},
                           "XFS is not built in, and its module is not loaded"};
const Source kMmapEvents = {"mmap_lock",
                            {"mmap_lock_start_locking", "mmap_lock_acquire_returned", "mmap_lock_released"},
                            "the kernel is older than 5.11 or built without them"};
const Source kContention = {"waits for locks", {"contention_begin", "contention_end"}, "the kernel is older than 5.19"};
const Source kPages = {"pages added under an exclusive invalidate lock",
                       {"mm_filemap_add_to_page_cache", "mm_filemap_delete_from_page_cache"},
                       "the kernel is built without them"};

}  // namespace

uint32_t KernelDevice(dev_t device) {
  return (static_cast<uint32_t>(major(device)) << 20) | static_cast<uint32_t>(minor(device));
}

absl::Status LockOrderProbe::ChooseSources() {
  ASSIGN_OR_RETURN(const KernelTypes types, KernelTypes::Load());
  if (!types.HasTracepoint("sched_process_fork")) {  // every kernel has that one
    return absl::UnavailableError("this kernel gives eBPF programs no tracepoints (it is built without CONFIG_BPF_EVENTS)");
  }
  const auto missing = [&](const Source& source) {
    std::vector<const char*> names;
    for (const char* name : source.tracepoints) {
      if (!types.HasTracepoint(name)) names.push_back(name);
    }
    return names;
  };
  const auto use = [&](const Source& source, bool wanted) {
    for (const char* tracepoint : source.tracepoints) {
      bpf_program* program = nullptr;
      bpf_object__for_each_program(program, skeleton_->obj) {
        const std::string section = bpf_program__section_name(program);
        if (section == absl::StrCat("tp_btf/", tracepoint)) bpf_program__set_autoload(program, wanted);
      }
    }
    return wanted;
  };
  // Whether the source is there; if not, it is noted.
  const auto use_or_note = [&](const Source& source) {
    const std::vector<const char*> names = missing(source);
    if (!names.empty()) {
      notes_.push_back(absl::StrCat(source.what, ": no tracepoint ", absl::StrJoin(names, ", "), " (", source.why, ")"));
    }
    return use(source, names.empty());
  };
  has_lock_events_ = use_or_note(kLockEvents);
  bool has_mmap_events = false;
  if (has_lock_events_) {
    use(kXfsEvents, false);
    use(kMmapEvents, false);
    const bool has_waits = use_or_note(kLockWaits);
    if (has_waits) use(kContention, false);
    if (!has_waits) use_or_note(kContention);
    const auto mapping = types.FieldOffset("address_space", "invalidate_lock.dep_map");
    const auto inode = types.FieldOffset("inode", "i_rwsem.dep_map");
    skeleton_->rodata->invalidate_map_offset = mapping.value_or(0);
    skeleton_->rodata->iolock_map_offset = inode.value_or(0);
  } else {
    use(kLockWaits, false);
    has_xfs_events_ = use_or_note(kXfsEvents);
    has_mmap_events = use_or_note(kMmapEvents);
    use_or_note(kContention);
  }
  if (has_lock_events_ || has_xfs_events_) {
    use_or_note(kPages);
  } else {
    use(kPages, false);
  }
  if (has_lock_events_ || has_xfs_events_ || has_mmap_events) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("this kernel shows no lock: ", absl::StrJoin(notes_, "; ")));
}

// Hundreds of classes, of which any may be held with any, in each of the machine's tasks.
void LockOrderProbe::MakeRoomForLockEvents() {
  bpf_map__set_max_entries(skeleton_->maps.lock_tasks, kLockTasksMax);
  bpf_map__set_max_entries(skeleton_->maps.edges, kLockEdgesMax);
  bpf_map__set_max_entries(skeleton_->maps.stacks, kLockStacksMax);
  bpf_map__set_max_entries(skeleton_->maps.waits, kLockWaitsMax);
}

absl::Status LockOrderProbe::Configure() {
  skeleton_->rodata->device_wanted = options_.kernel_device;
  skeleton_->rodata->processes_wanted = options_.chosen_processes;
  skeleton_->rodata->spin_waits_wanted = options_.spin_waits;
  char* comm = const_cast<char*>(reinterpret_cast<const volatile char*>(skeleton_->rodata->comm_wanted));
  strncpy(comm, options_.comm.c_str(), sizeof(skeleton_->rodata->comm_wanted) - 1);
  RETURN_IF_ERROR(ChooseSources());
  if (has_lock_events_ && options_.kernel_device != 0) {
    // They do not say whose file system's a lock is, and write-back and the file system's workers take them as well.
    skeleton_->rodata->device_wanted = 0;
    skeleton_->rodata->processes_wanted = 0;
  }
  if (options_.drive) {
    skeleton_->rodata->invalidate_map_offset = options_.drive_lock_events ? ORDEAL_DRIVE_INVALIDATE_MAP : 0;
    skeleton_->rodata->iolock_map_offset = options_.drive_lock_events ? ORDEAL_DRIVE_IOLOCK_MAP : 0;
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    const bool drives = program == skeleton_->progs.drive || program == skeleton_->progs.drive_page;
    if (drives || options_.drive) bpf_program__set_autoload(program, drives && options_.drive);
  }
  if (has_lock_events_ || options_.drive) bpf_map__set_max_entries(skeleton_->maps.nodes, ORDEAL_ALL_NODES);
  const bool lock_events = options_.drive ? options_.drive_lock_events : has_lock_events_;
  skeleton_->rodata->lock_events_wanted = lock_events;
  if (lock_events) MakeRoomForLockEvents();
  return absl::OkStatus();
}

void LockOrderProbe::LoadPageLockWaits() {
  page_locks_ = page_lock_probe__open();
  if (page_locks_ == nullptr) return;
  page_locks_->rodata->processes_wanted = options_.chosen_processes;
  int error = bpf_map__reuse_fd(page_locks_->maps.processes, bpf_map__fd(skeleton_->maps.processes));
  if (error == 0) error = page_lock_probe__load(page_locks_);
  if (error == 0) error = page_lock_probe__attach(page_locks_);
  if (error == 0) return;
  notes_.push_back(absl::StrCat("waits for page locks and write-back: fentry programs on __folio_lock and folio_wait_writeback "
                                "are refused here (", strerror(-error), ")"));
  page_lock_probe__destroy(page_locks_);
  page_locks_ = nullptr;
}

absl::StatusOr<std::unique_ptr<LockOrderProbe>> LockOrderProbe::Load(const ProbeOptions& options) {
  libbpf_set_print(KeepWarnings);
  LibraryLog().clear();
  if (options.comm.size() >= sizeof(lock_order_probe::rodata->comm_wanted)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--comm=", options.comm, ": the kernel keeps 15 characters of a command's name"));
  }
  lock_order_probe* skeleton = lock_order_probe__open();
  if (skeleton == nullptr) return Unavailable("cannot open the eBPF programs", errno);
  std::unique_ptr<LockOrderProbe> probe(new LockOrderProbe(skeleton, options));
  RETURN_IF_ERROR(probe->Configure());
  if (const int error = lock_order_probe__load(skeleton); error != 0) return LoadError(-error);
  if (options.page_lock_waits) probe->LoadPageLockWaits();
  return probe;
}

LockOrderProbe::~LockOrderProbe() {
  page_lock_probe__destroy(page_locks_);
  lock_order_probe__destroy(skeleton_);
}

absl::Status LockOrderProbe::AddProcess(pid_t process) {
  const uint32_t key = static_cast<uint32_t>(process);
  const uint8_t value = 1;
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.processes), &key, &value, BPF_ANY) != 0) {
    return Unavailable("cannot register a process with the probe", errno);
  }
  return absl::OkStatus();
}

void LockOrderProbe::RemoveProcess(pid_t process) {
  const uint32_t key = static_cast<uint32_t>(process);
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.processes), &key);
}

absl::Status LockOrderProbe::Attach() {
  if (const int error = lock_order_probe__attach(skeleton_); error != 0) {
    return Unavailable("cannot attach the eBPF programs to the tracepoints", -error);
  }
  skeleton_->bss->recording = 1;
  return absl::OkStatus();
}

void LockOrderProbe::Detach() {
  skeleton_->bss->recording = 0;
  if (page_locks_ != nullptr) page_lock_probe__detach(page_locks_);
  lock_order_probe__detach(skeleton_);
}

absl::StatusOr<lockdep::OrderGraph> LockOrderProbe::Read(const std::string& source) const {
  ASSIGN_OR_RETURN(Recording recording, ReadAll(source));
  return std::move(recording.graph);
}

absl::StatusOr<Recording> LockOrderProbe::ReadAll(const std::string& source) const {
  ProbeMaps maps = {.first_edges = bpf_map__fd(skeleton_->maps.first_edges),
                    .edges = bpf_map__fd(skeleton_->maps.edges),
                    .nodes = bpf_map__fd(skeleton_->maps.nodes),
                    .node_count = bpf_map__max_entries(skeleton_->maps.nodes),
                    .stacks = bpf_map__fd(skeleton_->maps.stacks),
                    .waits = bpf_map__fd(skeleton_->maps.waits),
                    .mmap_sites = bpf_map__fd(skeleton_->maps.mmap_sites),
                    .page_findings = bpf_map__fd(skeleton_->maps.page_findings),
                    .named_classes = bpf_map__fd(skeleton_->maps.named_classes),
                    .counters = bpf_map__fd(skeleton_->maps.counters),
                    .lock_events = has_lock_events_,
                    .page_findings_count = skeleton_->bss->page_findings_count};
  if (page_locks_ != nullptr) maps.page_lock_waits = bpf_map__fd(page_locks_->maps.waits);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    if (bpf_program__fd(program) >= 0) maps.programs.push_back(bpf_program__fd(program));
  }
  ASSIGN_OR_RETURN(Recording recording, ReadRecording(maps, source));
  recording.notes = notes_;
  return recording;
}

absl::Status LockOrderProbe::Drive(const std::array<uint64_t, 8>& arguments) {
  const bool page = arguments[0] == ORDEAL_DRIVE_PAGE_ADDED || arguments[0] == ORDEAL_DRIVE_PAGE_REMOVED;
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = arguments.data(), .ctx_size_in = sizeof(arguments));
  const bpf_program* program = page ? skeleton_->progs.drive_page : skeleton_->progs.drive;
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &run) != 0) return Unavailable("cannot drive the probe", errno);
  return absl::OkStatus();
}

}  // namespace ordeal::bpf
