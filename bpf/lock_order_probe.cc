#include "bpf/lock_order_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdarg>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bpf/kernel_symbols.h"
#include "bpf/lock_order_probe.skel.h"
#include "bpf/lock_order_record.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

using lockdep::Mode;
using lockdep::OrderGraph;
using lockdep::OrderNode;

// By ordeal_lock_class; bpf/class_map.cc says what other graphs call them.
constexpr const char* kClassNames[ORDEAL_LOCK_CLASSES] = {"",          "xfs_iolock",     "xfs_mmaplock", "xfs_ilock",
                                                          "mmap_lock", "xfs_dir_iolock", "xfs_dir_ilock"};

// By ordeal_counter.
constexpr const char* kCounterNames[ORDEAL_COUNTERS] = {
    "events seen",
    "events used",
    "lost: edge map full",
    "lost: held-lock stack full",
    "lost: pending edges of a trylock full",
    "lost: no task state",
    "unlock of an ILOCK that was not held",
    "unlock of a lock that the VFS took",
    "demotion of a lock that the VFS took",
    "trylocks",
    "trylocks that succeeded",
    "trylocks that failed",
    "trylocks undecided",
    "edges dropped with their trylock",
    "mmap_lock acquisitions that failed",
    "mmap_lock acquired before recording began",
};

int ReadNothing(libbpf_print_level, const char*, va_list) { return 0; }

absl::Status Unavailable(const std::string& what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(error)));
}

// What the kernel lacks or forbids is no fault of ours; a program that its verifier does not accept is.
absl::Status LoadError(int error) {
  for (const int environment : {EPERM, ENOENT, ESRCH, EOPNOTSUPP, ENOSYS, ENOMEM}) {
    if (error != environment) continue;
    return Unavailable("cannot load the eBPF programs (they need CAP_BPF, BTF, and the tracepoints of XFS and mmap_lock)",
                       error);
  }
  return absl::InternalError(absl::StrCat("the kernel's verifier refuses the eBPF programs: ", strerror(error),
                                          "; a fault of this program: report it with the kernel's version"));
}

OrderNode NodeOf(uint32_t lock_class, uint32_t subclass, uint32_t mode) {
  const char* name = lock_class < ORDEAL_LOCK_CLASSES ? kClassNames[lock_class] : "unknown";
  return {name, static_cast<int>(subclass), mode == ORDEAL_EXCLUSIVE ? Mode::kExclusive : Mode::kShared};
}

}  // namespace

uint32_t KernelDevice(dev_t device) {
  return (static_cast<uint32_t>(major(device)) << 20) | static_cast<uint32_t>(minor(device));
}

absl::StatusOr<std::unique_ptr<LockOrderProbe>> LockOrderProbe::Load(uint32_t kernel_device) {
  libbpf_set_print(ReadNothing);
  lock_order_probe* skeleton = lock_order_probe__open();
  if (skeleton == nullptr) return Unavailable("cannot open the eBPF programs", errno);
  std::unique_ptr<LockOrderProbe> probe(new LockOrderProbe(skeleton));
  skeleton->rodata->device_wanted = kernel_device;
  if (const int error = lock_order_probe__load(skeleton); error != 0) {
    return LoadError(-error);
  }
  return probe;
}

LockOrderProbe::~LockOrderProbe() { lock_order_probe__destroy(skeleton_); }

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
    return Unavailable("cannot attach to the tracepoints xfs_ilock* and mmap_lock_*", -error);
  }
  return absl::OkStatus();
}

void LockOrderProbe::Detach() { lock_order_probe__detach(skeleton_); }

absl::Status LockOrderProbe::ReadAcquired(OrderGraph* graph) const {
  const int map = bpf_map__fd(skeleton_->maps.acquired);
  for (uint32_t lock_class = 1; lock_class < ORDEAL_LOCK_CLASSES; ++lock_class) {
    for (uint32_t subclass = 0; subclass < ORDEAL_SUBCLASSES; ++subclass) {
      for (const uint32_t mode : {ORDEAL_EXCLUSIVE, ORDEAL_SHARED}) {
        const uint32_t index = ordeal_node_index(lock_class, subclass, mode);
        uint64_t count = 0;
        if (bpf_map_lookup_elem(map, &index, &count) != 0) return Unavailable("cannot read map `acquired`", errno);
        if (count != 0) graph->nodes.push_back({NodeOf(lock_class, subclass, mode), count});
      }
    }
  }
  return absl::OkStatus();
}

absl::Status LockOrderProbe::ReadEdges(OrderGraph* graph) const {
  const int map = bpf_map__fd(skeleton_->maps.edges);
  const KernelSymbols symbols = KernelSymbols::Load();
  ordeal_edge_key key = {};
  const void* previous = nullptr;
  while (bpf_map_get_next_key(map, previous, &key) == 0) {
    ordeal_edge_value value = {};
    if (bpf_map_lookup_elem(map, &key, &value) != 0) return Unavailable("cannot read map `edges`", errno);
    graph->edges.push_back({NodeOf(key.from_class, key.from_subclass, key.from_mode),
                            NodeOf(key.to_class, key.to_subclass, key.to_mode),
                            static_cast<lockdep::Instances>(key.relation), value.count, symbols.Name(value.from_caller),
                            symbols.Name(value.to_caller)});
    previous = &key;
  }
  return absl::OkStatus();
}

absl::Status LockOrderProbe::ReadCounters(OrderGraph* graph) const {
  const int map = bpf_map__fd(skeleton_->maps.counters);
  const int processors = libbpf_num_possible_cpus();
  if (processors <= 0) return Unavailable("cannot count the processors", -processors);
  std::vector<uint64_t> values(static_cast<size_t>(processors));
  for (uint32_t counter = 0; counter < ORDEAL_COUNTERS; ++counter) {
    if (bpf_map_lookup_elem(map, &counter, values.data()) != 0) return Unavailable("cannot read map `counters`", errno);
    graph->counters.push_back({kCounterNames[counter], std::accumulate(values.begin(), values.end(), uint64_t{0})});
  }
  return absl::OkStatus();
}

absl::StatusOr<OrderGraph> LockOrderProbe::Read(const std::string& source) const {
  OrderGraph graph;
  graph.source = source;
  RETURN_IF_ERROR(ReadAcquired(&graph));
  RETURN_IF_ERROR(ReadEdges(&graph));
  RETURN_IF_ERROR(ReadCounters(&graph));
  graph.Normalise();
  return graph;
}

}  // namespace ordeal::bpf
