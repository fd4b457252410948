#include "harness/catalogue/catalogue.h"

#include <algorithm>

#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/catalogue/btrfs/btrfs_scenarios.h"
#include "harness/catalogue/bug_table.h"
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/user_buffer/user_buffer_scenarios.h"
#include "harness/catalogue/xfs/xfs_scenarios.h"
#include "harness/filesystems/filesystems.h"

namespace ordeal {
namespace {

// A catalogue entry is a switch only if a file system has it or a scenario without a file system does.
bool HasSwitch(const Registry& registry, const std::string& id) {
  const auto has = [&id](const std::vector<std::string>& ids) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  for (const FileSystemType& type : registry.filesystems()) {
    if (has(type.bugs) || has(type.inherent_bugs)) return true;
  }
  for (const ScenarioEntry& scenario : registry.scenarios()) {
    if (has(scenario.bugs)) return true;
  }
  return false;
}

}  // namespace

Registry BuiltIn() {
  Registry registry;
  for (const FileSystemType& type : FileSystemTypes()) registry.Add(type);
  AddBasicsScenarios(registry);
  AddFillScenarios(registry);
  AddDirectIoScenarios(registry);
  AddUserBufferScenarios(registry);
  AddXfsScenarios(registry);
  AddBcachefsScenarios(registry);
  AddBtrfsScenarios(registry);
  AddGfs2Scenarios(registry);
  AddOcfs2Scenarios(registry);
  AddLockOrderScenarios(registry);
  AddReclaimScenarios(registry);
  for (const BugEntry& bug : BugTable()) {
    if (HasSwitch(registry, bug.id)) registry.Add(bug);
  }
  return registry;
}

}  // namespace ordeal
