// The flag words are those of protocols that a 6.18 kernel's trace shows.
#include <gtest/gtest.h>

#include "bpf/lock_order_record.h"

namespace ordeal::bpf {
namespace {

void ExpectPart(uint32_t flags, int index, int lock_class, int mode, int subclass, int directory = 0) {
  const ordeal_lock_part part = ordeal_decode_lock_flags(flags, index, directory);
  EXPECT_EQ(part.lock_class, lock_class) << std::hex << flags << " part " << index;
  EXPECT_EQ(part.mode, mode) << std::hex << flags << " part " << index;
  EXPECT_EQ(part.subclass, subclass) << std::hex << flags << " part " << index;
}

TEST(LockFlagsTest, EachOfTheSixModeBitsNamesOneLock) {
  ExpectPart(0x01, 0, ORDEAL_IOLOCK, ORDEAL_EXCLUSIVE, 0);
  ExpectPart(0x02, 0, ORDEAL_IOLOCK, ORDEAL_SHARED, 0);
  ExpectPart(0x04, 2, ORDEAL_ILOCK, ORDEAL_EXCLUSIVE, 0);
  ExpectPart(0x08, 2, ORDEAL_ILOCK, ORDEAL_SHARED, 0);
  ExpectPart(0x10, 1, ORDEAL_MMAPLOCK, ORDEAL_EXCLUSIVE, 0);
  ExpectPart(0x20, 1, ORDEAL_MMAPLOCK, ORDEAL_SHARED, 0);
}

TEST(LockFlagsTest, OneWordExpandsInTheOrderIolockMmaplockIlock) {
  ExpectPart(0x15, 0, ORDEAL_IOLOCK, ORDEAL_EXCLUSIVE, 0);
  ExpectPart(0x15, 1, ORDEAL_MMAPLOCK, ORDEAL_EXCLUSIVE, 0);
  ExpectPart(0x15, 2, ORDEAL_ILOCK, ORDEAL_EXCLUSIVE, 0);
}

TEST(LockFlagsTest, LocksThatTheWordDoesNotNameAreAbsent) {
  for (int index = 0; index < ORDEAL_LOCK_PARTS; ++index) ExpectPart(0, index, 0, ORDEAL_EXCLUSIVE, 0);
  ExpectPart(0x01, 1, 0, ORDEAL_EXCLUSIVE, 0);
  ExpectPart(0x01, 2, 0, ORDEAL_EXCLUSIVE, 0);
}

TEST(LockFlagsTest, SubclassesBelongToTheirOwnLock) {
  ExpectPart(0x01000004, 2, ORDEAL_ILOCK, ORDEAL_EXCLUSIVE, 1);
  ExpectPart(0x05000004, 2, ORDEAL_ILOCK, ORDEAL_EXCLUSIVE, 5);
  ExpectPart(0x02110011, 0, ORDEAL_IOLOCK, ORDEAL_EXCLUSIVE, 1);
  ExpectPart(0x02110011, 1, ORDEAL_MMAPLOCK, ORDEAL_EXCLUSIVE, 1);
  ExpectPart(0x02110011, 2, 0, ORDEAL_EXCLUSIVE, 0);  // a subclass without its lock is residue
}

TEST(LockFlagsTest, ASubclassBeyondTheLastStaysInTheTable) {
  ExpectPart(0xff000004, 2, ORDEAL_ILOCK, ORDEAL_EXCLUSIVE, ORDEAL_SUBCLASSES - 1);
  EXPECT_LT(ordeal_node(ORDEAL_LOCK_CLASSES - 1, ORDEAL_SUBCLASSES - 1, ORDEAL_RECURSIVE),
            static_cast<uint32_t>(ORDEAL_EVENT_NODES));
}

TEST(LockFlagsTest, ANodeKeepsItsParts) {
  const uint32_t node = ordeal_node(ORDEAL_FIRST_NAMED_CLASS + ORDEAL_NAMED_CLASSES_MAX - 1, 5, ORDEAL_SHARED);
  EXPECT_EQ(ordeal_node_class(node), static_cast<uint32_t>(ORDEAL_FIRST_NAMED_CLASS + ORDEAL_NAMED_CLASSES_MAX - 1));
  EXPECT_EQ(ordeal_node_subclass(node), 5u);
  EXPECT_EQ(ordeal_node_mode(node), static_cast<uint32_t>(ORDEAL_SHARED));
  EXPECT_LT(node, static_cast<uint32_t>(ORDEAL_ALL_NODES));
}

TEST(LockFlagsTest, WaitsAreSortedIntoQuartersOfAnOctave) {
  EXPECT_EQ(ordeal_wait_bucket(0), 0u);
  EXPECT_EQ(ordeal_wait_bucket(63), 0u);
  EXPECT_EQ(ordeal_wait_bucket(64), 1u);
  uint32_t before = 0;
  for (uint64_t ns = 1; ns < (uint64_t{1} << 37); ns += ns / 7 + 1) {
    const uint32_t bucket = ordeal_wait_bucket(ns);
    EXPECT_GE(bucket, before) << ns;
    EXPECT_LT(ns, ordeal_wait_bucket_end(bucket)) << ns;
    if (bucket > 0) {
      EXPECT_GE(ns, ordeal_wait_bucket_end(bucket - 1)) << ns;
      EXPECT_LE(ordeal_wait_bucket_end(bucket), ns + ns / 4 + 1) << ns;
    }
    before = bucket;
  }
  EXPECT_EQ(ordeal_wait_bucket(~uint64_t{0}), static_cast<uint32_t>(ORDEAL_WAIT_BUCKETS - 1));
}

TEST(LockFlagsTest, DirectoriesHaveClassesOfTheirOwn) {
  ExpectPart(0x05, 0, ORDEAL_DIR_IOLOCK, ORDEAL_EXCLUSIVE, 0, 1);
  ExpectPart(0x05, 2, ORDEAL_DIR_ILOCK, ORDEAL_EXCLUSIVE, 0, 1);
}

}  // namespace
}  // namespace ordeal::bpf
