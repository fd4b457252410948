#include "lockdep/exam/machine.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::lockdep {
namespace {

absl::Status Bad(const Statement& statement, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", statement.text, "': ", what));
}

absl::Status NeedArgs(const Statement& statement, size_t min, size_t max) {
  if (statement.args.size() >= min && statement.args.size() <= max) return absl::OkStatus();
  return Bad(statement, absl::StrCat("takes ", min == max ? absl::StrCat(min) : absl::StrCat(min, " to ", max),
                                     " arguments, not ", statement.args.size()));
}

// "X2" is a lock of the class "X".
std::string ClassName(const std::string& name) {
  const size_t last = name.find_last_not_of("0123456789");
  return last == std::string::npos ? name : name.substr(0, last + 1);
}

bool IsNull(const std::string& value) { return value == "0" || value == "NULL" || value == "null" || value == "-"; }

// Rows write "1" and "ok", "-EDEADLK" and "EDEADLK".
std::string Canonical(const std::string& value) {
  if (value == "ok") return "1";
  if (value == "fail") return "0";
  return value;
}

}  // namespace

SelfTestMachine::SelfTestMachine(Validator& validator, const SelfTestOptions& options)
    : validator_(validator), options_(options), reclaim_(validator), ww_(validator), ww_class_(ww_.NewClass("ww")) {}

const char* SelfTestMachine::FamilyName(Family family) {
  switch (family) {
    case Family::kSpin: return "spinlock";
    case Family::kRwlock: return "rwlock";
    case Family::kMutex: return "mutex";
    case Family::kRwsem: return "rwsem";
    case Family::kRtMutex: return "rtmutex";
    case Family::kRaw: return "raw_spinlock";
    case Family::kLocal: return "local_lock";
  }
  return "lock";
}

const std::map<std::string, SelfTestMachine::LockVerb>& SelfTestMachine::LockVerbs() {
  struct Prefix {
    const char* text;
    Family family;
    Mode mode;
  };
  static const std::map<std::string, LockVerb>* const verbs = [] {
    auto* table = new std::map<std::string, LockVerb>;
    for (const Prefix& prefix : {Prefix{"s", Family::kSpin, Mode::kExclusive},
                                 Prefix{"w", Family::kRwlock, Mode::kExclusive},
                                 Prefix{"r", Family::kRwlock, Mode::kShared},
                                 Prefix{"rw", Family::kRwlock, Mode::kExclusive},
                                 Prefix{"m", Family::kMutex, Mode::kExclusive},
                                 Prefix{"Ws", Family::kRwsem, Mode::kExclusive},
                                 Prefix{"Rs", Family::kRwsem, Mode::kShared},
                                 Prefix{"sem", Family::kRwsem, Mode::kExclusive},
                                 Prefix{"rt", Family::kRtMutex, Mode::kExclusive},
                                 Prefix{"raw", Family::kRaw, Mode::kExclusive},
                                 Prefix{"l", Family::kLocal, Mode::kExclusive}}) {
      const std::string text = prefix.text;
      for (const char* suffix : {"", "_intr", "_kill", "_io", "_nest", "_nest_lock", "_nested"}) {
        const bool nest = absl::StartsWith(suffix, "_nest") && absl::string_view(suffix) != "_nested";
        const bool nested = absl::string_view(suffix) == "_nested";
        (*table)[text + "L" + suffix] = {prefix.family, prefix.mode, Op::kLock, nest, nested};
      }
      (*table)[text + "T"] = {prefix.family, prefix.mode, Op::kTry};
      (*table)[text + "U"] = {prefix.family, prefix.mode, Op::kUnlock};
      (*table)[text + "I"] = {prefix.family, prefix.mode, Op::kInit};
    }
    (*table)["ll"] = (*table)["lL"];
    (*table)["lu"] = (*table)["lU"];
    return table;
  }();
  return *verbs;
}

