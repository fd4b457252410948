// What the running kernel's type information (BTF) says: which tracepoints it has, and where the fields of its structures are.
//
// Thread-safety: none.
// Cost:          loading parses the kernel's BTF, about 20 ms.
// Example:
//   ASSIGN_OR_RETURN(const KernelTypes types, KernelTypes::Load());
//   if (!types.HasTracepoint("xfs_ilock")) ...
#ifndef ORDEAL_BPF_KERNEL_TYPES_H_
#define ORDEAL_BPF_KERNEL_TYPES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

struct btf;

namespace ordeal::bpf {

class KernelTypes {
 public:
  static absl::StatusOr<KernelTypes> Load();
  // Also those of the module xfs, if it is one.
  bool HasTracepoint(const std::string& name) const;
  // Bytes from the beginning of struct `type`; of a nested field "invalidate_lock.dep_map" likewise. Nothing if it lacks it.
  std::optional<uint32_t> FieldOffset(const std::string& type, const std::string& field) const;

 private:
  struct Free {
    void operator()(btf* types) const;
  };
  std::unique_ptr<btf, Free> kernel_;
  std::unique_ptr<btf, Free> xfs_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_KERNEL_TYPES_H_
