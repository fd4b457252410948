#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/workload/generator.h"
#include "harness/workload/workload_text.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(FileOperationTest, NamesAndKindsAreInverse) {
  for (const FileOperationKind kind : AllFileOperationKinds()) {
    FileOperationKind parsed{};
    ASSERT_TRUE(ParseFileOperationKind(FileOperationKindName(kind), &parsed));
    EXPECT_EQ(parsed, kind);
  }
  FileOperationKind parsed{};
  EXPECT_FALSE(ParseFileOperationKind("format-disk", &parsed));
  EXPECT_FALSE(ParseFileOperationKind("", &parsed));
}

TEST(FileOperationTest, PrintsOperandsThatItsKindHas) {
  EXPECT_EQ(ToString(FileOperation{.kind = FileOperationKind::kDirectWrite,
                                   .file = 0,
                                   .offset_cells = 4,
                                   .length_cells = 4,
                                   .buffer_file = 1,
                                   .buffer_offset_cells = 0}),
            "direct-write file 0 cells [4, 8) from mapping of file 1 at 0");
  EXPECT_EQ(ToString(FileOperation{.kind = FileOperationKind::kTruncate, .file = 1, .offset_cells = 7}),
            "truncate file 1 to 7");
  EXPECT_EQ(ToString(FileOperation{.kind = FileOperationKind::kMapUnmap}), "map-unmap");
  EXPECT_EQ(ToString(FileOperation{.kind = FileOperationKind::kDedupe, .length_cells = 4, .other_file = 1}),
            "dedupe file 0 cells [0, 4) against file 1");
  EXPECT_EQ(ToString(FileOperation{.kind = FileOperationKind::kRename, .other_file = 2}), "rename file 0 with file 2");
  EXPECT_EQ(ToString(FileOperation{.kind = FileOperationKind::kReplace, .file = 2}), "replace file 2");
}

TEST(WorkloadTextTest, ReadsBackEveryGeneratedWorkload) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    RandomWalk source(seed);
    ChoiceRecorder choices;
    choices.Begin(&source);
    WorkloadShape shape{.unmapped_files = static_cast<uint32_t>(seed % 2), .operations_per_task = 8};
    shape.kinds.push_back({FileOperationKind::kRename, 2});
    shape.kinds.push_back({FileOperationKind::kShrinkInodes, 2});
    if (shape.unmapped_files > 0) shape.kinds.push_back({FileOperationKind::kReplace, 4});
    const auto workload = GenerateWorkload(shape, choices);
    ASSERT_TRUE(workload.ok()) << workload.status();
    ASSERT_TRUE(ValidateWorkload(*workload).ok()) << ValidateWorkload(*workload);
    const std::string text = PrintWorkload(*workload);
    const auto parsed = ParseWorkload(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
    EXPECT_EQ(PrintWorkload(*parsed), text);
  }
}

TEST(WorkloadTextTest, IgnoresCommentsAndSpace) {
  const auto workload =
      ParseWorkload("# a mix\nordeal-workload 1\n\nfile a 8 # two pages\n task  process 3\nfsync file 0\n");
  ASSERT_TRUE(workload.ok()) << workload.status();
  EXPECT_EQ(workload->files.at(0).size_cells, 8u);
  EXPECT_EQ(workload->processes.at(0), 3u);
  EXPECT_EQ(workload->tasks.at(0).at(0).kind, FileOperationKind::kFsync);
}

