// The names of a trace: tasks, classes, locks (and events, semaphores, barriers), variables and source lines, each with a
// dense index. A Trace is symbols and events together.
//
// Thread-safety: none.
// Invariants:    indexes are dense, in order of first mention, and never reused; a lock without a declaration has the class of
//                its own name. Strings do not move, so SiteOf stays valid as long as the symbols.
// Cost:          one hash look-up a name; memory grows with names, not with events.
// Example:
//   const uint32_t inode = symbols.Class("i_rwsem");
//   symbols.DeclareLock("inode 3", inode, /*order_key=*/3);
#ifndef ORDEAL_LOCKDEP_TRACE_SYMBOLS_H_
#define ORDEAL_LOCKDEP_TRACE_SYMBOLS_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"
#include "lockdep/trace/event.h"

namespace ordeal::lockdep {

// Strings with dense indexes; they do not move.
class Interner {
 public:
  Interner() = default;
  Interner(Interner&&) = default;  // no copies: index_ views strings_
  Interner& operator=(Interner&&) = default;

  uint32_t Intern(absl::string_view text) {
    const auto found = index_.find(text);
    return found != index_.end() ? found->second : Insert(text);
  }
  // kNoIndex if it was never interned.
  uint32_t Find(absl::string_view text) const;
  const std::string& at(uint32_t index) const { return strings_[index]; }
  uint32_t size() const { return static_cast<uint32_t>(strings_.size()); }

 private:
  uint32_t Insert(absl::string_view text);

  std::deque<std::string> strings_;
  absl::flat_hash_map<absl::string_view, uint32_t> index_;  // views of strings_
};

struct TraceClass {
  std::string name;  // as reports show it; two classes may share one
  LockClassOptions options;
};

struct TraceLock {
  uint32_t lock_class = kNoIndex;
  uint64_t order_key = 0;
  uint32_t count = 1;  // of a semaphore: how many may be down at once
  bool recursive = false;  // its owner may take it again
};

class TraceSymbols {
 public:
  uint32_t Task(absl::string_view name);
  uint32_t Class(absl::string_view id);
  uint32_t Lock(absl::string_view name);
  uint32_t Variable(absl::string_view name) { return variables_.Intern(name); }
  // `text` is FILE:LINE, or any text.
  uint32_t SiteIndex(absl::string_view text);

  // Declarations; of known ones they replace what was known.
  void DeclareClass(uint32_t lock_class, absl::string_view name, const LockClassOptions& options);
  uint32_t DeclareLock(absl::string_view name, uint32_t lock_class, uint64_t order_key = 0, uint32_t count = 1);
  void SetRecursive(uint32_t lock) { lock_rows_[lock].recursive = true; }
  void SetRole(uint32_t task, absl::string_view role) { roles_[task] = std::string(role); }

  const std::string& task_name(uint32_t task) const { return tasks_.at(task); }
  // What the task does, when several do the same; its name if nothing else was said.
  const std::string& role(uint32_t task) const { return roles_[task].empty() ? tasks_.at(task) : roles_[task]; }
  const std::string& class_id(uint32_t lock_class) const { return classes_.at(lock_class); }
  const TraceClass& class_row(uint32_t lock_class) const { return class_rows_[lock_class]; }
  const std::string& lock_name(uint32_t lock) const { return locks_.at(lock); }
  const TraceLock& lock_row(uint32_t lock) const { return lock_rows_[lock]; }
  const std::string& variable_name(uint32_t variable) const { return variables_.at(variable); }
  const std::string& site_text(uint32_t site) const { return sites_.at(site); }
  // {} for kNoIndex.
  Site SiteOf(uint32_t site) const;
  // "file.cc:12", or "?" for kNoIndex.
  std::string SiteText(uint32_t site) const { return site == kNoIndex ? "?" : sites_.at(site); }

  uint32_t FindTask(absl::string_view name) const { return tasks_.Find(name); }
  uint32_t FindLock(absl::string_view name) const { return locks_.Find(name); }
  uint32_t FindClass(absl::string_view id) const { return classes_.Find(id); }
  uint32_t tasks() const { return tasks_.size(); }
  uint32_t classes() const { return classes_.size(); }
  uint32_t locks() const { return locks_.size(); }
  uint32_t variables() const { return variables_.size(); }

 private:
  struct SiteRow {
    uint32_t file;
    int line;
  };

  Interner tasks_, classes_, locks_, variables_, sites_, files_;
  std::vector<std::string> roles_;
  std::vector<TraceClass> class_rows_;
  std::vector<TraceLock> lock_rows_;
  std::vector<SiteRow> site_rows_;
};

struct Trace {
  TraceSymbols symbols;
  std::vector<LockEvent> events;
};

// "T1 acquire A at x.cc:3": for messages; the trace format is own_format.h's.
std::string EventText(const LockEvent& event, const TraceSymbols& symbols);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_TRACE_SYMBOLS_H_
