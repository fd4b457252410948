/* What the probe and its loader share: the layout of the maps, and the decoding of XFS lock flags. C and C++.
 * page_check.h holds the other decision that both sides share.
 *
 * Invariants: fixed-width fields, no padding (the sizes are asserted below); numbers are never reused.
 * Flag word of the xfs_ilock* events: bits 0-5 say which lock and mode, bits 16.. carry one subclass field for each
 * lock. A subclass counts only for a lock that the word names. One word may name several locks: they are taken in the
 * order IOLOCK, MMAPLOCK, ILOCK.
 */
#ifndef ORDEAL_BPF_LOCK_ORDER_RECORD_H_
#define ORDEAL_BPF_LOCK_ORDER_RECORD_H_

#ifdef __cplusplus
#include <linux/types.h>
#endif

enum ordeal_lock_class {
  ORDEAL_IOLOCK = 1,
  ORDEAL_MMAPLOCK = 2,
  ORDEAL_ILOCK = 3,
  ORDEAL_MMAP_LOCK = 4,
  ORDEAL_DIR_IOLOCK = 5, /* of directories: classes of their own, as in the kernel's validator */
  ORDEAL_DIR_ILOCK = 6,
  ORDEAL_LOCK_CLASSES = 7,
  ORDEAL_FIRST_NAMED_CLASS = 8, /* from here on: classes of lock events, named by their lockdep map */
  ORDEAL_NAMED_CLASSES_MAX = 2048,
};

enum ordeal_lock_mode { ORDEAL_EXCLUSIVE = 0, ORDEAL_SHARED = 1, ORDEAL_RECURSIVE = 2 };

/* Which instances an edge connects. */
enum ordeal_relation {
  ORDEAL_UNRELATED = 0,  /* an inode and an address space; locks of lock events */
  ORDEAL_SAME = 1,       /* one inode, or one address space */
  ORDEAL_ASCENDING = 2,  /* two inodes, the lower number first */
  ORDEAL_DESCENDING = 3, /* two inodes, the higher number first */
};

#define ORDEAL_SUBCLASSES 8
#define ORDEAL_MODES 4 /* a power of two */
#define ORDEAL_HELD_MAX 32
#define ORDEAL_PENDING_MAX 16
#define ORDEAL_WAITS_MAX 4
#define ORDEAL_STACK_DEPTH 32
#define ORDEAL_NAME_BYTES 64
#define ORDEAL_EVENT_NODES (ORDEAL_FIRST_NAMED_CLASS * ORDEAL_SUBCLASSES * ORDEAL_MODES)
#define ORDEAL_ALL_NODES ((ORDEAL_FIRST_NAMED_CLASS + ORDEAL_NAMED_CLASSES_MAX) * ORDEAL_SUBCLASSES * ORDEAL_MODES)

/* A node is a class with subclass and mode, packed: also the index into the array `nodes`. */
static inline __u32 ordeal_node(__u32 lock_class, __u32 subclass, __u32 mode) {
  return (lock_class * ORDEAL_SUBCLASSES + subclass) * ORDEAL_MODES + mode;
}
static inline __u32 ordeal_node_class(__u32 node) { return node / (ORDEAL_SUBCLASSES * ORDEAL_MODES); }
static inline __u32 ordeal_node_subclass(__u32 node) { return node / ORDEAL_MODES % ORDEAL_SUBCLASSES; }
static inline __u32 ordeal_node_mode(__u32 node) { return node % ORDEAL_MODES; }

struct ordeal_edge_key {
  __u32 from; /* node */
  __u32 to;
  __u32 relation;
  __u32 to_stack; /* 1 + stack of the acquisition, if `to` is mmap_lock: whether it tried or waited is a matter of the site */
};

struct ordeal_edge_value { /* one for each processor; the stacks and callers are of the first sighting that had them */
  __u64 count;
  __u64 first_ns;
  __u64 from_caller; /* 0: not known */
  __u64 to_caller;
  __s32 from_stack; /* negative: not known */
  __s32 to_stack;
};

