// What the lock classes of different graphs are called: the model's names, the probe's, and those that the kernel's own
// validator prints are mapped to one token each (the table is in class_map.cc).
//
// Thread-safety: pure functions.
// Invariants:    a name that the table does not know is its own token.
// Example:       LockToken("&sb->s_type->i_mutex_key#16") == "IOLOCK"; LockToken("xfs_iolock") == "IOLOCK"
#ifndef ORDEAL_BPF_CLASS_MAP_H_
#define ORDEAL_BPF_CLASS_MAP_H_

#include <string>
#include <vector>

#include "lockdep/report/order_graph.h"

namespace ordeal::bpf {

struct ClassMapping {
  const char* token;
  std::vector<const char*> names;
  const char* without_directories;  // the token for graphs that do not tell directories apart; null: it has no other
};
const std::vector<ClassMapping>& ClassMappings();

// The kernel numbers keys of one name ("#16"); the number is dropped.
std::string LockToken(const std::string& lock_class);

// `graph` with tokens for class names. `fold_directories` maps the directories' classes to those of files.
lockdep::OrderGraph WithTokens(const lockdep::OrderGraph& graph, bool fold_directories);
// Whether a graph has a class of directories.
bool TellsDirectoriesApart(const lockdep::OrderGraph& graph);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_CLASS_MAP_H_
