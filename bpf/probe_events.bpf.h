// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What each event does, given as plain values: the programs on tracepoints fill them in, and so does the program that tests
// drive. Included by lock_order_probe.bpf.c alone.
#ifndef ORDEAL_BPF_PROBE_EVENTS_BPF_H_
#define ORDEAL_BPF_PROBE_EVENTS_BPF_H_

struct inode_event {
  __u64 object;   // address of the xfs_inode
  __u64 number;
  __u64 mapping;  // whose invalidate lock is MMAPLOCK
  __u64 iolock;   // addresses of the locks themselves
  __u64 mmaplock;
  __u64 ilock;
  __u64 caller;
  __u32 flags;
  __u32 device;
  __u32 directory;
};

#define MMAPLOCK_EXCLUSIVE 0x10
#define ONLY_MMAPLOCK 1  // index of its part in a flag word

static __always_inline void follow_mmaplock(struct task_state *state, const struct inode_event *event) {
  struct exclusive_lock lock = {.inode_number = event->number, .caller = event->caller, .device = event->device};
  if (state->exclusive[0] == event->mapping || state->exclusive[1] == event->mapping) end_exclusive(state, event->mapping);
  ask_exclusive(state, event->mapping, &lock);
}

static __always_inline int on_ilock(void *ctx, struct task_state *state, const struct inode_event *event, __u8 tentative) {
  show_if_exclusive(state);
  struct acquisition lock = {.object = event->object,
                             .number = event->number,
                             .caller = event->caller,
                             .tentative = tentative,
                             .orders = !tentative};
  for (int i = 0; i < ORDEAL_LOCK_PARTS; i++) {
    struct ordeal_lock_part part = ordeal_decode_lock_flags(event->flags, i, event->directory);
    state->attempts[i].lock = 0;
    if (!part.lock_class) continue;
    lock.node = ordeal_node(part.lock_class, part.subclass, part.mode);
    if (tentative) count(ORDEAL_TRYLOCKS);
    if (state->used) remove_refuted(state, &lock);
    __u32 slot = (__u32)push(state, &lock);
    if (tentative) continue;
    state->attempts[i].lock = i == 0 ? event->iolock : i == ONLY_MMAPLOCK ? event->mmaplock : event->ilock;
    state->attempts[i].node = lock.node;
    state->attempts[i].slot = slot;
  }
  if (!tentative && (event->flags & MMAPLOCK_EXCLUSIVE)) follow_mmaplock(state, event);
  finish(ctx, state);
  return 0;
}

__noinline int release_inode_lock(struct task_state *state, __u64 object, __u32 lock_class) {
  int at = find_held(state, object, lock_class);
  if (!state || at < 0 || at >= ORDEAL_HELD_MAX) {
    count(kind_of(lock_class) == ORDEAL_ILOCK ? ORDEAL_UNLOCK_WITHOUT_LOCK : ORDEAL_UNLOCK_VFS_HELD);
    return 0;
  }
  return release_slot(state, (__u32)at);
}

static __always_inline int on_iunlock(void *ctx, struct task_state *state, const struct inode_event *event) {
  if (event->flags & MMAPLOCK_EXCLUSIVE) end_exclusive(state, event->mapping);
  show_if_exclusive(state);
  for (int i = 0; i < ORDEAL_LOCK_PARTS; i++) {
    struct ordeal_lock_part part = ordeal_decode_lock_flags(event->flags, i, event->directory);
    if (part.lock_class) release_inode_lock(state, event->object, part.lock_class);
  }
  finish(ctx, state);
  return 0;
}

static __always_inline int on_idemote(void *ctx, struct task_state *state, const struct inode_event *event) {
  if (event->flags & MMAPLOCK_EXCLUSIVE) end_exclusive(state, event->mapping);
  for (int i = 0; i < ORDEAL_LOCK_PARTS; i++) {
    struct ordeal_lock_part part = ordeal_decode_lock_flags(event->flags, i, event->directory);
    if (!part.lock_class) continue;
    int at = find_held(state, event->object, part.lock_class);
    if (at < 0 || at >= ORDEAL_HELD_MAX) {
      count(ORDEAL_DEMOTE_WITHOUT_LOCK);
      continue;
    }
    // Only the holder of an acquired lock can demote it.
    if (state->held[at].tentative) {
      count(ORDEAL_TRYLOCKS_CONFIRMED);
      commit_pending(state, (__u32)at);
    }
    __u32 node = state->held[at].node;
    state->held[at].node = ordeal_node(ordeal_node_class(node), ordeal_node_subclass(node), ORDEAL_SHARED);
  }
  finish(ctx, state);
  return 0;
}

