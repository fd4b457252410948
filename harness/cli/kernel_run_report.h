// What `ordeal kernel run` says about a run, and the files that it leaves for a second look at what it found.
//
// Thread-safety: pure functions, but for SaveFindings, which writes files.
// Example:
//   ASSIGN_OR_RETURN(const std::vector<std::string> saved, SaveFindings(*result, "ordeal-findings"));
//   Print(FormatRun(*result, options.record, saved));
#ifndef ORDEAL_HARNESS_CLI_KERNEL_RUN_REPORT_H_
#define ORDEAL_HARNESS_CLI_KERNEL_RUN_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/kernel_run.h"

namespace ordeal {

// DIRECTORY/kernel-FILESYSTEM-SEED-N.{workload,history,txt} of each finding; returns the names without what follows the dot.
absl::StatusOr<std::vector<std::string>> SaveFindings(const bpf::KernelRunResult& result, const std::string& directory);

// `saved`: as SaveFindings returned them.
std::string FormatRun(const bpf::KernelRunResult& result, bool recorded, const std::vector<std::string>& saved);
// Counts, findings and notes, without the graph.
nlohmann::ordered_json RunToJson(const bpf::KernelRunResult& result, const std::vector<std::string>& saved);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_KERNEL_RUN_REPORT_H_
