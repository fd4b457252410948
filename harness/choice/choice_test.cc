#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/choice/prng.h"
#include "harness/choice/recording.h"
#include "harness/choice/replay.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

class SeededSource final : public ChoiceSource {
 public:
  explicit SeededSource(uint64_t seed) : prng_(seed) {}
  int Choose(const ChoicePoint& point) override {
    return prng_.Below(4) == 0 ? static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options))) : 0;
  }

 private:
  Prng prng_;
};

ChoicePoint PointAt(int i) {
  return {i % 3 == 0 ? ChoiceKind::kSchedule : ChoiceKind::kIoError, 2 + i % 5, TaskId{static_cast<uint16_t>(i % 4)},
          ObjectId{static_cast<uint32_t>(i / 2)}, {}};
}

std::vector<RecordedChoice> Record(int count, uint64_t seed) {
  SeededSource source(seed);
  ChoiceRecorder recorder;
  recorder.Begin(&source);
  for (int i = 0; i < count; ++i) recorder.Choose(PointAt(i));
  return {recorder.recorded().begin(), recorder.recorded().end()};
}

TEST(PrngTest, MatchesItsTestVectors) {
  Prng prng(1234567);
  EXPECT_EQ(prng.Next(), 6457827717110365317u);
  EXPECT_EQ(prng.Next(), 3203168211198807973u);
  EXPECT_EQ(prng.Next(), 9817491932198370423u);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(prng.Below(7), 7u);
  EXPECT_NE(DeriveSeed(1, 0), DeriveSeed(1, 1));
  EXPECT_NE(DeriveSeed(1, 0), DeriveSeed(2, 0));
}

TEST(ChoiceKindTest, NamesRoundTrip) {
  for (int kind = 1; kind <= 10; ++kind) {
    ChoiceKind parsed{};
    ASSERT_TRUE(ParseChoiceKind(ChoiceKindName(static_cast<ChoiceKind>(kind)), &parsed));
    EXPECT_EQ(parsed, static_cast<ChoiceKind>(kind));
  }
  ChoiceKind parsed{};
  EXPECT_FALSE(ParseChoiceKind("unknown", &parsed));
}

TEST(ChoiceRecorderTest, RecordsEveryAnswerBeyondItsFirstBuffer) {
  const std::vector<RecordedChoice> recorded = Record(5000, 1);
  ASSERT_EQ(recorded.size(), 5000u);
  EXPECT_TRUE(recorded[4999].Matches(PointAt(4999)));
}

TEST(ConflictTest, ReadsOfOneObjectDoNotConflict) {
  const DeclaredOperation read{OperationKind::kRead, ObjectId{3}};
  const DeclaredOperation write{OperationKind::kWrite, ObjectId{3}};
  EXPECT_FALSE(Conflict(read, read));
  EXPECT_TRUE(Conflict(read, write));
  EXPECT_FALSE(Conflict(write, {OperationKind::kWrite, ObjectId{4}}));
  EXPECT_FALSE(Conflict({OperationKind::kYield, kNoObject}, {OperationKind::kYield, kNoObject}));
}

class ReplayTest : public ::testing::TestWithParam<bool> {
 protected:
  ReplaySource MakeReplay(const std::vector<RecordedChoice>& recorded) {
    return GetParam() ? ReplaySource(MakeSparse(recorded, 16)) : ReplaySource(recorded);
  }
};

TEST_P(ReplayTest, GivesTheRecordedAnswers) {
  const std::vector<RecordedChoice> recorded = Record(1000, 2);
  ReplaySource replay = MakeReplay(recorded);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(replay.Choose(PointAt(i)), recorded[static_cast<size_t>(i)].answer);
  EXPECT_TRUE(replay.Finished().ok());
  replay.BeginRun(1);
  EXPECT_EQ(replay.Choose(PointAt(0)), recorded[0].answer) << "BeginRun rewinds";
}

TEST_P(ReplayTest, StopsAtADivergenceAndStaysStopped) {
  const std::vector<RecordedChoice> recorded = Record(200, 3);
  ReplaySource replay = MakeReplay(recorded);
  int stopped_at = -1;
  for (int i = 0; i < 200 && stopped_at < 0; ++i) {
    ChoicePoint point = PointAt(i);
    if (i == 100) point.task = TaskId{9};
    if (replay.Choose(point) == ChoiceSource::kStopRun) stopped_at = i;
  }
  // Dense: at the very point. Sparse: there if it deviated, else at the next checkpoint (16 apart).
  ASSERT_GE(stopped_at, 100);
  EXPECT_LT(stopped_at, GetParam() ? 116 : 101);
  EXPECT_EQ(replay.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(replay.Choose(PointAt(stopped_at)), ChoiceSource::kStopRun);
}

TEST_P(ReplayTest, SaysWhatWasExpectedAndWhatCame) {
  std::vector<RecordedChoice> recorded = Record(3, 4);
  recorded[0].answer = 1;
  ReplaySource replay = MakeReplay(recorded);
  EXPECT_EQ(replay.Choose({ChoiceKind::kAllocation, 2, TaskId{7}, ObjectId{8}, {}}), ChoiceSource::kStopRun);
  EXPECT_THAT(std::string(replay.status().message()),
              HasSubstr("choice 0: recorded schedule of 2, task 0, object 0, answer 1; the run asked allocation of 2, "
                        "task 7, object 8"));
}

TEST_P(ReplayTest, ComplainsOfALongerAndOfAShorterRun) {
  const std::vector<RecordedChoice> recorded = Record(10, 5);
  ReplaySource replay = MakeReplay(recorded);
  for (int i = 0; i < 9; ++i) replay.Choose(PointAt(i));
  EXPECT_THAT(std::string(replay.Finished().message()), HasSubstr("ended after 9 choices; 10 were recorded"));
  replay.Choose(PointAt(9));
  EXPECT_TRUE(replay.Finished().ok());
  EXPECT_EQ(replay.Choose(PointAt(10)), ChoiceSource::kStopRun);
  EXPECT_THAT(std::string(replay.status().message()), HasSubstr("the recording ends here"));
}

INSTANTIATE_TEST_SUITE_P(Forms, ReplayTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Sparse" : "Dense"; });

TEST(SparseRecordingTest, KeepsOnlyDeviationsAndCheckpoints) {
  const std::vector<RecordedChoice> recorded = Record(130, 6);
  const SparseRecording sparse = MakeSparse(recorded);
  EXPECT_EQ(sparse.choices, 130u);
  EXPECT_EQ(sparse.checkpoints.size(), 3u);
  EXPECT_EQ(sparse.checkpoints.back().ordinal, 130u);
  for (const SparseRecording::Deviation& deviation : sparse.deviations) {
    EXPECT_NE(deviation.choice.answer, 0);
    EXPECT_EQ(deviation.choice, recorded[deviation.ordinal]);
  }
}

}  // namespace
}  // namespace ordeal
