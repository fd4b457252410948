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
  EXPECT_LT(ordeal_node_index(ORDEAL_LOCK_CLASSES - 1, ORDEAL_SUBCLASSES - 1, ORDEAL_SHARED),
            static_cast<uint32_t>(ORDEAL_NODES_MAX));
}

TEST(LockFlagsTest, DirectoriesHaveClassesOfTheirOwn) {
  ExpectPart(0x05, 0, ORDEAL_DIR_IOLOCK, ORDEAL_EXCLUSIVE, 0, 1);
  ExpectPart(0x05, 2, ORDEAL_DIR_ILOCK, ORDEAL_EXCLUSIVE, 0, 1);
}

}  // namespace
}  // namespace ordeal::bpf
