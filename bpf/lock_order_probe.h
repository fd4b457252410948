// Records the lock orders of one XFS mount, and of the address spaces of some processes, in the running kernel
// (lock_order_probe.bpf.c). Edges are aggregated in the kernel; here they are only read.
//
// Thread-safety: none; one owner.
// Invariants:    nothing is recorded before Attach or after Detach; every way to lose an event is among the counters of
//                the graph, also when it is 0. Everything in the kernel goes when this object (or the process) does.
// Cost:          see bpf/README.md for the measured overhead.
// Example:
//   ASSIGN_OR_RETURN(const auto probe, LockOrderProbe::Load(KernelDevice(st_dev)));
//   RETURN_IF_ERROR(probe->AddProcess(pid));
//   RETURN_IF_ERROR(probe->Attach());
//   ...
//   probe->Detach();
//   ASSIGN_OR_RETURN(const lockdep::OrderGraph graph, probe->Read("kernel 6.18 xfs"));
#ifndef ORDEAL_BPF_LOCK_ORDER_PROBE_H_
#define ORDEAL_BPF_LOCK_ORDER_PROBE_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lockdep/report/order_graph.h"

struct lock_order_probe;  // the skeleton

namespace ordeal::bpf {

// A device number as the kernel keeps it inside.
uint32_t KernelDevice(dev_t device);

class LockOrderProbe {
 public:
  // Unavailable, with the reason, where the kernel cannot (no BTF, no permission, no XFS); Internal if its verifier
  // refuses our programs.
  static absl::StatusOr<std::unique_ptr<LockOrderProbe>> Load(uint32_t kernel_device);
  ~LockOrderProbe();
  LockOrderProbe(const LockOrderProbe&) = delete;
  LockOrderProbe& operator=(const LockOrderProbe&) = delete;

  absl::Status AddProcess(pid_t process);  // whose mmap_lock is recorded
  void RemoveProcess(pid_t process);
  absl::Status Attach();
  void Detach();
  absl::StatusOr<lockdep::OrderGraph> Read(const std::string& source) const;

 private:
  explicit LockOrderProbe(lock_order_probe* skeleton) : skeleton_(skeleton) {}
  absl::Status ReadAcquired(lockdep::OrderGraph* graph) const;
  absl::Status ReadEdges(lockdep::OrderGraph* graph) const;
  absl::Status ReadCounters(lockdep::OrderGraph* graph) const;

  lock_order_probe* const skeleton_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_LOCK_ORDER_PROBE_H_
