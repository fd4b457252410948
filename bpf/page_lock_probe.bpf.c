// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// page_lock_probe: how long tasks wait for page locks and for write-back. An optional extra: neither has a tracepoint, and
// many kernels refuse fentry programs.
//
// Attaches: fentry and fexit of __folio_lock and folio_wait_writeback (their slow paths alone: an unlocked page calls neither).
// Output:   array `waits` (ordeal_wait_value): [0] page locks, [1] write-back.
// Loses:    waits of tasks for whose state there is no memory; a wait that another one interrupts.
// Needs:    kernel >= 5.16 with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS and tracing allowed to programs.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lock_order_record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct task_struct;
struct folio;

const volatile __u8 processes_wanted = 0;

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u64);
} wait_began SEC(".maps");

// Shared with lock_order_probe.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, __u8);
} processes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct ordeal_wait_value);
} waits SEC(".maps");

static __always_inline int begin_wait(void) {
  __u32 process = bpf_get_current_pid_tgid() >> 32;
  if (processes_wanted && !bpf_map_lookup_elem(&processes, &process)) return 0;
  __u64 *began = bpf_task_storage_get(&wait_began, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (began) *began = bpf_ktime_get_ns();
  return 0;
}

static __always_inline int end_wait(__u32 kind) {
  __u64 *began = bpf_task_storage_get(&wait_began, bpf_get_current_task_btf(), 0, 0);
  if (!began || !*began) return 0;
  __u64 waited_ns = bpf_ktime_get_ns() - *began;
  *began = 0;
  struct ordeal_wait_value *value = bpf_map_lookup_elem(&waits, &kind);
  if (!value) return 0;
  __sync_fetch_and_add(&value->count, 1);
  __sync_fetch_and_add(&value->total_ns, waited_ns);
  if (waited_ns > value->longest_ns) value->longest_ns = waited_ns;
  __u32 bucket = ordeal_wait_bucket(waited_ns);
  if (bucket < ORDEAL_WAIT_BUCKETS) __sync_fetch_and_add(&value->buckets[bucket], 1);
  return 0;
}

SEC("fentry/__folio_lock")
int BPF_PROG(on_page_lock_begins, struct folio *folio) { return begin_wait(); }

SEC("fexit/__folio_lock")
int BPF_PROG(on_page_lock_ends, struct folio *folio) { return end_wait(0); }

SEC("fentry/folio_wait_writeback")
int BPF_PROG(on_writeback_begins, struct folio *folio) { return begin_wait(); }

SEC("fexit/folio_wait_writeback")
int BPF_PROG(on_writeback_ends, struct folio *folio) { return end_wait(1); }
