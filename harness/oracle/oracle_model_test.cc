// Random histories of a naive file, in which each operation happens at one instant: the oracle accepts them all, and finds every
// single wrong value in a sequential one.
#include <gtest/gtest.h>

#include <algorithm>

#include "harness/choice/prng.h"
#include "harness/oracle/oracle_test_fixture.h"

namespace ordeal {
namespace {

// A naive file: what the oracle must accept, because each operation happens at one instant.
class NaiveFiles {
 public:
  explicit NaiveFiles(const std::vector<uint32_t>& sizes) {
    for (uint32_t file = 0; file < sizes.size(); ++file) {
      files_.emplace_back();
      for (uint32_t cell = 0; cell < sizes[file]; ++cell) files_[file].push_back(Initial(cell, file));
    }
  }
  const std::vector<CellValue>& file(uint32_t file) const { return files_[file]; }

  void Apply(OperationEvent* event) {
    const FileOperation& operation = event->operation;
    std::vector<CellValue>& file = files_[operation.file];
    const uint32_t end = operation.offset_cells + operation.length_cells;
    switch (operation.kind) {
      case FileOperationKind::kTruncate: file.resize(operation.offset_cells, Zero()); return;
      case FileOperationKind::kPunchHole:
        for (uint32_t cell = operation.offset_cells; cell < std::min<size_t>(end, file.size()); ++cell)
          file[cell] = Zero();
        return;
      case FileOperationKind::kWrite:
      case FileOperationKind::kDirectWrite: Write(event); return;
      default:
        event->completed_cells = 0;
        for (uint32_t cell = operation.offset_cells; cell < std::min<size_t>(end, file.size()); ++cell) {
          event->observed.push_back(file[cell]);
          ++event->completed_cells;
        }
        return;
    }
  }

 private:
  void Write(OperationEvent* event) {
    const FileOperation& operation = event->operation;
    std::vector<CellValue>& file = files_[operation.file];
    const bool mapped = operation.buffer_file != kAnonymousBuffer;
    for (uint32_t i = 0; i < event->completed_cells; ++i) {
      const uint32_t cell = operation.offset_cells + i;
      if (mapped && operation.buffer_offset_cells + i >= files_[operation.buffer_file].size()) {
        event->completed_cells = i;
        return;
      }
      if (cell >= file.size()) file.resize(cell + 1, Zero());
      const CellValue copied = mapped ? files_[operation.buffer_file][operation.buffer_offset_cells + i] : CellValue{};
      if (mapped) event->observed.push_back(copied);
      file[cell] = mapped && event->copies_values ? copied : Data(event->id, cell, operation.file);
    }
  }

  std::vector<std::vector<CellValue>> files_;
};

constexpr FileOperationKind kModelKinds[] = {FileOperationKind::kRead,       FileOperationKind::kRead,
                                             FileOperationKind::kDirectRead, FileOperationKind::kWrite,
                                             FileOperationKind::kWrite,      FileOperationKind::kDirectWrite,
                                             FileOperationKind::kTruncate,   FileOperationKind::kPunchHole};

OperationEvent RandomEvent(Prng& prng, uint32_t id, bool copies) {
  OperationEvent event;
  event.id = id;
  FileOperation& operation = event.operation;
  operation.kind = kModelKinds[prng.Below(std::size(kModelKinds))];
  operation.file = prng.Below(2);
  const uint32_t unit = NeedsPageAlignment(operation.kind) ? kPageCells : 1;
  operation.offset_cells = prng.Below(12 / unit) * unit;
  if (HasRange(operation.kind)) operation.length_cells = (1 + prng.Below(8 / unit)) * unit;
  if (copies && operation.kind == FileOperationKind::kWrite && prng.Below(3) == 0) {
    operation.buffer_file = prng.Below(2);
    operation.buffer_offset_cells = prng.Below(2) * kPageCells;
    event.copies_values = true;
  }
  event.completed_cells = operation.length_cells;
  if (operation.kind == FileOperationKind::kWrite && prng.Below(8) == 0) {
    event.completed_cells = prng.Below(operation.length_cells + 1);
  }
  return event;
}

// Operations take effect one after another, each at an instant inside its interval; intervals overlap `overlap` deep.
History RandomHistory(uint64_t seed, uint32_t overlap, bool copies = true) {
  Prng prng(seed);
  History history;
  history.initial_cells = {8, 6};
  NaiveFiles files(history.initial_cells);
  for (uint32_t i = 0; i < 20; ++i) {
    OperationEvent event = RandomEvent(prng, i + 1, copies);
    files.Apply(&event);
    const uint64_t instant = (uint64_t{i} + 5) * 100;
    event.start = instant - prng.Below(overlap * 100) - 1;
    event.end = instant + prng.Below(overlap * 100) + 1;
    if (overlap == 0) {
      event.start = instant;
      event.end = instant + 1;
    }
    history.events.push_back(event);
  }
  for (uint32_t file = 0; file < 2; ++file) {
    FinalState state;
    state.file = file;
    state.size_known = true;
    state.size_cells = static_cast<uint32_t>(files.file(file).size());
    state.disk = state.cached = state.direct = state.dropped = files.file(file);
    history.final_states.push_back(state);
  }
  return history;
}

std::string Dump(const History& history) {
  std::string text;
  for (const OperationEvent& event : history.events) text += ToString(event) + "\n";
  for (const DataViolation& violation : Judge(history)) text += Explain(history, violation);
  return text;
}

TEST(ModelTest, AcceptsEverySequentialHistory) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    History history = RandomHistory(seed, 0);
    history.promises.atomic_calls = true;
    ASSERT_TRUE(Judge(history).empty()) << "seed " << seed << "\n" << Dump(history);
  }
}

TEST(ModelTest, AcceptsEveryHistoryOfInstants) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    History history = RandomHistory(seed, 1 + seed % 4);
    history.promises.atomic_calls = true;
    ASSERT_TRUE(Judge(history).empty()) << "seed " << seed << "\n" << Dump(history);
  }
}

// Goal: in a sequential history every single wrong value is found. Method: replace one observed value by another one.
TEST(ModelTest, FindsEveryWrongValueInSequentialHistories) {
  int found = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    History history = RandomHistory(seed, 0, false);
    Prng prng(seed);
    const CellValue wrong[] = {Zero(), Initial(3), Poison(), Data(1 + prng.Below(20), prng.Below(8)), Data(99, 0)};
    for (OperationEvent& event : history.events) {
      if (event.observed.empty() || event.operation.kind == FileOperationKind::kWrite) continue;
      CellValue& value = event.observed[prng.Below(static_cast<uint32_t>(event.observed.size()))];
      const CellValue right = value;
      value = wrong[prng.Below(5)];
      if (value == right) continue;
      ASSERT_FALSE(Judge(history).empty()) << "seed " << seed << "\n" << Dump(history);
      value = right;
      ++found;
    }
  }
  EXPECT_GT(found, 1000);
}

}  // namespace
}  // namespace ordeal
