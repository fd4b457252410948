#include "bpf/round_judge.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bpf/hang_watch.h"
#include "harness/oracle/judge.h"
#include "harness/workload/workload_text.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {

RoundJudge::RoundJudge(const Workload& workload, const OperationLog& log, StampCode code, const std::string& file_system,
                       uint64_t seed)
    : workload_(workload), seed_(seed), builder_(workload, log, code, file_system, PromisesOf(file_system)) {}

absl::Status RoundJudge::LookAndJudge(int directory_fd, std::vector<KernelFinding>* findings) {
  builder_.Build();
  RETURN_IF_ERROR(builder_.LookAtEnd(directory_fd));
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
