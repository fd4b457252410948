// Executes the statements of a self-test row: turns verbs into calls of the validator, FsReclaim and WoundWait.
//
// Thread-safety: none.
// Invariants:    locks, contexts and mutexes come into being when first named and live as long as the machine.
// Example:       SelfTestMachine machine(validator, {});   RETURN_IF_ERROR(machine.Execute(statement));
#ifndef ORDEAL_LOCKDEP_EXAM_MACHINE_H_
#define ORDEAL_LOCKDEP_EXAM_MACHINE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lockdep/exam/notation.h"
#include "lockdep/exam/selftest.h"
#include "lockdep/runtime/reclaim.h"
#include "lockdep/runtime/validator.h"
#include "lockdep/runtime/wound_wait.h"

namespace ordeal::lockdep {

class SelfTestMachine {
 public:
  SelfTestMachine(Validator& validator, const SelfTestOptions& options);
  SelfTestMachine(const SelfTestMachine&) = delete;
  SelfTestMachine& operator=(const SelfTestMachine&) = delete;

  // An unknown verb, a missing argument or an unmatched "h-" is an error; a broken lock rule is the validator's to report.
  absl::Status Execute(const Statement& statement);

 private:
  enum class Family { kSpin, kRwlock, kMutex, kRwsem, kRtMutex, kRaw, kLocal };
  enum class Op { kLock, kTry, kUnlock, kInit };
  struct LockVerb {
    Family family;
    Mode mode;
    Op op;
    bool nest = false;    // the second argument is a nest lock
    bool nested = false;  // ... a subclass
  };
  using Handler = absl::Status (SelfTestMachine::*)(const Statement&);
  static const std::map<std::string, LockVerb>& LockVerbs();
  static const std::map<std::string, Handler>& Handlers();
  static const char* FamilyName(Family family);
  static absl::Status UnknownVerb(const Statement& statement);

  absl::Status ExecuteLock(const LockVerb& verb, const Statement& statement);
  absl::Status ExecuteBase(const LockVerb& verb, const Statement& statement);
  absl::Status Assign(const Statement& statement);
  absl::Status AssignContext(const Statement& statement);
  absl::Status CheckMustBe(const Statement& statement);
  absl::Status Context(const Statement& statement);   // h+ sd rcu+ ...
  absl::Status Reclaim(const Statement& statement);   // reclaim+ alloc nofs_save ...
  absl::Status Tickets(const Statement& statement);   // init done fini forget remember
  absl::Status WwLock(const Statement& statement);
  absl::Status WwOther(const Statement& statement);   // wwT wwU wwI

  absl::StatusOr<AcquireOptions> OptionsOf(const LockVerb& verb, const Statement& statement);
  absl::StatusOr<AcquireContext*> OptionalContext(const Statement& statement);
  // Compares what a call returned with what its row expects.
  void Returned(const Statement& statement, const LockMap& map, const std::string& value);

  const LockMap& LockNamed(Family family, const std::string& name);
  const LockMap& PseudoLock(const std::string& name);
  const LockMap* NestNamed(Family family, const std::string& name);
  WoundWaitMutex& MutexNamed(const std::string& name);
  AcquireContext& ContextNamed(const std::string& name);
  bool IsMutex(const std::string& name) const;
  std::string ContextOf(const WoundWaitMutex& mutex) const;
  Site Here() const { return {"row", step_}; }

  Validator& validator_;
  const SelfTestOptions options_;
  FsReclaim reclaim_;
  WoundWait ww_;
  WoundWaitClass ww_class_;
  AcquireContext poison_;
  TaskContext task_{"task"};
  std::map<std::pair<Family, std::string>, LockMap> locks_;
  std::map<std::string, LockMap> pseudo_locks_;
  std::map<std::string, WoundWaitMutex> mutexes_;
  std::map<std::string, AcquireContext> contexts_;
  std::map<std::string, std::vector<uint8_t>> saved_scopes_;
  std::map<std::string, int> entered_;  // "h", "H", "s": depth of each context
  int softirqs_disabled_ = 0;
  int step_ = 0;  // the statement being executed, from 1: the site in violations
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_EXAM_MACHINE_H_
