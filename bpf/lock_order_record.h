/* What the probe and its loader share: the layout of the maps, and the decoding of XFS lock flags. C and C++.
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
};

enum ordeal_lock_mode { ORDEAL_EXCLUSIVE = 0, ORDEAL_SHARED = 1 };

/* Which instances an edge connects. */
enum ordeal_relation {
  ORDEAL_UNRELATED = 0,  /* an inode and an address space */
  ORDEAL_SAME = 1,       /* one inode, or one address space */
  ORDEAL_ASCENDING = 2,  /* two inodes, the lower number first */
  ORDEAL_DESCENDING = 3, /* two inodes, the higher number first */
};

#define ORDEAL_SUBCLASSES 8
#define ORDEAL_HELD_MAX 16
#define ORDEAL_PENDING_MAX 16
#define ORDEAL_NODES_MAX (ORDEAL_LOCK_CLASSES * ORDEAL_SUBCLASSES * 2)

struct ordeal_edge_key {
  __u8 from_class;
  __u8 from_subclass;
  __u8 from_mode;
  __u8 to_class;
  __u8 to_subclass;
  __u8 to_mode;
  __u8 relation;
  __u8 zero;
};

struct ordeal_edge_value {
  __u64 count;
  __u64 from_caller; /* of the first sighting; 0: not known */
  __u64 to_caller;
};

enum ordeal_counter {
  ORDEAL_EVENTS_SEEN = 0,           /* all events, also those of others */
  ORDEAL_EVENTS_USED = 1,           /* of our file system or our processes */
  ORDEAL_EDGES_LOST = 2,            /* the edge map was full */
  ORDEAL_HELD_OVERFLOW = 3,         /* a task held more locks than its stack has room for */
  ORDEAL_PENDING_OVERFLOW = 4,      /* too many edges out of one tentatively held lock */
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
  ORDEAL_COUNTERS = 16,
};

struct ordeal_lock_part {
  __u8 lock_class; /* 0: the flag word does not name this lock */
  __u8 mode;
  __u8 subclass;
};

#define ORDEAL_LOCK_PARTS 3

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

/* Index into the array of acquisition counts. */
static inline __u32 ordeal_node_index(__u32 lock_class, __u32 subclass, __u32 mode) {
  return (lock_class * ORDEAL_SUBCLASSES + subclass) * 2 + mode;
}

#ifdef __cplusplus
static_assert(sizeof(ordeal_edge_key) == 8);
static_assert(sizeof(ordeal_edge_value) == 24);
static_assert(sizeof(ordeal_lock_part) == 3);
#endif

#endif /* ORDEAL_BPF_LOCK_ORDER_RECORD_H_ */
