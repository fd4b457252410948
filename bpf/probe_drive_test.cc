// The probe's programs in the running kernel, fed with events that a sound kernel does not give: LockOrderProbe::Drive makes
// the calling thread seem to do what it says. Needs root and BTF; says ORDEAL_SKIPPED with the reason where it cannot run.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "bpf/kernel_types.h"
#include "bpf/lock_order_probe.h"
#include "bpf/lock_order_record.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

constexpr uint64_t kInode = 0xffff888000001000;
constexpr uint64_t kOtherInode = 0xffff888000002000;
constexpr uint64_t kMm = 0xffff888000003000;
constexpr uint32_t kIolockX = 1, kIolockS = 2, kIlockX = 4, kMmaplockX = 0x10;

class ProbeDriveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) Skip("needs root");
    if (IsSkipped()) return;
    auto probe = LockOrderProbe::Load({.drive = true, .drive_lock_events = lock_events_});
    if (!probe.ok() && absl::IsUnavailable(probe.status())) Skip(std::string(probe.status().message()));
    if (IsSkipped()) return;
    ASSERT_TRUE(probe.ok()) << probe.status();
    probe_ = std::move(*probe);
  }
  void Skip(const std::string& why) {
    std::cout << "ORDEAL_SKIPPED: " << why << std::endl;
    GTEST_SKIP();
  }

  void Drive(ordeal_drive what, uint64_t object, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0, uint64_t f = 0,
             uint64_t g = 0) {
    const absl::Status status = probe_->Drive({static_cast<uint64_t>(what), object, b, c, d, e, f, g});
    ASSERT_TRUE(status.ok()) << status;
  }
  void Lock(uint64_t inode, uint32_t flags) { Drive(ORDEAL_DRIVE_ILOCK, inode, inode >> 12, flags); }
  void Trylock(uint64_t inode, uint32_t flags) { Drive(ORDEAL_DRIVE_ILOCK_NOWAIT, inode, inode >> 12, flags); }
  void Unlock(uint64_t inode, uint32_t flags) { Drive(ORDEAL_DRIVE_IUNLOCK, inode, inode >> 12, flags); }
  void AddPage(uint64_t inode, uint64_t index) { Drive(ORDEAL_DRIVE_PAGE_ADDED, inode, index); }
  void RemovePage(uint64_t inode, uint64_t index) { Drive(ORDEAL_DRIVE_PAGE_REMOVED, inode, index); }
  static void InAnotherTask(const std::function<void()>& body) { std::thread(body).join(); }

  Recording Read() {
    absl::StatusOr<Recording> recording = probe_->ReadAll("driven");
    EXPECT_TRUE(recording.ok()) << recording.status();
    EXPECT_EQ(recording->lost(), 0u) << FormatRecording(*recording);
    return *std::move(recording);
  }
  static std::vector<std::string> Edges(const Recording& recording) {
    std::vector<std::string> edges;
    for (const auto& edge : recording.graph.edges) {
      edges.push_back(edge.from.ToString() + " -> " + edge.to.ToString() + " " + lockdep::InstancesName(edge.instances));
    }
    return edges;
  }
  static uint64_t Count(const Recording& recording, const std::string& name) {
    for (const auto& counter : recording.graph.counters) {
      if (counter.name == name) return counter.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  bool lock_events_ = false;
  std::unique_ptr<LockOrderProbe> probe_;
};

TEST_F(ProbeDriveTest, OrdersOfTwoInodesHaveADirection) {
  Lock(kInode, kIolockX);
  Lock(kInode, kIlockX);
  Lock(kOtherInode, kIlockX);
  Unlock(kOtherInode, kIlockX);
  Unlock(kInode, kIlockX);
  Unlock(kInode, kIolockX);
  const Recording recording = Read();
  EXPECT_THAT(Edges(recording), ElementsAre("xfs_ilock (exclusive) -> xfs_ilock (exclusive) ascending",
                                            "xfs_iolock (exclusive) -> xfs_ilock (exclusive) same",
                                            "xfs_iolock (exclusive) -> xfs_ilock (exclusive) ascending"));
  EXPECT_THAT(recording.holds, SizeIs(2));
  EXPECT_GT(recording.holds[0].longest_ns, 0u);
  EXPECT_EQ(recording.holds[0].timed, 1u) << "the first of 16";
  EXPECT_EQ(recording.holds[0].node.lock_class, "xfs_iolock");
}

TEST_F(ProbeDriveTest, ATrylockThatIsUnlockedGivesEdgesOutOfItAlone) {
  Lock(kOtherInode, kIolockX);
  Trylock(kInode, kIolockX);
  Lock(kInode, kIlockX);
  EXPECT_THAT(Edges(Read()), ElementsAre("xfs_iolock (exclusive) -> xfs_ilock (exclusive) descending"));
  Unlock(kInode, kIlockX);
  Unlock(kInode, kIolockX);
  EXPECT_THAT(Edges(Read()), ElementsAre("xfs_iolock (exclusive) -> xfs_ilock (exclusive) same",
                                         "xfs_iolock (exclusive) -> xfs_ilock (exclusive) descending"));
}

TEST_F(ProbeDriveTest, ATrylockThatIsAskedForAgainHadFailed) {
  Trylock(kInode, kIolockX);
  Lock(kInode, kIlockX);
  Unlock(kInode, kIlockX);
  Lock(kInode, kIolockX);
  Unlock(kInode, kIolockX);
  const Recording recording = Read();
  EXPECT_THAT(Edges(recording), IsEmpty());
  EXPECT_EQ(Count(recording, "trylocks that failed"), 1u);
  EXPECT_EQ(Count(recording, "edges dropped with their trylock"), 1u);
}

TEST_F(ProbeDriveTest, TasksDoNotMix) {
  Lock(kInode, kIolockX);
  InAnotherTask([&] {
    Lock(kOtherInode, kIlockX);
    Unlock(kOtherInode, kIlockX);
  });
  Unlock(kInode, kIolockX);
  EXPECT_THAT(Edges(Read()), IsEmpty());
}

TEST_F(ProbeDriveTest, EdgesOfASecondSightingHaveBothStacks) {
  for (int i = 0; i < 3; ++i) {
    Lock(kInode, kIolockX);
    Lock(kInode, kIlockX);
    Unlock(kInode, kIlockX);
    Unlock(kInode, kIolockX);
  }
  const Recording recording = Read();
  ASSERT_THAT(recording.graph.edges, SizeIs(1));
  EXPECT_EQ(recording.graph.edges[0].count, 3u);
  EXPECT_THAT(recording.graph.edges[0].from_stack, Not(IsEmpty()));
  EXPECT_THAT(recording.graph.edges[0].to_stack, Not(IsEmpty()));
}

TEST_F(ProbeDriveTest, ALongHoldOutsideTheSampleIsKnownByTheTicks) {
  Lock(kInode, kIolockX);  // the sample
  Unlock(kInode, kIolockX);
  for (int i = 0; i < 2; ++i) {  // the first one sets the ticks' measure
    Lock(kInode, kIlockX);
    usleep(60000);
    Unlock(kInode, kIlockX);
  }
  const Recording recording = Read();
  ASSERT_THAT(recording.holds, SizeIs(2));
  EXPECT_EQ(recording.holds[0].node.lock_class, "xfs_ilock");
  EXPECT_EQ(recording.holds[0].timed, 0u);
  EXPECT_GT(recording.holds[0].longest_ns, 30000000u);
  EXPECT_THAT(recording.holds[0].longest_stack, Not(IsEmpty()));
}

TEST_F(ProbeDriveTest, MmapLockThatWaitsLeavesItsEdgesBeforeItIsGranted) {
  Lock(kInode, kIolockS);  // gives the task a state: without one it is not recorded
  Drive(ORDEAL_DRIVE_MMAP_ASKED, kMm, 0, /*write=*/0);
  EXPECT_THAT(Edges(Read()), IsEmpty()) << "perhaps a trylock";
  Drive(ORDEAL_DRIVE_WAIT_BEGINS, kMm + 8, 0, /*read=*/2);
  EXPECT_THAT(Edges(Read()), ElementsAre("xfs_iolock (shared) -> mmap_lock (shared) "));
  Drive(ORDEAL_DRIVE_WAIT_ENDS, kMm + 8);
  Drive(ORDEAL_DRIVE_MMAP_RETURNED, kMm, 0, 0, /*success=*/1);
  Drive(ORDEAL_DRIVE_MMAP_RELEASED, kMm);
  Unlock(kInode, kIolockS);
  const Recording recording = Read();
  ASSERT_THAT(recording.graph.edges, SizeIs(1));
  EXPECT_EQ(recording.graph.edges[0].count, 1u) << "not once more when it was granted";
  ASSERT_THAT(recording.waits, SizeIs(1));
  EXPECT_EQ(recording.waits[0].lock, "mmap_lock (shared)");
  EXPECT_EQ(recording.waits[0].count, 1u);
  EXPECT_GT(recording.waits[0].p50_ns, 0u);
}

TEST_F(ProbeDriveTest, ASiteThatFailsWithoutWaitingOnlyTries) {
  Lock(kInode, kIolockS);
  for (const int success : {1, 0}) {
    Drive(ORDEAL_DRIVE_MMAP_ASKED, kMm, 0, 0);
    Drive(ORDEAL_DRIVE_MMAP_RETURNED, kMm, 0, 0, success);
    if (success) Drive(ORDEAL_DRIVE_MMAP_RELEASED, kMm);
  }
  Unlock(kInode, kIolockS);
  const Recording recording = Read();
  EXPECT_THAT(Edges(recording), IsEmpty());
  EXPECT_EQ(Count(recording, "edges into trylocks of mmap_lock left out"), 1u);
}

// As the page-fault handler does: it tries, then it waits. That the lock is free by then makes it no site that only tries.
TEST_F(ProbeDriveTest, ASiteThatAsksAgainAfterAFailureWaits) {
  Lock(kInode, kIolockS);
  for (const int success : {0, 1}) {
    Drive(ORDEAL_DRIVE_MMAP_ASKED, kMm, 0, 0);
    Drive(ORDEAL_DRIVE_MMAP_RETURNED, kMm, 0, 0, success);
    if (success) Drive(ORDEAL_DRIVE_MMAP_RELEASED, kMm);
  }
  Unlock(kInode, kIolockS);
  const Recording recording = Read();
  EXPECT_THAT(Edges(recording), ElementsAre("xfs_iolock (shared) -> mmap_lock (shared) "));
  EXPECT_EQ(Count(recording, "edges into trylocks of mmap_lock left out"), 0u);
}

TEST_F(ProbeDriveTest, WaitsOfXfsLocksHaveTheirClass) {
  Lock(kInode, kIolockX | kMmaplockX);
  Drive(ORDEAL_DRIVE_WAIT_BEGINS, kInode + 24, 0, /*write=*/4);
  Drive(ORDEAL_DRIVE_WAIT_ENDS, kInode + 24);
  Drive(ORDEAL_DRIVE_WAIT_BEGINS, 0xffff888000009000, 0, /*mutex=*/32);
  Drive(ORDEAL_DRIVE_WAIT_ENDS, 0xffff888000009000, 0, /*interrupted=*/1);
  Unlock(kInode, kIolockX | kMmaplockX);
  const Recording recording = Read();
  ASSERT_THAT(recording.waits, SizeIs(2));
  std::map<bool, LockWait> by_known;
  for (const LockWait& wait : recording.waits) by_known[wait.known] = wait;
  EXPECT_EQ(by_known[true].lock, "xfs_mmaplock (exclusive)");
  EXPECT_THAT(by_known[false].lock, ::testing::StartsWith("mutex in "));
  EXPECT_EQ(by_known[false].failed, 1u);
  EXPECT_THAT(by_known[false].stack, Not(IsEmpty()));
}

// The planted violation, and its near misses.
TEST_F(ProbeDriveTest, APageAddedWhileAnotherTaskPunchesIsFound) {
  Lock(kInode, kIolockX | kMmaplockX);
  RemovePage(kInode, 3);
  RemovePage(kInode, 9);
  InAnotherTask([&] { AddPage(kInode, 5); });
  EXPECT_EQ(Read().page_findings, 0u) << "not before the holder shows that it still holds the lock";
  Lock(kInode, kIlockX);
  Unlock(kInode, kIlockX);
  Unlock(kInode, kIolockX | kMmaplockX);
  const Recording recording = Read();
  ASSERT_EQ(recording.page_findings, 1u);
  ASSERT_THAT(recording.pages, SizeIs(1));
  const PageFinding& page = recording.pages[0];
  EXPECT_EQ(page.index, 5u);
  EXPECT_EQ(page.inode, kInode >> 12);
  EXPECT_EQ(page.removed_first, 3u);
  EXPECT_EQ(page.removed_last, 9u);
  EXPECT_TRUE(page.in_removed_range());
  EXPECT_EQ(page.holder_pid, static_cast<uint32_t>(gettid()));
  EXPECT_NE(page.adder_pid, page.holder_pid);
  EXPECT_TRUE(recording.has_findings());
  EXPECT_THAT(FormatRecording(recording), ::testing::HasSubstr("the page is among them"));
}

TEST_F(ProbeDriveTest, PagesThatMayBeAddedAreNotFound) {
  Lock(kInode, kIolockX | kMmaplockX);
  InAnotherTask([&] { AddPage(kInode, 1); });  // perhaps not granted yet
  RemovePage(kInode, 3);
  AddPage(kInode, 3);                               // the holder
  InAnotherTask([&] { AddPage(kOtherInode, 3); });  // another file
  Lock(kInode, kIlockX);
  Unlock(kInode, kIlockX);
  InAnotherTask([&] { AddPage(kInode, 3); });  // perhaps after the release, whose event comes late
  Unlock(kInode, kIolockX | kMmaplockX);
  InAnotherTask([&] { AddPage(kInode, 3); });
  // Without the inode's own lock the holder does not keep buffered writes away.
  Lock(kInode, kMmaplockX);
  RemovePage(kInode, 3);
  InAnotherTask([&] {
    Lock(kInode, kIolockX);
    AddPage(kInode, 3);
    Unlock(kInode, kIolockX);
  });
  Lock(kInode, kIlockX);
  Unlock(kInode, kIlockX);
  Unlock(kInode, kMmaplockX);
  const Recording recording = Read();
  EXPECT_EQ(recording.page_findings, 0u) << FormatRecording(recording);
  EXPECT_EQ(Count(recording, "of those: before it was certainly held"), 1u);
  EXPECT_EQ(Count(recording, "of those: by its holder"), 1u);
  EXPECT_EQ(Count(recording, "of those: by a writer of the file"), 1u);
  EXPECT_EQ(Count(recording, "of those: perhaps after its release"), 1u);
  EXPECT_EQ(Count(recording, "exclusive invalidate locks followed"), 2u);
}

TEST_F(ProbeDriveTest, ADemotedLockIsNotExclusiveAnyMore) {
  Lock(kInode, kIolockX | kMmaplockX);
  RemovePage(kInode, 3);
  Drive(ORDEAL_DRIVE_IDEMOTE, kInode, kInode >> 12, kMmaplockX);
  InAnotherTask([&] { AddPage(kInode, 3); });
  Lock(kInode, kIlockX);
  Unlock(kInode, kIlockX);
  Unlock(kInode, kIolockX | kMmaplockX << 1);
  EXPECT_EQ(Read().page_findings, 0u);
}

// Kernels with lock debugging: the programs' logic, here driven; their tracepoints exist in such kernels alone.
class LockEventsTest : public ProbeDriveTest {
 protected:
  void Acquire(uint64_t map, const char* name, uint32_t mode, bool trylock = false, uint32_t subclass = 0) {
    Drive(ORDEAL_DRIVE_LOCK_ACQUIRE, map, reinterpret_cast<uint64_t>(name), reinterpret_cast<uint64_t>(name), 0, subclass, mode,
          trylock);
  }
  void Release(uint64_t map) { Drive(ORDEAL_DRIVE_LOCK_RELEASE, map); }
  LockEventsTest() { lock_events_ = true; }
};

TEST_F(LockEventsTest, ClassesHaveTheNamesOfTheirMapsAndTrylocksOrderNothing) {
  static const char kInodeLock[] = "&sb->s_type->i_mutex_key", kInvalidate[] = "mapping.invalidate_lock",
                    kSame[] = "&sb->s_type->i_mutex_key";
  ASSERT_NE(static_cast<const void*>(kInodeLock), static_cast<const void*>(kSame));
  Acquire(0x1000, kInodeLock, ORDEAL_EXCLUSIVE);
  Acquire(0x2000, kInvalidate, ORDEAL_SHARED, false, 1);
  Acquire(0x3000, kSame, ORDEAL_RECURSIVE, /*trylock=*/true);
  Release(0x3000);
  Release(0x2000);
  Acquire(0x3000, kSame, ORDEAL_RECURSIVE);
  Release(0x3000);
  Release(0x1000);
  EXPECT_THAT(Edges(Read()),
              ElementsAre("&sb->s_type->i_mutex_key (exclusive) -> &sb->s_type->i_mutex_key#2 (shared-recursive) ",
                          "&sb->s_type->i_mutex_key (exclusive) -> mapping.invalidate_lock/1 (shared) "));
}

TEST_F(LockEventsTest, WaitsHaveTheClassOfTheLock) {
  Acquire(0x1000, "&xfs_nondir_ilock_class", ORDEAL_EXCLUSIVE);
  Drive(ORDEAL_DRIVE_LOCK_CONTENDED, 0x1000);
  usleep(1000);
  Drive(ORDEAL_DRIVE_LOCK_ACQUIRED, 0x1000);
  Release(0x1000);
  const Recording recording = Read();
  ASSERT_THAT(recording.waits, SizeIs(1));
  EXPECT_EQ(recording.waits[0].lock, "&xfs_nondir_ilock_class (exclusive)");
  EXPECT_GE(recording.waits[0].longest_ns, 1000000u);
  EXPECT_GE(recording.waits[0].p50_ns, recording.waits[0].longest_ns);
}

// On every file system: the invalidate lock is known by its class, the inode's own by its place.
TEST_F(LockEventsTest, APageAddedUnderAnExclusiveInvalidateLockIsFound) {
  const absl::StatusOr<KernelTypes> types = KernelTypes::Load();
  ASSERT_TRUE(types.ok());
  const auto vfs_inode = types->FieldOffset("xfs_inode", "i_vnode");
  if (!vfs_inode) GTEST_SKIP() << "no XFS";
  const uint64_t invalidate = kInode + 8 + ORDEAL_DRIVE_INVALIDATE_MAP;  // the mapping of a driven inode is 8 behind it
  const uint64_t iolock = kInode + *vfs_inode + ORDEAL_DRIVE_IOLOCK_MAP;
  Acquire(invalidate, "mapping.invalidate_lock", ORDEAL_EXCLUSIVE);
  Acquire(0x5000, "&sem->wait_lock", ORDEAL_EXCLUSIVE);  // it waits
  Release(0x5000);
  InAnotherTask([&] { AddPage(kInode, 4); });
  Drive(ORDEAL_DRIVE_LOCK_ACQUIRED, invalidate);
  RemovePage(kInode, 5);
  InAnotherTask([&] {  // a buffered write
    Acquire(iolock, "&sb->s_type->i_mutex_key", ORDEAL_EXCLUSIVE);
    AddPage(kInode, 5);
    Release(iolock);
  });
  InAnotherTask([&] {  // not one: shared
    Acquire(iolock, "&sb->s_type->i_mutex_key", ORDEAL_SHARED);
    AddPage(kInode, 6);
    Release(iolock);
  });
  RemovePage(kInode, 7);
  Release(invalidate);
  InAnotherTask([&] { AddPage(kInode, 5); });
  const Recording recording = Read();
  ASSERT_EQ(recording.page_findings, 1u) << FormatRecording(recording);
  EXPECT_EQ(recording.pages[0].index, 6u);
  EXPECT_EQ(Count(recording, "of those: before it was certainly held"), 1u);
  EXPECT_FALSE(recording.pages[0].in_removed_range());
}

// More edges than the array of the first ones has room for: the others are in the hash map.
TEST_F(LockEventsTest, ThousandsOfEdgesAreAllCounted) {
  constexpr size_t kLocks = 45;
  std::vector<std::string> names;
  for (size_t i = 0; i < kLocks; ++i) names.push_back("lock " + std::to_string(i));
  for (int round = 0; round < 2; ++round) {
    for (size_t from = 0; from < kLocks; ++from) {
      Acquire(0x1000 + from, names[from].c_str(), ORDEAL_EXCLUSIVE);
      for (size_t to = 0; to < kLocks; ++to) {
        if (to == from) continue;
        Acquire(0x1000 + to, names[to].c_str(), ORDEAL_SHARED);
        Release(0x1000 + to);
      }
      Release(0x1000 + from);
    }
  }
  const Recording recording = Read();
  ASSERT_THAT(recording.graph.edges, SizeIs(kLocks * (kLocks - 1)));
  ASSERT_GT(recording.graph.edges.size(), static_cast<size_t>(ORDEAL_FIRST_EDGES));
  for (const auto& edge : recording.graph.edges) {
    EXPECT_EQ(edge.count, 2u) << edge.from.ToString() << " -> " << edge.to.ToString();
  }
}

TEST_F(LockEventsTest, MoreLocksThanATaskHasRoomForAreCountedAsLost) {
  for (uint64_t i = 0; i < ORDEAL_HELD_MAX + 3; ++i) Acquire(0x1000 + i, "many", ORDEAL_SHARED);
  const absl::StatusOr<Recording> recording = probe_->ReadAll("driven");
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(Count(*recording, "lost: held-lock stack full"), 3u);
  EXPECT_EQ(recording->lost(), 3u);
  for (uint64_t i = 0; i < ORDEAL_HELD_MAX; ++i) Release(0x1000 + i);
}

}  // namespace
}  // namespace ordeal::bpf
