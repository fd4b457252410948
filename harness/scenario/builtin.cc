#include "harness/scenario/builtin.h"

#include "harness/filesystems/filesystems.h"

namespace ordeal {

Registry BuiltIn() {
  Registry registry;
  for (const FileSystemDescription& fs : FileSystemTable()) {
    registry.Add(FileSystemEntry{fs.name, fs.summary, fs.inherent_bugs});
  }
  for (const BugDescription& bug : BugTable()) {
    registry.Add(BugEntry{bug.id, bug.slug, bug.filesystems, bug.kind, bug.oracle, bug.classic_lockdep, bug.reference,
                          bug.summary});
  }
  registry.Add(NaiveOrderBug());
  registry.Add(DioSyncBeforeDioEndBug());
  registry.Add(PageLockUnderDlmBug());
  registry.Add(WorkqueueDependencyBug());
  registry.Add(FlushUnderLockBug());
  registry.Add(MutexCounterScenario());
  registry.Add(DiningPhilosophersScenario());
  registry.Add(DioSyncBeforeDioEndScenario());
  registry.Add(Ocfs2PageLockDlmScenario());
  registry.Add(WorkqueueFlushScenario());
  registry.Add(PunchHoleVsReadScenario());
  registry.Add(PunchHoleVsFaultScenario());
  registry.Add(DirectWriteVsReadScenario());
  registry.Add(TwoInodeLockScenario());
  registry.Add(WriteFromOwnMappingScenario());
  registry.Add(PunchHoleVsStoreScenario());
  registry.Add(DirectWriteIntoHoleScenario());
  registry.Add(DirectWriteVsStoreScenario());
  registry.Add(WriteThenDirectReadScenario());
  registry.Add(WritersCrossingMappingsScenario());
  registry.Add(TruncateVsStoreScenario());
  registry.Add(WriteFromVanishingSourceScenario());
  registry.Add(OperationsMixScenario());
  return registry;
}

}  // namespace ordeal
