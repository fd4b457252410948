// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// lock_order_probe: which locks are acquired while which others are held, how long they are held and waited for, and whether
// a page is added while a mapping's invalidate lock is held exclusively.
//
// Attaches: tp_btf xfs_ilock, xfs_ilock_nowait, xfs_ilock_demote, xfs_iunlock; mmap_lock_start_locking,
//           mmap_lock_acquire_returned, mmap_lock_released; contention_begin, contention_end; mm_filemap_add_to_page_cache,
//           mm_filemap_delete_from_page_cache; sched_process_fork, sched_process_exec, sched_process_exit, sched_process_free.
//           With lock debugging, instead of the first seven: lock_acquire, lock_release, lock_contended, lock_acquired.
//           What a kernel lacks is not loaded (lock_order_probe.cc).
// Output:   hash maps `edges`, `waits`, `mmap_sites`, arrays `nodes`, `counters`, `page_findings`, stacks: lock_order_record.h.
//           Nothing is streamed, so a busy machine loses nothing; what does not fit is counted.
// Loses:    see ordeal_counter: each way has a number, reported even when it is 0.
// Needs:    kernel >= 5.12 (task storage, pointers as arguments of global functions), BTF; no vmlinux.h. With lock debugging one
//           that does not run a program within itself (6.1.x; upstream 6.2): its own locks are events.
//
// What the events mean: xfs_ilock fires before it blocks, which is when an order is decided anyway. xfs_ilock_nowait
// fires before its outcome is known. mmap_lock_start_locking fires for trylocks, too. The VFS takes some IOLOCKs and
// MMAPLOCKs itself, without an event: their unlock alone may be seen.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lock_order_record.h"
#include "page_check.h"
#include "probe_state.bpf.h"
#include "probe_orders.bpf.h"
#include "probe_pages.bpf.h"
#include "probe_waits.bpf.h"
#include "probe_events.bpf.h"
#include "probe_lock_events.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// --- XFS ---

#define OFFSET_OF(type, field) __builtin_preserve_field_info(((struct type *)0)->field, BPF_FIELD_BYTE_OFFSET)

// The state of the current task if the inode is of our file system; else 0.
static __always_inline struct task_state *state_of_inode_event(struct xfs_inode *inode, __u32 *device) {
  count(ORDEAL_EVENTS_SEEN);
  *device = inode->i_mount->m_super->s_dev;
  if (device_wanted && *device != device_wanted) return 0;
  struct task_state *state = !device_wanted && processes_wanted ? selected_state() : state_of_current(1);
  if (state) count(ORDEAL_EVENTS_USED);
  return state;
}

#define FILL_EVENT(event, state, inode, lock_flags, caller_address)                                     \
  do {                                                                                                  \
    (event).object = ADDRESS_OF(state, inode);                                                          \
    (event).number = (inode)->i_ino;                                                                    \
    (event).mapping = ADDRESS_OF(state, (inode)->i_vnode.i_mapping);                                    \
    (event).iolock = (event).object + OFFSET_OF(xfs_inode, i_vnode) + OFFSET_OF(inode, i_rwsem);        \
    (event).mmaplock = (event).mapping + OFFSET_OF(address_space, invalidate_lock);                     \
    (event).ilock = (event).object + OFFSET_OF(xfs_inode, i_lock);                                      \
    (event).caller = caller_address;                                                                    \
    (event).flags = lock_flags;                                                                         \
    (event).directory = ((inode)->i_vnode.i_mode & S_IFMT) == S_IFDIR;                                  \
  } while (0)

SEC("tp_btf/xfs_ilock")
int BPF_PROG(on_xfs_ilock, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  struct inode_event event = {};
  struct task_state *state = state_of_inode_event(inode, &event.device);
  if (!state) return 0;
  FILL_EVENT(event, state, inode, flags, caller);
  return on_ilock(ctx, state, &event, 0);
}

