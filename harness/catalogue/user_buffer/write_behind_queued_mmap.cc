// B29: three tasks of one process. A write copies with its destination folio locked and faults, which takes mmap_lock; a mmap
// waits for that lock, so the fault queues behind it; and who holds it is a store whose page_mkwrite waits for the folio. A fault
// that only reads drops mmap_lock before it waits for a folio, page_mkwrite does not.
#include "harness/catalogue/user_buffer/user_buffer_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry WriteBehindQueuedMmapScenario() {
  ScenarioEntry entry;
  entry.name = "write-behind-queued-mmap";
  entry.summary = "a write from a mapping, stores to the page it writes, and a mmap, in one process";
  entry.filesystems = {"vfs", "xfs"};
  entry.bugs = {"B29"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  load file 0 cells [0, 1)
  write file 0 cells [0, 4) from mapping of file 1 at 0
  drop-caches file 1
  write file 0 cells [0, 4) from mapping of file 1 at 0
task process 0
  store file 0 cells [0, 1)
  fsync file 0
  store file 0 cells [0, 1)
task process 0
  map-unmap
  map-unmap
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