/* The edges that come first live in an array, indexed by ordeal_edge_index(), the others in a hash map: half the time. */
struct ordeal_first_edge { /* one for each processor; value.first_ns == 0: free */
  struct ordeal_edge_key key;
  struct ordeal_edge_value value;
};
#define ORDEAL_FIRST_EDGES 1024
static inline __u32 ordeal_edge_index(const struct ordeal_edge_key *key) {
  return ((key->from * 0x9e3779b1u + key->to) * 0x9e3779b1u + key->relation * 3 + key->to_stack) % ORDEAL_FIRST_EDGES;
}

/* Reading the clock takes longer than the rest of a program: one acquisition of ORDEAL_HOLD_SAMPLE is timed, and those that
 * were waited for. Of the others, long ones alone are known, by the kernel's ticks: at least so long. */
#define ORDEAL_HOLD_SAMPLE 16

struct ordeal_node_value { /* one for each processor */
  __u64 acquired;
  __u64 timed;   /* the samples */
  __u64 held_ns; /* of these */
  __u64 longest_ns;
  __u64 longest_caller;
  __s32 longest_stack; /* of the release */
  __u32 longest_pid;
  char longest_comm[16];
};

/* Times of waiting: four buckets an octave, from 2^ORDEAL_WAIT_SHIFT ns. */
#define ORDEAL_WAIT_SHIFT 6
#define ORDEAL_WAIT_BUCKETS 128

struct ordeal_wait_key {
  __u32 node;  /* 0: not known; then the call site says which lock it is */
  __s32 stack; /* of such a site */
  __u32 flags; /* of contention_begin, of such a site */
  __u32 zero;
};

struct ordeal_wait_value {
  __u64 count;
  __u64 total_ns;
  __u64 longest_ns;
  __u64 failed; /* gave up: interrupted or killed */
  __u32 buckets[ORDEAL_WAIT_BUCKETS];
};

/* floor(log2) without a loop: the verifier would walk through it. */
static inline __u32 ordeal_log2(__u64 value) {
  __u32 log = 0;
  if (value >> 32) value >>= 32, log += 32;
  if (value >> 16) value >>= 16, log += 16;
  if (value >> 8) value >>= 8, log += 8;
  if (value >> 4) value >>= 4, log += 4;
  if (value >> 2) value >>= 2, log += 2;
  return log + (__u32)(value >> 1);
}

static inline __u32 ordeal_wait_bucket(__u64 ns) {
  __u32 log, bucket;
  if (ns < (1ull << ORDEAL_WAIT_SHIFT)) return 0;
  log = ordeal_log2(ns);
  bucket = (log - ORDEAL_WAIT_SHIFT) * 4 + ((ns >> (log - 2)) & 3) + 1;
  return bucket < ORDEAL_WAIT_BUCKETS ? bucket : ORDEAL_WAIT_BUCKETS - 1;
}
/* The first length that is beyond a bucket. */
static inline __u64 ordeal_wait_bucket_end(__u32 bucket) {
  if (bucket == 0) return 1ull << ORDEAL_WAIT_SHIFT;
  return (4ull + (bucket - 1) % 4 + 1) << ((bucket - 1) / 4 + ORDEAL_WAIT_SHIFT - 2);
}

/* What a site with mmap_lock showed: contention (or asking again at once) proves that it waits, failing without contention that
 * it tries. */
struct ordeal_mmap_site {
  __u64 contended;
  __u64 failed;
};

/* A lock class of lock events, by address of its key. */
struct ordeal_named_class {
  __u32 id;
  __u32 traits; /* ORDEAL_IS_... */
  char name[ORDEAL_NAME_BYTES];
};
#define ORDEAL_IS_INVALIDATE_LOCK 1
#define ORDEAL_IS_UNCHECKED 2 /* by lockdep either (RCU's): no order */

/* A page that was added while the invalidate lock was held exclusively by another task. */
struct ordeal_page_finding {
  __u64 mapping;
  __u64 inode_number;
  __u64 index;
  __u64 added_ns;       /* since the lock was known to be held */
  __u64 removed_first;  /* the range of pages that the holder had removed by then; first > last: none */
  __u64 removed_last;
  __u64 holder_caller;
  __s32 adder_stack;
  __u32 device;
  __u32 adder_pid;
  __u32 holder_pid;
  char adder_comm[16];
};

