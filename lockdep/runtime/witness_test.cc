// Grades of cycles from sightings: each reason has a case that it excludes and a near twin that stays feasible.
#include "lockdep/runtime/witness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kA = 1, kB = 2, kC = 3, kG = 9;
constexpr uint32_t kAB = 0, kBA = 1, kBC = 2, kCA = 3;

Witness Saw(uint32_t task, uint64_t from, uint64_t to, std::vector<WitnessLock> gates = {}) {
  Witness witness{.task = task, .role = "T" + std::to_string(task), .from = from, .to = to};
  witness.held = std::move(gates);
  witness.held.push_back({from, Mode::kExclusive, "lock " + std::to_string(from), {"x.cc", static_cast<int>(from)}});
  return witness;
}

WitnessLock Gate(Mode mode = Mode::kExclusive) { return {kG, mode, "G", {"gate.cc", 7}}; }

TEST(WitnessBookTest, TwoTasksMakeTheCycleFeasible) {
  WitnessBook book;
  book.Record(kAB, Saw(1, kA, kB));
  book.Record(kBA, Saw(2, kB, kA));
  const CycleGrade grade = book.GradeCycle({kAB, kBA});
  EXPECT_EQ(grade.grade, Grade::kFeasible);
  EXPECT_EQ(grade.reason, "");
  EXPECT_THAT(grade.instances, ElementsAre("1 x T1", "1 x T2"));
}

TEST(WitnessBookTest, OneTaskOnly) {
  WitnessBook book;
  book.Record(kAB, Saw(1, kA, kB));
  book.Record(kBA, Saw(1, kB, kA));
  const CycleGrade grade = book.GradeCycle({kAB, kBA});
  EXPECT_EQ(grade.grade, Grade::kOrder);
  EXPECT_EQ(grade.reason, "one task only: T1");
  EXPECT_THAT(grade.instances, ElementsAre("2 x T1"));
  book.Record(kBA, Saw(2, kB, kA));
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).grade, Grade::kFeasible);
}

TEST(WitnessBookTest, TwoInstancesOfATaskAreNeeded) {
  WitnessBook book;
  book.Record(kAB, Saw(1, kA, kB));
  book.Record(kBC, Saw(1, kB, kC));
  book.Record(kCA, Saw(2, kC, kA));
  const CycleGrade grade = book.GradeCycle({kAB, kBC, kCA});
  EXPECT_EQ(grade.grade, Grade::kOrder);
  EXPECT_EQ(grade.reason, "needs 2 instances of T1");
  EXPECT_THAT(grade.instances, ElementsAre("2 x T1", "1 x T2"));
  book.Record(kBC, Saw(3, kB, kC));
  EXPECT_EQ(book.GradeCycle({kAB, kBC, kCA}).grade, Grade::kFeasible);
}

TEST(WitnessBookTest, AGateLockExcludesUnlessBothShareIt) {
  WitnessBook book;
  book.Record(kAB, Saw(1, kA, kB, {Gate()}));
  book.Record(kBA, Saw(2, kB, kA, {Gate(Mode::kShared)}));
  const CycleGrade grade = book.GradeCycle({kAB, kBA});
  EXPECT_EQ(grade.grade, Grade::kOrder);
  EXPECT_EQ(grade.reason, "gate lock G at gate.cc:7");
  book.Record(kAB, Saw(1, kA, kB, {Gate(Mode::kShared)}));
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).grade, Grade::kFeasible);
}

TEST(WitnessBookTest, JoinBeforeForkOrders) {
  WitnessBook book;
  book.Fork(0, 1);
  book.Record(kAB, Saw(1, kA, kB));
  book.Join(0, 1);
  book.Fork(0, 2);
  book.Record(kBA, Saw(2, kB, kA));
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).reason, "T2 goes there only after T1 has been there, by fork, join or events");
  book.Fork(0, 3);  // beside T2
  book.Record(kAB, Saw(3, kA, kB));
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).grade, Grade::kFeasible);
}

TEST(WitnessBookTest, AParentIsOrderedBeforeItsChildOnlyUpToTheFork) {
  WitnessBook book;
  book.Record(kAB, Saw(0, kA, kB));
  book.Fork(0, 1);
  book.Record(kBA, Saw(1, kB, kA));
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).grade, Grade::kOrder);
  book.Record(kAB, Saw(0, kA, kB));  // the same again, but after the fork
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).grade, Grade::kFeasible);
}

TEST(WitnessBookTest, AnEventOrdersWhatCameBeforeItsTrigger) {
  WitnessBook book;
  book.Record(kAB, Saw(1, kA, kB));
  book.Signal(1, 77);
  book.Wait(2, 77);
  book.Record(kBA, Saw(2, kB, kA));
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).grade, Grade::kOrder);

  WitnessBook other;
  other.Record(kAB, Saw(1, kA, kB));
  other.Signal(1, 78);
  other.Wait(2, 77);  // another event
  other.Record(kBA, Saw(2, kB, kA));
  EXPECT_EQ(other.GradeCycle({kAB, kBA}).grade, Grade::kFeasible);
}

TEST(WitnessBookTest, TheJointsMustBeOneLock) {
  WitnessBook book;
  book.Record(kAB, Saw(1, kA, kB));
  book.Record(kBA, Saw(2, kB + 100, kA));
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).reason, "the locks were different ones of their classes");
}

TEST(WitnessBookTest, ReadersOfAReaderNeedAWriterInBetween) {
  WitnessBook book;
  Witness first = Saw(1, kA, kB);
  first.held[0].mode = first.from_mode = first.to_mode = Mode::kShared;
  Witness second = Saw(2, kB, kA);
  second.held[0].mode = second.from_mode = second.to_mode = Mode::kShared;
  book.Record(kAB, first);
  book.Record(kBA, second);
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).reason, "needs a writer that waits for lock 2 and for lock 1");
  first.to_mode = Mode::kSharedRecursive;
  WitnessBook recursive;
  recursive.Record(kAB, first);
  recursive.Record(kBA, second);
  EXPECT_EQ(recursive.GradeCycle({kAB, kBA}).reason, "no sightings of its dependencies fit each other");
}

TEST(WitnessBookTest, WhatWasDroppedIsNotExcluded) {
  WitnessBook book(/*witnesses_max=*/2);
  book.Record(kBA, Saw(1, kB, kA));
  for (uint32_t i = 0; i < 3; ++i) book.Record(kAB, Saw(1, kA, kB + 100 * (i + 1)));
  EXPECT_EQ(book.dropped(), 1u);
  EXPECT_EQ(book.size(), 3u);
  const CycleGrade grade = book.GradeCycle({kAB, kBA});
  EXPECT_EQ(grade.grade, Grade::kFeasible);
  EXPECT_EQ(grade.reason, "not excluded: more sightings than were kept");
  book.Clear();
  EXPECT_EQ(book.size(), 0u);
  EXPECT_EQ(book.GradeCycle({kAB, kBA}).grade, Grade::kOrder);
}

TEST(WitnessBookTest, TheSameSightingIsKeptOnce) {
  WitnessBook book;
  for (int i = 0; i < 100; ++i) book.Record(kAB, Saw(1, kA, kB));
  EXPECT_EQ(book.size(), 1u);
}

}  // namespace
}  // namespace ordeal::lockdep
