#include "harness/pagecache/bug.h"

namespace ordeal::pagecache {
namespace {

struct Row {
  const char* id;
  Bug bug;
};
constexpr Row kRows[] = {
    {"B01", Bug::kB01ReadFillSkipsInvalidateLock},
    {"B02", Bug::kB02FaultFillSkipsInvalidateLock},
    {"B03", Bug::kB03ReadaheadSkipsMmapSem},
    {"B04", Bug::kB04FadviseSkipsIolock},
    {"B05", Bug::kB05MkwriteVsPunch},
    {"B06", Bug::kB06CollapseDropsRangeOnly},
    {"B07", Bug::kB07FaultAroundNoRecheck},
    {"B08", Bug::kB08TruncateUnmapsOnce},
    {"B09", Bug::kB09NoMappingRecheck},
    {"B10", Bug::kB10SizeSampledBeforeUptodate},
    {"B11", Bug::kB11StalePostEofBytes},
    {"B12", Bug::kB12StaleIomap},
    {"B13", Bug::kB13DelallocPunchNoLock},
    {"B13b", Bug::kB13bCleanupRecursion},
    {"B13c", Bug::kB13cReleaseScanAssumesPages},
    {"B14", Bug::kB14InvalidateOnlyBefore},
    {"B15", Bug::kB15AsyncInvalidatesAtSubmission},
    {"B16", Bug::kB16InvalidateBeforeConversion},
    {"B17", Bug::kB17SilentInvalidateFailure},
    {"B17b", Bug::kB17bNoInvalidateAfterError},
    {"B17c", Bug::kB17cSyncErrorHidesBytes},
    {"B18", Bug::kB18DirectReadSkipsFlush},
    {"B19", Bug::kB19SyncBeforeDioEnd},
    {"B20", Bug::kB20UnalignedWritesShared},
    {"B21", Bug::kB21FallocateSkipsDioDrain},
    {"B22", Bug::kB22ReflinkSkipsDioDrain},
    {"B23", Bug::kB23InvalidateLockRecursion},
    {"B24", Bug::kB24RangeLockReleasedEarly},
    {"B25", Bug::kB25UnlockedDirectIo},
    {"B26", Bug::kB26FallbackLeavesPagesCached},
    {"B27", Bug::kB27WriteFaultsUnderPageLock},
    {"B28", Bug::kB28WritersCrossPages},
    {"B29", Bug::kB29PageLockThenMmapLock},
    {"B30", Bug::kB30AtomicCopyLivelock},
    {"B31", Bug::kB31ShortCopyMarkedUptodate},
    {"B32", Bug::kB32FaultUnderOwnGlock},
    {"B33", Bug::kB33FaultUnderOtherGlock},
    {"B34", Bug::kB34DirectIoFaultsUnderRangeLock},
    {"B35", Bug::kB35DirectWriteOntoItself},
    {"B36", Bug::kB36DirectReadOntoItself},
    {"B37", Bug::kB37WindowNeverGrows},
    {"B38", Bug::kB38ShortWriteFreesBlocks},
    {"B39", Bug::kB39AppendRetryRecomputesPosition},
    {"B39b", Bug::kB39bDoubleUnlock},
    {"B40", Bug::kB40ShortWriteAccounting},
    {"B41", Bug::kB41ReaddirCopiesUnderTreeLock},
    {"B42", Bug::kB42DirectIoRing},
    {"B42b", Bug::kB42bRemapBlocksBoth},
    {"B43", Bug::kB43NoSameMappingTest},
    {"B44", Bug::kB44DroppedLockRetry},
    {"B45", Bug::kB45DroppedFlagIgnored},
    {"B46", Bug::kB46PageLockUnderDlm},
    {"B47", Bug::kB47DirtyAfterGlockRelease},
    {"B48", Bug::kB48TruncateBeforeLockCapture},
    {"B49", Bug::kB49SkipLockedInvalidate},
    {"B50", Bug::kB50GuardHeldAcrossFault},
    {"B51", Bug::kB51LeakedGuard},
    {"B52", Bug::kB52FsMiscOwnershipRace},
    {"B53", Bug::kB53FsMiscSkipsUptodate},
    {"B54", Bug::kB54FsMiscLostWakeup},
    {"B55", Bug::kB55TruncatedPageBusyRetry},
    {"B56", Bug::kB56UpconvertStolen},
    {"B57", Bug::kB57NonblockAbandonsBusy},
    {"B58", Bug::kB58RecursiveClusterLock},
    {"B59", Bug::kB59CrossNodeRenameOrder},
    {"B60", Bug::kB60DioMutexVsGlock},
    {"B61", Bug::kB61NoInvalidateAtDeferred},
    {"B62", Bug::kB62FaultPingPong},
    {"B63", Bug::kB63IgetVsEvict},
    {"B64", Bug::kB64ConversionDeadlock},
    {"B65", Bug::kB65SizeNotRefreshed},
    {"B66", Bug::kB66DedupePageOrder},
    {"B66b", Bug::kB66bDedupeEqualIndex},
    {"B67", Bug::kB67ArgumentOrder},
    {"B68", Bug::kB68SubclassHidesOrder},
    {"B69", Bug::kB69DaxPairSpin},
    {"B70", Bug::kB70NestedInvalidateLock},
    {"B71", Bug::kB71StackedReadRecursion},
    {"B72", Bug::kB72AilLockVsLogSpace},
    {"B73", Bug::kB73ReadaheadVsFallocate},
    {"B74", Bug::kB74BlockThenMmapLock},
    {"B74b", Bug::kB74bFaultRetakesBlock},
    {"B74c", Bug::kB74cGlockThenMmapLock},
    {"B75", Bug::kB75PageLockStarvation},
    {"B76", Bug::kB76TwoStateStarvation},
    {"B76b", Bug::kB76bFairNestedAdd},
    {"B77", Bug::kB77DaxEntryMissedWakeup},
    {"B77b", Bug::kB77bDaxEntrySelfWait},
    {"B77c", Bug::kB77cDaxEntryTwoFaults},
    {"B77d", Bug::kB77dDaxEntryVsPageLock},
    {"B78", Bug::kB78TruncOpenVsPages},
    {"B79", Bug::kB79RangeLockVsWriteback},
    {"B80", Bug::kB80KnownFalsePositives},
    {"B81", Bug::kB81EvictionTakesInodeLock},
    {"B82", Bug::kB82EvictionWaitsForPin},
    {"B83", Bug::kB83EvictionWaitsForLease},
    {"B84", Bug::kB84ReadaheadAllocatesWithFs},
    {"B85", Bug::kB85ReclaimWaitsForWriteback},
    {"B86", Bug::kB86PageTableAllocUnderPageLock},
    {"B87", Bug::kB87RangeCyclicWraps},
    {"B88", Bug::kB88WritebackLivelock},
    {"B89", Bug::kB89LoopDeviceReclaim},
    {"B90", Bug::kB90TransactionAllocRecursion},
    {"B91", Bug::kB91EvictVsOwnIoend},
    {"B92", Bug::kB92EvictWaitsForOwnDisposeList},
    {"B93", Bug::kB93EvictVsWriteback},
    {"B94", Bug::kB94LeakedPageLock},
    {"B95", Bug::kB95UnpluggedWhileSleeping},
    {"B96", Bug::kB96WorkqueueDependency},
    {"B97", Bug::kB97FreezeUnderMmapLock},
    {"B98", Bug::kB98ExposureAtFailedExtend},
    {"B99", Bug::kB99FillErrorRetriesForever},
    {"grant-before-replay", Bug::kGrantBeforeReplay},
};

}  // namespace

const char* BugId(Bug bug) {
  for (const Row& row : kRows) {
    if (row.bug == bug) return row.id;
  }
  return nullptr;
}

bool ParseBugId(absl::string_view id, Bug* bug) {
  for (const Row& row : kRows) {
    if (id == row.id) {
      *bug = row.bug;
      return true;
    }
  }
  return false;
}

}  // namespace ordeal::pagecache
