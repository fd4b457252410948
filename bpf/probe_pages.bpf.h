// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Follows invalidate locks that are held exclusively, and the pages added meanwhile: page_check.h says what is decided and
// why. Included by lock_order_probe.bpf.c alone.
#ifndef ORDEAL_BPF_PROBE_PAGES_BPF_H_
#define ORDEAL_BPF_PROBE_PAGES_BPF_H_

// By address of the mapping.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, struct ordeal_hold);
} holds SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, struct ordeal_page_finding);
} page_findings SEC(".maps");

// Too large for a program's stack.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ordeal_hold);
} new_hold SEC(".maps");

__u64 holds_now = 0;            // how many entries `holds` has: most pages are added while it is 0
__u64 page_findings_count = 0;  // also those that had no room

// Makes the entry of an invalidate lock. Another task's entry may still be there: this one asks before it waits, and the event
// of the other one's release may come late. Then the next sign of this task makes it.
__noinline int follow_exclusive(struct task_state *state, __u32 at, int granted) {
  __u32 zero = 0;
  if (!state || at >= EXCLUSIVE_MAX) return 0;
  struct ordeal_hold *hold = bpf_map_lookup_elem(&new_hold, &zero);
  if (!hold) return 0;
  ordeal_hold_begin(hold, (__u32)bpf_get_current_pid_tgid(), state->exclusive_info[at].caller);
  hold->inode_number = state->exclusive_info[at].inode_number;
  hold->device = state->exclusive_info[at].device;
  for (__u32 i = 0; i < ORDEAL_SUSPECTS_MAX; i++) hold->suspects[i].ready = 0;
  if (granted) ordeal_hold_grant(hold, bpf_ktime_get_ns());
  __u64 mapping = state->exclusive[at];
  // An int: kernels that call a map's function directly (6.1) leave the upper half of the result zero.
  const int error = (int)bpf_map_update_elem(&holds, &mapping, hold, BPF_NOEXIST);
  if (!error) {
    __sync_fetch_and_add(&holds_now, 1);
    count(ORDEAL_EXCLUSIVE_HOLDS);
  } else if (error != -17) {  // EEXIST
    count(ORDEAL_PAGE_CHECKS_LOST);
  }
  return 0;
}

// The current task asks for the invalidate lock exclusively.
__noinline int ask_exclusive(struct task_state *state, __u64 mapping, const struct exclusive_lock *lock) {
  if (!state || !lock) return 0;
  for (__u32 at = 0; at < EXCLUSIVE_MAX; at++) {
    if (state->exclusive[at]) continue;
    state->exclusive[at] = mapping;
    state->exclusive_info[at] = *lock;
    follow_exclusive(state, at, lock->granted);
    return 0;
  }
  count(ORDEAL_PAGE_CHECKS_LOST);
  return 0;
}

static void report_page(const struct ordeal_hold *hold, const struct ordeal_suspect *suspect, __u64 mapping) {
  count(ORDEAL_PAGE_FINDINGS);
  __u32 at = (__u32)__sync_fetch_and_add(&page_findings_count, 1);
  struct ordeal_page_finding *finding = bpf_map_lookup_elem(&page_findings, &at);
  if (!finding) return;
  finding->mapping = mapping;
  finding->inode_number = hold->inode_number;
  finding->device = hold->device;
  finding->index = suspect->index;
  finding->added_ns = suspect->when_ns - hold->granted_ns;
  finding->removed_first = suspect->removed_first;
  finding->removed_last = suspect->removed_last;
  finding->holder_caller = hold->caller;
  finding->holder_pid = hold->holder;
  finding->adder_stack = suspect->stack;
  finding->adder_pid = suspect->pid;
  __builtin_memcpy(finding->adder_comm, suspect->comm, sizeof(finding->adder_comm));
}

