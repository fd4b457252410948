// The text of a kernel's /proc/lockdep and /proc/lockdep_chains as an order graph with names that tell file systems apart.
//
// The kernel numbers the classes of one name in the order of their first use ("&sb->s_type->i_mutex_key#8"): another boot, another
// number. Where addresses are printed (booted with no_hash_pointers) and the symbols are given, a class is named after the
// symbol that holds its key instead: "&sb->s_type->i_mutex_key@xfs_fs_type".
//
// Thread-safety: pure functions of files.
// Example:       ASSIGN_OR_RETURN(const OrderGraph graph, ImportVmResults("ordeal-vm"));
#ifndef ORDEAL_BPF_LOCKDEP_IMPORT_H_
#define ORDEAL_BPF_LOCKDEP_IMPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "lockdep/report/order_graph.h"

namespace ordeal::bpf {

struct LockdepFiles {
  std::string lockdep;
  std::string chains;   // empty: only dependencies between neighbours
  std::string symbols;  // System.map or kallsyms of that kernel; empty: numbers stay
  std::string source;   // "kernel 6.1.192-lockdep"
};

// InvalidArgument: "FILE:LINE: what is wrong; what to do". NotFound and the like name the remedy.
absl::StatusOr<lockdep::OrderGraph> ImportLockdep(const LockdepFiles& files);

// From the folder that RunLockdepVm has filled.
absl::StatusOr<lockdep::OrderGraph> ImportVmResults(const std::string& folder);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_LOCKDEP_IMPORT_H_
