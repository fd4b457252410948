// What OCFS2 keeps with a world (the cluster and its lock manager, one downconvert worker a node) and with each inode of each node
// (its two cluster locks and ip_alloc_sem). Each node has a journal of its own.
//
// Thread-safety: tasks of one simulation. Made and dropped with the run.
// Invariants:    node n of the world (from 0) is NodeId{n + 1} of the cluster; all nodes' inodes of a file share two resources.
// Lock order:    see ocfs2.h; resources of one class by the number of the disk inode.
// Example:       Ocfs2Inode& state = OcfsInode(inode); state.LockMeta(lockdep::kDlmProtectedRead); ...
#ifndef ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_STATE_H_
#define ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_STATE_H_

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "harness/cluster/cluster_lock.h"
#include "harness/filesystems/journal.h"
#include "harness/filesystems/node_recovery.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {

class Ocfs2World : public pagecache::FileSystemState {
 public:
  explicit Ocfs2World(pagecache::World& world);

  static NodeId NodeOf(const pagecache::Inode& inode) { return NodeId{static_cast<uint8_t>(inode.node + 1)}; }
  Cluster& cluster() { return cluster_; }
  Dlm& dlm() { return dlm_; }
  DownconvertWorker& worker(NodeId node) { return *workers_[Index(node)]; }
  lockdep::LockClassId alloc_class() const { return alloc_class_; }
  enum class LockKind : uint8_t { kRw, kMeta, kData };
  ResourceId NewResource(LockKind kind, uint32_t number);
  // The resource of an inode's lock: a new one on node 0, which comes first, and what that one has (`first`) on others.
  ResourceId ResourceOf(LockKind kind, const pagecache::Inode& inode, const ResourceId* first) {
    return first != nullptr ? *first : NewResource(kind, inode.disk.number);
  }

  Journal& journal(const pagecache::Inode& inode) { return *journals_[Index(NodeOf(inode))]; }

  // By task: what a historical protocol remembers between the hooks of one operation.
  std::array<bool, kTasksMax> submitted{};

 private:
  Cluster cluster_;
  Dlm dlm_;
  NodeRecovery recovery_;
  PerNode<std::unique_ptr<DownconvertWorker>> workers_;
  PerNode<std::unique_ptr<Journal>> journals_;
  lockdep::LockClassId rw_class_;
  lockdep::LockClassId meta_class_;
  lockdep::LockClassId alloc_class_;
  std::optional<lockdep::LockClassId> data_class_;
};

struct Ocfs2LockHooks {
  ClusterLockUser meta;
  std::optional<ClusterLockUser> data;  // of a protocol whose pages have a cluster lock of their own
  ClusterLockBugs bugs;
};

class Ocfs2Inode : public pagecache::FileSystemInodeState {
 public:
  // `first`: the same file's state on node 0, whose resources it shares; null on node 0.
  Ocfs2Inode(pagecache::World& world, pagecache::Inode& inode, const Ocfs2Inode* first, Ocfs2LockHooks hooks);

  // The current task acts on this node from now on.
  void LockRw(DlmMode mode, lockdep::Site site = lockdep::Site::Here());
  void UnlockRw(DlmMode mode, lockdep::Site site = lockdep::Site::Here()) { rw_.Unlock(mode, site); }
  void LockMeta(DlmMode mode, lockdep::Site site = lockdep::Site::Here());
  // False, without it, if it would have to wait.
  bool TryLockMeta(DlmMode mode, lockdep::Site site = lockdep::Site::Here());
  void UnlockMeta(DlmMode mode, lockdep::Site site = lockdep::Site::Here()) { meta_.Unlock(mode, site); }

  // Only with Ocfs2LockHooks::data; ordered after the inode lock.
  void LockData(DlmMode mode, lockdep::Site site = lockdep::Site::Here());
  bool TryLockData(DlmMode mode, lockdep::Site site = lockdep::Site::Here());
  void UnlockData(DlmMode mode, lockdep::Site site = lockdep::Site::Here()) { data_->Unlock(mode, site); }

  RwSemaphore alloc;  // ip_alloc_sem
  const ClusterLock& meta() const { return meta_; }
  const ClusterLock& rw() const { return rw_; }
  const ClusterLock& of_pages() const { return data_.has_value() ? *data_ : meta_; }  // which protects them

 private:
  Cluster& cluster_;
  const NodeId node_;
  const ResourceId rw_resource_;
  const ResourceId meta_resource_;
  ClusterLock rw_;
  ClusterLock meta_;
  ResourceId data_resource_{};
  std::optional<ClusterLock> data_;
};

inline Ocfs2World& OcfsWorld(const pagecache::World& world) { return static_cast<Ocfs2World&>(*world.fs_state()); }
inline Ocfs2Inode& OcfsInode(const pagecache::Inode& inode) { return static_cast<Ocfs2Inode&>(*inode.fs_state); }

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_OCFS2_OCFS2_STATE_H_
