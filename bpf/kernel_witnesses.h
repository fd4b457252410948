// The two witnesses of one kernel with lock debugging, side by side: its own validator, whose /proc/lockdep is the text of every
// order since the boot, without modes and counts; and eBPF programs, whose recording has both, and the places in the code, of the
// time that it ran.
//
// The validator saw everything that the programs saw: a pair of theirs that it lacks is a fault of the recorder.
//
// Thread-safety: pure functions on values.
// Example:
//   const WitnessComparison witnesses = CompareWitnesses(lockdep, record, map);
//   EXPECT_TRUE(witnesses.only_recorded.empty());
//   const OrderGraph kernel = UniteWitnesses(std::move(lockdep), record);
#ifndef ORDEAL_BPF_KERNEL_WITNESSES_H_
#define ORDEAL_BPF_KERNEL_WITNESSES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/class_map.h"
#include "lockdep/report/order_graph.h"
#include "nlohmann/json.hpp"

namespace ordeal::bpf {

// Pairs of mapped classes, with subclasses. A class within itself is not among them: the validator's text does not tell.
struct WitnessComparison {
  size_t lockdep_pairs = 0;
  size_t recorded_pairs = 0;
  size_t in_both = 0;
  std::vector<std::string> only_recorded;  // "IOLOCK -> ILOCK/1"; a fault of the recorder
  std::vector<std::string> only_lockdep;   // before or after the recording, or lost
  uint64_t lost = 0;                       // events, by the recorder
};

WitnessComparison CompareWitnesses(const lockdep::OrderGraph& lockdep, const lockdep::OrderGraph& record, const ClassMap& map);
std::string FormatWitnesses(const WitnessComparison& witnesses);
nlohmann::ordered_json WitnessesToJson(const WitnessComparison& witnesses);

// The orders of both. What the validator alone tells counts as exclusive, as its text has no modes.
lockdep::OrderGraph UniteWitnesses(lockdep::OrderGraph lockdep, const lockdep::OrderGraph& record);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_KERNEL_WITNESSES_H_
