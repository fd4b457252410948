// The lock order that each file system's header promises, as it shows in the validator's graph after many mixes.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/filesystems/lock_orders_for_test.h"
#include "harness/filesystems/trial.h"
#include "harness/filesystems/xfs/xfs.h"
#include "harness/filesystems/xfs/xfs_ilock.h"
#include "harness/pagecache/lock_order.h"

namespace ordeal {
namespace {

using ::testing::IsEmpty;

// "a > b" for every dependency of every run.
LockOrders OrdersOf(const char* filesystem) {
  LockOrders orders;
  for (uint64_t mix = 0; mix < 150; ++mix) {
    Trial trial(filesystem);
    trial.files = {8, 6};
    trial.judge_data = trial.judge_invariants = false;  // vfs-2020 has holes; its order is still an order
    trial.options.memory_folios = 12;
    trial.options.fault_around = mix % 2 == 0;
    trial.DrawTasks(mix, 3, 3);
    const TrialVerdict verdict = trial.Run(20, mix);
    EXPECT_EQ(verdict.finding, "") << "mix " << mix << "\n" << verdict.details;
    const lockdep::Validator& validator = trial.sim().validator();
    for (const auto& v : pagecache::CheckLockOrder(validator, MakeFileSystem(filesystem)->lock_order())) {
      ADD_FAILURE() << filesystem << ": " << v.message << " at " << v.site.ToString();
    }
    AddOrders(validator, &orders);
  }
  return orders;
}

TEST(LockOrderTest, Vfs) {
  const LockOrders orders = OrdersOf("vfs");
  ExpectOrder(orders, "i_rwsem", "mmap_lock");
  ExpectOrder(orders, "i_rwsem", "mapping.invalidate_lock");
  ExpectOrder(orders, "mmap_lock", "mapping.invalidate_lock");
  ExpectOrder(orders, "mapping.invalidate_lock", "folio_lock");
  ExpectOrder(orders, "folio_lock", "i_data_sem");
  ExpectOrder(orders, "folio_lock", "i_pages");
  ExpectOrder(orders, "folio_lock", "folio_writeback");
  ExpectOrder(orders, "i_rwsem", "i_rwsem/4");
  ExpectOrder(orders, "i_rwsem/1", "i_rwsem");
  ExpectOrder(orders, "mapping.invalidate_lock", "mapping.invalidate_lock/1");
}

TEST(LockOrderTest, Vfs2020HasNoFillLock) {
  const LockOrders orders = OrdersOf("vfs-2020");
  ExpectOrder(orders, "i_rwsem", "mmap_lock");
  ExpectOrder(orders, "mmap_lock", "folio_lock");
  for (const std::string& order : orders) EXPECT_EQ(order.find("invalidate_lock"), std::string::npos) << order;
}

TEST(LockOrderTest, Xfs) {
  const LockOrders orders = OrdersOf("xfs");
  ExpectOrder(orders, "xfs_iolock", "mmap_lock");
  ExpectOrder(orders, "xfs_iolock", "xfs_mmaplock");
  ExpectOrder(orders, "mmap_lock", "xfs_mmaplock");
  ExpectOrder(orders, "xfs_mmaplock", "folio_lock");
  ExpectOrder(orders, "xfs_mmaplock", "xfs_ilock");
  ExpectOrder(orders, "folio_lock", "xfs_ilock");
  ExpectOrder(orders, "xfs_iolock", "xfs_iolock/4");
  ExpectOrder(orders, "xfs_mmaplock", "xfs_mmaplock/1");
  ExpectOrder(orders, "xfs_ilock", "xfs_ilock/1");
}

TEST(LockOrderTest, Ext4StartsItsHandleBeforeItLocksFolios) {
  const LockOrders orders = OrdersOf("ext4");
  ExpectOrder(orders, "i_rwsem", "mapping.invalidate_lock");
  ExpectOrder(orders, "mapping.invalidate_lock", "jbd2_handle");
  ExpectOrder(orders, "jbd2_handle", "folio_lock");
  ExpectOrder(orders, "folio_lock", "i_data_sem");
}

TEST(LockOrderTest, Ext4Immap) {
  const LockOrders orders = OrdersOf("ext4-immap");
  ExpectOrder(orders, "i_rwsem", "i_mmap_sem");
  ExpectOrder(orders, "mmap_lock", "i_mmap_sem");
  ExpectOrder(orders, "i_mmap_sem", "jbd2_handle");
  ExpectOrder(orders, "i_mmap_sem", "folio_lock");
  ExpectOrder(orders, "jbd2_handle", "folio_lock");
}

TEST(LockOrderTest, Xfs4) {
  const LockOrders orders = OrdersOf("xfs-4");
  ExpectOrder(orders, "xfs_iolock", "mmap_lock");
  ExpectOrder(orders, "mmap_lock", "xfs_mmaplock");
  ExpectOrder(orders, "xfs_mmaplock", "folio_lock");
  ExpectOrder(orders, "folio_lock", "xfs_ilock");
}

TEST(LockOrderTest, BtrfsLocksRangesLast) {
  const LockOrders orders = OrdersOf("btrfs");
  ExpectOrder(orders, "i_rwsem", "mmap_lock");
  ExpectOrder(orders, "mmap_lock", "btrfs_i_mmap_lock");
  ExpectOrder(orders, "btrfs_i_mmap_lock", "folio_lock");
  ExpectOrder(orders, "folio_lock", "btrfs_range_lock");
  ExpectOrder(orders, "btrfs_ordered_extent", "btrfs_range_lock");
  ExpectOrder(orders, "btrfs_range_lock", "em_tree");
}

TEST(LockOrderTest, NfsWaitsForDirectIoUnderTheInodeLock) {
  const LockOrders orders = OrdersOf("nfs");
  ExpectOrder(orders, "i_rwsem", "inode_dio");
  ExpectOrder(orders, "i_rwsem", "mmap_lock");
  ExpectOrder(orders, "mmap_lock", "mapping.invalidate_lock");
  ExpectOrder(orders, "mapping.invalidate_lock", "folio_lock");
}

// The locks of a DAX inode are XFS's; what eviction waits for comes after them (xfs_scenarios_test has those).
TEST(LockOrderTest, DaxIsAsXfs) {
  for (const char* filesystem : {"xfs-dax", "xfs-dax-proposed"}) {
    const LockOrders orders = OrdersOf(filesystem);
    ExpectOrder(orders, "xfs_iolock", "mmap_lock");
    ExpectOrder(orders, "xfs_iolock", "xfs_mmaplock");
    ExpectOrder(orders, "mmap_lock", "xfs_mmaplock");
    ExpectOrder(orders, "xfs_mmaplock", "folio_lock");
  }
}

// A calm run of a write that faults with its folio locked (B27), beside its clean twin. The cycle needs the fault's own order,
// too (harness/pagecache/invariants_test.cc has an acquisition against the order without a cycle).
TEST(LockOrderTest, WhatIsAcquiredAgainstTheDeclaredOrderIsFound) {
  for (const bool bug : {true, false}) {
    Trial trial("vfs", bug ? std::vector<std::string>{"B27"} : std::vector<std::string>{});
    trial.tasks = {{0, {Op{.kind = OpKind::kWrite, .file = 0, .offset = 0, .length = 4, .buffer_file = 1}}}};
    QuietSource source;
    EXPECT_EQ(trial.RunOnce(source, 0, nullptr), bug ? "lock-order" : "");
    const auto found = pagecache::CheckLockOrder(trial.sim().validator(), MakeFileSystem("vfs")->lock_order());
    if (!bug) {
      EXPECT_THAT(found, IsEmpty());
      continue;
    }
    ASSERT_FALSE(found.empty());
    EXPECT_STREQ(found[0].id, "S12");
    EXPECT_EQ(found[0].message, "mmap_lock is acquired with folio_lock held, against the declared order");
    EXPECT_GT(found[0].site.line, 0);
    EXPECT_GT(found[0].against.line, 0);
  }
}

TEST(XfsIlockTest, DecodesTheFlagWord) {
  EXPECT_EQ(XfsLockFlagsToString(kXfsIolockExcl | kXfsMmaplockShared), "IOLOCK_EXCL|MMAPLOCK_SHARED");
  EXPECT_EQ(XfsLockFlagsToString(kXfsIlockExcl | (3u << kXfsIlockShift)), "ILOCK_EXCL/3");
  EXPECT_EQ(XfsLockFlagsToString(kXfsIolockShared | (4u << kXfsIolockShift)), "IOLOCK_SHARED/4");
  EXPECT_EQ(XfsLockFlagsToString(0), "");
}

TEST(XfsIlockDeathTest, RefusesMeaninglessFlags) {
  EXPECT_DEATH(DecodeXfsLockFlags(kXfsIlockExcl | kXfsIlockShared), "both modes");
  EXPECT_DEATH(DecodeXfsLockFlags(1u << kXfsIlockShift), "without its lock");
  EXPECT_DEATH(DecodeXfsLockFlags(kXfsMmaplockExcl | (4u << kXfsMmaplockShift)), "beyond 3");
}

// Demote and nowait: in one task, then what another task can take.
TEST(XfsIlockTest, DemotesAndTries) {
  Simulation sim;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem("xfs");
  pagecache::World world(sim, *fs);
  world.BeginRun();
  pagecache::Inode& inode = world.CreateFile({});
  sim.scheduler().Spawn("locker", [&] {
    const uint32_t all = kXfsIolockExcl | kXfsMmaplockExcl | kXfsIlockExcl;
    XfsIlock(inode, all);
    XfsIlockDemote(inode, all);
    sim.scheduler().Spawn("other", [&] {
      EXPECT_FALSE(XfsIlockNowait(inode, kXfsIolockShared | kXfsMmaplockShared | kXfsIlockExcl));
      EXPECT_TRUE(XfsIlockNowait(inode, kXfsIolockShared | kXfsMmaplockShared | kXfsIlockShared));
      XfsIunlock(inode, kXfsIolockShared | kXfsMmaplockShared | kXfsIlockShared);
    });
    sim.scheduler().Sleep(1000 * kStepNs);
    XfsIunlock(inode, kXfsIolockShared | kXfsMmaplockShared | kXfsIlockShared);
    EXPECT_TRUE(XfsIlockNowait(inode, all));
    XfsIunlock(inode, all);
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted);
  sim.EndRun();
  EXPECT_THAT(sim.validator().violations(), IsEmpty());
  world.EndRun();
}

// Five at once, one of them twice: the subclass is the position, and a log that waits for one that is held makes it only try.
TEST(XfsIlockTest, LocksSeveralInodesByNumber) {
  Simulation sim;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem("xfs");
  pagecache::World world(sim, *fs);
  world.BeginRun();
  pagecache::Inode* inodes[5];
  for (pagecache::Inode*& inode : inodes) inode = &world.CreateFile({});
  inodes[1] = inodes[0];
  int asked = 0;
  sim.scheduler().Spawn("locker", [&] {
    XfsLockInodes(sim.scheduler(), inodes, kXfsIlockExcl, [](const pagecache::Inode&) { return false; });
    EXPECT_TRUE(inodes[4]->extent_lock.HeldExclusiveByCurrent());
    XfsUnlockInodes(inodes, kXfsIlockExcl);
    sim.scheduler().Spawn("holder", [&] {
      XfsIlock(*inodes[4], kXfsIlockExcl);
      sim.scheduler().Sleep(2000 * kStepNs);
      XfsIunlock(*inodes[4], kXfsIlockExcl);
    });
    sim.scheduler().Sleep(10 * kStepNs);
    XfsLockInodes(sim.scheduler(), inodes, kXfsIlockExcl, [&](const pagecache::Inode&) { return ++asked > 0; });
    EXPECT_TRUE(inodes[0]->extent_lock.HeldExclusiveByCurrent());
    XfsUnlockInodes(inodes, kXfsIlockExcl);
    EXPECT_FALSE(inodes[0]->extent_lock.HeldByCurrent());
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted);
  EXPECT_GT(asked, 4);  // more than one attempt
  sim.EndRun();
  EXPECT_THAT(sim.validator().violations(), IsEmpty());
  bool last_position = false;
  for (uint32_t i = 0; i < sim.validator().graph().size(); ++i) {
    last_position |= sim.validator().classes().NodeName(sim.validator().graph().edge(lockdep::EdgeId{i}).to) == "xfs_ilock/4";
  }
  EXPECT_TRUE(last_position);
  EXPECT_DEATH(XfsLockInodes(sim.scheduler(), {inodes, 1}, kXfsIlockExcl, [](const pagecache::Inode&) { return false; }),
               "two to five");
  world.EndRun();
}

// While a file is cloned from, its readers go on, and a direct write that would share the lock waits for the end.
TEST(XfsTest, ACloneLetsReadersOfItsSourceInAndKeepsWritersOut) {
  Simulation sim;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem("xfs");
  pagecache::World world(sim, *fs);
  world.BeginRun();
  pagecache::Inode& from = world.CreateFile({});
  pagecache::Inode& to = world.CreateFile({});
  bool cloning = true;
  sim.scheduler().Spawn("clone", [&] {
    fs->RemapEnter(world, from, to);
    fs->RemapPrepared(world, from, to);
    sim.scheduler().Spawn("reader", [&] {
      EXPECT_TRUE(XfsIlockNowait(from, kXfsIolockShared | kXfsMmaplockShared));
      XfsIunlock(from, kXfsIolockShared | kXfsMmaplockShared);
      EXPECT_FALSE(XfsIlockNowait(to, kXfsIolockShared));
      EXPECT_TRUE(cloning);
    });
    sim.scheduler().Spawn("writer", [&] {
      const pagecache::LockMode mode = fs->DirectWriteEnter(world, from, 0, 4);
      EXPECT_EQ(mode, pagecache::LockMode::kExclusive);
      EXPECT_FALSE(cloning);
      fs->DirectWriteExit(world, from, mode);
    });
    sim.scheduler().Sleep(1000 * kStepNs);
    cloning = false;
    fs->RemapExit(world, from, to);
    const pagecache::LockMode mode = fs->MkwriteEnter(world, from.mapping);
    EXPECT_EQ(mode, pagecache::LockMode::kShared);
    fs->MkwriteExit(world, from.mapping, mode);
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted);
  sim.EndRun();
  EXPECT_THAT(sim.validator().violations(), IsEmpty());
  world.EndRun();
}

// One task after another does what Linux 6.1 was seen to do under these locks (docs/kernel.md). Nothing else has both ILOCKs of two
// files under their MMAPLOCKs than the first clone.
TEST(XfsTest, ChangesAreTransactionsUnderTheLevelsOfAFreeze) {
  LockOrders orders;
  Simulation sim;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem("xfs");
  pagecache::World world(sim, *fs);
  world.BeginRun();
  world.MakeFreezable();
  std::vector<pagecache::Stamp> content;
  for (uint32_t cell = 0; cell < 8; ++cell) {
    content.push_back(pagecache::Stamp::Make(pagecache::StampKind::kWrite, world.next_uid(), cell, 0));
  }
  pagecache::Inode& from = world.CreateFile(content);
  pagecache::Inode& to = world.CreateFile({});
  world.MakeDirectories();
  pagecache::Mm& mm = world.CreateMm();
  world.Map(mm, from);
  sim.scheduler().Spawn("everything", [&] {
    EXPECT_EQ(world.Store(mm, from, 0, {content.data(), 1}).cells_done, 1u);
    EXPECT_EQ(world.Clone(from, to, 0, 8, 0).cells_done, 8u);
    EXPECT_TRUE(XfsInode::Of(from).is_reflinked && XfsInode::Of(to).is_reflinked);
    EXPECT_FALSE(XfsInode::Of(from).is_remapping);
    EXPECT_EQ(world.Rename(from, to).error, pagecache::Error::kOk);
    EXPECT_EQ(world.Link(to).error, pagecache::Error::kOk);
    EXPECT_EQ(world.MakeAndRemoveDirectory(to).error, pagecache::Error::kOk);
    EXPECT_EQ(world.Replace(to, world.CreateFileLike(to)).error, pagecache::Error::kOk);
    EXPECT_EQ(world.FreezeAndThaw().error, pagecache::Error::kOk);
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted);
  sim.EndRun();
  EXPECT_THAT(sim.validator().violations(), IsEmpty());
  AddOrders(sim.validator(), &orders);
  world.EndRun();
  for (const char* lock : {"s_vfs_rename", "xfs_iolock/1", "xfs_iolock", "xfs_iolock/4", "xfs_iolock/5", "xfs_mmaplock/1",
                           "xfs_ilock/5", "xfs_ilock/3", "sb_pagefaults", "sb_internal"}) {
    ExpectOrder(orders, "sb_writers", lock);
  }
  for (const char* lock : {"xfs_iolock/1", "xfs_iolock/5", "xfs_iolock/4", "xfs_mmaplock/1", "mmap_lock", "sb_pagefaults"}) {
    ExpectOrder(orders, lock, "sb_internal");
  }
  for (const char* lock : {"xfs_ilock/5", "xfs_ilock", "xfs_ilock/1", "xfs_ilock/2", "xfs_ilock/3"}) {
    ExpectOrder(orders, "sb_internal", lock);
  }
  ExpectOrder(orders, "xfs_ilock/5", "xfs_ilock");
  ExpectOrder(orders, "xfs_iolock", "xfs_ilock/5");
  ExpectOrder(orders, "xfs_iolock/1", "xfs_ilock/5");
  ExpectOrder(orders, "xfs_mmaplock/1", "xfs_ilock/1");
}

// The clock of times goes in ticks: two writes of one tick are one change of the time.
TEST(XfsTest, TimesChangeOnceATick) {
  Simulation sim;
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  sim.BeginRun(&choices);
  const auto fs = MakeFileSystem("xfs");
  pagecache::World world(sim, *fs);
  world.BeginRun();
  pagecache::Inode& file = world.CreateFile({});
  sim.scheduler().Spawn("writer", [&] {
    sim.scheduler().Sleep(pagecache::kTickNs - sim.scheduler().now_ns() % pagecache::kTickNs);
    EXPECT_TRUE(world.ChangesTime(file));
    EXPECT_FALSE(world.ChangesTime(file));
    sim.scheduler().Sleep(pagecache::kTickNs);
    EXPECT_TRUE(world.ChangesTime(file));
  });
  EXPECT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted);
  sim.EndRun();
  world.EndRun();
}

TEST(FileSystemsTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(MakeFileSystem("ext2"), nullptr);
  EXPECT_EQ(MakeFileSystem("xfs", {"B01"}), nullptr);  // XFS reads hold the IOLOCK: no such hole
  EXPECT_EQ(MakeFileSystem("vfs", {"B66"}), nullptr);
  for (const FileSystemType& type : FileSystemTypes()) {
    EXPECT_NE(MakeFileSystem(type.name), nullptr) << type.name;
    for (const std::string& bug : type.bugs) EXPECT_NE(MakeFileSystem(type.name, {bug}), nullptr) << type.name << bug;
  }
}

}  // namespace
}  // namespace ordeal