TEST(WorkloadTextTest, ErrorsNameLineAndRemedy) {
  const std::string head = "ordeal-workload 1\nfile a 8\n";
  const struct {
    std::string text;
    const char* message;
  } kCases[] = {
      {"", "w:1: the text is empty; begin with 'ordeal-workload 1'"},
      {"hello", "w:1: expected the first line 'ordeal-workload 1', found 'hello'"},
      {"ordeal-workload 2", "w:1: version 2 is newer than 1"},
      {head + "fsync file 0", "w:3: the operation belongs to no task; put a line 'task process 0' before it"},
      {head + "task process 0\nfsync file 1", "w:4: file 1 does not exist; the workload has 1 files, from 0"},
      {head + "task process 0\nread file 0 cells [4, 4)", "w:4: the range is empty"},
      {head + "task process 0\nread file 0 cells [4, 3)", "w:4: the range ends (3) before it begins (4)"},
      {head + "task process 0\npunch-hole file 0 cells [1, 4)",
       "w:4: punch-hole needs offset and length in whole pages"},
      {head + "task process 0\nread file 0", "w:4: expected 'cells', found the end of the line"},
      {head + "task process 0\nerase file 0", "w:4: expected an operation such as 'read'"},
      {head + "task process 0\nfsync file 0 now", "w:4: expected the end of the line, found 'now'"},
      {head + "task process 99", "w:3: at most 48 tasks and processes"},
      {head + "file a 4", "w:3: file a is there twice"},
      {head + "file ../b 4", "w:3: a file's name has"},
      {head + "task process 0\nfile b 4", "w:4: files come before the first task"},
      {head + "task process 0\nread file 0 cells [0, 4294967295)", "w:4: the range ends beyond cell"},
      {head + "task process 0\nwrite file 0 cells [0, 4) from mapping of file 0 at 2",
       "w:4: the buffer must start at a page"},
      {head + "file b 4 unmapped\ntask process 0\nload file 1 cells [0, 4)",
       "w:5: it needs a mapping of a file that is unmapped"},
      {head + "file b 4 unmapped\ntask process 0\nread file 0 cells [0, 4) into mapping of file 1 at 0",
       "w:5: it needs a mapping of a file that is unmapped"},
      {head + "file b 4 unmapped\ntask process 0\nasync-direct-read file 1 cells [0, 4)",
       "w:5: an unmapped file is closed at the end of a call"},
      {head + "task process 0\nreplace file 0", "w:4: only an unmapped file is replaced"},
      {head + "file b 4\ntask process 0\nrename file 0 with file 0", "w:5: rename needs two files"},
      {head + "task process 0\ndedupe file 0 cells [0, 4) against file 0", "w:4: dedupe compares two different files"},
  };
  for (const auto& c : kCases) {
    const auto workload = ParseWorkload(c.text, "w");
    ASSERT_FALSE(workload.ok()) << c.text;
    EXPECT_THAT(Message(workload.status()), HasSubstr(c.message));
  }
}

// Goal: any byte string is refused or read, never more. Method: mutate a valid text at seeded places.
TEST(WorkloadTextTest, SurvivesMutations) {
  const std::string good =
      "ordeal-workload 1\nfile a 8\nfile b 8\ntask process 0\n  read file 0 cells [0, 4) into mapping of file 1 at 4\n"
      "  truncate file 1 to 3\ntask process 1\n  dedupe file 0 cells [0, 4) against file 1\n";
  Prng prng(7);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (uint32_t n = 1 + prng.Below(4); n > 0; --n) {
      const uint32_t at = prng.Below(static_cast<uint32_t>(text.size()));
      switch (prng.Below(3)) {
        case 0: text[at] = static_cast<char>(prng.Below(256)); break;
        case 1: text.erase(at, 1 + prng.Below(8)); break;
        default: text.insert(at, text.substr(prng.Below(static_cast<uint32_t>(text.size())), 6)); break;
      }
      if (text.empty()) break;
    }
    const auto workload = ParseWorkload(text);
    if (!workload.ok()) continue;
    ++accepted;
    EXPECT_TRUE(ValidateWorkload(*workload).ok());
  }
  EXPECT_GT(accepted, 0);
}

TEST(GeneratorTest, QuietAnswersGiveTheSmallestOperands) {
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  const auto workload = GenerateWorkload({.tasks = 1, .operations_per_task = 2}, choices);
  ASSERT_TRUE(workload.ok());
  for (const FileOperation& operation : workload->tasks[0]) {
    EXPECT_EQ(ToString(operation), "read file 0 cells [0, 1)");
  }
}