SEC("tp_btf/xfs_ilock_nowait")
int BPF_PROG(on_xfs_ilock_nowait, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  struct inode_event event = {};
  struct task_state *state = state_of_inode_event(inode, &event.device);
  if (!state) return 0;
  FILL_EVENT(event, state, inode, flags, caller);
  return on_ilock(ctx, state, &event, 1);
}

SEC("tp_btf/xfs_iunlock")
int BPF_PROG(on_xfs_iunlock, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  struct inode_event event = {};
  struct task_state *state = state_of_inode_event(inode, &event.device);
  if (!state) return 0;
  FILL_EVENT(event, state, inode, flags, caller);
  return on_iunlock(ctx, state, &event);
}

SEC("tp_btf/xfs_ilock_demote")
int BPF_PROG(on_xfs_ilock_demote, struct xfs_inode *inode, unsigned flags, unsigned long caller) {
  struct inode_event event = {};
  struct task_state *state = state_of_inode_event(inode, &event.device);
  if (!state) return 0;
  FILL_EVENT(event, state, inode, flags, caller);
  return on_idemote(ctx, state, &event);
}

// --- mmap_lock ---

SEC("tp_btf/mmap_lock_start_locking")
int BPF_PROG(on_mmap_lock_asked, struct mm_struct *mm, bool write) {
  struct task_state *state = selected_state();
  if (!state) return 0;
  const __u64 address = ADDRESS_OF(state, mm);
  return on_mmap_asked(ctx, state, address, address + OFFSET_OF(mm_struct, mmap_lock), write);
}

SEC("tp_btf/mmap_lock_acquire_returned")
int BPF_PROG(on_mmap_lock_returned, struct mm_struct *mm, bool write, bool success) {
  struct task_state *state = state_of_event();
  return state ? on_mmap_returned(ctx, state, ADDRESS_OF(state, mm), write, success) : 0;
}

SEC("tp_btf/mmap_lock_released")
int BPF_PROG(on_mmap_lock_released, struct mm_struct *mm, bool write) {
  struct task_state *state = state_of_event();
  return state ? on_mmap_released(ctx, state, ADDRESS_OF(state, mm)) : 0;
}

// --- waiting ---

SEC("tp_btf/contention_begin")
int BPF_PROG(on_contention_begins, void *lock, unsigned int flags) {
  return on_contention_begin(ctx, (__u64)lock, flags);
}

SEC("tp_btf/contention_end")
int BPF_PROG(on_contention_ends, void *lock, int result) {
  return on_contention_end((__u64)lock, result);
}

// --- pages ---

// Whether the current task has the inode's own lock exclusively: it may add pages without the invalidate lock.
static __always_inline int writes_to(struct task_state *state, __u64 host) {
  __u64 object = iolock_map_offset ? host + iolock_map_offset : host - OFFSET_OF(xfs_inode, i_vnode);
  int at = find_held(state, object, iolock_map_offset ? 0 : ORDEAL_IOLOCK);
  if (at < 0 || at >= ORDEAL_HELD_MAX) return 0;
  return ordeal_node_mode(state->held[at].node) == ORDEAL_EXCLUSIVE;
}

