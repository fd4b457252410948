#include "harness/cli/kernel_run_report.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bpf/order_comparer.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using nlohmann::ordered_json;

ordered_json CountsToJson(const std::vector<bpf::OperationCount>& counts) {
  ordered_json object = ordered_json::object();
  for (const bpf::OperationCount& count : counts) {
    ordered_json errors = ordered_json::object();
    for (const bpf::OperationCount::Error& error : count.errors) errors[error.name] = error.count;
    const absl::string_view name = FileOperationKindName(count.kind);
    object[std::string(name.data(), name.size())] = {{"operations", count.operations}, {"errors", std::move(errors)}};
  }
  return object;
}

std::string FormatFinding(const bpf::KernelFinding& finding, const std::string& saved) {
  std::string text = absl::StrCat("\nfound: ", finding.summary, "\n  signature: ", finding.signature, "\n  seed ", finding.seed,
                                  ", seen ", finding.count, finding.count == 1 ? " time\n" : " times\n", finding.details);
  if (!saved.empty()) absl::StrAppend(&text, "  saved: ", saved, ".workload, .history\n");
  return text;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SaveFindings(const bpf::KernelRunResult& result, const std::string& directory) {
  std::vector<std::string> saved;
  if (result.findings.empty()) return saved;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make '", directory, "': ", error.message()));
  for (const bpf::KernelFinding& finding : result.findings) {
    const std::string name =
        absl::StrCat(directory, "/kernel-", result.file_system, "-", finding.seed, "-", saved.size() + 1);
    RETURN_IF_ERROR(WriteFileAtomically(name + ".workload", finding.workload));
    RETURN_IF_ERROR(WriteFileAtomically(
        name + ".history", absl::StrCat("# ", finding.summary, "\n", finding.details, "\n", finding.history)));
    saved.push_back(name);
  }
  return saved;
}

std::string FormatRun(const bpf::KernelRunResult& result, bool recorded, const std::vector<std::string>& saved) {
  std::string text =
      absl::StrFormat("%d operations in %d rounds on %s, %.2f s (%.0f operations/s while the workload ran)\n",
                      result.operations, result.rounds, result.file_system, result.seconds,
                      static_cast<double>(result.operations) / std::max(result.workload_seconds, 1e-9));
  for (const bpf::OperationCount& count : result.counts) {
    absl::StrAppendFormat(&text, "  %10d  %s", count.operations, FileOperationKindName(count.kind));
    for (const bpf::OperationCount::Error& error : count.errors) {
      absl::StrAppendFormat(&text, "  %s %d", error.name, error.count);
    }
    absl::StrAppend(&text, "\n");
  }
  absl::StrAppendFormat(&text, "\n%d cells judged, %d copies delayed, %d kinds of findings\n", result.cells_judged,
                        result.slow_copies, result.findings.size());
  for (const std::string& note : result.notes) absl::StrAppend(&text, "note: ", note, "\n");
  for (size_t i = 0; i < result.findings.size(); ++i) {
    absl::StrAppend(&text, FormatFinding(result.findings[i], i < saved.size() ? saved[i] : ""));
  }
  if (!recorded) return text + "\nnothing recorded (--no-record)\n";
  absl::StrAppend(&text, "\n", result.graph.ToString(), "\nrecording lost ", bpf::LostEvents(result.graph.counters),
                  " events\n");
  return text;
}

ordered_json RunToJson(const bpf::KernelRunResult& result, const std::vector<std::string>& saved) {
  ordered_json findings = ordered_json::array();
  for (size_t i = 0; i < result.findings.size(); ++i) {
    const bpf::KernelFinding& finding = result.findings[i];
    findings.push_back({{"kind", finding.kind},
                        {"signature", finding.signature},
                        {"summary", finding.summary},
                        {"details", finding.details},
                        {"seed", finding.seed},
                        {"count", finding.count},
                        {"saved", i < saved.size() ? saved[i] : ""}});
  }
  return {{"filesystem", result.file_system},
          {"operations", result.operations},
          {"rounds", result.rounds},
          {"seconds", result.seconds},
          {"workload_seconds", result.workload_seconds},
          {"cells_judged", result.cells_judged},
          {"slow_copies", result.slow_copies},
          {"findings", std::move(findings)},
          {"notes", result.notes},
          {"counts", CountsToJson(result.counts)}};
}

}  // namespace ordeal
