// Records the lock orders of an XFS mount, of chosen processes or of the whole machine, in the running kernel
// (lock_order_probe.bpf.c). Edges are aggregated in the kernel; here they are only read.
//
// What a kernel lacks is left out, and notes() says what and why: tracepoints are looked up in its type information (BTF).
// On a kernel with lock debugging, the events lock_acquire and lock_release replace those of XFS and mmap_lock.
//
// Thread-safety: none; one owner.
// Invariants:    nothing is recorded before Attach or after Detach; every way to lose an event is among the counters of
//                the graph, also when it is 0. Everything in the kernel goes when this object (or the process) does.
// Cost:          docs/kernel.md.
// Example:
//   ASSIGN_OR_RETURN(const auto probe, LockOrderProbe::Load({.kernel_device = KernelDevice(st_dev), .chosen_processes = true}));
//   RETURN_IF_ERROR(probe->AddProcess(pid));
//   RETURN_IF_ERROR(probe->Attach());
//   ...
//   probe->Detach();
//   ASSIGN_OR_RETURN(const lockdep::OrderGraph graph, probe->Read("kernel 6.18 xfs"));
#ifndef ORDEAL_BPF_LOCK_ORDER_PROBE_H_
#define ORDEAL_BPF_LOCK_ORDER_PROBE_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/recording.h"
#include "lockdep/report/order_graph.h"

struct lock_order_probe;  // the skeletons
struct page_lock_probe;

namespace ordeal::bpf {

// A device number as the kernel keeps it inside.
uint32_t KernelDevice(dev_t device);

// Whose events are recorded. XFS events: of the device, by any task; without a device, of the chosen processes. Other events:
// of the chosen processes; without any choice of processes, of tasks that have used the device; without both, of all tasks.
// With lock debugging and a device: of all tasks, whatever else is chosen.
struct ProbeOptions {
  uint32_t kernel_device = 0;     // KernelDevice(); 0: all
  bool chosen_processes = false;  // those of AddProcess and what they fork
  std::string comm;               // and those that come to be called so
  bool spin_waits = false;        // also waits for spin locks
  bool page_lock_waits = false;   // fentry programs, where they are allowed
  bool drive = false;             // tests: load the programs of Drive alone
  bool drive_lock_events = false;  // and let page checks believe in lock debugging
};

class LockOrderProbe {
 public:
  // Unavailable, with the reason, where the kernel cannot (no BTF, no permission, no tracepoint); Internal if its verifier
  // refuses our programs.
  static absl::StatusOr<std::unique_ptr<LockOrderProbe>> Load(const ProbeOptions& options);
  ~LockOrderProbe();
  LockOrderProbe(const LockOrderProbe&) = delete;
  LockOrderProbe& operator=(const LockOrderProbe&) = delete;

  // One line for each source that is missing here.
  const std::vector<std::string>& notes() const { return notes_; }
  bool has_xfs_events() const { return has_xfs_events_; }
  bool has_lock_events() const { return has_lock_events_; }

  absl::Status AddProcess(pid_t process);  // a thread group
  void RemoveProcess(pid_t process);
  absl::Status Attach();
  void Detach();
  absl::StatusOr<lockdep::OrderGraph> Read(const std::string& source) const;
  absl::StatusOr<Recording> ReadAll(const std::string& source) const;

  // For tests, with ProbeOptions::drive: makes the probe believe that the calling thread did this (enum ordeal_drive).
  absl::Status Drive(const std::array<uint64_t, 8>& arguments);

 private:
  LockOrderProbe(lock_order_probe* skeleton, const ProbeOptions& options) : skeleton_(skeleton), options_(options) {}
  absl::Status ChooseSources();
  absl::Status Configure();
  void MakeRoomForLockEvents();
  void LoadPageLockWaits();

  lock_order_probe* const skeleton_;
  page_lock_probe* page_locks_ = nullptr;  // null: not wanted, or refused
  const ProbeOptions options_;
  std::vector<std::string> notes_;
  bool has_xfs_events_ = false;
  bool has_lock_events_ = false;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_LOCK_ORDER_PROBE_H_