const std::map<std::string, SelfTestMachine::Handler>& SelfTestMachine::Handlers() {
  static const std::map<std::string, Handler>* const handlers = [] {
    auto* table = new std::map<std::string, Handler>;
    for (const char* verb : {"h+", "h-", "H+", "H-", "s+", "s-", "hd", "he", "sd", "se", "rcu+", "rcu-", "rcubh+",
                             "rcubh-", "rcusched+", "rcusched-"}) {
      (*table)[verb] = &SelfTestMachine::Context;
    }
    for (const char* verb : {"reclaim+", "reclaim-", "alloc", "nofs_save", "nofs_restore", "noio_save", "noio_restore",
                             "memalloc_save", "memalloc_restore"}) {
      (*table)[verb] = &SelfTestMachine::Reclaim;
    }
    for (const char* verb : {"init", "done", "fini", "forget", "remember"}) (*table)[verb] = &SelfTestMachine::Tickets;
    for (const char* verb : {"wwL", "wwL_intr", "wwL_slow", "wwL_slow_intr"}) (*table)[verb] = &SelfTestMachine::WwLock;
    for (const char* verb : {"wwT", "wwU", "wwI"}) (*table)[verb] = &SelfTestMachine::WwOther;
    return table;
  }();
  return *handlers;
}

absl::Status SelfTestMachine::UnknownVerb(const Statement& statement) {
  std::string known =
      "s w r m Ws Rs rt raw l, each with L, T, U, I (L also with _intr, _kill, _nest, _nested); rwI semI ll lu";
  for (const auto& [verb, handler] : Handlers()) absl::StrAppend(&known, " ", verb);
  return Bad(statement, absl::StrCat("unknown verb '", statement.verb, "'; the verbs are ", known));
}

absl::Status SelfTestMachine::Execute(const Statement& statement) {
  ++step_;
  if (statement.kind == Statement::Kind::kAssign) return Assign(statement);
  if (statement.kind == Statement::Kind::kMustBe) return CheckMustBe(statement);
  if (const auto handler = Handlers().find(statement.verb); handler != Handlers().end()) {
    return (this->*handler->second)(statement);
  }
  Statement plain = statement;
  const bool base = absl::StartsWith(statement.verb, "base.");
  if (base) plain.verb = statement.verb.substr(5);
  const auto verb = LockVerbs().find(plain.verb);
  if (verb == LockVerbs().end()) return UnknownVerb(statement);
  RETURN_IF_ERROR(NeedArgs(statement, 1, 2));
  const bool of_base = absl::EndsWith(plain.args[0], ".base");
  if (of_base) plain.args[0] = std::string(absl::StripSuffix(plain.args[0], ".base"));
  if (base || of_base || (verb->second.family == Family::kMutex && IsMutex(plain.args[0]))) {
    return ExecuteBase(verb->second, plain);
  }
  return ExecuteLock(verb->second, plain);
}

void SelfTestMachine::Returned(const Statement& statement, const LockMap& map, const std::string& value) {
  if (statement.expected.empty() || Canonical(statement.expected) == value) return;
  validator_.ApiAssert(task_, map, absl::StrCat(statement.text, " returned ", value), Here());
}

// ---- names

const LockMap& SelfTestMachine::LockNamed(Family family, const std::string& name) {
  const auto [at, created] = locks_.try_emplace({family, name});
  if (created) {
    LockClassOptions rules;
    if (family == Family::kSpin || family == Family::kRwlock || family == Family::kLocal) rules.inner = WaitType::kConfig;
    if (family == Family::kRaw) rules.inner = WaitType::kSpin;
    rules.per_cpu = family == Family::kLocal;
    at->second = validator_.NewMap(
        validator_.RegisterClass(absl::StrCat(FamilyName(family), "_", ClassName(name)), rules), at->first.second.c_str());
  }
  return at->second;
}

// Read sections of RCU: no order, but what sleeps must not be taken in them. The scheduler's also forbids preemption.
const LockMap& SelfTestMachine::PseudoLock(const std::string& name) {
  const auto [at, created] = pseudo_locks_.try_emplace(name);
  if (created) {
    const WaitType inner = name == "rcusched" ? WaitType::kSpin : WaitType::kConfig;
    at->second = validator_.NewMap(validator_.RegisterClass(name, {.inner = inner, .outer = WaitType::kFree}));
  }
  return at->second;
}

WoundWaitMutex& SelfTestMachine::MutexNamed(const std::string& name) {
  const auto [at, created] = mutexes_.try_emplace(name);
  if (created) at->second = ww_.NewMutex(ww_class_, at->first.c_str());
  return at->second;
}

AcquireContext& SelfTestMachine::ContextNamed(const std::string& name) {
  const auto [at, created] = contexts_.try_emplace(name);
  if (created) {
    at->second.map = validator_.NewMap(ww_class_.acquire_class, at->first.c_str());
    at->second.nest = &at->second.map;
  }
  return at->second;
}

