// A virtual machine with a lockdep kernel: runs the workload on real file systems and brings back what the kernel's own validator
// has seen. qemu emulates the processor, so it runs where there is no /dev/kvm, without root.
//
// The machine has one disk for each file system, made by that file system's own mkfs, and one that its results are written to;
// its only program is a static `ordeal` beside busybox. It is told what to do by a file, and can reach nothing outside.
//
// Thread-safety: none; it handles SIGINT, SIGTERM and SIGHUP while it runs.
// Invariants:    when RunLockdepVm returns, no process of the machine is left, and of its files only those in `out`. A machine that
//                hangs or panics is a result with a finding, not an error and not a stuck job.
// Cost:          about 15 s to boot, and the workload is some ten times slower than on the machine itself.
// Example:
//   LockdepVmOptions options{.kernel = image, .program = "bin/ordeal-static", .file_systems = {"xfs", "gfs2"}, .out = "vm"};
//   ASSIGN_OR_RETURN(const LockdepVmResult result, RunLockdepVm(options));
//   for (const ConsoleFinding& finding : result.console) out << finding.text;
#ifndef ORDEAL_BPF_VM_LOCKDEP_VM_H_
#define ORDEAL_BPF_VM_LOCKDEP_VM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/vm/console_log.h"
#include "bpf/vm/guest_program.h"

namespace ordeal::bpf {

struct LockdepVmOptions {
  std::string kernel;   // bzImage, as ci/lockdep-kernel prints it; System.map lies beside it
  std::string program;  // a static `ordeal`
  std::vector<std::string> file_systems;
  double time_s = 20;  // of the workload, or of each program, on each of them
  uint64_t seed = 1;
  std::vector<std::string> fault_kinds;  // of VmFaultKinds()
  int fault_percent = 1;                 // of the attempts of the workload's processes
  std::string run_options;               // more words for `ordeal kernel run` inside
  std::vector<GuestProgram> programs;    // run instead of the workload, one after the other
  bool record = true;                    // by eBPF, too: `ordeal kernel record` around each run
  bool crash = false;                    // tests: the kernel panics when all is done
  double machine_time_max_s = 0;         // the machine is ended after so long; 0: what the rest should take, and as much again
  std::string out;                       // folder for the results; made if it is not there
};

// Of one program on one file system.
struct VmProgramRun {
  std::string file_system;
  std::string program;
  int exit_status = -1;  // 0: not reproduced, 1: reproduced, else: it could not be tried; -1: it did not come to its end
  std::string output;    // of both its outputs
};

// Of one file system.
struct VmFileSystemRun {
  std::string file_system;
  int exit_status = -1;  // of `ordeal kernel run` inside, 0 after programs; -1: it did not come to its end
  std::string errors;    // what it or mount said
  std::string report;    // path of its JSON; empty: none
  std::string record;    // path of the recorded order graph; empty: none
  std::string record_errors;
};

struct LockdepVmResult {
  std::string release;  // "6.1.192-lockdep"; empty: the machine did not come to its end
  std::vector<VmFileSystemRun> runs;
  std::vector<VmProgramRun> programs;
  std::vector<ConsoleFinding> console;
  bool lockdep_stayed_on = true;  // the kernel's validator turns itself off at its first report: what came later is missing
  double seconds = 0;
};

// "failslab", "fail_page_alloc", "fail_make_request".
const std::vector<std::string>& VmFaultKinds();
// "xfs", "xfs-dax" (on persistent memory), "ext4", "btrfs", "gfs2", "ocfs2".
const std::vector<std::string>& VmFileSystems();

// Unavailable, with the reason and the remedy, where no such machine can run.
absl::Status CheckLockdepVm(const LockdepVmOptions& options);

// Files in `out`: console.log, plan, lockdep.txt, lockdep_chains.txt, lockdep_stats.txt, dmesg.txt, System.map;
// of each file system FS.json, FS.err, FS.findings, FS.record.txtpb, FS.record.json, FS.record.err, FS.PROGRAM.out.
// Cancelled: interrupted by a signal, and everything was removed but what `out` has.
absl::StatusOr<LockdepVmResult> RunLockdepVm(const LockdepVmOptions& options);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_VM_LOCKDEP_VM_H_
