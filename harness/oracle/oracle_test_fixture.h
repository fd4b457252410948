// A history made by hand, for tests of the oracle: values as an operation sees them, events one after another.
//
// Thread-safety: plain values. Invariants: an event's id is its place, from 1.
// Example:
//   Past past;
//   past.Add(FileOperationKind::kWrite, 0, 2, 1, 2);
//   past.Read(0, 3, 4, {Data(1, 0), Initial(1)});
//   EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs write"));
#ifndef ORDEAL_HARNESS_ORACLE_ORACLE_TEST_FIXTURE_H_
#define ORDEAL_HARNESS_ORACLE_ORACLE_TEST_FIXTURE_H_

#include <string>
#include <utility>
#include <vector>

#include "harness/oracle/judge.h"

namespace ordeal {

inline CellValue Zero() { return {.kind = CellKind::kZero}; }
inline CellValue Initial(uint32_t cell, uint32_t file = 0) { return {CellKind::kInitial, file, cell, 0}; }
inline CellValue Data(uint32_t operation, uint32_t cell, uint32_t file = 0) {
  return {CellKind::kData, file, cell, operation};
}
inline CellValue Poison() { return {.kind = CellKind::kFreedPoison}; }

// Two files of two pages.
class Past {
 public:
  Past() { history.initial_cells = {8, 8}; }

  OperationEvent& Add(FileOperationKind kind, uint32_t offset, uint32_t length, uint64_t start, uint64_t end) {
    OperationEvent event;
    event.id = static_cast<uint32_t>(history.events.size()) + 1;
    event.task = event.id;
    event.operation.kind = kind;
    event.operation.offset_cells = offset;
    event.operation.length_cells = length;
    event.start = start;
    event.end = end;
    event.completed_cells = length;
    history.events.push_back(event);
    return history.events.back();
  }
  OperationEvent& Read(uint32_t offset, uint64_t start, uint64_t end, std::vector<CellValue> values,
                       FileOperationKind kind = FileOperationKind::kRead) {
    OperationEvent& event = Add(kind, offset, static_cast<uint32_t>(values.size()), start, end);
    event.observed = std::move(values);
    return event;
  }
  std::vector<std::string> Signatures() const {
    std::vector<std::string> signatures;
    for (const DataViolation& violation : Judge(history)) signatures.push_back(violation.signature);
    return signatures;
  }

  History history;
};
}  // namespace ordeal

#endif  // ORDEAL_HARNESS_ORACLE_ORACLE_TEST_FIXTURE_H_