// Wound/wait mutexes have small letters in the rows; contexts begin with "t".
bool SelfTestMachine::IsMutex(const std::string& name) const {
  if (mutexes_.count(name) != 0) return true;
  return !name.empty() && absl::ascii_islower(static_cast<unsigned char>(name[0])) && name[0] != 't';
}

std::string SelfTestMachine::ContextOf(const WoundWaitMutex& mutex) const {
  if (mutex.context == nullptr) return "0";
  if (mutex.context == &poison_) return "poison";
  for (const auto& [name, context] : contexts_) {
    if (mutex.context == &context) return name;
  }
  return "unknown";
}

// A nest lock may be a context, a mutex, or a lock of the nested lock's kind, or else of any kind that is held.
const LockMap* SelfTestMachine::NestNamed(Family family, const std::string& name) {
  if (absl::EndsWith(name, ".base")) return &MutexNamed(name.substr(0, name.size() - 5)).map;
  if (IsMutex(name)) return &MutexNamed(name).map;
  if (contexts_.count(name) != 0 || name[0] == 't') return ContextNamed(name).nest;
  const LockMap& same_kind = LockNamed(family, name);
  if (task_.Holds(same_kind)) return &same_kind;
  for (const auto& [key, map] : locks_) {
    if (key.second == name && task_.Holds(map)) return &map;
  }
  return &same_kind;
}

// ---- locks

absl::StatusOr<AcquireOptions> SelfTestMachine::OptionsOf(const LockVerb& verb, const Statement& statement) {
  AcquireOptions options;
  options.site = Here();
  options.trylock = verb.op == Op::kTry;
  if (statement.args.size() < 2) {
    if (verb.nest || verb.nested) return Bad(statement, "needs a second argument");
    return options;
  }
  if (verb.op != Op::kLock) return Bad(statement, "takes one argument");
  int subclass = 0;
  if (!verb.nest && absl::SimpleAtoi(statement.args[1], &subclass)) {
    options.subclass = subclass;
  } else if (verb.nested) {
    return Bad(statement, "the subclass must be a number");
  } else {
    options.nest = NestNamed(verb.family, statement.args[1]);
  }
  return options;
}

absl::Status SelfTestMachine::ExecuteLock(const LockVerb& verb, const Statement& statement) {
  const LockMap& map = LockNamed(verb.family, statement.args[0]);
  ASSIGN_OR_RETURN(const AcquireOptions options, OptionsOf(verb, statement));
  const std::string expected = Canonical(statement.expected);
  switch (verb.op) {
    case Op::kInit: validator_.Reinitialised(task_, map, Here()); break;
    case Op::kUnlock: validator_.Release(task_, map, Here()); break;
    case Op::kLock:
    case Op::kTry: {
      if (verb.op == Op::kTry && expected == "0") break;  // a failed attempt takes nothing
      Mode mode = verb.mode;
      if (verb.family == Family::kRwlock && mode == Mode::kShared) {
        const bool in_interrupt = (task_.context() & kIrqContext) != 0;
        if (!options_.queued_rwlocks || in_interrupt) mode = Mode::kSharedRecursive;
      }
      validator_.Acquire(task_, map, mode, options);
      const bool interrupted = verb.op == Op::kLock && !expected.empty() && expected != "0";
      if (interrupted) validator_.Release(task_, map, Here());
      break;
    }
  }
  return absl::OkStatus();
}

// The mutex inside a wound/wait mutex, used without the protocol.
absl::Status SelfTestMachine::ExecuteBase(const LockVerb& verb, const Statement& statement) {
  if (verb.family != Family::kMutex) return Bad(statement, "the lock inside a wound/wait mutex is a mutex");
  WoundWaitMutex& mutex = MutexNamed(statement.args[0]);
  ASSIGN_OR_RETURN(const AcquireOptions options, OptionsOf(verb, statement));
  switch (verb.op) {
    case Op::kInit: validator_.Reinitialised(task_, mutex.map, Here()); break;
    case Op::kUnlock: ww_.UnlockBase(task_, mutex, Here()); break;
    case Op::kLock:
      validator_.Acquire(task_, mutex.map, Mode::kExclusive, options);
      mutex.locked = true;
      Returned(statement, mutex.map, "0");
      break;
    case Op::kTry:
      Returned(statement, mutex.map, mutex.locked ? "0" : "1");
      if (mutex.locked) break;
      validator_.Acquire(task_, mutex.map, Mode::kExclusive, options);
      mutex.locked = true;
      break;
  }
  return absl::OkStatus();
}

// ---- wound/wait

