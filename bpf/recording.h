// What the probe recorded, as values: the order graph with example stacks, how long locks were held and waited for, pages that
// were added under an exclusive invalidate lock, and what was lost or could not be seen.
//
// Thread-safety: plain values; pure functions.
// Invariants:    counters that begin with "lost:" are there also when they are 0.
// Example:       std::cout << FormatRecording(recording);
#ifndef ORDEAL_BPF_RECORDING_H_
#define ORDEAL_BPF_RECORDING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/order_cycles.h"
#include "lockdep/report/order_graph.h"
#include "nlohmann/json.hpp"

namespace ordeal::bpf {

// Innermost function first.
using CallStack = std::vector<std::string>;

struct HeldLock {
  lockdep::OrderNode node;
  uint64_t acquired = 0;
  uint64_t timed = 0;       // a sample of them: one of 16
  uint64_t held_ns = 0;     // of the sample
  uint64_t longest_ns = 0;  // of all; at least so long, if it was none of the sample and not waited for. 0: not known
  std::string longest_site;  // that acquired it; empty if not known
  CallStack longest_stack;   // of its release
  uint32_t longest_pid = 0;
  std::string longest_comm;
};

struct LockWait {
  std::string lock;  // "xfs_ilock (exclusive)"; of a lock that is not known: "mutex in pipe_write"
  bool known = false;
  CallStack stack;  // of the first wait at such a site
  uint64_t count = 0;
  uint64_t failed = 0;  // gave up: interrupted
  uint64_t total_ns = 0;
  uint64_t longest_ns = 0;
  uint64_t p50_ns = 0;  // rounded up, by at most a quarter
  uint64_t p90_ns = 0;
  uint64_t p99_ns = 0;
};

// A page that entered the page cache while another task held the mapping's invalidate lock exclusively: page_check.h.
struct PageFinding {
  uint32_t device = 0;  // as the kernel numbers them; 0: not known
  uint64_t inode = 0;   // number; 0: not known
  uint64_t index = 0;   // of the page, in the file
  uint64_t added_ns = 0;  // after the lock was known to be held
  bool holder_had_removed = false;  // pages removed_first to removed_last, by then
  uint64_t removed_first = 0;
  uint64_t removed_last = 0;
  uint32_t holder_pid = 0;
  std::string holder_site;
  uint32_t adder_pid = 0;
  std::string adder_comm;
  CallStack adder_stack;

  bool in_removed_range() const { return holder_had_removed && index >= removed_first && index <= removed_last; }
};

struct Recording {
  lockdep::OrderGraph graph;
  std::vector<HeldLock> holds;  // longest first
  std::vector<LockWait> waits;  // most time first
  std::vector<PageFinding> pages;
  uint64_t page_findings = 0;      // also those beyond the first ones, which `pages` keeps
  std::vector<std::string> notes;  // what this kernel lacks, and why
  double seconds = 0;

  // Of the recorded orders alone; those that need a queued writer are left out.
  std::vector<OrderCycle> Cycles() const;
  uint64_t lost() const;
  // Something that a sound kernel does not do.
  bool has_findings() const { return page_findings != 0 || !Cycles().empty(); }
};

std::string FormatRecording(const Recording& recording);
nlohmann::ordered_json RecordingToJson(const Recording& recording);

// "3.2 us".
std::string FormatNanoseconds(uint64_t ns);

// The function that asked for the lock: the first that neither traces nor locks. Empty if there is none.
std::string LockSite(const CallStack& stack);
// Without the frames of tracing and of the probe itself.
CallStack WithoutTracing(CallStack stack);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_RECORDING_H_
