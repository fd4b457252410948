// The bug catalogue's ids (B01 ... B99) as switches that a file system is made with; all are off by default. A switch has an
// effect only where code asks for it: harness/catalogue says which file systems have which, and docs/bugs.md why not others.
//
// Thread-safety: plain values.
// Example:       if (world.bugs().Has(Bug::kB14InvalidateOnlyBefore)) return;
#ifndef ORDEAL_HARNESS_PAGECACHE_BUG_H_
#define ORDEAL_HARNESS_PAGECACHE_BUG_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace ordeal::pagecache {

// Entries with a letter (B13b) have numbers from 100 on.
enum class Bug : uint8_t {
  kB01ReadFillSkipsInvalidateLock = 1,
  kB02FaultFillSkipsInvalidateLock = 2,
  kB03ReadaheadSkipsMmapSem = 3,
  kB04FadviseSkipsIolock = 4,
  kB05MkwriteVsPunch = 5,
  kB06CollapseDropsRangeOnly = 6,
  kB07FaultAroundNoRecheck = 7,
  kB08TruncateUnmapsOnce = 8,
  kB09NoMappingRecheck = 9,
  kB10SizeSampledBeforeUptodate = 10,
  kB11StalePostEofBytes = 11,
  kB12StaleIomap = 12,
  kB13DelallocPunchNoLock = 13,
  kB13bCleanupRecursion = 100,
  kB13cReleaseScanAssumesPages = 101,
  kB14InvalidateOnlyBefore = 14,
  kB15AsyncInvalidatesAtSubmission = 15,
  kB16InvalidateBeforeConversion = 16,
  kB17SilentInvalidateFailure = 17,
  kB17bNoInvalidateAfterError = 102,
  kB17cSyncErrorHidesBytes = 103,
  kB18DirectReadSkipsFlush = 18,
  kB19SyncBeforeDioEnd = 19,
  kB20UnalignedWritesShared = 20,
  kB21FallocateSkipsDioDrain = 21,
  kB22ReflinkSkipsDioDrain = 22,
  kB23InvalidateLockRecursion = 23,
  kB24RangeLockReleasedEarly = 24,
  kB25UnlockedDirectIo = 25,
  kB26FallbackLeavesPagesCached = 26,
  kB27WriteFaultsUnderPageLock = 27,
  kB28WritersCrossPages = 28,
  kB29PageLockThenMmapLock = 29,
  kB30AtomicCopyLivelock = 30,
  kB31ShortCopyMarkedUptodate = 31,
  kB32FaultUnderOwnGlock = 32,
  kB33FaultUnderOtherGlock = 33,
  kB34DirectIoFaultsUnderRangeLock = 34,
  kB35DirectWriteOntoItself = 35,
  kB36DirectReadOntoItself = 36,
  kB37WindowNeverGrows = 37,
  kB38ShortWriteFreesBlocks = 38,
  kB39AppendRetryRecomputesPosition = 39,
  kB39bDoubleUnlock = 104,
  kB40ShortWriteAccounting = 40,
  kB41ReaddirCopiesUnderTreeLock = 41,
  kB42DirectIoRing = 42,
  kB42bRemapBlocksBoth = 111,
  kB43NoSameMappingTest = 43,
  kB44DroppedLockRetry = 44,
  kB45DroppedFlagIgnored = 45,
  kB46PageLockUnderDlm = 46,
  kB47DirtyAfterGlockRelease = 47,
  kB48TruncateBeforeLockCapture = 48,
  kB49SkipLockedInvalidate = 49,
  kB50GuardHeldAcrossFault = 50,
  kB51LeakedGuard = 51,
  kB52FsMiscOwnershipRace = 52,
  kB53FsMiscSkipsUptodate = 53,
  kB54FsMiscLostWakeup = 54,
  kB55TruncatedPageBusyRetry = 55,
  kB56UpconvertStolen = 56,
  kB57NonblockAbandonsBusy = 57,
  kB58RecursiveClusterLock = 58,
  kB59CrossNodeRenameOrder = 59,
  kB60DioMutexVsGlock = 60,
  kB61NoInvalidateAtDeferred = 61,
  kB62FaultPingPong = 62,
  kB63IgetVsEvict = 63,
  kB64ConversionDeadlock = 64,
  kB65SizeNotRefreshed = 65,
  kB66DedupePageOrder = 66,
  kB66bDedupeEqualIndex = 105,
  kB67ArgumentOrder = 67,
  kB68SubclassHidesOrder = 68,
  kB69DaxPairSpin = 69,
  kB70NestedInvalidateLock = 70,
  kB71StackedReadRecursion = 71,
  kB72AilLockVsLogSpace = 72,
  kB73ReadaheadVsFallocate = 73,
  kB74BlockThenMmapLock = 74,
  kB74bFaultRetakesBlock = 106,
  kB74cGlockThenMmapLock = 107,
  kB75PageLockStarvation = 75,
  kB76TwoStateStarvation = 76,
  kB76bFairNestedAdd = 112,
  kB77DaxEntryMissedWakeup = 77,
  kB77bDaxEntrySelfWait = 108,
  kB77cDaxEntryTwoFaults = 109,
  kB77dDaxEntryVsPageLock = 110,
  kB78TruncOpenVsPages = 78,
  kB79RangeLockVsWriteback = 79,
  kB80KnownFalsePositives = 80,
  kB81EvictionTakesInodeLock = 81,
  kB82EvictionWaitsForPin = 82,
  kB83EvictionWaitsForLease = 83,
  kB84ReadaheadAllocatesWithFs = 84,
  kB85ReclaimWaitsForWriteback = 85,
  kB86PageTableAllocUnderPageLock = 86,
  kB87RangeCyclicWraps = 87,
  kB88WritebackLivelock = 88,
  kB89LoopDeviceReclaim = 89,
  kB90TransactionAllocRecursion = 90,
  kB91EvictVsOwnIoend = 91,
  kB92EvictWaitsForOwnDisposeList = 92,
  kB93EvictVsWriteback = 93,
  kB94LeakedPageLock = 94,
  kB95UnpluggedWhileSleeping = 95,
  kB96WorkqueueDependency = 96,
  kB97FreezeUnderMmapLock = 97,
  kB98ExposureAtFailedExtend = 98,
  kB99FillErrorRetriesForever = 99,
  kGrantBeforeReplay = 113,  // not of the catalogue: recovery of a dead node
};

// "B13b"; null for a number without an entry.
const char* BugId(Bug bug);
// False if the catalogue has no such id.
bool ParseBugId(absl::string_view id, Bug* bug);

class BugSet {
 public:
  void Add(Bug bug) { words_[Number(bug) / 64] |= Bit(bug); }
  bool Has(Bug bug) const { return (words_[Number(bug) / 64] & Bit(bug)) != 0; }
  bool empty() const { return (words_[0] | words_[1]) == 0; }

 private:
  static unsigned Number(Bug bug) { return static_cast<unsigned>(bug); }
  static uint64_t Bit(Bug bug) { return uint64_t{1} << (Number(bug) % 64); }

  uint64_t words_[2] = {0, 0};  // ids below 128
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_BUG_H_