enum ordeal_counter {
  ORDEAL_EVENTS_SEEN = 0,           /* all events, also those of others */
  ORDEAL_EVENTS_USED = 1,           /* of our file system or our processes */
  ORDEAL_EDGES_LOST = 2,            /* the edge map was full */
  ORDEAL_HELD_OVERFLOW = 3,         /* a task held more locks than its stack has room for */
  ORDEAL_PENDING_OVERFLOW = 4,      /* too many edges out of tentatively held locks */
  ORDEAL_TASK_STATE_LOST = 5,       /* no memory for a task's stack */
  ORDEAL_UNLOCK_WITHOUT_LOCK = 6,   /* of an ILOCK: taken before recording began, or a lost event */
  ORDEAL_UNLOCK_VFS_HELD = 7,       /* IOLOCK or MMAPLOCK taken by the VFS, which has no event: legal */
  ORDEAL_DEMOTE_WITHOUT_LOCK = 8,   /* likewise */
  ORDEAL_TRYLOCKS = 9,
  ORDEAL_TRYLOCKS_CONFIRMED = 10,   /* the unlock was seen: it had succeeded */
  ORDEAL_TRYLOCKS_REFUTED = 11,     /* the same lock was asked for again: it had failed */
  ORDEAL_TRYLOCKS_FORGOTTEN = 12,   /* pushed out of a full stack, undecided */
  ORDEAL_PENDING_DROPPED = 13,      /* edges of refuted or forgotten trylocks */
  ORDEAL_MMAP_LOCK_FAILED = 14,     /* acquire_returned with success == false */
  ORDEAL_RELEASE_OF_EARLIER = 15,   /* of an mmap_lock that a process acquired before it was recorded */
  ORDEAL_HELD_STALE = 16,           /* asked for again while held: its release had no event (the VFS did it) */
  ORDEAL_HELD_AT_EXIT = 17,         /* a task ended with locks held */
  ORDEAL_STACKS_LOST = 18,          /* the map of stacks had no room, or two stacks collided */
  ORDEAL_WAITS_OVERFLOW = 19,       /* a task waited for more locks at once than there is room for */
  ORDEAL_WAIT_SITES_LOST = 20,      /* the map of waiting sites was full */
  ORDEAL_SPIN_WAITS_LEFT_OUT = 21,
  ORDEAL_PAGE_ADDS_SEEN = 22,       /* while somebody held that mapping's invalidate lock exclusively, or asked for it */
  ORDEAL_PAGE_ADDS_BY_HOLDER = 23,
  ORDEAL_PAGE_ADDS_BY_WRITER = 24,  /* buffered writes: the inode's own lock orders them */
  ORDEAL_PAGE_ADDS_NOT_YET_HELD = 25, /* the exclusive lock had been asked for, but not certainly granted */
  ORDEAL_PAGE_ADDS_UNDECIDED = 26,  /* the holder gave no sign of holding it afterwards: perhaps released already */
  ORDEAL_PAGE_FINDINGS = 27,
  ORDEAL_PAGE_CHECKS_LOST = 28,     /* no room to follow an exclusive lock, or a suspect page */
  ORDEAL_EXCLUSIVE_HOLDS = 29,      /* invalidate locks followed */
  ORDEAL_CLASSES_LOST = 30,         /* more lock classes than ORDEAL_NAMED_CLASSES_MAX */
  ORDEAL_IN_INTERRUPT = 31,         /* locks taken in interrupts: another context, left out */
  ORDEAL_PROCESSES_LOST = 32,       /* no room to follow a new process */
  ORDEAL_UNCHECKED_LEFT_OUT = 33,   /* locks that lockdep does not check */
  ORDEAL_COUNTERS = 34,
};

struct ordeal_lock_part {
  __u8 lock_class; /* 0: the flag word does not name this lock */
  __u8 mode;
  __u8 subclass;
};

