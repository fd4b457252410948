// An inode with its mapping (page tree) and its extent map.
//
// Thread-safety: tasks of one simulation.
// Invariants:    extents change only under extent_lock held exclusively; a folio is in pages[index] exactly while its mapping
//                pointer says so; nrpages counts them. On a cluster each node has an Inode of its own for a DiskInode.
// Example:       inode.i_rwsem.LockShared(); ... inode.mapping.invalidate_lock.LockShared();
#ifndef ORDEAL_HARNESS_PAGECACHE_INODE_H_
#define ORDEAL_HARNESS_PAGECACHE_INODE_H_

#include <array>
#include <cstdint>
#include <memory>

#include "harness/pagecache/folio.h"
#include "harness/sync/rw_semaphore.h"
#include "harness/sync/spinlock.h"
#include "harness/sync/wait_queue.h"
#include "lockdep/graph/site.h"

namespace ordeal::pagecache {

inline constexpr uint32_t kFilePagesMax = 16;  // of one file; 64 cells
inline constexpr int64_t kTickNs = 100 * kStepNs;  // of the clock that gives times of change

class Inode;

// i_pages, the page tree and invalidate_lock (struct address_space).
class AddressSpace {
 public:
  AddressSpace(Simulation& sim, const LockClasses& classes, Inode& inode, uint32_t number, StealRule steal)
      : host(inode),
        invalidate_lock(sim, classes.invalidate_lock, "invalidate_lock of inode", number, steal),
        i_pages(sim, classes.i_pages, "i_pages of inode", number) {}

  Inode& host;
  RwSemaphore invalidate_lock;
  Spinlock i_pages;
  std::array<Folio*, kFilePagesMax> pages{};
  uint32_t nrpages = 0;
  uint32_t wb_err = 0;       // counts reported write-back and invalidation failures (errseq)
  uint32_t wb_err_seen = 0;  // what fsync has reported
};

enum class ExtentKind : uint8_t {
  kHole,
  kDelalloc,   // reserved: data is in the cache only
  kUnwritten,  // a block is allocated; reads as zeros
  kWritten,
};
struct Extent {
  ExtentKind kind = ExtentKind::kHole;
  uint32_t block = 0;  // of kUnwritten and kWritten
  bool has_block() const { return kind == ExtentKind::kUnwritten || kind == ExtentKind::kWritten; }
};

enum class InodeType : uint8_t { kRegular, kDirectory };
enum class InodeState : uint8_t { kLive, kFreeing, kFreed };

// The operation that ended last on a file: what a check of the whole world, which no operation made, can name.
struct LastOperation {
  const char* name = "";  // of the World's function, "PunchHole"; empty: none yet
  lockdep::Site site;     // as in its Result
};

// The pages of a file that a truncate or punch has dropped and whose blocks it is about to free: nobody may bring one back.
struct DroppedRange {
  bool active = false;
  uint32_t begin = 0;  // pages
  uint32_t end = 0;
  lockdep::Site site;  // of the operation that drops it
};

// What a file is on disk: one for all nodes of a cluster.
struct DiskInode {
  uint32_t number = 0;  // creation ordinal + 1; owns blocks under it
  uint32_t uid = 0;     // of its stamps
  InodeType type = InodeType::kRegular;
  uint32_t i_size = 0;  // cells; as a node last wrote it back (cluster file systems; others keep it in memory only)
  uint32_t nlink = 1;
  std::array<Extent, kFilePagesMax> extents{};
};

// What a file system keeps with each inode, and with each world, of its own. Made by its hooks, destroyed with the run.
class FileSystemInodeState {
 public:
  virtual ~FileSystemInodeState() = default;
};
class FileSystemState {
 public:
  virtual ~FileSystemState() = default;
};

// An inode in the memory of one node.
class Inode {
 public:
  Inode(Simulation& sim, const LockClasses& classes, uint32_t inode_number, DiskInode& disk_inode, int node_number,
        StealRule steal)
      : number(inode_number),
        uid(disk_inode.uid),
        type(disk_inode.type),
        node(node_number),
        disk(disk_inode),
        i_rwsem(sim, classes.i_rwsem, "i_rwsem of inode", inode_number, steal),
        extent_lock(sim, classes.extent_lock, "extent lock of inode", inode_number, steal),
        dio(sim, classes.inode_dio, "direct I/O of inode", inode_number),
        freeing(sim, classes.inode_freeing, "eviction of inode", inode_number),
        mapping(sim, classes, *this, inode_number, steal),
        id(sim.scheduler().NewObject("inode", inode_number)) {}
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  const uint32_t number;  // creation ordinal + 1; also stands for the address where the kernel orders by address
  const uint32_t uid;     // of its stamps
  const InodeType type;
  const int node;         // of the cluster; 0 without one
  DiskInode& disk;
  RwSemaphore i_rwsem;
  RwSemaphore extent_lock;
  CounterDrain dio;
  WaitQueue freeing;
  AddressSpace mapping;
  const ObjectId id;  // i_size and the other plain state

  uint32_t i_size = 0;  // cells
  std::array<Extent, kFilePagesMax>& extents = disk.extents;
  uint32_t& nlink = disk.nlink;
  int refs = 1;
  int directory = 0;  // of World::MakeDirectories
  InodeState state = InodeState::kLive;
  DroppedRange dropped;
  LastOperation last_operation;
  int64_t changed_tick = -1;  // World::ChangesTime
  uint32_t cow_blocks = 0;  // that writes in flight will put in the place of shared ones
  // How often a folio of each page has been dirtied: a direct write sees from it that the cache was written meanwhile.
  std::array<uint32_t, kFilePagesMax> dirtied{};
  std::unique_ptr<FileSystemInodeState> fs_state;  // of the file system; null if it has none
};

constexpr uint32_t PageOf(uint32_t cell) { return cell / kPageCells; }
constexpr uint32_t PagesFor(uint32_t cells) { return (cells + kPageCells - 1) / kPageCells; }

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_INODE_H_
