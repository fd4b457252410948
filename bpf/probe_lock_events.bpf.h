// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The events of kernels with lock debugging: every lock, with class and subclass. Included by lock_order_probe.bpf.c alone.
//
// lock_acquire comes before the wait of what waits, and after the success of a trylock; lock_release before the release.
// A class is a key; the name that its locks print is read when the key is first seen. Locks taken in interrupts belong to
// another context than the task that was interrupted, and are left out. So are those that lockdep does not check: RCU's, which
// the kernel also takes around each of our programs.
#ifndef ORDEAL_BPF_PROBE_LOCK_EVENTS_BPF_H_
#define ORDEAL_BPF_PROBE_LOCK_EVENTS_BPF_H_

struct lockdep_map {
  void *key;
  const char *name;
} FIELDS_WE_READ;
struct rw_semaphore___debug {
  struct lockdep_map dep_map;
} FIELDS_WE_READ;

// Where the count of interrupts and preemptions is: a variable of each processor. One of the two exists on x86. (A kernel
// without CONFIG_KALLSYMS_ALL does not give its address away; lock debugging selects that.)
struct pcpu_hot {
  int preempt_count;
} FIELDS_WE_READ;
extern const int __preempt_count __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;
// The key of locks that are not to be checked.
extern const void __lockdep_no_validate__ __ksym __weak;
#define IN_INTERRUPT 0x00ff0100  // NMI, hard interrupt, softirq being served

static __always_inline int in_interrupt(void) {
  if (&__preempt_count) return (*(const int *)bpf_this_cpu_ptr(&__preempt_count) & IN_INTERRUPT) != 0;
  if (&pcpu_hot) return (((const struct pcpu_hot *)bpf_this_cpu_ptr(&pcpu_hot))->preempt_count & IN_INTERRUPT) != 0;
  return 0;
}

static __always_inline int left_out_of_interrupt(void) {
  if (!in_interrupt()) return 0;
  count(ORDEAL_IN_INTERRUPT);
  return 1;
}

// By address of the key.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, ORDEAL_NAMED_CLASSES_MAX);
  __type(key, __u64);
  __type(value, struct ordeal_named_class);
} named_classes SEC(".maps");

__u32 named_classes_count = 0;

// Set while all programs are attached. They are attached one after the other: a lock that is acquired in between, with its
// release not seen, would be held for ever.
__u32 recording = 0;

struct lock_event {
  __u64 map;  // address of the lockdep map
  __u64 key;
  __u64 name;
  __u64 caller;
  __u32 subclass;
  __u32 mode;
  __u8 trylock;
  __u8 unchecked;
  __u8 nested;
  __u8 name_of_user;  // in user memory: a test
  __u32 zero;
};

static int is_invalidate_lock(const char *name) {
  const char wanted[] = "mapping.invalidate_lock";
  for (__u32 i = 0; i < sizeof(wanted); i++) {
    if (name[i] != wanted[i]) return 0;
  }
  return 1;
}

__noinline int register_class(const struct lock_event *event) {
  struct ordeal_named_class made = {};
  if (!event) return 0;
  __u64 key = event->key;
  __u32 number = __sync_fetch_and_add(&named_classes_count, 1);
  if (number >= ORDEAL_NAMED_CLASSES_MAX) {
    count(ORDEAL_CLASSES_LOST);
    return 0;
  }
  made.id = ORDEAL_FIRST_NAMED_CLASS + number;
  if (event->name_of_user) {
    bpf_probe_read_user_str(made.name, sizeof(made.name), (const void *)event->name);
  } else {
    bpf_probe_read_kernel_str(made.name, sizeof(made.name), (const void *)event->name);
  }
  made.traits = event->unchecked ? ORDEAL_IS_UNCHECKED : is_invalidate_lock(made.name) ? ORDEAL_IS_INVALIDATE_LOCK : 0;
  bpf_map_update_elem(&named_classes, &key, &made, BPF_NOEXIST);
  return 0;
}

static struct ordeal_named_class *class_of(const struct lock_event *event) {
  __u64 key = event->key;
  struct ordeal_named_class *found = bpf_map_lookup_elem(&named_classes, &key);
  if (found) return found;
  register_class(event);
  return bpf_map_lookup_elem(&named_classes, &key);
}

// The offset of the lockdep map of a mapping's invalidate lock, and of an inode's own lock; set by the loader.
const volatile __u32 invalidate_map_offset = 0;
const volatile __u32 iolock_map_offset = 0;

// Waiting takes locks as well (the lock's own spin lock): an event of locks is a sign of holding, but none of a grant.
static void show_if_held(struct task_state *state) {
  if (state->exclusive[0] | state->exclusive[1]) show_exclusive(state, 0, 0, 0);
}

static __always_inline int on_lock_acquire(void *ctx, struct task_state *state, const struct lock_event *event) {
  struct ordeal_named_class *named = class_of(event);
  if (!named) return 0;
  if (event->unchecked) {
    count(ORDEAL_UNCHECKED_LEFT_OUT);
    return 0;
  }
  show_if_held(state);
  __u32 subclass = event->subclass < ORDEAL_SUBCLASSES ? event->subclass : ORDEAL_SUBCLASSES - 1;
  struct acquisition lock = {.object = event->map,
                             .caller = event->caller,
                             .node = ordeal_node(named->id, subclass, event->mode),
                             .orders = !event->trylock,
                             .nested = event->nested};
  push(state, &lock);
  if ((named->traits & ORDEAL_IS_INVALIDATE_LOCK) && event->mode == ORDEAL_EXCLUSIVE && invalidate_map_offset) {
    struct exclusive_lock exclusive = {.caller = event->caller, .granted = event->trylock};
    ask_exclusive(state, event->map - invalidate_map_offset, &exclusive);
  }
  finish(ctx, state);
  return 0;
}

// `key`: of the lock's class.
static __always_inline int on_lock_release(void *ctx, struct task_state *state, __u64 map, __u64 key) {
  show_if_held(state);
  int at = find_held(state, map, 0);
  if (at < 0 || at >= ORDEAL_HELD_MAX) {
    struct ordeal_named_class *named = bpf_map_lookup_elem(&named_classes, &key);
    if (!named || !(named->traits & ORDEAL_IS_UNCHECKED)) count(ORDEAL_RELEASE_OF_EARLIER);
    return 0;
  }
  release_slot(state, (__u32)at);
  if (invalidate_map_offset) {
    __u64 mapping = map - invalidate_map_offset;
    if (state->exclusive[0] == mapping || state->exclusive[1] == mapping) end_exclusive(state, mapping);
  }
  finish(ctx, state);
  return 0;
}

// lock_contended: the wait of the newest lock of that map begins; lock_acquired: it ends.
static __always_inline int on_lock_contended(struct task_state *state, __u64 map) {
  int at = find_held(state, map, 0);
  if (at < 0 || at >= ORDEAL_HELD_MAX) return 0;
  state->attempts[0].lock = map;
  state->attempts[0].node = state->held[at].node;
  state->attempts[0].slot = (__u32)at + 1;
  begin_wait(state, map, 0);
  return 0;
}

static __always_inline int on_lock_acquired(struct task_state *state, __u64 map) {
  if (state->waiting) end_wait(state, map, 0);
  __u64 mapping = map - invalidate_map_offset;
  if (invalidate_map_offset && (state->exclusive[0] == mapping || state->exclusive[1] == mapping)) show_if_exclusive(state);
  return 0;
}

#endif  // ORDEAL_BPF_PROBE_LOCK_EVENTS_BPF_H_