#define ORDEAL_LOCK_PARTS 3

/* What a test makes the probe believe to have happened: the first argument of its programs `drive` and `drive_page`. */
enum ordeal_drive {
  ORDEAL_DRIVE_ILOCK = 1, /* object, number, flags, caller */
  ORDEAL_DRIVE_ILOCK_NOWAIT = 2,
  ORDEAL_DRIVE_IUNLOCK = 3,
  ORDEAL_DRIVE_IDEMOTE = 4,
  ORDEAL_DRIVE_MMAP_ASKED = 5,    /* mm, -, write */
  ORDEAL_DRIVE_MMAP_RETURNED = 6, /* mm, -, write, success */
  ORDEAL_DRIVE_MMAP_RELEASED = 7,
  ORDEAL_DRIVE_WAIT_BEGINS = 8,   /* lock, -, flags */
  ORDEAL_DRIVE_WAIT_ENDS = 9,     /* lock, -, result */
  ORDEAL_DRIVE_LOCK_ACQUIRE = 10, /* map, key, name, caller, subclass, mode, trylock */
  ORDEAL_DRIVE_LOCK_RELEASE = 11, /* map */
  ORDEAL_DRIVE_PAGE_ADDED = 12,   /* object, index */
  ORDEAL_DRIVE_PAGE_REMOVED = 13,
  ORDEAL_DRIVE_LOCK_CONTENDED = 14, /* map */
  ORDEAL_DRIVE_LOCK_ACQUIRED = 15,  /* map */
};
/* With ProbeOptions::drive, the lockdep map of a made-up mapping's invalidate lock, and of an inode's own lock, lie here. */
#define ORDEAL_DRIVE_INVALIDATE_MAP 0x40
#define ORDEAL_DRIVE_IOLOCK_MAP 0x20

/* Part `index` (0 IOLOCK, 1 MMAPLOCK, 2 ILOCK) of a flag word; `directory` picks the directories' classes. */
static inline struct ordeal_lock_part ordeal_decode_lock_flags(__u32 flags, int index, int directory) {
  struct ordeal_lock_part part = {0, ORDEAL_EXCLUSIVE, 0};
  __u32 modes;
  if (index == 0) {
    modes = flags & 3;
    part.subclass = (__u8)((flags >> 16) & 0xf);
    part.lock_class = directory ? ORDEAL_DIR_IOLOCK : ORDEAL_IOLOCK;
  } else if (index == 1) {
    modes = (flags >> 4) & 3;
    part.subclass = (__u8)((flags >> 20) & 0xf);
    part.lock_class = ORDEAL_MMAPLOCK;
  } else {
    modes = (flags >> 2) & 3;
    part.subclass = (__u8)((flags >> 24) & 0xff);
    part.lock_class = directory ? ORDEAL_DIR_ILOCK : ORDEAL_ILOCK;
  }
  if (modes == 0) {
    part.lock_class = 0;
    part.subclass = 0;
    return part;
  }
  part.mode = (modes & 1) ? ORDEAL_EXCLUSIVE : ORDEAL_SHARED;
  if (part.subclass >= ORDEAL_SUBCLASSES) part.subclass = ORDEAL_SUBCLASSES - 1;
  return part;
}

#ifdef __cplusplus
static_assert(sizeof(ordeal_edge_key) == 16);
static_assert(sizeof(ordeal_edge_value) == 40);
static_assert(sizeof(ordeal_first_edge) == 56);
static_assert(sizeof(ordeal_node_value) == 64);
static_assert(sizeof(ordeal_wait_key) == 16);
static_assert(sizeof(ordeal_wait_value) == 32 + 4 * ORDEAL_WAIT_BUCKETS);
static_assert(sizeof(ordeal_page_finding) == 88);
static_assert(sizeof(ordeal_named_class) == 8 + ORDEAL_NAME_BYTES);
static_assert(sizeof(ordeal_lock_part) == 3);
#endif

#endif /* ORDEAL_BPF_LOCK_ORDER_RECORD_H_ */
