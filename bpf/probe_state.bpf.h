// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The maps of the probe, what it keeps of each task, its counters and its filters. Included by lock_order_probe.bpf.c alone.
//
// Functions that loop are global on purpose (__noinline, not static): the verifier then looks at each once, not once for each
// way to call it. Only a program itself may take a stack (global functions have no context), so they leave a note in the
// task's state of what a stack is wanted for, and the program calls FINISH at its end.
#ifndef ORDEAL_BPF_PROBE_STATE_BPF_H_
#define ORDEAL_BPF_PROBE_STATE_BPF_H_

#define S_IFMT 0170000
#define S_IFDIR 0040000

#define bool _Bool
#define FIELDS_WE_READ __attribute__((preserve_access_index))
struct rw_semaphore {
  int owner;
} FIELDS_WE_READ;
struct super_block {
  __u32 s_dev;
} FIELDS_WE_READ;
struct xfs_mount {
  struct super_block *m_super;
} FIELDS_WE_READ;
struct inode;
struct address_space {
  struct inode *host;
  struct rw_semaphore invalidate_lock;
} FIELDS_WE_READ;
struct inode {
  unsigned short i_mode;
  unsigned long i_ino;
  struct super_block *i_sb;
  struct address_space *i_mapping;
  struct rw_semaphore i_rwsem;
} FIELDS_WE_READ;
struct xfs_inode {
  struct xfs_mount *i_mount;
  __u64 i_ino;
  struct rw_semaphore i_lock;
  struct inode i_vnode;
} FIELDS_WE_READ;
struct folio {
  struct address_space *mapping;
  unsigned long index;
} FIELDS_WE_READ;
struct mm_struct {
  struct rw_semaphore mmap_lock;
} FIELDS_WE_READ;
struct atomic_value {
  int counter;
} FIELDS_WE_READ;
struct signal_struct {
  struct atomic_value live;
} FIELDS_WE_READ;
struct task_struct {
  int pid;
  int tgid;
  char comm[16];
  struct signal_struct *signal;
} FIELDS_WE_READ;

// What to record; set by the loader. device_wanted: as the kernel numbers devices inside (major << 20 | minor), 0: all.
const volatile __u32 device_wanted = 0;
const volatile __u8 processes_wanted = 0;  // only tasks of the map `processes`
const volatile __u8 spin_waits_wanted = 0;
const volatile __u8 waits_come_from_lock_events = 0;
const volatile __u8 lock_events_wanted = 0;  // every lock of the kernel is an event: see lock_tasks
const volatile char comm_wanted[16] = {};  // also processes that come to be called so

// Stacks are taken of the first acquisitions of a class and, when an edge lacks the stack of its first lock, of the next ones.
#define STACKS_AT_FIRST 4
#define STACKS_FOR_EDGE 64

struct pending_edge {
  struct ordeal_edge_key key;
  __u64 to_caller;
  __u64 count;
  __s32 to_stack;
  __u32 slot;  // of the lock that is tentatively held
};

struct held_lock {
  __u64 object;  // address of the inode, mm or lockdep map
  __u64 number;  // inode number; 0: none
  __u64 caller;
  __u64 since_ns;     // 0: not timed
  __u32 since_ticks;  // the kernel's
  __u32 node;
  __s32 stack;
  __u8 tentative;
  __u8 sample;
  __u16 unused;
};

struct wait {
  __u64 lock;
  __u64 since_ns;
  __u32 node;
  __s32 stack;
  __u32 flags;
  __u32 zero;
};

// A lock that the task has asked for: its address tells what contention is about.
struct attempt {
  __u64 lock;
  __u32 node;
  __u32 slot;  // 1 + index into `held`; 0: none yet
};

#define ATTEMPT_MMAP_LOCK 3
#define ATTEMPTS_MAX 4
#define EDGE_NOTES_MAX 4
#define EXCLUSIVE_MAX 2

struct exclusive_lock {
  __u64 inode_number;
  __u64 caller;
  __u32 device;
  __u32 granted;  // a trylock that has succeeded
};

struct task_state {
  __u32 used;     // bit set of `held`
  __u32 pending;  // bit set of `edges`
  __u32 selected;
  __u32 waiting;  // bit set of `waits`
  __u64 exclusive[EXCLUSIVE_MAX];  // mappings whose invalidate lock the task holds exclusively, or asks for
  struct exclusive_lock exclusive_info[EXCLUSIVE_MAX];
  struct attempt attempts[ATTEMPTS_MAX];
  __u64 mmap_asked;   // the mm of an mmap_lock that was asked for
  __u64 mmap_waited;  // and had to be waited for
  __u64 mmap_failed;  // the mm whose lock the task could not get, last
  // What a stack is wanted for: FINISH.
  __u32 edge_notes;
  __u32 held_note;  // 1 + slot
  __u32 node_note;  // 1 + node
  __u32 acquisitions;
  __u64 scratch;
  struct ordeal_edge_key edge_note[EDGE_NOTES_MAX];
  struct held_lock held[ORDEAL_HELD_MAX];
  struct wait waits[ORDEAL_WAITS_MAX];
  struct pending_edge edges[ORDEAL_PENDING_MAX];
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct task_state);
} tasks SEC(".maps");