absl::StatusOr<AcquireContext*> SelfTestMachine::OptionalContext(const Statement& statement) {
  RETURN_IF_ERROR(NeedArgs(statement, 1, 2));
  if (statement.args.size() == 1 || IsNull(statement.args[1])) return nullptr;
  return &ContextNamed(statement.args[1]);
}

absl::Status SelfTestMachine::WwLock(const Statement& statement) {
  ASSIGN_OR_RETURN(AcquireContext* const context, OptionalContext(statement));
  WoundWaitMutex& mutex = MutexNamed(statement.args[0]);
  const bool slow = absl::StartsWith(statement.verb, "wwL_slow");
  if (slow && context == nullptr) return Bad(statement, "the slow path needs a context");
  const WoundWaitResult result =
      slow ? ww_.LockSlow(task_, mutex, *context, Here()) : ww_.Lock(task_, mutex, context, Here());
  if (result == WoundWaitResult::kWait) ww_.GiveUp(task_, mutex, Here());  // nobody would ever wake the only task
  Returned(statement, mutex.map, WoundWaitResultName(result));
  return absl::OkStatus();
}

absl::Status SelfTestMachine::WwOther(const Statement& statement) {
  ASSIGN_OR_RETURN(AcquireContext* const context, OptionalContext(statement));
  WoundWaitMutex& mutex = MutexNamed(statement.args[0]);
  if (statement.verb == "wwT") {
    Returned(statement, mutex.map, ww_.TryLock(task_, mutex, context, Here()) ? "1" : "0");
  } else if (statement.verb == "wwU") {
    ww_.Unlock(task_, mutex, Here());
  } else {
    validator_.Reinitialised(task_, mutex.map, Here());
    mutex.context = nullptr;
    mutex.locked = false;
  }
  return absl::OkStatus();
}

absl::Status SelfTestMachine::Tickets(const Statement& statement) {
  RETURN_IF_ERROR(NeedArgs(statement, 1, 2));
  const std::string name(absl::StripSuffix(statement.args[0], ".base"));
  if (statement.verb == "init") {
    if (IsMutex(name)) return WwOther({.text = statement.text, .verb = "wwI", .args = {name}});
    ww_.Init(task_, ContextNamed(name), ww_class_, Here());
  } else if (statement.verb == "done") {
    ww_.Done(task_, ContextNamed(name), Here());
  } else if (statement.verb == "fini") {
    ww_.Fini(task_, ContextNamed(name), Here());
  } else if (statement.verb == "forget") {  // the validator's half of an unlock; the mutex stays locked
    validator_.Release(task_, MutexNamed(name).map, Here());
  } else {
    const bool attempt = statement.args.size() == 2;
    if (attempt && statement.args[1] != "try") return Bad(statement, "the second argument can only be 'try'");
    validator_.Acquire(task_, MutexNamed(name).map, Mode::kExclusive, {.trylock = attempt, .site = Here()});
  }
  return absl::OkStatus();
}

absl::Status SelfTestMachine::Assign(const Statement& statement) {
  const std::string& value = statement.value;
  if (statement.field.empty() && value != "++" && value != "--") {
    ContextNamed(statement.target) = ContextNamed(value);
    return absl::OkStatus();
  }
  if (statement.field != "ctx") return AssignContext(statement);
  WoundWaitMutex& mutex = MutexNamed(statement.target);
  if (value == "poison") {
    mutex.context = &poison_;
  } else {
    mutex.context = IsNull(value) ? nullptr : &ContextNamed(value);
  }
  return absl::OkStatus();
}

absl::Status SelfTestMachine::AssignContext(const Statement& statement) {
  AcquireContext& context = ContextNamed(statement.target);
  if (statement.field == "class" || statement.field == "ww_class") {
    context.ww_class = IsNull(statement.value) ? nullptr : &ww_class_;
    return absl::OkStatus();
  }
  const bool step = statement.value == "++" || statement.value == "--";
  int64_t number = 0;
  if (!step && !absl::SimpleAtoi(statement.value, &number)) return Bad(statement, "the value must be a number");
  const auto assign = [&](auto* field) {
    using Field = std::remove_pointer_t<decltype(field)>;
    *field = static_cast<Field>(step ? static_cast<int64_t>(*field) + (statement.value == "++" ? 1 : -1) : number);
    return absl::OkStatus();
  };
  if (statement.field == "stamp") return assign(&context.stamp);
  if (statement.field == "acquired") return assign(&context.acquired);
  if (statement.field == "done" || statement.field == "done_acquire") return assign(&context.done);
  if (statement.field == "wounded") return assign(&context.wounded);
  return Bad(statement, "a context has stamp, acquired, class, done and wounded; a mutex has ctx");
}

