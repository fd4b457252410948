#include "bpf/round_judge.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bpf/hang_watch.h"
#include "harness/oracle/judge.h"
#include "harness/workload/workload_text.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

Promises WithFaults(Promises promises, bool faults) {
  promises.short_transfers |= faults;
  return promises;
}

}  // namespace

RoundJudge::RoundJudge(const Workload& workload, const OperationLog& log, StampCode code, const std::string& file_system,
                       uint64_t seed, bool faults)
    : workload_(workload),
      seed_(seed),
      faults_(faults),
      builder_(workload, log, code, file_system, WithFaults(PromisesOf(file_system), faults)) {}

absl::Status RoundJudge::LookAndJudge(int directory_fd, std::vector<KernelFinding>* findings) {
  builder_.Build();
  RETURN_IF_ERROR(builder_.LookAtEnd(directory_fd));
  if (faults_ && builder_.told_of_loss()) return absl::OkStatus();
  judged_ = true;
  const History& history = builder_.history();
  std::string workload_text;
  std::string history_text;
  const std::string garbage = builder_.DescribeGarbage();
  for (const DataViolation& violation : Judge(history)) {
    if (workload_text.empty()) {
      workload_text = PrintWorkload(workload_);
      history_text = FormatHistory(history);
    }
    AddFinding({.kind = "data",
                .signature = violation.signature,
                .summary = violation.message,
                .details = absl::StrCat(Explain(history, violation), garbage),
                .workload = workload_text,
                .history = history_text,
                .seed = seed_},
               findings);
  }
  return absl::OkStatus();
}

void RoundJudge::ReportHang(const RunOutcome& outcome, std::vector<KernelFinding>* findings) {
  const FileOperation* operation = FindOperation(workload_, outcome.hung_operation);
  const std::string name = operation == nullptr ? "?" : std::string(FileOperationKindName(operation->kind));
  AddFinding({.kind = "hang",
              .signature = absl::StrCat("hang: ", name),
              .summary = absl::StrCat("hang: ", operation == nullptr ? "?" : ToString(*operation), " did not end"),
              .details = outcome.hang,
              .workload = PrintWorkload(workload_),
              .history = FormatHistory(builder_.Build()),
              .seed = seed_},
             findings);
}

}  // namespace ordeal::bpf
