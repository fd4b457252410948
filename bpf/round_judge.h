// Judges one round of a real workload by the data oracle that judges the model's runs.
//
// Thread-safety: none; when the round's processes have ended.
// Cost:          grows with operations times versions of a cell; some ms for some hundred operations.
// Example:
//   RoundJudge judge(workload, *log, StampCode(salt), "xfs");
//   RETURN_IF_ERROR(judge.LookAndJudge(directory_fd, &findings));
#ifndef ORDEAL_BPF_ROUND_JUDGE_H_
#define ORDEAL_BPF_ROUND_JUDGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bpf/cell_stamp.h"
#include "bpf/history_builder.h"
#include "bpf/kernel_finding.h"
#include "bpf/operation_log.h"
#include "bpf/workload_runner.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

class RoundJudge {
 public:
  // `faults`: they are injected into this kernel.
  RoundJudge(const Workload& workload, const OperationLog& log, StampCode code, const std::string& file_system,
             uint64_t seed, bool faults = false);

  // Reads the files back and judges what everybody saw; with faults, unless somebody was told that data may be lost.
  absl::Status LookAndJudge(int directory_fd, std::vector<KernelFinding>* findings);
  // Instead: the round hung, and its files had better be left alone.
  void ReportHang(const RunOutcome& outcome, std::vector<KernelFinding>* findings);
  uint64_t cells_seen() const { return builder_.cells_seen(); }
  bool judged() const { return judged_; }

 private:
  const Workload& workload_;
  const uint64_t seed_;
  const bool faults_;
  bool judged_ = false;
  HistoryBuilder builder_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_ROUND_JUDGE_H_
