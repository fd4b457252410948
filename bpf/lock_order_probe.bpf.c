// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// lock_order_probe: which XFS locks and mmap_locks are acquired while which others are held.
//
// Attaches: tp_btf xfs_ilock, xfs_ilock_nowait, xfs_ilock_demote, xfs_iunlock, mmap_lock_acquire_returned,
//           mmap_lock_released.
// Output:   hash map `edges` (ordeal_edge_key -> ordeal_edge_value), arrays `acquired` and `counters`. Nothing is
//           streamed, so a busy machine loses nothing; what does not fit is counted.
// Loses:    see ordeal_counter: each way has a number, reported even when it is 0.
// Needs:    kernel >= 5.12 (task storage, pointers as arguments of global functions), BTF; no vmlinux.h.
//
// What the events mean: xfs_ilock fires before it blocks, which is when an order is decided anyway. xfs_ilock_nowait
// fires before its outcome is known: the lock is held *tentatively*. A trylock never waits, so nothing leads into it;
// what leads out of it is kept beside it, and counts once its unlock shows that it had been acquired.
// The VFS takes some IOLOCKs and MMAPLOCKs itself, without an event: their unlock alone may be seen.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lock_order_record.h"

// The functions that loop are global on purpose: the verifier then looks at each once, not once for each way to call it.
char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define S_IFMT 0170000
#define S_IFDIR 0040000

#define bool _Bool
#define FIELDS_WE_READ __attribute__((preserve_access_index))
struct task_struct;
struct mm_struct;
struct super_block {
  __u32 s_dev;
} FIELDS_WE_READ;
struct xfs_mount {
  struct super_block *m_super;
} FIELDS_WE_READ;
struct inode {
  unsigned short i_mode;
} FIELDS_WE_READ;
struct xfs_inode {
  struct xfs_mount *i_mount;
  __u64 i_ino;
  struct inode i_vnode;
} FIELDS_WE_READ;

// The file system to record, as the kernel numbers devices inside (major << 20 | minor).
const volatile __u32 device_wanted = 0;

struct pending_edge {
  struct ordeal_edge_key key;
  __u64 to_caller;  // of the first sighting
  __u64 count;
};

struct held_lock {
  __u64 instance;  // inode number, or address of the mm
  __u64 caller;
  __u8 lock_class;
  __u8 subclass;
  __u8 mode;
  __u8 tentative;
  __u32 pending;  // how many of `edges` there are
  struct pending_edge edges[ORDEAL_PENDING_MAX];
};

struct task_locks {
  __u32 depth;
  __u32 zero;
  struct held_lock held[ORDEAL_HELD_MAX];
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct task_locks);
} locks_of_task SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct ordeal_edge_key);
  __type(value, struct ordeal_edge_value);
} edges SEC(".maps");

// Thread-group ids whose mmap_locks are recorded.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, __u8);
} processes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, ORDEAL_NODES_MAX);
  __type(key, __u32);
  __type(value, __u64);
} acquired SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, ORDEAL_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

static void count_n(__u32 counter, __u64 n) {
  __u64 *value = bpf_map_lookup_elem(&counters, &counter);
  if (value) *value += n;
}
static void count(__u32 counter) { count_n(counter, 1); }

static struct task_locks *current_locks(int create) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct task_locks *locks =
      bpf_task_storage_get(&locks_of_task, task, 0, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
  if (!locks && create) count(ORDEAL_TASK_STATE_LOST);
  return locks;
}

__noinline int add_edge(const struct ordeal_edge_key *key, __u64 from_caller, __u64 to_caller, __u64 times) {
  if (!key) return 0;
  struct ordeal_edge_value first = {.count = 0, .from_caller = from_caller, .to_caller = to_caller};
  struct ordeal_edge_value *value = bpf_map_lookup_elem(&edges, key);
  if (!value) {
    bpf_map_update_elem(&edges, key, &first, BPF_NOEXIST);
    value = bpf_map_lookup_elem(&edges, key);
  }
  if (!value) {
    count(ORDEAL_EDGES_LOST);
    return 0;
  }
  __sync_fetch_and_add(&value->count, times);
  return 0;
}

