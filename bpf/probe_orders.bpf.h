// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The locks that a task holds, and the edges between them. Included by lock_order_probe.bpf.c alone.
//
// A trylock whose outcome is not known is held *tentatively*. It never waits, so nothing leads into it; what leads out of it is
// kept beside it, and counts once its unlock shows that it had been acquired.
#ifndef ORDEAL_BPF_PROBE_ORDERS_BPF_H_
#define ORDEAL_BPF_PROBE_ORDERS_BPF_H_

// What is acquired: arguments of global functions must be few and flat.
struct acquisition {
  __u64 object;
  __u64 number;
  __u64 caller;
  __u32 node;
  __u32 to_stack;  // 1 + stack, for mmap_lock
  __u8 tentative;
  __u8 orders;     // it waits: edges lead into it
  __u8 nested;     // in a lock that orders its own class
  __u8 unused;
  __u32 zero;
};

static __u32 ticks_now(void) { return (__u32)bpf_jiffies64(); }

static __u32 *stack_budget(__u32 node, __u64 caller) {
  __u32 index = (caller ? (__u32)(caller >> 2) * 0x9e3779b1u >> 22 : ordeal_node_class(node) * 2 + ordeal_node_mode(node)) & 1023;
  return bpf_map_lookup_elem(&stack_budgets, &index);
}

static void note_edge(struct task_state *state, const struct ordeal_edge_key *key) {
  __u32 at = state->edge_notes;
  if (at >= EDGE_NOTES_MAX) return;
  state->edge_note[at] = *key;
  state->edge_notes = at + 1;
}

struct sighting {
  __u64 from_caller;
  __u64 to_caller;
  __u64 times;
  __s32 from_stack;
  __s32 to_stack;
};

static int same_key(const struct ordeal_edge_key *a, const struct ordeal_edge_key *b) {
  return a->from == b->from && a->to == b->to && a->relation == b->relation && a->to_stack == b->to_stack;
}

// Where an edge is counted on this processor; 0: it is new, or there is no room.
static __always_inline struct ordeal_edge_value *find_edge(const struct ordeal_edge_key *key) {
  __u32 index = ordeal_edge_index(key);
  struct ordeal_first_edge *first = bpf_map_lookup_elem(&first_edges, &index);
  if (first && first->value.first_ns && same_key(&first->key, key)) return &first->value;
  return bpf_map_lookup_elem(&edges, key);
}

static __always_inline struct ordeal_edge_value *make_edge(const struct ordeal_edge_key *key) {
  struct ordeal_edge_value none = {};
  __u32 index = ordeal_edge_index(key);
  struct ordeal_first_edge *first = bpf_map_lookup_elem(&first_edges, &index);
  if (first && !first->value.first_ns) {
    first->key = *key;
    return &first->value;
  }
  bpf_map_update_elem(&edges, key, &none, BPF_NOEXIST);
  return bpf_map_lookup_elem(&edges, key);
}

__noinline int add_edge(struct task_state *state, const struct ordeal_edge_key *wanted, const struct sighting *seen) {
  if (!state || !wanted || !seen) return 0;
  // An argument of a global function is no key of a map before 6.2.
  const struct ordeal_edge_key copy = *wanted, *key = &copy;
  struct ordeal_edge_value *value = find_edge(key);
  if (!value) value = make_edge(key);
  if (!value) {
    count(ORDEAL_EDGES_LOST);
    return 0;
  }
  value->count += seen->times;
  if (value->first_ns && value->from_stack >= 0) return 0;
  if (!value->first_ns) {  // new, on this processor
    value->first_ns = bpf_ktime_get_ns();
    value->from_caller = seen->from_caller;
    value->to_caller = seen->to_caller;
    value->from_stack = seen->from_stack;
    value->to_stack = seen->to_stack;
    if (seen->to_stack < 0) note_edge(state, key);
  } else if (seen->from_stack >= 0) {  // a pair of one sighting
    value->from_caller = seen->from_caller;
    value->to_caller = seen->to_caller;
    value->from_stack = seen->from_stack;
    if (seen->to_stack < 0) note_edge(state, key);
  }
  if (seen->from_stack >= 0) return 0;
  __u32 *budget = stack_budget(key->from, seen->from_caller);
  if (budget) *budget = STACKS_FOR_EDGE;
  return 0;
}

__noinline int commit_pending(struct task_state *state, __u32 slot) {
  if (!state || slot >= ORDEAL_HELD_MAX) return 0;
  for (__u32 i = 0; i < ORDEAL_PENDING_MAX; i++) {
    if (!(state->pending >> i)) break;
    if (!((state->pending >> i) & 1) || state->edges[i].slot != slot) continue;
    struct ordeal_edge_key key = state->edges[i].key;
    struct sighting seen = {.from_caller = state->held[slot].caller,
                            .to_caller = state->edges[i].to_caller,
                            .times = state->edges[i].count,
                            .from_stack = state->held[slot].stack,
                            .to_stack = state->edges[i].to_stack};
    add_edge(state, &key, &seen);
    state->pending &= ~(1u << i);
  }
  state->held[slot].tentative = 0;
  return 0;
}