// Who asks again at once for what it did not get falls back from trying to waiting, perhaps without any contention.
static __always_inline int on_mmap_asked(void *ctx, struct task_state *state, __u64 mm, __u64 lock, int write) {
  if (state->mmap_failed == mm) note_mmap_site(take_stack(ctx), 1);
  state->mmap_failed = 0;
  state->mmap_asked = mm;
  state->mmap_waited = 0;
  state->attempts[ATTEMPT_MMAP_LOCK].lock = lock;
  state->attempts[ATTEMPT_MMAP_LOCK].node = ordeal_node(ORDEAL_MMAP_LOCK, 0, write ? ORDEAL_EXCLUSIVE : ORDEAL_SHARED);
  state->attempts[ATTEMPT_MMAP_LOCK].slot = 0;
  return 0;
}

// A trylock looks the same, up to its outcome: what fails without having waited was one (and its site is remembered).
static __always_inline int on_mmap_returned(void *ctx, struct task_state *state, __u64 mm, int write, int success) {
  const int waited = state->mmap_asked == mm && state->mmap_waited;
  state->attempts[ATTEMPT_MMAP_LOCK].lock = 0;
  state->mmap_asked = 0;
  if (!success) {
    count(ORDEAL_MMAP_LOCK_FAILED);
    if (waited) return 0;
    note_mmap_site(take_stack(ctx), 0);
    state->mmap_failed = mm;
    return 0;
  }
  show_if_exclusive(state);
  struct acquisition lock = {.object = mm,
                             .node = ordeal_node(ORDEAL_MMAP_LOCK, 0, write ? ORDEAL_EXCLUSIVE : ORDEAL_SHARED),
                             .orders = !waited};  // what waited has left its edges when its wait began
  if (state->used) {
    int at = find_held(state, mm, ORDEAL_MMAP_LOCK);
    // mmap_write_downgrade has no event of its own: it shows as a shared acquisition by the exclusive holder.
    if (!write && at >= 0 && at < ORDEAL_HELD_MAX && ordeal_node_mode(state->held[at].node) == ORDEAL_EXCLUSIVE) {
      state->held[at].node = lock.node;
      return 0;
    }
    remove_refuted(state, &lock);
    if (state->used && !waited) lock.to_stack = (__u32)take_stack(ctx) + 1;
  }
  push(state, &lock);
  finish(ctx, state);
  return 0;
}

static __always_inline int on_mmap_released(void *ctx, struct task_state *state, __u64 mm) {
  int at = find_held(state, mm, ORDEAL_MMAP_LOCK);
  if (at < 0 || at >= ORDEAL_HELD_MAX) {
    count(ORDEAL_RELEASE_OF_EARLIER);
    return 0;
  }
  show_if_exclusive(state);
  release_slot(state, (__u32)at);
  finish(ctx, state);
  return 0;
}

static __always_inline int on_contention_begin(void *ctx, __u64 lock, __u32 flags) {
  if ((flags & CONTENTION_SPIN) && !(flags & CONTENTION_MUTEX) && !spin_waits_wanted) {
    count(ORDEAL_SPIN_WAITS_LEFT_OUT);
    return 0;
  }
  struct task_state *state = selected_state();
  if (!state) return 0;
  int slot = begin_wait(state, lock, flags) - 1;
  if (slot < 0 || slot >= ORDEAL_WAITS_MAX) return 0;
  const int of_mmap = state->mmap_asked && state->attempts[ATTEMPT_MMAP_LOCK].lock == lock;
  if (!of_mmap && state->waits[slot].node) return 0;
  __s32 stack = take_stack(ctx);
  if (!of_mmap) {
    state->waits[slot].stack = stack;
    return 0;
  }
  // Now it is certain that mmap_lock is waited for: its edges exist, whether it is ever granted or not.
  note_mmap_site(stack, 1);
  state->mmap_waited = 1;
  struct acquisition acquired = {.object = state->mmap_asked,
                                 .node = state->attempts[ATTEMPT_MMAP_LOCK].node,
                                 .to_stack = (__u32)stack + 1,
                                 .orders = 1};
  if (state->used) add_edges_into(state, &acquired);
  return 0;
}

static __always_inline int on_contention_end(__u64 lock, int result) {
  struct task_state *state = state_of_current(0);
  if (!state || !state->waiting) return 0;
  end_wait(state, lock, result != 0);
  if (!result && state->attempts[ONLY_MMAPLOCK].lock == lock) show_if_exclusive(state);
  return 0;
}

#endif  // ORDEAL_BPF_PROBE_EVENTS_BPF_H_