__noinline int commit_pending(struct held_lock *lock) {
  if (!lock) return 0;
  for (__u32 i = 0; i < ORDEAL_PENDING_MAX; i++) {
    if (i >= lock->pending) break;
    struct ordeal_edge_key key = lock->edges[i].key;
    add_edge(&key, lock->caller, lock->edges[i].to_caller, lock->edges[i].count);
  }
  lock->pending = 0;
  lock->tentative = 0;
  return 0;
}

static __u8 relation_of(const struct held_lock *from, __u64 to_instance, __u8 to_class) {
  if ((from->lock_class == ORDEAL_MMAP_LOCK) != (to_class == ORDEAL_MMAP_LOCK)) return ORDEAL_UNRELATED;
  if (from->instance == to_instance) return ORDEAL_SAME;
  if (to_class == ORDEAL_MMAP_LOCK) return ORDEAL_UNRELATED;
  return from->instance < to_instance ? ORDEAL_ASCENDING : ORDEAL_DESCENDING;
}

static int same_key(const struct ordeal_edge_key *a, const struct ordeal_edge_key *b) {
  return a->from_class == b->from_class && a->from_subclass == b->from_subclass && a->from_mode == b->from_mode &&
         a->to_class == b->to_class && a->to_subclass == b->to_subclass && a->to_mode == b->to_mode &&
         a->relation == b->relation;
}

__noinline int add_pending(struct held_lock *lock, const struct ordeal_edge_key *key, __u64 to_caller) {
  if (!lock || !key) return 0;
  for (__u32 i = 0; i < ORDEAL_PENDING_MAX; i++) {
    struct pending_edge *edge = &lock->edges[i];
    if (i < lock->pending) {
      if (!same_key(&edge->key, key)) continue;
      edge->count++;
      return 0;
    }
    edge->key = *key;
    edge->to_caller = to_caller;
    edge->count = 1;
    lock->pending = i + 1;
    return 0;
  }
  count(ORDEAL_PENDING_OVERFLOW);
  return 0;
}

// Takes entry `index` out and moves the newer ones down: locks may be released in any order.
__noinline int remove_at(struct task_locks *locks, __u32 index) {
  if (!locks) return 0;
  for (__u32 i = 0; i + 1 < ORDEAL_HELD_MAX; i++) {
    if (i < index) continue;
    if (i + 1 >= locks->depth) break;
    locks->held[i] = locks->held[i + 1];
  }
  if (locks->depth > 0) locks->depth--;
  return 0;
}

// An inode that is being made has no type yet, one that is being freed has none any more: the lock taken of a file may be
// released of a directory.
static __u32 kind_of(__u32 lock_class) {
  if (lock_class == ORDEAL_DIR_IOLOCK) return ORDEAL_IOLOCK;
  if (lock_class == ORDEAL_DIR_ILOCK) return ORDEAL_ILOCK;
  return lock_class;
}

// The newest entry of that lock, or -1.
__noinline int find_held(struct task_locks *locks, __u64 instance, __u32 lock_class) {
  int found = -1;
  if (!locks) return -1;
  for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
    if (i >= locks->depth) break;
    if (locks->held[i].instance != instance) continue;
    if (kind_of(locks->held[i].lock_class) == kind_of(lock_class)) found = (int)i;
  }
  return found;
}

__noinline int forget_oldest_trylock(struct task_locks *locks) {
  if (!locks) return 0;
  for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
    if (i >= locks->depth) break;
    if (!locks->held[i].tentative) continue;
    count(ORDEAL_TRYLOCKS_FORGOTTEN);
    count_n(ORDEAL_PENDING_DROPPED, locks->held[i].pending);
    remove_at(locks, i);
    return 1;
  }
  return 0;
}

struct acquisition {
  __u64 instance;
  __u64 caller;
  __u8 lock_class;
  __u8 subclass;
  __u8 mode;
  __u8 tentative;
  __u32 zero;
};