static __always_inline int on_page_added(void *ctx, struct task_state *state, __u64 mapping, __u64 host, __u64 index) {
  show_if_exclusive(state);
  int slot = add_page(mapping, index, writes_to(state, host)) - 1;
  if (slot >= 0) complete_suspect(mapping, (__u32)slot, take_stack(ctx));
  return 0;
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(on_folio_added, struct folio *folio) {
  if (!holds_now) return 0;
  struct task_state *state = state_of_current(1);
  if (!state) return 0;
  struct address_space *mapping = folio->mapping;
  const __u64 address = ADDRESS_OF(state, mapping);
  return on_page_added(ctx, state, address, ADDRESS_OF(state, mapping->host), folio->index);
}

SEC("tp_btf/mm_filemap_delete_from_page_cache")
int BPF_PROG(on_folio_removed, struct folio *folio) {
  if (!holds_now) return 0;
  struct task_state *state = state_of_current(0);
  if (!state || !(state->exclusive[0] | state->exclusive[1])) return 0;
  return show_exclusive(state, ADDRESS_OF(state, folio->mapping), folio->index + 1, 1);
}

// --- processes ---

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child) {
  __u32 process = (__u32)parent->tgid, born = (__u32)child->tgid;
  __u8 yes = 1;
  if (process == born || !bpf_map_lookup_elem(&processes, &process) || !enter()) return 0;
  if (bpf_map_update_elem(&processes, &born, &yes, BPF_ANY)) count(ORDEAL_PROCESSES_LOST);
  leave();
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task) {
  char comm[16] = {};
  __u32 process = (__u32)task->tgid;
  __u8 yes = 1;
  if (!comm_wanted[0]) return 0;
  bpf_get_current_comm(comm, sizeof(comm));
  for (int i = 0; i < 16; i++) {
    if (comm[i] != comm_wanted[i]) return 0;
    if (!comm[i]) break;
  }
  if (!enter()) return 0;
  if (bpf_map_update_elem(&processes, &process, &yes, BPF_ANY)) count(ORDEAL_PROCESSES_LOST);
  leave();
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task) {
  struct task_state *state = state_of_current(0);
  __u32 process = (__u32)task->tgid;
  if (state && state->used) {
    __u64 held = 0;
    for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
      // mmap_lock: an address space is taken down after this event on some kernels.
      if (((state->used >> i) & 1) && !state->held[i].tentative) held++;
    }
    count_n(ORDEAL_HELD_AT_EXIT, held);
  }
  if (task->signal->live.counter == 0 && enter()) {
    bpf_map_delete_elem(&processes, &process);
    leave();
  }
  return 0;
}

// --- kernels with lock debugging ---

// A static lock has no key before its first use: lockdep takes its address then.
static __always_inline __u64 key_of(struct lockdep_map *lock, __u64 address) {
  __u64 key = (__u64)lock->key;
  return key ? key : address;
}

SEC("tp_btf/lock_acquire")
int BPF_PROG(on_lock_acquires, struct lockdep_map *lock, unsigned int subclass, int trylock, int read, int check,
             struct lockdep_map *next_lock, unsigned long caller) {
  if (!recording || left_out_of_interrupt() || !enter()) return 0;
  struct task_state *state = state_of_event();
  if (state) {
    struct lock_event event = {.map = ADDRESS_OF(state, lock),
                               .name = (__u64)lock->name,
                               .caller = caller,
                               .subclass = subclass,
                               .mode = read == 0 ? ORDEAL_EXCLUSIVE : read == 1 ? ORDEAL_SHARED : ORDEAL_RECURSIVE,
                               .trylock = trylock != 0,
                               .nested = next_lock != 0};
    event.key = key_of(lock, event.map);
    event.unchecked = check == 0 || event.key == (__u64)&__lockdep_no_validate__;
    on_lock_acquire(ctx, state, &event);
  }
  leave();
  return 0;
}

SEC("tp_btf/lock_release")
int BPF_PROG(on_lock_releases, struct lockdep_map *lock) {
  if (!recording || left_out_of_interrupt() || !enter()) return 0;
  struct task_state *state = state_of_event();
  if (state) {
    __u64 address = ADDRESS_OF(state, lock);
    on_lock_release(ctx, state, address, key_of(lock, address));
  }
  leave();
  return 0;
}

SEC("tp_btf/lock_contended")
int BPF_PROG(on_lock_contends, struct lockdep_map *lock) {
  if (!recording || in_interrupt() || !enter()) return 0;
  struct task_state *state = selected_state();
  if (state) on_lock_contended(state, ADDRESS_OF(state, lock));
  leave();
  return 0;
}

