/* Decides whether a page may enter the page cache while a mapping's invalidate lock is held exclusively. C and C++: the
 * probe runs it in the kernel, and a test runs the same lines by hand.
 *
 * The rule: filling reads (read, readahead, fault) add pages only under the shared invalidate lock. So while a task holds it
 * exclusively (punch hole, truncate, collapse), two alone may add: the holder itself (it zeroes the edges of a hole), and a
 * task with the inode's own lock exclusively (a buffered write, which the invalidate lock does not order).
 *
 * The evidence is exact, though events lie beside the operations that they tell of. The event of an acquisition comes before
 * the wait: the lock counts as held only from the holder's *next* event (or the end of its wait). The event of a release comes
 * after it: an addition is only *suspect*, until the holder gives a sign of still holding the lock. So a finding is an
 * addition between two events of the holder, both within the critical section; others are counted as undecided.
 *
 * Concurrency: the holder's functions run in the holder alone; ordeal_hold_add in any task, at the same time. A suspect's
 * slot is reserved atomically and read only when it is marked ready.
 */
#ifndef ORDEAL_BPF_PAGE_CHECK_H_
#define ORDEAL_BPF_PAGE_CHECK_H_

#ifdef __cplusplus
#include <linux/types.h>
#endif

#define ORDEAL_SUSPECTS_MAX 4

enum ordeal_hold_state { ORDEAL_HOLD_ASKED = 0, ORDEAL_HOLD_GRANTED = 1 };

enum ordeal_add_verdict {
  ORDEAL_ADD_BY_HOLDER = 0,
  ORDEAL_ADD_BY_WRITER = 1,
  ORDEAL_ADD_NOT_YET_HELD = 2,
  ORDEAL_ADD_SUSPECT = 3,
  ORDEAL_ADD_NO_ROOM = 4, /* suspect, but no place to keep it */
};

struct ordeal_suspect {
  __u64 index;
  __u64 when_ns;
  __u64 removed_first;
  __u64 removed_last;
  __s32 stack;
  __u32 pid;
  __u32 ready;
  __u32 zero;
  char comm[16];
};

/* One invalidate lock that a task holds exclusively, or asks for. */
struct ordeal_hold {
  __u32 holder; /* task */
  __u32 state;
  __u64 granted_ns;
  __u64 caller;
  __u64 removed_first; /* pages that the holder has removed; first > last: none */
  __u64 removed_last;
  __u64 inode_number;
  __u32 device;
  __u32 suspects_reserved;
  struct ordeal_suspect suspects[ORDEAL_SUSPECTS_MAX];
};

static inline void ordeal_hold_begin(struct ordeal_hold *hold, __u32 holder, __u64 caller) {
  hold->holder = holder;
  hold->state = ORDEAL_HOLD_ASKED;
  hold->granted_ns = 0;
  hold->caller = caller;
  hold->removed_first = ~0ull;
  hold->removed_last = 0;
  hold->suspects_reserved = 0;
}

/* The holder did something, or its wait ended: the lock is granted, if it was not. */
static inline void ordeal_hold_grant(struct ordeal_hold *hold, __u64 now_ns) {
  if (hold->state == ORDEAL_HOLD_GRANTED) return;
  hold->granted_ns = now_ns;
  hold->state = ORDEAL_HOLD_GRANTED;
}

/* The holder removes pages: what is punched out. */
static inline void ordeal_hold_remove(struct ordeal_hold *hold, __u64 index) {
  if (index < hold->removed_first) hold->removed_first = index;
  if (index > hold->removed_last) hold->removed_last = index;
}

/* A task adds a page to the mapping. `writer`: it holds the inode's own lock exclusively. ORDEAL_ADD_SUSPECT: *slot is the
 * place that the caller fills, `ready` last. */
static inline enum ordeal_add_verdict ordeal_hold_add(struct ordeal_hold *hold, __u32 adder, int writer, __u32 *slot) {
  if (adder == hold->holder) return ORDEAL_ADD_BY_HOLDER;
  if (writer) return ORDEAL_ADD_BY_WRITER;
  if (hold->state != ORDEAL_HOLD_GRANTED) return ORDEAL_ADD_NOT_YET_HELD;
  *slot = __sync_fetch_and_add(&hold->suspects_reserved, 1);
  return *slot < ORDEAL_SUSPECTS_MAX ? ORDEAL_ADD_SUSPECT : ORDEAL_ADD_NO_ROOM;
}

/* Whether suspect `slot` is proven when the holder shows that it still holds the lock. Taken once. A suspect from before the
 * grant belongs to an earlier use of this memory. */
static inline int ordeal_hold_take_suspect(struct ordeal_hold *hold, __u32 slot) {
  if (slot >= ORDEAL_SUSPECTS_MAX || !hold->suspects[slot].ready) return 0;
  hold->suspects[slot].ready = 0;
  return hold->state == ORDEAL_HOLD_GRANTED && hold->suspects[slot].when_ns >= hold->granted_ns;
}

#endif /* ORDEAL_BPF_PAGE_CHECK_H_ */