__noinline int add_edges_into(struct task_locks *locks, const struct acquisition *lock) {
  if (!locks || !lock) return 0;
  struct ordeal_edge_key key = {
      .to_class = lock->lock_class, .to_subclass = lock->subclass, .to_mode = lock->mode};
  for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
    if (i >= locks->depth) break;
    struct held_lock *from = &locks->held[i];
    key.from_class = from->lock_class;
    key.from_subclass = from->subclass;
    key.from_mode = from->mode;
    key.relation = relation_of(from, lock->instance, lock->lock_class);
    if (from->tentative) {
      add_pending(from, &key, lock->caller);
    } else {
      add_edge(&key, from->caller, lock->caller, 1);
    }
  }
  return 0;
}

__noinline int push(struct task_locks *locks, const struct acquisition *lock) {
  if (!locks || !lock) return 0;
  // A task cannot ask again for a lock that it holds exclusively: an undecided trylock of it had failed.
  int again = find_held(locks, lock->instance, lock->lock_class);
  if (again >= 0 && again < ORDEAL_HELD_MAX && locks->held[again].tentative) {
    count(ORDEAL_TRYLOCKS_REFUTED);
    count_n(ORDEAL_PENDING_DROPPED, locks->held[again].pending);
    remove_at(locks, again);
  }
  if (!lock->tentative) add_edges_into(locks, lock);
  if (locks->depth >= ORDEAL_HELD_MAX) forget_oldest_trylock(locks);
  __u32 top = locks->depth;
  if (top >= ORDEAL_HELD_MAX) {
    count(ORDEAL_HELD_OVERFLOW);
    return 0;
  }
  struct held_lock *slot = &locks->held[top];
  slot->instance = lock->instance;
  slot->caller = lock->caller;
  slot->lock_class = lock->lock_class;
  slot->subclass = lock->subclass;
  slot->mode = lock->mode;
  slot->tentative = lock->tentative;
  slot->pending = 0;
  locks->depth = top + 1;
  __u32 node = ordeal_node_index(lock->lock_class, lock->subclass, lock->mode);
  __u64 *times = bpf_map_lookup_elem(&acquired, &node);
  if (times) __sync_fetch_and_add(times, 1);
  return 0;
}

__noinline int release(struct task_locks *locks, __u64 instance, __u32 lock_class) {
  int at = find_held(locks, instance, lock_class);
  if (!locks || at < 0 || at >= ORDEAL_HELD_MAX) {
    if (lock_class == ORDEAL_MMAP_LOCK) {
      count(ORDEAL_RELEASE_OF_EARLIER);
    } else {
      count(kind_of(lock_class) == ORDEAL_ILOCK ? ORDEAL_UNLOCK_WITHOUT_LOCK : ORDEAL_UNLOCK_VFS_HELD);
    }
    return 0;
  }
  if (locks->held[at].tentative) {
    count(ORDEAL_TRYLOCKS_CONFIRMED);
    commit_pending(&locks->held[at]);
  }
  return remove_at(locks, at);
}

static int of_our_file_system(struct xfs_inode *inode) {
  count(ORDEAL_EVENTS_SEEN);
  if (inode->i_mount->m_super->s_dev != device_wanted) return 0;
  count(ORDEAL_EVENTS_USED);
  return 1;
}

static int is_directory(struct xfs_inode *inode) { return (inode->i_vnode.i_mode & S_IFMT) == S_IFDIR; }

static __always_inline int on_ilock(struct xfs_inode *inode, __u32 flags, __u64 caller, __u8 tentative) {
  if (!of_our_file_system(inode)) return 0;
  struct task_locks *locks = current_locks(1);
  if (!locks) return 0;
  struct acquisition lock = {.instance = inode->i_ino, .caller = caller, .tentative = tentative};
  const int directory = is_directory(inode);
  for (int i = 0; i < ORDEAL_LOCK_PARTS; i++) {
    struct ordeal_lock_part part = ordeal_decode_lock_flags(flags, i, directory);
    if (!part.lock_class) continue;
    if (tentative) count(ORDEAL_TRYLOCKS);
    lock.lock_class = part.lock_class;
    lock.subclass = part.subclass;
    lock.mode = part.mode;
    push(locks, &lock);
  }
  return 0;
}