SEC("tp_btf/lock_acquired")
int BPF_PROG(on_lock_is_acquired, struct lockdep_map *lock) {
  if (!recording || in_interrupt() || !enter()) return 0;
  struct task_state *state = state_of_current(0);
  if (state) on_lock_acquired(state, ADDRESS_OF(state, lock));
  leave();
  return 0;
}

// The memory of a task is used again: what is known of it goes first. May come in an interrupt of another program.
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task) {
  __u64 address = (__u64)task;
  if (!lock_events_wanted) return 0;
  int entered = enter();
  bpf_map_delete_elem(&lock_tasks, &address);
  if (entered) leave();
  return 0;
}

// --- tests ---

// Runs one event of made-up objects in the current task: tests plant with it what a sound kernel never does. Loaded only for
// them, and never attached.
SEC("raw_tp")
int drive(__u64 *arguments) {
  struct task_state *state = state_of_current(1);
  if (!state) return 0;
  struct inode_event inode = {.object = arguments[1],
                              .number = arguments[2],
                              .mapping = arguments[1] + 8,
                              .iolock = arguments[1] + 16,
                              .mmaplock = arguments[1] + 24,
                              .ilock = arguments[1] + 32,
                              .flags = (__u32)arguments[3],
                              .caller = arguments[4]};
  struct lock_event lock = {.map = arguments[1],
                            .key = arguments[2],
                            .name = arguments[3],
                            .caller = arguments[4],
                            .subclass = (__u32)arguments[5],
                            .mode = (__u32)arguments[6] & 3,
                            .trylock = arguments[7] != 0,
                            .name_of_user = 1};
  switch (arguments[0]) {
    case ORDEAL_DRIVE_ILOCK: return on_ilock(arguments, state, &inode, 0);
    case ORDEAL_DRIVE_ILOCK_NOWAIT: return on_ilock(arguments, state, &inode, 1);
    case ORDEAL_DRIVE_IUNLOCK: return on_iunlock(arguments, state, &inode);
    case ORDEAL_DRIVE_IDEMOTE: return on_idemote(arguments, state, &inode);
    case ORDEAL_DRIVE_MMAP_ASKED: return on_mmap_asked(arguments, state, arguments[1], arguments[1] + 8, arguments[3] != 0);
    case ORDEAL_DRIVE_MMAP_RETURNED: return on_mmap_returned(arguments, state, arguments[1], arguments[3] != 0, arguments[4] != 0);
    case ORDEAL_DRIVE_MMAP_RELEASED: return on_mmap_released(arguments, state, arguments[1]);
    case ORDEAL_DRIVE_WAIT_BEGINS: return on_contention_begin(arguments, arguments[1], (__u32)arguments[3]);
    case ORDEAL_DRIVE_WAIT_ENDS: return on_contention_end(arguments[1], (int)arguments[3]);
    case ORDEAL_DRIVE_LOCK_ACQUIRE: return on_lock_acquire(arguments, state, &lock);
    case ORDEAL_DRIVE_LOCK_RELEASE: return on_lock_release(arguments, state, arguments[1], arguments[2]);
    case ORDEAL_DRIVE_LOCK_CONTENDED: return on_lock_contended(state, arguments[1]);
    case ORDEAL_DRIVE_LOCK_ACQUIRED: return on_lock_acquired(state, arguments[1]);
  }
  return 0;
}

// Of the inode whose object is `arguments[1]`, as above.
SEC("raw_tp")
int drive_page(__u64 *arguments) {
  const __u64 mapping = arguments[1] + 8, host = arguments[1] + OFFSET_OF(xfs_inode, i_vnode);
  struct task_state *state = state_of_current(1);
  if (!state) return 0;
  if (arguments[0] == ORDEAL_DRIVE_PAGE_ADDED) return on_page_added(arguments, state, mapping, host, arguments[2]);
  if (arguments[0] == ORDEAL_DRIVE_PAGE_REMOVED) show_exclusive(state, mapping, arguments[2] + 1, 1);
  return 0;
}
