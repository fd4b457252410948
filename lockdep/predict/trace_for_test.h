// Traces from one-line scripts, and a replay that checks a predicted deadlock by doing it. For tests.
//
// Script: "T1: A sB -B -A; T2: wait:E": tasks and what they do, in the order of the trace; sites are s:1, s:2 ...
//   A acquire  sA shared  rA recursive shared  tA trylock  fA failed trylock  -A release  WORD:OBJECT the rest
//   class:C,ordered  lock:L,C,KEY  role:T,R  before the first task: declarations. Names of locks start with a capital or digit.
//
// Thread-safety: pure functions.
// Example:       const Trace trace = FromScript("T1: A B -B -A; T2: B A -A -B");
#ifndef ORDEAL_LOCKDEP_PREDICT_TRACE_FOR_TEST_H_
#define ORDEAL_LOCKDEP_PREDICT_TRACE_FOR_TEST_H_

#include <string>

#include "absl/strings/string_view.h"
#include "lockdep/predict/graded_cycle.h"
#include "lockdep/trace/symbols.h"

namespace ordeal::lockdep {

Trace FromScript(absl::string_view script);
// Does what the cycle's schedule says, with real lock states, and looks whether each task of the cycle then waits for the
// next. Empty if so, else what went wrong. Knows nothing of how prediction works.
std::string ReplayError(const Trace& trace, const GradedCycle& cycle);

// One event a line, numbered from 1.
std::string FormatForFailure(const Trace& trace);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_TRACE_FOR_TEST_H_
