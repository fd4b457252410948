// B07: a fault maps what is cached around it without taking the fill lock. That the folio's lock is held and its mapping looked
// at again under it suffices (the disputed c:cd647d5651c0 holds XFS's lock as well): without the switch nothing is found on a
// file system that takes no lock there; without the look, a page that a punch has just dropped is mapped. That takes a fault
// that sleeps from its look-up of the page until the punch has cleared the page tables for the last time: the page is the only
// one, to make this likely.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry FaultAroundVsPunchHoleScenario() {
  ScenarioEntry entry;
  entry.name = "fault-around-vs-punch-hole";
  entry.summary = "a hole is punched while faults map the cached pages around them";
  entry.filesystems = {"vfs", "ext4", "ext4-immap", "xfs"};
  entry.bugs = {"B07"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  read file 0 cells [0, 4)
  punch-hole file 0 cells [0, 4)
task process 1
  load file 0 cells [0, 1)
)",
                       {.readahead_pages = 0, .fault_around = true});
}

}  // namespace ordeal