__noinline int drop_pending(struct task_state *state, __u32 slot) {
  if (!state) return 0;
  for (__u32 i = 0; i < ORDEAL_PENDING_MAX; i++) {
    if (!(state->pending >> i)) break;
    if (!((state->pending >> i) & 1) || state->edges[i].slot != slot) continue;
    count(ORDEAL_PENDING_DROPPED);
    state->pending &= ~(1u << i);
  }
  return 0;
}

__noinline int add_pending(struct task_state *state, __u32 slot, const struct ordeal_edge_key *key, __u64 to_caller) {
  if (!state || !key) return 0;
  int unused = -1;
  for (__u32 i = 0; i < ORDEAL_PENDING_MAX; i++) {
    if (!((state->pending >> i) & 1)) {
      if (unused < 0) unused = (int)i;
      continue;
    }
    struct pending_edge *edge = &state->edges[i];
    if (edge->slot != slot || !same_key(&edge->key, key)) continue;
    edge->count++;
    return 0;
  }
  if (unused < 0 || unused >= ORDEAL_PENDING_MAX) {
    count(ORDEAL_PENDING_OVERFLOW);
    return 0;
  }
  struct pending_edge *edge = &state->edges[unused];
  edge->key = *key;
  edge->slot = slot;
  edge->to_caller = to_caller;
  edge->to_stack = (__s32)key->to_stack - 1;
  edge->count = 1;
  state->pending |= 1u << unused;
  return 0;
}

// An inode that is being made has no type yet, one that is being freed has none any more: the lock taken of a file may be
// released of a directory.
static __u32 kind_of(__u32 lock_class) {
  if (lock_class == ORDEAL_DIR_IOLOCK) return ORDEAL_IOLOCK;
  if (lock_class == ORDEAL_DIR_ILOCK) return ORDEAL_ILOCK;
  return lock_class;
}

// The slot of that lock, or -1. lock_class 0: any lock of the object.
__noinline int find_held(struct task_state *state, __u64 object, __u32 lock_class) {
  int found = -1;
  if (!state) return -1;
  for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
    if (!(state->used >> i)) break;
    if (!((state->used >> i) & 1) || state->held[i].object != object) continue;
    if (!lock_class || kind_of(ordeal_node_class(state->held[i].node)) == kind_of(lock_class)) found = (int)i;
  }
  return found;
}

__noinline int forget_oldest_trylock(struct task_state *state) {
  if (!state) return -1;
  for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
    if (!((state->used >> i) & 1) || !state->held[i].tentative) continue;
    count(ORDEAL_TRYLOCKS_FORGOTTEN);
    drop_pending(state, i);
    state->used &= ~(1u << i);
    return (int)i;
  }
  return -1;
}

static __u32 relation_of(const struct held_lock *from, const struct acquisition *to) {
  if (from->object == to->object) return ORDEAL_SAME;
  if (!from->number || !to->number) return ORDEAL_UNRELATED;
  return from->number < to->number ? ORDEAL_ASCENDING : ORDEAL_DESCENDING;
}

__noinline int add_edges_into(struct task_state *state, const struct acquisition *lock) {
  if (!state || !lock) return 0;
  for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
    if (!(state->used >> i)) break;
    if (!((state->used >> i) & 1)) continue;
    struct held_lock *from = &state->held[i];
    if (lock->nested && ordeal_node_class(from->node) == ordeal_node_class(lock->node)) continue;
    struct ordeal_edge_key key = {
        .from = from->node, .to = lock->node, .relation = relation_of(from, lock), .to_stack = lock->to_stack};
    if (from->tentative) {
      add_pending(state, i, &key, lock->caller);
      continue;
    }
    struct sighting seen = {.from_caller = from->caller,
                            .to_caller = lock->caller,
                            .times = 1,
                            .from_stack = from->stack,
                            .to_stack = (__s32)lock->to_stack - 1};
    add_edge(state, &key, &seen);
  }
  return 0;
}

// An entry of the lock that is about to be acquired cannot be true: a task does not ask again for what it holds.
static void remove_refuted(struct task_state *state, const struct acquisition *lock) {
  int again = find_held(state, lock->object, ordeal_node_class(lock->node));
  if (again < 0 || again >= ORDEAL_HELD_MAX) return;
  count(state->held[again].tentative ? ORDEAL_TRYLOCKS_REFUTED : ORDEAL_HELD_STALE);
  drop_pending(state, (__u32)again);
  state->used &= ~(1u << again);
}

