// Reads the maps of a probe into a Recording: adds up the processors, names addresses, and tells trylocks of mmap_lock from
// acquisitions that wait.
//
// Thread-safety: none.
// Invariants:    the maps are not changed; what was not seen is absent, what was lost is counted.
// Example:       ASSIGN_OR_RETURN(const Recording recording, ReadRecording(maps, "kernel 6.18 xfs"));
#ifndef ORDEAL_BPF_RECORDING_READER_H_
#define ORDEAL_BPF_RECORDING_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/recording.h"

namespace ordeal::bpf {

// File descriptors.
struct ProbeMaps {
  int first_edges = -1;
  int edges = -1;
  int nodes = -1;
  uint32_t node_count = 0;
  int stacks = -1;
  int waits = -1;
  int mmap_sites = -1;
  int page_findings = -1;
  int named_classes = -1;
  int counters = -1;
  int page_lock_waits = -1;  // -1: not recorded
  bool lock_events = false;  // every lock of the kernel was an event
  uint64_t page_findings_count = 0;
  std::vector<int> programs = {};
};

absl::StatusOr<Recording> ReadRecording(const ProbeMaps& maps, const std::string& source);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_RECORDING_READER_H_
