// A live validator's graph as the text of /proc/lockdep and /proc/lockdep_chains: for tools that read the kernel's.
//
// A node (class and subclass) is a class of the kernel; its address is made up from its ordinal, so that equal runs give equal
// texts. Usage characters, the numbers of dependent classes (over strong paths, as the kernel counts) and the direct
// successors are those the kernel would print; a chain is printed if its last lock was waited for and checked. The text
// has no place for reader modes, trylocks, sites and events' nature: lockdep/report/order_graph.h is the form that keeps them.
//
// Thread-safety: only while no other thread acquires.
// Cost:          O(nodes x edges) for the counts.
// Example:       out << FormatProcLockdep(ProcLockdepFromValidator(validator));
#ifndef ORDEAL_LOCKDEP_REPORT_PROC_EXPORT_H_
#define ORDEAL_LOCKDEP_REPORT_PROC_EXPORT_H_

#include "lockdep/report/proc_lockdep.h"

namespace ordeal::lockdep {

class Validator;

ProcLockdep ProcLockdepFromValidator(const Validator& validator);
// Its indices are those of ProcLockdepFromValidator(validator).
ProcChains ProcChainsFromValidator(const Validator& validator);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_PROC_EXPORT_H_
