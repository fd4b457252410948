// Everything at once: a generated workload of all operations on few files, with buffers that are mappings of the same
// files and less memory than the files have pages, so that reclaim is always at work. The other mixes dwell on the rarer
// operations of one kind, among the common ones; the mix of clusters has no names and no files that are opened.
#include <algorithm>

#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {
namespace {

ScenarioEntry Mix(ScenarioEntry entry, std::vector<OperationWeight> kinds, WorkloadShape shape = {},
                  pagecache::WorldOptions options = {}) {
  shape.pages_per_file = 3;
  shape.tasks = std::max(3u, shape.processes);
  shape.operations_per_task = 3;
  shape.kinds = std::move(kinds);
  options.memory_folios = 10;
  options.kswapd = true;
  options.fault_around = true;
  return GeneratedWorkload(std::move(entry), shape, options);
}

// What every mix has, so that the rarer operations meet reads, writes and mappings.
std::vector<OperationWeight> Among(std::vector<OperationWeight> kinds) {
  std::vector<OperationWeight> all = {
      {FileOperationKind::kRead, 3},        {FileOperationKind::kWrite, 3}, {FileOperationKind::kDirectRead, 1},
      {FileOperationKind::kDirectWrite, 2}, {FileOperationKind::kLoad, 2},  {FileOperationKind::kStore, 2},
      {FileOperationKind::kTruncate, 1},    {FileOperationKind::kFsync, 1}, {FileOperationKind::kDropCaches, 1},
  };
  all.insert(all.end(), kinds.begin(), kinds.end());
  return all;
}

}  // namespace

ScenarioEntry OperationsMixScenario() {
  ScenarioEntry entry;
  entry.name = "operations-mix";
  entry.summary = "a generated mix of all operations on two mapped files and one that is not, short of memory";
  entry.filesystems = {"vfs",      "vfs-2020",          "xfs",               "ext4", "xfs-dax",
                       "bcachefs", "bcachefs-proposed", "bcachefs-repaired", "btrfs", "nfs"};
  entry.bugs = {"B02", "B14", "B17", "B18", "B27", "B28", "B67", "B70"};
  std::vector<OperationWeight> kinds = AllOperations();
  kinds.insert(kinds.end(), {{FileOperationKind::kRename, 1},
                             {FileOperationKind::kReplace, 1},
                             {FileOperationKind::kShrinkInodes, 1}});
  return Mix(entry, std::move(kinds), {.unmapped_files = 1}, {.plugs = true, .dirty_folios_max = 5});
}

// Three nodes and four: with the fault node-death some survive a death together.
ScenarioEntry ClusterMixOfNodes(const char* name, const char* summary, uint32_t nodes) {
  ScenarioEntry entry;
  entry.name = name;
  entry.summary = summary;
  entry.filesystems = {"gfs2", "ocfs2"};
  return Mix(entry, AllOperations(), {.processes = nodes}, {.nodes = static_cast<int>(nodes)});
}

// Files of a cluster keep their names and inodes.
ScenarioEntry ClusterMixScenario() {
  ScenarioEntry entry;
  entry.name = "cluster-mix";
  entry.summary = "a generated mix of all operations on two files of two nodes, short of memory";
  entry.filesystems = {"gfs2", "ocfs2"};
  return Mix(entry, AllOperations());
}

ScenarioEntry ClusterMixOf3NodesScenario() {
  return ClusterMixOfNodes("cluster-mix-3-nodes", "a generated mix of all operations on two files of three nodes", 3);
}
ScenarioEntry ClusterMixOf4NodesScenario() {
  return ClusterMixOfNodes("cluster-mix-4-nodes", "a generated mix of all operations on two files of four nodes", 4);
}

// Each node freezes its own mount.
ScenarioEntry ClusterFreezeMixScenario() {
  ScenarioEntry entry;
  entry.name = "cluster-freeze-mix";
  entry.summary = "a generated mix of freeze, fork, names, clones and fallocate on two files of two nodes";
  entry.filesystems = {"gfs2", "ocfs2"};
  return Mix(entry, Among({{FileOperationKind::kFreeze, 3},
                           {FileOperationKind::kSyncFs, 1},
                           {FileOperationKind::kFork, 1},
                           {FileOperationKind::kReaddir, 1},
                           {FileOperationKind::kLink, 2},
                           {FileOperationKind::kClone, 2},
                           {FileOperationKind::kDedupe, 2},
                           {FileOperationKind::kAllocate, 1},
                           {FileOperationKind::kPunchHole, 1}}));
}

// A cluster's file system on a lone node has several directories.
ScenarioEntry LoneNodeMixScenario() {
  ScenarioEntry entry;
  entry.name = "lone-node-mix";
  entry.summary = "a generated mix of names, clones, fork and freeze on the only node that has a cluster's file system mounted";
  entry.filesystems = {"gfs2", "ocfs2"};
  return Mix(entry,
             Among({{FileOperationKind::kFreeze, 2},
                    {FileOperationKind::kFork, 1},
                    {FileOperationKind::kReaddir, 1},
                    {FileOperationKind::kLink, 2},
                    {FileOperationKind::kRename, 3},
                    {FileOperationKind::kReplace, 2},
                    {FileOperationKind::kMakeDirectory, 1},
                    {FileOperationKind::kClone, 2},
                    {FileOperationKind::kDedupe, 1},
                    {FileOperationKind::kPunchHole, 1},
                    {FileOperationKind::kShrinkInodes, 1}}),
             {.unmapped_files = 1}, {.lone_node = true});
}