// Instead of `tasks` with lock events, by address of the task: those come where nothing may be allocated (inside the allocator,
// under the run queue's lock), and this map has its memory beforehand.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);  // the loader makes it larger for lock events
  __type(key, __u64);
  __type(value, struct task_state);
} lock_tasks SEC(".maps");

// Too large for a program's stack; stays zero.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct task_state);
} no_task_state SEC(".maps");

// Whether one of our programs runs on this processor: the locks that it takes itself (of maps) are events, too, and belong to
// nobody. Programs on tracepoints are not preempted, so everything that finds it set is that, or an interrupt.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} busy SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 8192);  // the loader makes it larger for lock events
  __type(key, struct ordeal_edge_key);
  __type(value, struct ordeal_edge_value);
} edges SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, ORDEAL_FIRST_EDGES);
  __type(key, __u32);
  __type(value, struct ordeal_first_edge);
} first_edges SEC(".maps");

// Thread-group ids.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, __u8);
} processes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, ORDEAL_EVENT_NODES);  // the loader makes it larger for lock events
  __type(key, __u32);
  __type(value, struct ordeal_node_value);
} nodes SEC(".maps");

// How many more stacks to take, by hash of class and caller.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u32);
} stack_budgets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 16384);  // the loader makes it larger for lock events
  __uint(key_size, sizeof(__u32));
  __uint(value_size, ORDEAL_STACK_DEPTH * sizeof(__u64));
} stacks SEC(".maps");

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

// As a number: the verifier lets no pointer into the arguments of a global function, and what was in a map is a number.
// (Asking bpf_probe_read_kernel for it takes ten times as long.)
#define ADDRESS_OF(state, pointer) \
  ({                               \
    *(volatile __u64 *)&(state)->scratch = (__u64)(pointer); \
    *(volatile __u64 *)&(state)->scratch; \
  })

// Returns 0 if one of our programs runs on this processor already; else leave() is called at the end.
static int enter(void) {
  __u32 zero = 0;
  volatile __u32 *flag = bpf_map_lookup_elem(&busy, &zero);
  if (!flag || *flag) return 0;
  *flag = 1;
  return 1;
}
static void leave(void) {
  __u32 zero = 0;
  volatile __u32 *flag = bpf_map_lookup_elem(&busy, &zero);
  if (flag) *flag = 0;
}

static struct task_state *lock_state_of_current(int create) {
  __u64 task = bpf_get_current_task();
  __u32 zero = 0;
  struct task_state *state = bpf_map_lookup_elem(&lock_tasks, &task);
  if (state || !create) return state;
  struct task_state *none = bpf_map_lookup_elem(&no_task_state, &zero);
  if (none) bpf_map_update_elem(&lock_tasks, &task, none, BPF_NOEXIST);
  state = bpf_map_lookup_elem(&lock_tasks, &task);
  if (!state) count(ORDEAL_TASK_STATE_LOST);
  return state;
}

static struct task_state *state_of_current(int create) {
  if (lock_events_wanted) return lock_state_of_current(create);
  struct task_struct *task = bpf_get_current_task_btf();
  struct task_state *state = bpf_task_storage_get(&tasks, task, 0, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
  if (!state && create) count(ORDEAL_TASK_STATE_LOST);
  return state;
}

static int process_is_selected(void) {
  __u32 process = bpf_get_current_pid_tgid() >> 32;
  return bpf_map_lookup_elem(&processes, &process) != 0;
}

// The state of the current task, if a process' events are wanted: of the processes chosen; else, if a file system was chosen,
// of tasks that have used it; else of all. Being chosen is remembered, not being chosen may change.
static struct task_state *selected_state(void) {
  struct task_state *state = state_of_current(0);
  if (processes_wanted) {
    if (state && state->selected) return state;
    if (!process_is_selected()) return 0;
    if (!state) state = state_of_current(1);
    if (state) state->selected = 1;
    return state;
  }
  if (device_wanted) return state;
  return state ? state : state_of_current(1);
}

// The same, counted.
static struct task_state *state_of_event(void) {
  count(ORDEAL_EVENTS_SEEN);
  struct task_state *state = selected_state();
  if (state) count(ORDEAL_EVENTS_USED);
  return state;
}

static __s32 take_stack(void *ctx) {
  // Two stacks may want one place; without its first frames, of which one is the probe's own, a stack gets another one.
  long id = bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP);
  if (id < 0) id = bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP | 1);
  if (id < 0) id = bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP | 2);
  if (id < 0) id = bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP | 3);
  if (id < 0) id = bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP | 4);
  if (id >= 0) return (__s32)id;
  count(ORDEAL_STACKS_LOST);
  return -1;
}

#endif  // ORDEAL_BPF_PROBE_STATE_BPF_H_