absl::Status SelfTestMachine::CheckMustBe(const Statement& statement) {
  if (statement.field != "ctx") return Bad(statement, "only the ctx of a mutex can be checked");
  const WoundWaitMutex& mutex = MutexNamed(statement.target);
  const std::string now = ContextOf(mutex);
  if (now == statement.value || (now == "0" && IsNull(statement.value))) return absl::OkStatus();
  validator_.ApiAssert(task_, mutex.map, absl::StrCat(statement.text, " is ", now), Here());
  return absl::OkStatus();
}

// ---- contexts

absl::Status SelfTestMachine::Context(const Statement& statement) {
  RETURN_IF_ERROR(NeedArgs(statement, 0, 0));
  const std::string& verb = statement.verb;
  const std::string name = verb.substr(0, verb.size() - 1);
  if (verb == "hd") {
    validator_.DisableHardirqs(task_);
  } else if (verb == "he") {
    validator_.EnableHardirqs(task_, Here());
  } else if (verb == "sd" || verb == "rcubh+" || verb == "s+") {
    if (softirqs_disabled_++ == 0) validator_.DisableSoftirqs(task_);
  }
  if (absl::StartsWith(name, "rcu")) {
    if (verb.back() == '+') {
      validator_.Acquire(task_, PseudoLock(name), Mode::kSharedRecursive, {.site = Here(), .check = false});
    } else {
      validator_.Release(task_, PseudoLock(name), Here());
    }
  } else if (verb.back() == '+') {
    ++entered_[name];
    validator_.DisableHardirqs(task_);
    if (name == "s") {
      validator_.EnterSoftirq(task_);
    } else {
      validator_.EnterHardirq(task_, /*threaded=*/name == "h");
    }
  } else if (verb.back() == '-') {
    if (entered_[name]-- == 0) return Bad(statement, absl::StrCat("leaves a context that '", name, "+' did not enter"));
    name == "s" ? validator_.LeaveSoftirq(task_) : validator_.LeaveHardirq(task_);
    validator_.EnableHardirqs(task_, Here());
  }
  if ((verb == "se" || verb == "rcubh-" || verb == "s-") && softirqs_disabled_ > 0 && --softirqs_disabled_ == 0) {
    validator_.EnableSoftirqs(task_, Here());
  }
  return absl::OkStatus();
}

absl::Status SelfTestMachine::Reclaim(const Statement& statement) {
  RETURN_IF_ERROR(NeedArgs(statement, 0, 1));
  const std::string& verb = statement.verb;
  if (verb == "reclaim+") {
    reclaim_.ReclaimBegin(task_, Here());
  } else if (verb == "reclaim-") {
    reclaim_.ReclaimEnd(task_, Here());
  } else if (verb == "alloc") {
    std::string gfp = statement.args.empty() ? "KERNEL" : statement.args[0];
    gfp = std::string(absl::StripPrefix(gfp, "GFP_"));
    static const std::map<std::string, Gfp> kGfps = {
        {"KERNEL", kGfpKernel}, {"NOFS", kGfpNoFs}, {"NOIO", kGfpNoIo}, {"ATOMIC", kGfpAtomic}, {"NOWAIT", kGfpAtomic}};
    const auto found = kGfps.find(gfp);
    if (found == kGfps.end()) return Bad(statement, "allocations are KERNEL, NOFS, NOIO, ATOMIC or NOWAIT");
    reclaim_.Alloc(task_, found->second, Here());
  } else {
    const std::string name = verb.substr(0, verb.find('_'));
    const FsReclaim::Scope scope =
        name == "nofs" ? FsReclaim::kNoFs : name == "noio" ? FsReclaim::kNoIo : FsReclaim::kMemalloc;
    std::vector<uint8_t>& saved = saved_scopes_[name];
    if (absl::EndsWith(verb, "_save")) {
      saved.push_back(FsReclaim::Save(task_, scope));
    } else {
      if (saved.empty()) return Bad(statement, absl::StrCat("ends a scope that '", name, "_save' did not start"));
      FsReclaim::Restore(task_, scope, saved.back());
      saved.pop_back();
    }
  }
  return absl::OkStatus();
}

}  // namespace ordeal::lockdep
