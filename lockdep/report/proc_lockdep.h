// /proc/lockdep and /proc/lockdep_chains as values: the lock classes of a kernel with what it has seen of their order.
//
// Reading loses nothing: FormatProcLockdep(*ParseProcLockdep(text)) is `text`, byte for byte. A line that the kernel would not
// print is an error, never skipped. Locks are told apart by the name that the kernel prints ("&x->wait#3", "btrfs-root-00/1"):
// it is unique where the kernel numbers names, while addresses are often hidden ("(____ptrval____)") or zero; addresses
// decide only between classes of one name.
//
// Thread-safety: plain values; the functions keep no state.
// Invariants:    a resolved lock's `index` names a class of the file, or is kUnlisted. Unlisted locks are legal (the kernel may
//                change while it is being read) and counted.
// Cost:          linear in the text.
// Example:
//   ASSIGN_OR_RETURN(const ProcLockdep graph, ReadProcLockdep("/proc/lockdep"));
//   ASSIGN_OR_RETURN(const ProcChains chains, ReadProcChains("/proc/lockdep_chains", &graph));
#ifndef ORDEAL_LOCKDEP_REPORT_PROC_LOCKDEP_H_
#define ORDEAL_LOCKDEP_REPORT_PROC_LOCKDEP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ordeal::lockdep {

inline constexpr uint32_t kUnlisted = UINT32_MAX;

// A lock as a line names it: "[ffffffff82a1c0e0] &x->wait#3".
struct ProcLock {
  std::string key;   // as printed, without brackets
  std::string name;  // as printed, with number and subclass
  uint32_t index = kUnlisted;  // of its class in ProcLockdep::classes
};

struct ProcClass {
  std::string key;
  std::string name;
  uint64_t operations = 0;  // if ProcLockdep::has_operations
  uint64_t forward = 1;     // classes that depend on this one, with itself, over any number of steps
  uint64_t backward = 1;    // classes that this one depends on, likewise
  std::string usage;        // "+.-.": hardirq write, hardirq read, softirq write, softirq read
  std::vector<ProcLock> successors;  // acquired directly after this one; each has a line of its own
  int line = 0;                      // in the text; 0 if it does not come from one

  // Used as reader in any state that the usage characters know.
  bool EverRead() const;
};

struct ProcLockdep {
  bool has_operations = false;    // built with CONFIG_DEBUG_LOCKDEP
  bool has_dependencies = true;   // built with CONFIG_PROVE_LOCKING
  std::vector<ProcClass> classes;
  uint32_t unlisted = 0;  // successors that name no class of the file

  // Addresses tell classes apart: no two share one, none is hidden or zero.
  bool KeysAreDistinct() const;
};

struct ProcChain {
  std::string irq_context;  // "0", "hardirq", "softirq", "hardirq|softirq"; old kernels: "0".."3"
  std::vector<ProcLock> held;  // in order of acquisition; the last one was being waited for
  int line = 0;                // of its header in the text; the locks have the next ones

  bool InHardirq() const;
  bool InSoftirq() const;
};

struct ProcChains {
  bool overflowed = false;  // "(buggered) ": the kernel's table was full
  std::vector<ProcChain> chains;
  uint32_t unlisted = 0;  // locks that name no class of the graph they were resolved against
};

// What the kernel appends to a name. "#2" and "/1" may also be part of a name that a programmer gave.
struct ProcName {
  std::string base;
  int version = 1;   // same name, another key
  int subclass = 0;
};
ProcName SplitProcName(const std::string& name);

// `name` is what errors call the text. InvalidArgument: "NAME:LINE: what is wrong; what to do".
absl::StatusOr<ProcLockdep> ParseProcLockdep(const std::string& text, const std::string& name);
// With `graph`, the locks get the indices of its classes; without, all are unlisted and none is counted.
absl::StatusOr<ProcChains> ParseProcChains(const std::string& text, const std::string& name, const ProcLockdep* graph);

// The same from a file: /proc itself or a copy. NotFound and the like name the remedy.
absl::StatusOr<ProcLockdep> ReadProcLockdep(const std::string& path);
absl::StatusOr<ProcChains> ReadProcChains(const std::string& path, const ProcLockdep* graph);

std::string FormatProcLockdep(const ProcLockdep& graph);
std::string FormatProcChains(const ProcChains& chains);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_PROC_LOCKDEP_H_
