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

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "bpf/kernel_symbols.h"
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

// The variable that holds the key of a lock class, by which classes of one name are told apart; "" if its name says nothing.
std::string ClassSymbol(const KernelSymbols& objects, uint64_t key);

// From the folder that RunLockdepVm has filled.
absl::StatusOr<lockdep::OrderGraph> ImportVmResults(const std::string& folder);
// Where such a folder has what eBPF recorded on that file system; "" if it has none.
std::string VmRecord(const std::string& folder, const std::string& file_system);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_LOCKDEP_IMPORT_H_
