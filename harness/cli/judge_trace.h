// Judges a recorded trace: which locks contradict each other, and how sure that is.
//
// Thread-safety: none.
// Invariants:    memory is bounded by names, locks and dependencies, not by events, unless `predict` or `keep_events` asks
//                for the whole trace. Equal files give equal results.
// Example:
//   ASSIGN_OR_RETURN(const lockdep::TraceFormat format, DetectTraceFormat("run.trace"));
//   ASSIGN_OR_RETURN(const TraceJudgement judgement, JudgeTrace("run.trace", {.format = format}));
#ifndef ORDEAL_HARNESS_CLI_JUDGE_TRACE_H_
#define ORDEAL_HARNESS_CLI_JUDGE_TRACE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lockdep/predict/graded_cycle.h"
#include "lockdep/runtime/validator.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal {

struct JudgeTraceOptions {
  lockdep::TraceFormat format = lockdep::TraceFormat::kOwn;
  bool predict = false;      // decide soundly, from the whole trace, which cycles can deadlock
  bool keep_events = false;  // for TraceJudgement::trace
};

struct TraceJudgement {
  std::unique_ptr<lockdep::Trace> trace;  // its symbols own the sites of the violations; events only if they were kept
  std::vector<lockdep::Violation> violations;
  // With predict: cycles that the validator does not report by itself (through queued writers, joins, barriers).
  std::vector<lockdep::GradedCycle> predicted;
  bool complete = true;  // with predict: no bound was met
  uint64_t events = 0;
  lockdep::ValidatorStats stats;
};

// `path` "-" is standard input. Errors name file, line and remedy.
absl::StatusOr<TraceJudgement> JudgeTrace(const std::string& path, const JudgeTraceOptions& options);

// By the first line that says something. Standard input cannot be read twice, so that it is taken to be our own format.
absl::StatusOr<lockdep::TraceFormat> DetectTraceFormat(const std::string& path);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_JUDGE_TRACE_H_
