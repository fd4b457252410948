// Scenarios that are nothing but locks, written as one line a task.
//
// A program is words: +A takes A exclusively, ~A shared, -A releases it, *T spawns task T, =X sets flag X, ?X ends the task
// unless X is set, !X ends it if X is set, ^X too, but sets X otherwise (one step), . is a scheduling point without meaning.
// All locks are rw-semaphores of a class each.
//
// Thread-safety: none.
// Example:
//   registry.Add(LockScript("abba", {{"first", "+A +B -B -A"}, {"second", "+B +A -A -B"}}));
#ifndef ORDEAL_HARNESS_CAMPAIGN_LOCK_SCRIPT_FOR_TEST_H_
#define ORDEAL_HARNESS_CAMPAIGN_LOCK_SCRIPT_FOR_TEST_H_

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "harness/scenario/scenario.h"
#include "harness/sync/rw_semaphore.h"
#include "lockdep/support/check.h"

namespace ordeal {

struct ScriptTask {
  std::string name;
  std::string program;
  bool spawned = false;  // by another task's *
};

class LockScriptScenario : public Scenario {
 public:
  explicit LockScriptScenario(std::vector<ScriptTask> tasks) : tasks_(std::move(tasks)) {}

  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    flag_ = sim_->scheduler().NewObject("flag");
    for (const ScriptTask& task : tasks_) {
      for (const std::string& word : Words(task.program)) AddLock(word);
    }
    for (const ScriptTask& task : tasks_) {
      if (!task.spawned) Spawn(task);
    }
  }
  void Teardown() override {
    locks_.clear();
    flags_.clear();
  }

 private:
  static std::vector<std::string> Words(const std::string& program) {
    std::istringstream stream(program);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
  }
  void AddLock(const std::string& word) {
    if (word[0] != '+' && word[0] != '~') return;
    const auto [name, unused] = names_.insert(word.substr(1));
    if (locks_.count(*name) != 0) return;
    locks_[*name] = std::make_unique<RwSemaphore>(*sim_, sim_->Class(*name), name->c_str());
  }
  void Spawn(const ScriptTask& task) {
    sim_->scheduler().Spawn(task.name.c_str(), [this, &task] { Perform(task); });
  }
  void Perform(const ScriptTask& task) {
    std::map<std::string, bool> exclusive;  // by lock held
    for (const std::string& word : Words(task.program)) {
      const std::string name = word.substr(1);
      if (word[0] == '?' || word[0] == '!' || word[0] == '^') {
        sim_->scheduler().Point(OperationKind::kWrite, flag_);
        if ((flags_.count(name) != 0) == (word[0] != '?')) return;
        if (word[0] == '^') flags_.insert(name);
      } else {
        Step(word[0], name, &exclusive);
      }
    }
  }
  void Step(char verb, const std::string& name, std::map<std::string, bool>* exclusive) {
    switch (verb) {
      case '+': locks_.at(name)->LockExclusive(); (*exclusive)[name] = true; return;
      case '~': locks_.at(name)->LockShared(); (*exclusive)[name] = false; return;
      case '-': exclusive->at(name) ? locks_.at(name)->UnlockExclusive() : locks_.at(name)->UnlockShared(); return;
      case '.': sim_->scheduler().Point(OperationKind::kYield, kNoObject); return;
      case '=':
        sim_->scheduler().Point(OperationKind::kWrite, flag_);
        flags_.insert(name);
        return;
      case '*':
        for (const ScriptTask& task : tasks_) {
          if (task.name == name) Spawn(task);
        }
        return;
      default: LD_CHECK(false, "an unknown verb of a lock script");
    }
  }

  const std::vector<ScriptTask> tasks_;
  Simulation* sim_ = nullptr;
  ObjectId flag_ = kNoObject;
  std::set<std::string> names_;  // outlive the run, as labels must
  std::map<std::string, std::unique_ptr<RwSemaphore>> locks_;
  std::set<std::string> flags_;
};

inline ScenarioEntry LockScript(const std::string& name, std::vector<ScriptTask> tasks) {
  ScenarioEntry entry;
  entry.name = name;
  entry.summary = "a lock script";
  entry.make = [tasks = std::move(tasks)] { return std::make_unique<LockScriptScenario>(tasks); };
  return entry;
}

// n tasks, task i takes lock i and then lock i+1 (mod n). Task i begins i * `stagger` meaningless steps late, so that a
// schedule which treats all tasks alike finds the earlier ones gone.
inline ScenarioEntry LockRing(const std::string& name, int n, int stagger) {
  std::vector<ScriptTask> tasks;
  std::string pause;
  for (int i = 0; i < n; ++i) {
    const std::string mine = absl::StrCat("L", i);
    const std::string next = absl::StrCat("L", (i + 1) % n);
    tasks.push_back({absl::StrCat("task", i), absl::StrCat(pause, "+", mine, " +", next, " -", next, " -", mine)});
    for (int step = 0; step < stagger; ++step) pause += ". ";
  }
  return LockScript(name, std::move(tasks));
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_LOCK_SCRIPT_FOR_TEST_H_
