// A scenario: a world, the tasks that act in it and the oracles that judge the run. Registered by name in a table.
//
// A run is a pure function of (scenario name, file system, bugs, faults, choices): `ScenarioSpec` plus recorded choices
// is what a corpus file holds. Everything undetermined goes through the simulation's choices. Thread-safety: none. One
// Runner a thread. Example (a scenario):
//   class TwoLocks : public Scenario {
//     void Setup(ScenarioRun& run) override { a_.emplace(run.sim(), run.sim().Class("A")); ...;
//     run.sim().scheduler().Spawn(...); } void Check(ScenarioRun& run) override {} void Teardown() override {
//     a_.reset(); }
//   };
//   registry.Add({.name = "two-locks", .summary = "...", .make = [] { return std::make_unique<TwoLocks>(); }});
#ifndef ORDEAL_HARNESS_SCENARIO_SCENARIO_H_
#define ORDEAL_HARNESS_SCENARIO_SCENARIO_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "harness/choice/fault_set.h"
#include "harness/choice/recording.h"
#include "harness/filesystems/filesystem_type.h"
#include "harness/scenario/finding.h"
#include "harness/sync/simulation.h"

namespace ordeal {

// Names one experiment. Validated by Registry::Resolve.
struct ScenarioSpec {
  std::string scenario;           // "punch-hole-vs-read"
  std::string filesystem;         // "vfs", "vfs-2020", "xfs"; empty for scenarios without one
  std::vector<std::string> bugs;  // ids, "B01"; sorted
  FaultSet faults;
  FileSystemType filesystem_type;  // set by Resolve; no name: the scenario needs none
};

// One run under way: what a scenario may use.
class ScenarioRun {
 public:
  ScenarioRun(Simulation& sim, const ScenarioSpec& spec, ChoiceRecorder& choices)
      : sim_(sim), spec_(spec), choices_(choices) {}
  Simulation& sim() { return sim_; }
  // For what Setup decides: tasks ask through the scheduler.
  ChoiceRecorder& choices() { return choices_; }
  const ScenarioSpec& spec() const { return spec_; }
  bool HasBug(const std::string& id) const;
  // Adds a finding (the first one is the run's result; later ones are kept with it). The run goes on.
  void Report(Finding finding) { findings_.push_back(std::move(finding)); }
  // Adds a finding and ends the run at once; does not return when called by a task.
  void ReportAndStop(Finding finding);
  std::vector<Finding>& findings() { return findings_; }
  // Runs what was spawned. Scenarios call it in Check, for tasks that look at the world after the others; true when
  // those ended normally (otherwise the run's result says how it ended).
  bool RunTasks() {
    end_ = sim_.scheduler().Run();
    if (main_trace_steps_ == 0) main_trace_steps_ = sim_.scheduler().trace().size();
    return end_.kind == RunEndKind::kCompleted;
  }

 private:
  friend class Runner;

  Simulation& sim_;
  const ScenarioSpec& spec_;
  ChoiceRecorder& choices_;
  std::vector<Finding> findings_;
  RunEnd end_;
  size_t main_trace_steps_ = 0;  // of the kept trace, those before Check
  bool stopped_ = false;
};

class Scenario {
 public:
  virtual ~Scenario() = default;
  // Builds the world and spawns the tasks. Called once a run, outside any task, after Simulation::BeginRun.
  virtual void Setup(ScenarioRun& run) = 0;
  // After all foreground tasks have ended normally: quiescence checks. May spawn more tasks and call run.RunTasks().
  virtual void Check(ScenarioRun& run) {}
  // Releases the world. Called after all fibers are gone.
  virtual void Teardown() = 0;
};

// A hole of a historical protocol that a scenario shows without any switch, and the protocol that is silent there.
struct ProtocolHole {
  std::string bug;         // "B32"
  std::string filesystem;  // that has it
  std::string twin;        // that closed it
  std::string signature;   // of its findings, in part: the protocol may have other holes
};

struct ScenarioEntry {
  std::string name;
  std::string summary;                   // one line for `ordeal list`
  std::vector<std::string> filesystems;  // that it runs on; the first is the default; empty: none needed
  std::vector<std::string> bugs;         // bug ids that it is known to find, for `list` and canaries
  std::vector<ProtocolHole> holes;       // that it shows; one that a switch imitates may be among `bugs`, too
  FaultSet default_faults;
  std::function<std::unique_ptr<Scenario>()> make;