SEC("tp_btf/xfs_ilock")
int BPF_PROG(on_xfs_ilock, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  return on_ilock(inode, flags, caller, 0);
}

SEC("tp_btf/xfs_ilock_nowait")
int BPF_PROG(on_xfs_ilock_nowait, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  return on_ilock(inode, flags, caller, 1);
}

SEC("tp_btf/xfs_iunlock")
int BPF_PROG(on_xfs_iunlock, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  if (!of_our_file_system(inode)) return 0;
  struct task_locks *locks = current_locks(0);
  const __u64 instance = inode->i_ino;
  const int directory = is_directory(inode);
  for (int i = 0; i < ORDEAL_LOCK_PARTS; i++) {
    struct ordeal_lock_part part = ordeal_decode_lock_flags(flags, i, directory);
    if (part.lock_class) release(locks, instance, part.lock_class);
  }
  return 0;
}

SEC("tp_btf/xfs_ilock_demote")
int BPF_PROG(on_xfs_ilock_demote, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  if (!of_our_file_system(inode)) return 0;
  struct task_locks *locks = current_locks(0);
  const int directory = is_directory(inode);
  for (int i = 0; i < ORDEAL_LOCK_PARTS; i++) {
    struct ordeal_lock_part part = ordeal_decode_lock_flags(flags, i, directory);
    if (!part.lock_class) continue;
    int at = find_held(locks, inode->i_ino, part.lock_class);
    if (!locks || at < 0 || at >= ORDEAL_HELD_MAX) {
      count(ORDEAL_DEMOTE_WITHOUT_LOCK);
      continue;
    }
    // Only the holder of an acquired lock can demote it.
    if (locks->held[at].tentative) {
      count(ORDEAL_TRYLOCKS_CONFIRMED);
      commit_pending(&locks->held[at]);
    }
    locks->held[at].mode = ORDEAL_SHARED;
  }
  return 0;
}

static int of_our_processes(void) {
  count(ORDEAL_EVENTS_SEEN);
  __u32 process = bpf_get_current_pid_tgid() >> 32;
  if (!bpf_map_lookup_elem(&processes, &process)) return 0;
  count(ORDEAL_EVENTS_USED);
  return 1;
}

// As a number: the verifier lets no pointer into the arguments of a global function.
static __u64 address_of(struct mm_struct *mm) {
  __u64 address = 0;
  bpf_probe_read_kernel(&address, sizeof(address), &mm);
  return address;
}

SEC("tp_btf/mmap_lock_acquire_returned")
int BPF_PROG(on_mmap_lock_acquired, struct mm_struct *mm, bool write, bool success) {
  if (!of_our_processes()) return 0;
  if (!success) {
    count(ORDEAL_MMAP_LOCK_FAILED);
    return 0;
  }
  struct task_locks *locks = current_locks(1);
  if (!locks) return 0;
  const __u64 instance = address_of(mm);
  int at = find_held(locks, instance, ORDEAL_MMAP_LOCK);
  // mmap_write_downgrade has no event of its own: it shows as a shared acquisition by the exclusive holder.
  if (!write && at >= 0 && at < ORDEAL_HELD_MAX && locks->held[at].mode == ORDEAL_EXCLUSIVE) {
    locks->held[at].mode = ORDEAL_SHARED;
    return 0;
  }
  struct acquisition lock = {.instance = instance,
                             .lock_class = ORDEAL_MMAP_LOCK,
                             .mode = write ? ORDEAL_EXCLUSIVE : ORDEAL_SHARED};
  push(locks, &lock);
  return 0;
}

SEC("tp_btf/mmap_lock_released")
int BPF_PROG(on_mmap_lock_released, struct mm_struct *mm, bool write) {
  if (!of_our_processes()) return 0;
  release(current_locks(0), address_of(mm), ORDEAL_MMAP_LOCK);
  return 0;
}