TEST(GeneratorTest, RecordsEveryDecisionOutsideAnyTask) {
  RandomWalk source(11);
  ChoiceRecorder choices;
  choices.Begin(&source);
  ASSERT_TRUE(GenerateWorkload({}, choices).ok());
  EXPECT_GE(choices.size(), 12u);
  for (const RecordedChoice& choice : choices.recorded()) {
    EXPECT_TRUE(choice.kind == ChoiceKind::kOperation || choice.kind == ChoiceKind::kOperand);
    EXPECT_EQ(choice.task, Index(kNoTask));
  }
}

TEST(GeneratorTest, EqualAnswersGiveEqualWorkloads) {
  std::string texts[2];
  for (std::string& text : texts) {
    RandomWalk source(3);
    ChoiceRecorder choices;
    choices.Begin(&source);
    text = PrintWorkload(*GenerateWorkload({}, choices));
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(GeneratorTest, GeneratesOnlyTheKindsAllowed) {
  WorkloadShape shape{.operations_per_task = 50,
                      .kinds = {{FileOperationKind::kFsync, 1}, {FileOperationKind::kPunchHole, 2}}};
  RandomWalk source(1);
  ChoiceRecorder choices;
  choices.Begin(&source);
  const auto workload = GenerateWorkload(shape, choices);
  ASSERT_TRUE(workload.ok());
  int punches = 0;
  for (const auto& task : workload->tasks) {
    for (const FileOperation& operation : task) {
      EXPECT_TRUE(operation.kind == FileOperationKind::kFsync || operation.kind == FileOperationKind::kPunchHole);
      punches += operation.kind == FileOperationKind::kPunchHole;
    }
  }
  EXPECT_GT(punches, 0);
}

// What needs a mapping is never asked of an unmapped file; only those are replaced; everything else meets both kinds.
TEST(GeneratorTest, UnmappedFilesAreOpenedByEachOperation) {
  WorkloadShape shape{.unmapped_files = 1, .operations_per_task = 200};
  shape.kinds.push_back({FileOperationKind::kReplace, 2});
  RandomWalk source(5);
  ChoiceRecorder choices;
  choices.Begin(&source);
  const auto workload = GenerateWorkload(shape, choices);
  ASSERT_TRUE(workload.ok());
  EXPECT_TRUE(workload->files[1].mapped);
  EXPECT_FALSE(workload->files[2].mapped);
  EXPECT_TRUE(ValidateWorkload(*workload).ok()) << ValidateWorkload(*workload);
  int reads_of_unmapped = 0;
  for (const FileOperation& operation : workload->tasks[0]) {
    reads_of_unmapped += operation.kind == FileOperationKind::kRead && operation.file == 2;
    EXPECT_TRUE(operation.kind != FileOperationKind::kReplace || operation.file == 2) << ToString(operation);
  }
  EXPECT_GT(reads_of_unmapped, 0);
}

TEST(GeneratorTest, RefusesImpossibleShapes) {
  QuietSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  EXPECT_THAT(Message(GenerateWorkload({.files = 0}, choices).status()), HasSubstr("at least one file"));
  EXPECT_THAT(Message(GenerateWorkload({.tasks = 49}, choices).status()), HasSubstr("at most 48"));
  EXPECT_THAT(Message(GenerateWorkload({.files = 1}, choices).status()), HasSubstr("dedupe needs two files"));
  EXPECT_THAT(Message(GenerateWorkload({.kinds = {{FileOperationKind::kReplace, 1}}}, choices).status()),
              HasSubstr("replace needs an unmapped file"));
  EXPECT_THAT(Message(GenerateWorkload({.kinds = {}}, choices).status()), HasSubstr("sum to 0"));
  EXPECT_THAT(Message(GenerateWorkload({.pages_per_file = 1 << 20}, choices).status()), HasSubstr("options"));
}

class StoppingSource final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint&) override { return kStopRun; }
  absl::Status status() const override { return absl::FailedPreconditionError("choice 0: diverged"); }
};

TEST(GeneratorTest, PassesOnTheErrorOfASourceThatStops) {
  StoppingSource source;
  ChoiceRecorder choices;
  choices.Begin(&source);
  EXPECT_EQ(GenerateWorkload({}, choices).status(), source.status());
}

}  // namespace
}  // namespace ordeal
