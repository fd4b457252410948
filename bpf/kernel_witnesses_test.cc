#include "bpf/kernel_witnesses.h"

#include <gmock/gmock.h>

#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using lockdep::Mode;
using lockdep::OrderGraph;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const char kIolock[] = "&sb->s_type->i_mutex_key@xfs_fs_type";
const char kIlock[] = "&xfs_nondir_ilock_class@xfs_nondir_ilock_class";
const char kMmaplock[] = "mapping.invalidate_lock@xfs_fs_type";

ClassMap Map() { return *BuiltInClassMap("xfs"); }

void Add(OrderGraph* graph, const char* from, const char* to, Mode mode, uint64_t count, const char* site) {
  OrderGraph::Edge edge;
  edge.from = {from, 0, mode};
  edge.to = {to, 0, mode};
  edge.count = count;
  edge.to_site = site;
  graph->edges.push_back(edge);
  graph->Normalise();
}

OrderGraph Lockdep() {
  OrderGraph graph;
  graph.source = "kernel 6.1";
  Add(&graph, kIolock, kMmaplock, Mode::kExclusive, 0, "");
  Add(&graph, kMmaplock, kIlock, Mode::kExclusive, 0, "");
  Add(&graph, kIolock, "&rq->__lock", Mode::kExclusive, 0, "");
  return graph;
}

TEST(KernelWitnessesTest, WhatIsRecordedIsAPartOfWhatLockdepHas) {
  OrderGraph record;
  record.counters = {{"lost: edge map full", 3}, {"events seen", 9}};
  Add(&record, kIolock, kMmaplock, Mode::kShared, 7, "xfs_file_read");
  Add(&record, kIolock, "some_lock", Mode::kShared, 7, "");  // not mapped
  const WitnessComparison witnesses = CompareWitnesses(Lockdep(), record, Map());
  EXPECT_EQ(witnesses.lockdep_pairs, 2u);
  EXPECT_EQ(witnesses.recorded_pairs, 1u);
  EXPECT_EQ(witnesses.in_both, 1u);
  EXPECT_EQ(witnesses.lost, 3u);
  EXPECT_THAT(witnesses.only_recorded, IsEmpty());
  EXPECT_THAT(witnesses.only_lockdep, ElementsAre("MMAPLOCK -> ILOCK"));
}

TEST(KernelWitnessesTest, APairThatLockdepLacksIsNamed) {
  OrderGraph record;
  Add(&record, kMmaplock, kIolock, Mode::kShared, 1, "");
  Add(&record, kIolock, kIolock, Mode::kShared, 1, "");  // lockdep's text would not say
  const WitnessComparison witnesses = CompareWitnesses(Lockdep(), record, Map());
  EXPECT_EQ(witnesses.in_both, 0u);
  EXPECT_THAT(witnesses.only_recorded, ElementsAre("MMAPLOCK -> IOLOCK"));
  EXPECT_THAT(FormatWitnesses(witnesses), ::testing::HasSubstr("a fault of the recorder): MMAPLOCK -> IOLOCK"));
}

TEST(KernelWitnessesTest, TogetherTheyHaveTheOrdersOfBothAndTheSitesOfOne) {
  OrderGraph record;
  Add(&record, kIolock, kMmaplock, Mode::kExclusive, 7, "xfs_file_fallocate");
  const OrderGraph both = UniteWitnesses(Lockdep(), record);
  ASSERT_EQ(both.edges.size(), 3u);
  EXPECT_EQ(both.edges[1].to.lock_class, kMmaplock);
  EXPECT_EQ(both.edges[1].count, 7u);
  EXPECT_EQ(both.edges[1].to_site, "xfs_file_fallocate");
}

}  // namespace
}  // namespace ordeal::bpf