  bool ShowsHole(const std::string& bug, const std::string& filesystem) const;
};

struct BugEntry {
  std::string id;                        // "B01"
  std::string slug;                      // "punch-hole-vs-read-fill"
  std::vector<std::string> filesystems;  // that have the switch; the registry adds to it
  std::string kind;                      // "stale exposure"
  std::string oracle;                    // "data", "wait-for graph" ...
  std::string classic_lockdep;           // would kernel lockdep see it: "yes", "no", "partly"
  std::string reference;                 // commit or mail
  std::string summary;
  std::vector<std::string> hole_of;      // historical file systems that have it as they are; the registry adds to it
};

// The explicit tables: what `ordeal list` prints and every name is checked against.
class Registry {
 public:
  void Add(ScenarioEntry entry);
  void Add(FileSystemType type);
  void Add(BugEntry entry);
  const std::vector<ScenarioEntry>& scenarios() const { return scenarios_; }
  const std::vector<FileSystemType>& filesystems() const { return filesystems_; }
  const std::vector<BugEntry>& bugs() const { return bugs_; }
  const FileSystemType* FindFileSystem(const std::string& name) const;
  const ScenarioEntry* FindScenario(const std::string& name) const;
  const BugEntry* FindBug(const std::string& id_or_slug) const;  // accepts both
  // It is a switch of a scenario that runs on no file system.
  bool IsScenarioSwitch(const std::string& bug) const;
  // Fills defaults (file system), maps bug slugs to ids, sorts; NotFound names the nearest known names.
  absl::StatusOr<ScenarioSpec> Resolve(ScenarioSpec spec) const;

 private:
  void NameFileSystems(BugEntry* bug) const;

  std::vector<ScenarioEntry> scenarios_;
  std::vector<FileSystemType> filesystems_;
  std::vector<BugEntry> bugs_;
};

struct RunResult {
  RunEnd end;
  // Empty: nothing found. First what ended the run (deadlock, livelock), then what the scenario reported, then what the
  // validator found.
  std::vector<Finding> findings;
  std::vector<lockdep::Violation> violations;  // what the validator's findings were made from, in their order
  absl::Status status;  // not ok: the choice source stopped the run (a replay diverged)
};

// Runs schedules of one experiment, reusing simulation, stacks and validator.
class Runner {
 public:
  struct Options {
    SchedulerOptions scheduler;
    lockdep::ValidatorOptions validator;
    bool judges_fairly = true;  // a livelock or starvation is run again from where it began, under a fair schedule
  };
  Runner(const ScenarioEntry& entry, ScenarioSpec spec) : Runner(entry, std::move(spec), Options()) {}
  Runner(const ScenarioEntry& entry, ScenarioSpec spec, Options options);
  ~Runner();

  // One schedule, choices from `source` (BeginRun(run) is called on it).
  RunResult Run(ChoiceSource& source, uint64_t run = 0);
  // Of the last run.
  absl::Span<const RecordedChoice> recorded() const { return choices_.recorded(); }
  const std::vector<TraceStep>& trace() const { return sim_.scheduler().trace(); }
  Simulation& sim() { return sim_; }
  const ScenarioSpec& spec() const { return spec_; }

 private:
  void Collect(ScenarioRun& run, RunResult* result);
  void JudgeFairly(RunEndKind unfair, uint64_t choices_before, Finding* finding);

  const ScenarioSpec spec_;
  const Options options_;
  const std::function<std::unique_ptr<Scenario>()> make_;
  mutable Simulation sim_;  // scheduler() is not const
  std::unique_ptr<Scenario> scenario_;
  ChoiceRecorder choices_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_SCENARIO_H_
