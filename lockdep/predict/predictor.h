// Sound deadlock prediction from one trace: which cycles of lock order some reordering of it really reaches, and what
// excludes the others.
//
// Feasible cycles are the sync-preserving deadlocks (closure.h), found per abstract pattern in time linear in the trace:
// SPDOffline's criterion, with readers, queued writers, events, barriers, joins, handed-over locks and locks of forkers
// besides. A cycle of classes that no combination of observed tasks realises keeps the grade order, with the reason.
//
// Thread-safety: none once built: const.
// Invariants:    no feasible cycle without a schedule that reaches it (GradedCycle); one cycle for each signature.
// Cost:          O(trace) to build, then for each abstract pattern that is checked O(its acquisitions and their closure).
// Example:
//   const Predictor predictor(trace);
//   for (const GradedCycle& cycle : predictor.cycles()) ...
//   for (Violation& violation : violations) predictor.GradeInPlace(&violation);
#ifndef ORDEAL_LOCKDEP_PREDICT_PREDICTOR_H_
#define ORDEAL_LOCKDEP_PREDICT_PREDICTOR_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lockdep/predict/closure.h"
#include "lockdep/predict/graded_cycle.h"
#include "lockdep/predict/lock_history.h"
#include "lockdep/predict/order_grader.h"
#include "lockdep/predict/pattern_search.h"
#include "lockdep/runtime/violation.h"
#include "lockdep/trace/symbols.h"

namespace ordeal::lockdep {

struct PredictorOptions {
  uint64_t search_steps_max = 5'000'000;  // of the enumeration of patterns
  uint64_t patterns_max = 100'000;         // that are checked
  uint64_t closure_steps_max = 50'000'000;  // of all checks together: some seconds
  bool every_pattern = false;              // also those of a signature that is feasible already
};

struct PredictorStats {
  uint64_t abstract_acquires = 0;
  uint64_t patterns = 0;  // enumerated
  uint64_t checked = 0;
  uint64_t closure_steps = 0;
  bool complete = true;   // no bound was met: what is not feasible here is no sync-preserving deadlock
  size_t memory_bytes = 0;
};

class Predictor {
 public:
  // The trace must outlive the predictor.
  explicit Predictor(const Trace& trace, PredictorOptions options = {});

  // Feasible ones first, each in order of discovery.
  const std::vector<GradedCycle>& cycles() const { return cycles_; }
  const PredictorStats& stats() const { return stats_; }
  // The grade of a validator's circular or recursive violation of the same trace; kOrder without a reason for other kinds.
  GradedCycle GradeViolation(const Violation& violation) const;
  // Sets grade, grade_reason and instances.
  void GradeInPlace(Violation* violation) const;

 private:
  // Whether some occurrences of the pattern's nodes deadlock; then *cycle says which.
  bool Check(const Pattern& pattern, GradedCycle* cycle);
  bool Deadlocked(const Pattern& pattern, const std::vector<size_t>& at, size_t* culprit) const;
  bool EventStaysUntriggered(const Pattern& pattern, const std::vector<size_t>& at, size_t i) const;
  GradedCycle Describe(const Pattern& pattern, const std::vector<size_t>& at) const;
  std::string Signature(const Pattern& pattern) const;
  void FindFeasible();
  void FindOrderCycles();

  const PredictorOptions options_;
  const LockHistory history_;
  Closure closure_;
  const OrderGrader grader_;
  PredictorStats stats_;
  std::vector<GradedCycle> cycles_;
  std::set<std::string> signatures_;  // of cycles_
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_PREDICTOR_H_
