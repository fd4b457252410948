#include "bpf/class_map.h"

#include <algorithm>

namespace ordeal::bpf {

const std::vector<ClassMapping>& ClassMappings() {
  // In a 6.18 kernel IOLOCK is inode->i_rwsem and MMAPLOCK is mapping->invalidate_lock; XFS has its own ILOCK.
  static const std::vector<ClassMapping>* const mappings = new std::vector<ClassMapping>{
      {"IOLOCK", {"xfs_iolock", "i_rwsem", "inode.i_rwsem", "inode->i_rwsem", "&sb->s_type->i_mutex_key"}, nullptr},
      {"IOLOCK(dir)", {"xfs_dir_iolock", "i_rwsem(dir)", "&type->i_mutex_dir_key"}, "IOLOCK"},
      {"MMAPLOCK",
       {"xfs_mmaplock", "invalidate_lock", "mapping.invalidate_lock", "mapping->invalidate_lock", "i_mmap_sem"},
       nullptr},
      {"ILOCK", {"xfs_ilock", "&xfs_nondir_ilock_class", "xfs_nondir_ilock_class"}, nullptr},
      {"ILOCK(dir)", {"xfs_dir_ilock", "&xfs_dir_ilock_class", "xfs_dir_ilock_class"}, "ILOCK"},
      {"mmap_lock", {"mmap_lock", "mm.mmap_lock", "mm->mmap_lock", "&mm->mmap_lock"}, nullptr},
  };
  return *mappings;
}

std::string LockToken(const std::string& lock_class) {
  const size_t number = lock_class.find('#');
  const std::string name = lock_class.substr(0, number);
  for (const ClassMapping& mapping : ClassMappings()) {
    if (name == mapping.token) return mapping.token;
    if (std::find(mapping.names.begin(), mapping.names.end(), name) != mapping.names.end()) return mapping.token;
  }
  return lock_class;
}

bool TellsDirectoriesApart(const lockdep::OrderGraph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const lockdep::OrderGraph::Acquired& acquired) {
    const std::string token = LockToken(acquired.node.lock_class);
    const auto& mappings = ClassMappings();
    return std::any_of(mappings.begin(), mappings.end(), [&](const ClassMapping& mapping) {
      return token == mapping.token && mapping.without_directories != nullptr;
    });
  });
}

lockdep::OrderGraph WithTokens(const lockdep::OrderGraph& graph, bool fold_directories) {
  const auto rename = [&](lockdep::OrderNode* node) {
    node->lock_class = LockToken(node->lock_class);
    for (const ClassMapping& mapping : ClassMappings()) {
      if (!fold_directories || mapping.without_directories == nullptr) continue;
      if (node->lock_class == mapping.token) node->lock_class = mapping.without_directories;
    }
  };
  lockdep::OrderGraph result = graph;
  for (lockdep::OrderGraph::Acquired& acquired : result.nodes) rename(&acquired.node);
  for (lockdep::OrderGraph::Edge& edge : result.edges) {
    rename(&edge.from);
    rename(&edge.to);
  }
  result.Normalise();
  return result;
}

}  // namespace ordeal::bpf