// An event of the current task shows that it still holds the lock that was granted; with `grants`, also that it was: the event
// cannot come while the task waits. `removed`: 1 + the page of `mapping` that it removes.
__noinline int show_exclusive(struct task_state *state, __u64 mapping, __u64 removed, int grants) {
  if (!state) return 0;
  __u64 now_ns = bpf_ktime_get_ns();
  for (__u32 at = 0; at < EXCLUSIVE_MAX; at++) {
    __u64 key = state->exclusive[at];
    if (!key) continue;
    struct ordeal_hold *hold = bpf_map_lookup_elem(&holds, &key);
    if (!hold || hold->holder != (__u32)bpf_get_current_pid_tgid()) {
      if (grants) follow_exclusive(state, at, 1);
      continue;
    }
    if (grants) ordeal_hold_grant(hold, now_ns);
    for (__u32 i = 0; i < ORDEAL_SUSPECTS_MAX; i++) {
      if (i >= hold->suspects_reserved) break;
      if (ordeal_hold_take_suspect(hold, i)) report_page(hold, &hold->suspects[i], key);
    }
    if (removed && key == mapping) ordeal_hold_remove(hold, removed - 1);
  }
  return 0;
}

// The current task has released it or demoted it.
__noinline int end_exclusive(struct task_state *state, __u64 mapping) {
  if (!state) return 0;
#pragma unroll  // kernels before 6.3 refuse a loop that begins right behind a call
  for (__u32 at = 0; at < EXCLUSIVE_MAX; at++) {
    if (state->exclusive[at] != mapping) continue;
    state->exclusive[at] = 0;
    struct ordeal_hold *hold = bpf_map_lookup_elem(&holds, &mapping);
    if (!hold || hold->holder != (__u32)bpf_get_current_pid_tgid()) continue;
    for (__u32 i = 0; i < ORDEAL_SUSPECTS_MAX; i++) {
      if (hold->suspects[i].ready) count(ORDEAL_PAGE_ADDS_UNDECIDED);
    }
    bpf_map_delete_elem(&holds, &mapping);
    __sync_fetch_and_add(&holds_now, -1);
  }
  return 0;
}

static void show_if_exclusive(struct task_state *state) {
  if (state->exclusive[0] | state->exclusive[1]) show_exclusive(state, 0, 0, 1);
}

// What the current task adds to a mapping that somebody holds or asks for exclusively. Returns 1 + the suspect's slot if
// its stack is wanted.
__noinline int add_page(__u64 mapping, __u64 index, int writer) {
  struct ordeal_hold *hold = bpf_map_lookup_elem(&holds, &mapping);
  __u32 slot = 0;
  if (!hold) return 0;
  __u64 now_ns = bpf_ktime_get_ns();
  count(ORDEAL_PAGE_ADDS_SEEN);
  switch (ordeal_hold_add(hold, (__u32)bpf_get_current_pid_tgid(), writer, &slot)) {
    case ORDEAL_ADD_BY_HOLDER: count(ORDEAL_PAGE_ADDS_BY_HOLDER); return 0;
    case ORDEAL_ADD_BY_WRITER: count(ORDEAL_PAGE_ADDS_BY_WRITER); return 0;
    case ORDEAL_ADD_NOT_YET_HELD: count(ORDEAL_PAGE_ADDS_NOT_YET_HELD); return 0;
    case ORDEAL_ADD_NO_ROOM: count(ORDEAL_PAGE_CHECKS_LOST); return 0;
    case ORDEAL_ADD_SUSPECT: break;
  }
  if (slot >= ORDEAL_SUSPECTS_MAX) return 0;
  struct ordeal_suspect *suspect = &hold->suspects[slot];
  suspect->index = index;
  suspect->when_ns = now_ns;
  suspect->removed_first = hold->removed_first;
  suspect->removed_last = hold->removed_last;
  suspect->pid = (__u32)bpf_get_current_pid_tgid();
  bpf_get_current_comm(suspect->comm, sizeof(suspect->comm));
  return (int)slot + 1;
}

__noinline int complete_suspect(__u64 mapping, __u32 slot, __s32 stack) {
  struct ordeal_hold *hold = bpf_map_lookup_elem(&holds, &mapping);
  if (!hold || slot >= ORDEAL_SUSPECTS_MAX) return 0;
  hold->suspects[slot].stack = stack;
  (void)__sync_lock_test_and_set(&hold->suspects[slot].ready, 1);  // orders what was written before
  return 0;
}

#endif  // ORDEAL_BPF_PROBE_PAGES_BPF_H_
