// Direct I/O of all kinds, with buffers that are mappings, among what else looks at the ranges: reads, stores, truncation,
// clones.
#include <utility>

#include "harness/catalogue/btrfs/btrfs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry BtrfsMixScenario() {
  ScenarioEntry entry;
  entry.name = "btrfs-mix";
  entry.summary = "a generated mix of direct I/O and appends with mapped buffers, fallocate and clone, short of memory";
  entry.filesystems = {"btrfs"};
  WorkloadShape shape;
  shape.pages_per_file = 3;
  shape.tasks = 3;
  shape.processes = 2;
  shape.operations_per_task = 3;
  shape.kinds = {
      {FileOperationKind::kRead, 3},        {FileOperationKind::kWrite, 3},      {FileOperationKind::kDirectRead, 3},
      {FileOperationKind::kDirectWrite, 4}, {FileOperationKind::kDirectAppend, 3}, {FileOperationKind::kAppend, 1},
      {FileOperationKind::kLoad, 2},        {FileOperationKind::kStore, 2},      {FileOperationKind::kTruncate, 1},
      {FileOperationKind::kPunchHole, 1},   {FileOperationKind::kZeroRange, 1},  {FileOperationKind::kCollapseRange, 1},
      {FileOperationKind::kInsertRange, 1}, {FileOperationKind::kAllocate, 1},   {FileOperationKind::kClone, 2},
      {FileOperationKind::kDedupe, 1},      {FileOperationKind::kUnshare, 1},    {FileOperationKind::kFsync, 1},
      {FileOperationKind::kDropCaches, 1},
  };
  pagecache::WorldOptions options;
  options.memory_folios = 10;
  options.kswapd = true;
  options.fault_around = true;
  return GeneratedWorkload(std::move(entry), shape, options);
}

}  // namespace ordeal
