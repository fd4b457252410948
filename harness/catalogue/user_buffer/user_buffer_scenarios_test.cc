// Faults on the user buffer of a write (catalogue 3C): what is found, and what the twin is silent about.
#include "harness/catalogue/user_buffer/user_buffer_scenarios.h"

#include <gtest/gtest.h>

#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

TEST(UserBufferTest, B29TheFaultOfAWriteWaitsBehindAQueuedMmap) {
  for (const char* filesystem : {"vfs", "xfs"}) {
    FindsBug(WriteBehindQueuedMmapScenario(), filesystem, {"B29"}, FindingKind::kDeadlock, "mmap_lock");
    FindsNothing(WriteBehindQueuedMmapScenario(), filesystem);
  }
}

TEST(UserBufferTest, B31ShortCopyMarkedUptodate) {
  for (const char* filesystem : {"vfs", "xfs"}) {
    FindsBug(WriteFromVanishingSourceScenario(), filesystem, {"B31"}, FindingKind::kData, "data: ");
    FindsNothing(WriteFromVanishingSourceScenario(), filesystem);
  }
}

}  // namespace
}  // namespace ordeal