ScenarioEntry NodeDeathMixScenario() {
  ScenarioEntry entry;
  entry.name = "node-death-mix";
  entry.summary = "a generated mix of writes and fsyncs on two files of two nodes, one of which may die";
  entry.filesystems = {"gfs2", "ocfs2"};
  entry.default_faults = {ChoiceKind::kNodeDeath};
  return Mix(entry, {{FileOperationKind::kWrite, 4},
                     {FileOperationKind::kFsync, 4},
                     {FileOperationKind::kRead, 3},
                     {FileOperationKind::kStore, 2},
                     {FileOperationKind::kDirectWrite, 2},
                     {FileOperationKind::kDirectRead, 1},
                     {FileOperationKind::kTruncate, 1},
                     {FileOperationKind::kPunchHole, 1}});
}

ScenarioEntry FallocateMixScenario() {
  ScenarioEntry entry;
  entry.name = "fallocate-mix";
  entry.summary = "a generated mix of fallocate, appends and synchronous writes among the common operations";
  entry.filesystems = {"vfs", "xfs"};
  entry.bugs = {"B06"};
  return Mix(entry, Among({{FileOperationKind::kZeroRange, 2},
                           {FileOperationKind::kCollapseRange, 3},
                           {FileOperationKind::kInsertRange, 3},
                           {FileOperationKind::kAllocate, 2},
                           {FileOperationKind::kPunchHole, 1},
                           {FileOperationKind::kAppend, 2},
                           {FileOperationKind::kSyncWrite, 2}}));
}

ScenarioEntry CloneMixScenario() {
  ScenarioEntry entry;
  entry.name = "clone-mix";
  entry.summary = "a generated mix of clone, dedupe and unshare among the common operations";
  entry.filesystems = {"vfs", "xfs"};
  entry.bugs = {"B23", "B66"};
  return Mix(entry, Among({{FileOperationKind::kClone, 5},
                           {FileOperationKind::kDedupe, 3},
                           {FileOperationKind::kUnshare, 2},
                           {FileOperationKind::kPunchHole, 1},
                           {FileOperationKind::kCollapseRange, 1}}));
}

ScenarioEntry AsyncMixScenario() {
  ScenarioEntry entry;
  entry.name = "async-mix";
  entry.summary = "a generated mix of asynchronous direct I/O among the common operations, fallocate and clone";
  entry.filesystems = {"vfs", "xfs", "nfs"};
  entry.bugs = {"B15", "B19", "B98"};
  return Mix(entry, Among({{FileOperationKind::kAsyncDirectRead, 3},
                           {FileOperationKind::kAsyncDirectWrite, 5},
                           {FileOperationKind::kAsyncSyncWrite, 2},
                           {FileOperationKind::kAllocate, 1},
                           {FileOperationKind::kPunchHole, 1},
                           {FileOperationKind::kClone, 1}}));
}

ScenarioEntry MappingMixScenario() {
  ScenarioEntry entry;
  entry.name = "mapping-mix";
  entry.summary = "a generated mix of munmap, mprotect, fork, readdir, syncfs and freeze among the common operations";
  entry.filesystems = {"vfs", "xfs", "ext4", "btrfs"};
  entry.bugs = {"B41", "B97"};
  return Mix(entry, Among({{FileOperationKind::kRemap, 3},
                           {FileOperationKind::kProtect, 2},
                           {FileOperationKind::kMsync, 1},
                           {FileOperationKind::kFork, 2},
                           {FileOperationKind::kReaddir, 2},
                           {FileOperationKind::kSyncFs, 1},
                           {FileOperationKind::kFreeze, 2},
                           {FileOperationKind::kPunchHole, 1},
                           {FileOperationKind::kAsyncDirectWrite, 1}}));
}

ScenarioEntry FreezeMixScenario() {
  ScenarioEntry entry;
  entry.name = "freeze-mix";
  entry.summary = "a generated mix of freeze, names, clones and fallocate among the common operations";
  entry.filesystems = {"vfs", "xfs", "ext4", "btrfs"};
  return Mix(entry,
             Among({{FileOperationKind::kFreeze, 3},
                    {FileOperationKind::kLink, 2},
                    {FileOperationKind::kRename, 2},
                    {FileOperationKind::kReplace, 2},
                    {FileOperationKind::kMakeDirectory, 1},
                    {FileOperationKind::kClone, 2},
                    {FileOperationKind::kDedupe, 2},
                    {FileOperationKind::kUnshare, 1},
                    {FileOperationKind::kAllocate, 1},
                    {FileOperationKind::kPunchHole, 1},
                    {FileOperationKind::kShrinkInodes, 1}}),
             {.unmapped_files = 1});
}

}  // namespace ordeal
