// One cluster, many schedules: what the tests of this room share.
#ifndef ORDEAL_HARNESS_CLUSTER_CLUSTER_TEST_FIXTURE_H_
#define ORDEAL_HARNESS_CLUSTER_CLUSTER_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "harness/cluster/dlm.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {

inline constexpr NodeId kN1{1};
inline constexpr NodeId kN2{2};
inline constexpr NodeId kN3{3};
inline constexpr DlmMode kNL = lockdep::kDlmNull, kCR = lockdep::kDlmConcurrentRead, kCW = lockdep::kDlmConcurrentWrite,
                         kPR = lockdep::kDlmProtectedRead, kPW = lockdep::kDlmProtectedWrite,
                         kEX = lockdep::kDlmExclusive;

class ClusterTest : public ::testing::Test {
 protected:
  // One schedule: setup makes resources in dlm() and spawns tasks; check looks at the world before it is unwound.
  template <typename Setup, typename Check>
  RunEnd Run(ChoiceSource& source, Setup setup, Check check) {
    source.BeginRun(run_++);
    choices_.Begin(&source);
    sim_.BeginRun(&choices_);
    sim_.scheduler().set_faults(faults_);
    cluster_.emplace(sim_, cluster_options_);
    dlm_.emplace(*cluster_, dlm_options_);
    cluster_->Start();
    setup();
    const RunEnd end = sim_.scheduler().Run();
    check();
    sim_.EndRun();
    dlm_.reset();
    cluster_.reset();
    return end;
  }
  template <typename Setup>
  RunEnd Run(ChoiceSource& source, Setup setup) {
    return Run(source, setup, [] {});
  }

  Cluster& cluster() { return *cluster_; }
  Dlm& dlm() { return *dlm_; }
  Scheduler& scheduler() { return sim_.scheduler(); }
  ResourceId NewResource(uint32_t number = 0, NodeId master = kNoNode) {
    const auto lock_class = sim_.Class("dlm lock", {.ordered_by_key = true, .kind = &lockdep::kDlmLock});
    return dlm().NewResource(
        {.lock_class = lock_class, .name = "lock", .number = number, .order_key = number, .master = master});
  }
  void Pause(int points = 1) {
    for (int i = 0; i < points; ++i) scheduler().Point(OperationKind::kYield, kNoObject);
  }
  // Until every message has been dealt with.
  void Settle() {
    while (!cluster().network().idle()) scheduler().Sleep(kStepNs);
  }
  // Long enough for all messages of one exchange: tasks that sleep fewer ticks act first.
  void SleepTicks(int ticks) { scheduler().Sleep(ticks * 1000 * kStepNs); }
  std::vector<std::string> Violations() const {
    std::vector<std::string> signatures;
    for (const lockdep::Violation& violation : sim_.validator().violations()) signatures.push_back(violation.signature);
    return signatures;
  }
  // "node 1 a waits for lock 2; node 2 b waits for lock 1" of the cycle; "" if the run ended without one.
  std::string Cycle() {
    std::string text;
    for (const Deadlock::Waiter& waiter : scheduler().deadlock().cycle) {
      if (!text.empty()) text += "; ";
      text += cluster().TaskName(waiter.task) + " waits for " + waiter.object;
    }
    return text;
  }

  mutable Simulation sim_{{.steps_max = 40'000, .idle_steps_max = 20'000, .retry_repeats_max = 50}};
  ChoiceRecorder choices_;
  ClusterOptions cluster_options_;
  DlmOptions dlm_options_;
  FaultSet faults_;
  std::optional<Cluster> cluster_;
  std::optional<Dlm> dlm_;
  uint64_t run_ = 0;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_CLUSTER_TEST_FIXTURE_H_
