// Whether a finding on a historical file system is one that its protocol is known to give.
//
// Thread-safety: pure function of an unchanging registry.
// Example:
//   if (HolesThatExplain(registry, spec, finding.kind).empty()) ...  // new: a person has to look at it
#ifndef ORDEAL_HARNESS_CAMPAIGN_KNOWN_HOLES_H_
#define ORDEAL_HARNESS_CAMPAIGN_KNOWN_HOLES_H_

#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace ordeal {

// Ids of the holes of spec's file system that explain a finding of this kind: those that the scenario is known to find, else all.
// A hole that lets pages appear where none should be breaks data and invariants, and lets two tasks chase each other for ever
// (livelock); it does not make locks wait for each other, unless it is a deadlock by itself. Where the scenario is known to find
// such a deadlock, an invariant may be its first sign: a fault that does not block makes a task a second holder instead.
std::vector<std::string> HolesThatExplain(const Registry& registry, const ScenarioSpec& spec, FindingKind kind);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_KNOWN_HOLES_H_