__noinline int free_slot(struct task_state *state) {
  if (!state) return -1;
  for (__u32 i = 0; i < ORDEAL_HELD_MAX; i++) {
    if (!((state->used >> i) & 1)) return (int)i;
  }
  return forget_oldest_trylock(state);
}

// Returns 1 + the slot; 0 if there was none.
__noinline int push(struct task_state *state, const struct acquisition *lock) {
  if (!state || !lock) return 0;
  if (lock->orders && state->used) add_edges_into(state, lock);
  int top = free_slot(state);
  if (top < 0 || top >= ORDEAL_HELD_MAX) {
    count(ORDEAL_HELD_OVERFLOW);
    return 0;
  }
  struct held_lock *slot = &state->held[top];
  slot->object = lock->object;
  slot->number = lock->number;
  slot->caller = lock->caller;
  slot->sample = state->acquisitions++ % ORDEAL_HOLD_SAMPLE == 0;
  slot->since_ns = slot->sample ? bpf_ktime_get_ns() : 0;
  slot->since_ticks = ticks_now();
  slot->node = lock->node;
  slot->stack = -1;
  slot->tentative = lock->tentative;
  state->used |= 1u << top;
  __u32 node = lock->node;
  struct ordeal_node_value *value = bpf_map_lookup_elem(&nodes, &node);
  if (value) value->acquired++;
  __u32 *budget = stack_budget(node, lock->caller);
  if (budget && *budget) {
    *budget -= 1;
    state->held_note = (__u32)top + 1;
  }
  return top + 1;
}

// The length of a tick, measured from the first call on.
__u64 first_tick_ns = 0;
__u32 first_tick = 0;

__noinline __u64 ticks_to_ns(__u32 ticks) {
  __u64 now_ns = bpf_ktime_get_ns();
  __u32 now = ticks_now();
  if (!first_tick_ns) {
    first_tick = now;
    first_tick_ns = now_ns;
  }
  __u32 passed = now - first_tick;
  return passed ? (now_ns - first_tick_ns) / passed * ticks : 0;
}

// For how long the lock was held, as far as it is known: exactly, or at least.
static __always_inline __u64 held_ns(const struct held_lock *lock) {
  if (lock->since_ns) {
    __u64 now_ns = bpf_ktime_get_ns();
    return now_ns > lock->since_ns ? now_ns - lock->since_ns : 0;
  }
  __u32 ticks = ticks_now() - lock->since_ticks;
  return ticks < 2 ? 0 : ticks_to_ns(ticks - 1);
}

__noinline int release_slot(struct task_state *state, __u32 slot) {
  if (!state || slot >= ORDEAL_HELD_MAX) return 0;
  struct held_lock *lock = &state->held[slot];
  if (lock->tentative) {
    count(ORDEAL_TRYLOCKS_CONFIRMED);
    commit_pending(state, slot);
  }
  state->used &= ~(1u << slot);
  __u64 time_ns = held_ns(lock);
  if (!time_ns) return 0;
  __u32 node = lock->node;
  struct ordeal_node_value *value = bpf_map_lookup_elem(&nodes, &node);
  if (!value) return 0;
  if (lock->sample) {
    value->timed++;
    value->held_ns += time_ns;
  }
  if (time_ns <= value->longest_ns) return 0;
  value->longest_ns = time_ns;
  value->longest_caller = lock->caller;
  value->longest_stack = -1;
  value->longest_pid = (__u32)bpf_get_current_pid_tgid();
  bpf_get_current_comm(value->longest_comm, sizeof(value->longest_comm));
  state->node_note = node + 1;
  return 0;
}

// Gives a stack to everything that asked for one.
__noinline int use_stack(struct task_state *state, __s32 stack) {
  if (!state) return 0;
  for (__u32 i = 0; i < EDGE_NOTES_MAX; i++) {
    if (i >= state->edge_notes) break;
    struct ordeal_edge_key key = state->edge_note[i];
    struct ordeal_edge_value *value = find_edge(&key);
    if (value) value->to_stack = stack;
  }
  if (state->held_note && state->held_note <= ORDEAL_HELD_MAX) state->held[state->held_note - 1].stack = stack;
  __u32 node = state->node_note - 1;
  struct ordeal_node_value *value = state->node_note ? bpf_map_lookup_elem(&nodes, &node) : 0;
  if (value) value->longest_stack = stack;
  state->edge_notes = 0;
  state->held_note = 0;
  state->node_note = 0;
  return 0;
}

// At the end of each program that acquires or releases.
static __always_inline void finish(void *ctx, struct task_state *state) {
  if (state->edge_notes | state->held_note | state->node_note) use_stack(state, take_stack(ctx));
}

#endif  // ORDEAL_BPF_PROBE_ORDERS_BPF_H_
