// The scenarios that ship, one a file. BuiltIn() of scenario.h registers them with the tables of harness/filesystems.
//
// Thread-safety: pure functions.
// Example:       registry.Add(MutexCounterScenario());
#ifndef ORDEAL_HARNESS_SCENARIO_BUILTIN_H_
#define ORDEAL_HARNESS_SCENARIO_BUILTIN_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

// Locks alone: for demonstration and measurement.
ScenarioEntry MutexCounterScenario();
ScenarioEntry DiningPhilosophersScenario();
BugEntry NaiveOrderBug();

// Waits and events: each runs to its end in the quiet schedule, and is found there by the validator.
ScenarioEntry DioSyncBeforeDioEndScenario();
BugEntry DioSyncBeforeDioEndBug();  // B19
ScenarioEntry Ocfs2PageLockDlmScenario();
BugEntry PageLockUnderDlmBug();  // B46
ScenarioEntry WorkqueueFlushScenario();
BugEntry WorkqueueDependencyBug();  // B96
BugEntry FlushUnderLockBug();

// The page cache. Each is a small fixed workload.
ScenarioEntry PunchHoleVsReadScenario();           // B01
ScenarioEntry PunchHoleVsFaultScenario();          // B02
ScenarioEntry DirectWriteVsReadScenario();         // B14
ScenarioEntry TwoInodeLockScenario();              // B67
ScenarioEntry WriteFromOwnMappingScenario();       // B27
ScenarioEntry PunchHoleVsStoreScenario();          // B05
ScenarioEntry DirectWriteIntoHoleScenario();       // B16
ScenarioEntry DirectWriteVsStoreScenario();        // B17
ScenarioEntry WriteThenDirectReadScenario();       // B18
ScenarioEntry WritersCrossingMappingsScenario();   // B28
ScenarioEntry TruncateVsStoreScenario();           // B09
ScenarioEntry WriteFromVanishingSourceScenario();  // B31
// A generated workload of all operations: the nightly workhorse.
ScenarioEntry OperationsMixScenario();

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_BUILTIN_H_
