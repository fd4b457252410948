// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How long tasks wait for locks: by class, if the lock is the one that the task has asked for; else by call site. Included by
// lock_order_probe.bpf.c alone.
#ifndef ORDEAL_BPF_PROBE_WAITS_BPF_H_
#define ORDEAL_BPF_PROBE_WAITS_BPF_H_

// Flags of contention_begin.
#define CONTENTION_SPIN 1
#define CONTENTION_MUTEX 32

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2048);
  __type(key, struct ordeal_wait_key);
  __type(value, struct ordeal_wait_value);
} waits SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2048);
  __type(key, __u32);  // stack
  __type(value, struct ordeal_mmap_site);
} mmap_sites SEC(".maps");

// Too large for a program's stack; stays zero.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ordeal_wait_value);
} no_waits SEC(".maps");

static void note_mmap_site(__s32 stack, int contended) {
  struct ordeal_mmap_site none = {};
  __u32 key = (__u32)stack;
  if (stack < 0) return;
  struct ordeal_mmap_site *site = bpf_map_lookup_elem(&mmap_sites, &key);
  if (!site) {
    bpf_map_update_elem(&mmap_sites, &key, &none, BPF_NOEXIST);
    site = bpf_map_lookup_elem(&mmap_sites, &key);
  }
  if (!site) {
    count(ORDEAL_WAIT_SITES_LOST);
    return;
  }
  __sync_fetch_and_add(contended ? &site->contended : &site->failed, 1);
}

__noinline int find_wait(struct task_state *state, __u64 lock) {
  if (!state) return -1;
  for (__u32 i = 0; i < ORDEAL_WAITS_MAX; i++) {
    if (((state->waiting >> i) & 1) && state->waits[i].lock == lock) return (int)i;
  }
  return -1;
}

// 1 + the index of the attempt at this lock.
__noinline int find_attempt(struct task_state *state, __u64 lock) {
  if (!state) return 0;
  for (__u32 i = 0; i < ATTEMPTS_MAX; i++) {
    if (state->attempts[i].lock == lock) return (int)i + 1;
  }
  return 0;
}

// A mutex may report the beginning of one wait several times. Returns whether a stack is wanted: 1 + the slot.
__noinline int begin_wait(struct task_state *state, __u64 lock, __u32 flags) {
  if (!state) return 0;
  if (find_wait(state, lock) >= 0) return 0;
  for (__u32 i = 0; i < ORDEAL_WAITS_MAX; i++) {
    if ((state->waiting >> i) & 1) continue;
    struct wait *wait = &state->waits[i];
    __u32 attempt = (__u32)find_attempt(state, lock);
    wait->lock = lock;
    wait->since_ns = bpf_ktime_get_ns();
    wait->node = attempt && attempt <= ATTEMPTS_MAX ? state->attempts[attempt - 1].node : 0;
    wait->stack = -1;
    wait->flags = flags;
    state->waiting |= 1u << i;
    return (int)i + 1;
  }
  count(ORDEAL_WAITS_OVERFLOW);
  return 0;
}

__noinline int add_wait(const struct ordeal_wait_key *wanted, __u64 waited_ns, int failed) {
  __u32 zero = 0;
  if (!wanted) return 0;
  const struct ordeal_wait_key copy = *wanted, *key = &copy;  // see add_edge
  struct ordeal_wait_value *value = bpf_map_lookup_elem(&waits, key);
  if (!value) {
    struct ordeal_wait_value *none = bpf_map_lookup_elem(&no_waits, &zero);
    if (none) bpf_map_update_elem(&waits, key, none, BPF_NOEXIST);
    value = bpf_map_lookup_elem(&waits, key);
  }
  if (!value) {
    count(ORDEAL_WAIT_SITES_LOST);
    return 0;
  }
  __sync_fetch_and_add(&value->count, 1);
  __sync_fetch_and_add(&value->total_ns, waited_ns);
  if (failed) __sync_fetch_and_add(&value->failed, 1);
  if (waited_ns > value->longest_ns) value->longest_ns = waited_ns;  // two at once: the longer one may be lost
  __u32 bucket = ordeal_wait_bucket(waited_ns);
  if (bucket < ORDEAL_WAIT_BUCKETS) __sync_fetch_and_add(&value->buckets[bucket], 1);
  return 0;
}

__noinline int end_wait(struct task_state *state, __u64 lock, int failed) {
  if (!state) return 0;
  int slot = find_wait(state, lock);
  if (slot < 0 || slot >= ORDEAL_WAITS_MAX) return 0;
  struct wait *wait = &state->waits[slot];
  __u64 now_ns = bpf_ktime_get_ns();
  struct ordeal_wait_key key = {.node = wait->node, .stack = wait->stack, .flags = wait->flags & ~CONTENTION_SPIN};
  if (key.node) {
    key.stack = -1;
    key.flags = 0;
    // It is held from now on.
    __u32 attempt = (__u32)find_attempt(state, lock);
    if (attempt && attempt <= ATTEMPTS_MAX) {
      __u32 held = state->attempts[attempt - 1].slot - 1;
      if (held < ORDEAL_HELD_MAX) state->held[held].since_ns = now_ns;
    }
  }
  state->waiting &= ~(1u << slot);
  add_wait(&key, now_ns - wait->since_ns, failed);
  return 0;
}

#endif  // ORDEAL_BPF_PROBE_WAITS_BPF_H_
