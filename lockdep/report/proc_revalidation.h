// Judges the text of /proc/lockdep and /proc/lockdep_chains once more, with this validator, and explains what it finds.
//
// The text says less than the kernel knew: it has no kinds of dependency (reader, recursive reader), no trylock and no
// "unchecked" marks, and /proc/lockdep lists only dependencies between neighbours. So chains taken at their word show cycles
// where the kernel saw none. Two of the three gaps can be closed, because the kernel prints a chain only if its last lock was
// *waited for* and *checked*:
//   * a lock whose chain up to it is not itself a chain of the file was taken with a trylock, or is unchecked;
//   * a class that ends no chain and has no successors, though locks were taken directly under it, is unchecked
//     (rcu_read_lock, lock classes without validation).
// Chains of different interrupt contexts never mix; interrupt states are judged from the usage characters of the classes.
// With both inferences, the numbers of dependent classes that the kernel prints (FD, BD) can be recomputed, which tests them
// (the recorded dump of Linux 6.1: equal in 1,709 of 1,714 cases, one more in the others).
//
// Thread-safety: pure function.
// Cost:          the validator's, four times over; 0.2 s for the 7,700 chains of a booted kernel.
// Example:
//   const ProcRevalidation result = RevalidateProc(graph, &chains);
//   out << result.ToString();
#ifndef ORDEAL_LOCKDEP_REPORT_PROC_REVALIDATION_H_
#define ORDEAL_LOCKDEP_REPORT_PROC_REVALIDATION_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lockdep/report/proc_lockdep.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

// Why a finding need not be one, by what the text does not say. The first that applies.
enum class ProcExplanation : uint8_t {
  kUnchecked,    // runs through a class that the kernel does not check
  kTrylock,      // needs a wait where the kernel only ever saw a trylock (or an unchecked acquisition)
  kReaders,      // runs through a class that is also acquired for reading: perhaps recursively
  kUnexplained,  // none of these: a deadlock, or the kernel's own tests at boot
};
const char* ProcExplanationName(ProcExplanation explanation);
// A sentence for people.
const char* ProcExplanationText(ProcExplanation explanation);

// What both texts together say about acquisitions.
struct ProcInference {
  std::vector<bool> unchecked;                            // by class
  std::vector<std::vector<bool>> waited;                  // by chain and position: seen to be waited for
  std::vector<std::pair<uint32_t, uint32_t>> edges;       // the dependencies that the kernel has; sorted, distinct
  std::set<std::pair<uint32_t, uint32_t>> waited_pairs;   // second was waited for while the (checked) first was held
  std::vector<uint64_t> forward;                          // recomputed ProcClass::forward
  std::vector<uint64_t> backward;
};
ProcInference InferAcquisitions(const ProcLockdep& graph, const ProcChains& chains);

struct ProcFinding {
  Violation violation;  // sites are lines of the texts: "lockdep_chains:6412"
  ProcExplanation explanation = ProcExplanation::kUnexplained;
  // Classes of the cycle that are also read. If every reader were recursive, a cycle with one of them would be none.
  std::vector<std::string> readers;
};

struct ProcReading {
  std::string name;
  uint64_t cycles = 0;
  uint64_t recursions = 0;
};

// A lock used in an interrupt from which a path leads to one that is held while that interrupt may come.
struct ProcIrqPath {
  std::string context;  // "hardirq", "softirq"
  std::vector<std::string> path;
};

struct ProcRevalidation {
  uint64_t classes = 0;
  uint64_t dependencies = 0;
  uint64_t chains = 0;
  uint64_t same_text_chains = 0;  // equal to an earlier one in all that is printed: reader modes and dead classes are not
  uint64_t unlisted = 0;
  std::vector<ProcReading> readings;  // from the plain word to all inferences
  std::vector<ProcFinding> findings;  // of the chains taken at their word
  std::vector<ProcFinding> remaining;  // of the last reading
  std::vector<ProcIrqPath> irq_paths;
  std::vector<std::string> unchecked;  // names
  uint64_t counts_compared = 0;  // FD and BD of each class
  uint64_t counts_equal = 0;

  std::string ToString() const;
};

// Without `chains` only the dependencies that /proc/lockdep lists are judged.
ProcRevalidation RevalidateProc(const ProcLockdep& graph, const ProcChains* chains);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_PROC_REVALIDATION_H_
