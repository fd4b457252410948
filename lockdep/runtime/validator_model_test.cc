// Random programs, judged by the validator and by a naive twin that searches everything anew after each step. Both must
// agree, after each step, on whether the run has a cycle and whether an interrupt can deadlock a holder. Runs follow each
// other on one validator, so that what earlier runs left in its caches is put to the test.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

constexpr int kLocks = 7;

// The twin. A step of a path is weak if it arrives as a recursive reader; a weak step must not be followed by one out of a
// shared holder. The interrupt is a step from a lock that is held while it may come to one that it takes.
class Twin {
 public:
  void Clear() {
    edges_.clear();
    used_.clear();
    enabled_.clear();
  }
  void AddEdge(int from, Mode holder, int to, Mode acquirer) {
    edges_.insert({from, holder != Mode::kExclusive, to, acquirer == Mode::kSharedRecursive});
  }
  void AddUsed(int state, int lock, Mode mode) { used_.insert({state, lock, mode != Mode::kExclusive}); }
  void AddEnabled(int state, int lock, Mode mode) { enabled_.insert({state, lock, mode != Mode::kExclusive}); }

  bool HasCycle() const {
    for (int lock = 0; lock < kLocks; ++lock) {
      for (const bool weak : {false, true}) {
        if (Reaches(lock, weak, lock, weak, /*or_stronger=*/false, /*at_least=*/1)) return true;
      }
    }
    return false;
  }
  bool HasInversion() const {
    for (const auto& [state, taken, taken_as_reader] : used_) {
      for (const auto& [other, held, held_as_reader] : enabled_) {
        if (state != other) continue;
        if (Reaches(taken, taken_as_reader, held, false, true, 0)) return true;  // arrives strong
        if (!held_as_reader && Reaches(taken, taken_as_reader, held, true, true, 0)) return true;
      }
    }
    return false;
  }

 private:
  // Is there a walk from `from` (reached weakly or not) that ends at `to`, just so, in at least so many steps?
  bool Reaches(int from, bool weak, int to, bool to_weak, bool or_stronger, int at_least) const {
    std::array<std::array<bool, 2>, kLocks> seen{};
    std::vector<std::pair<int, bool>> queue;
    const auto arrive = [&](int lock, bool arrives_weak) {
      if (seen[lock][arrives_weak]) return;
      seen[lock][arrives_weak] = true;
      queue.emplace_back(lock, arrives_weak);
    };
    const auto step = [&](int lock, bool arrived_weak) {
      for (const auto& [source, shared_holder, target, recursive] : edges_) {
        if (source == lock && !(arrived_weak && shared_holder)) arrive(target, recursive);
      }
    };
    if (at_least == 0) {
      arrive(from, weak);
    } else {
      step(from, weak);
    }
    for (size_t i = 0; i < queue.size(); ++i) step(queue[i].first, queue[i].second);
    return seen[to][to_weak] || (or_stronger && seen[to][false]);
  }

  std::set<std::tuple<int, bool, int, bool>> edges_;  // from, holder shared, to, acquirer recursive
  std::set<std::tuple<int, int, bool>> used_;         // state, lock, as reader
  std::set<std::tuple<int, int, bool>> enabled_;
};

class ModelTest : public ::testing::TestWithParam<int> {
 protected:
  struct Held {
    int lock;
    Mode mode;
    int context;  // 0: task, 1: soft, 2: hard
  };

  ModelTest() : random_(static_cast<uint32_t>(GetParam())) {
    validator_.Attach(task_);
    for (int i = 0; i < kLocks; ++i) {
      maps_.push_back(validator_.NewMap(validator_.RegisterClass(absl::StrCat("L", i), {.inner = WaitType::kSpin})));
    }
  }
  ~ModelTest() override { validator_.Detach(task_); }
  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }

  void Acquire() {
    const int lock = Draw(kLocks);
    for (const Held& held : held_) {
      if (held.lock == lock) return;
    }
    // In interrupts a reader is always recursive: usage does not tell the two kinds apart.
    Mode mode = static_cast<Mode>(Draw(3));
    if (context_ != 0 && mode == Mode::kShared) mode = Mode::kSharedRecursive;
    const bool attempt = Draw(5) == 0;
    log_ += absl::StrCat(attempt ? " try" : " ", lock, ModeName(mode));
    validator_.Acquire(task_, maps_[lock], mode, {.trylock = attempt, .site = {"model", 1 + Draw(3)}});
    if (!attempt) {
      for (size_t i = held_.size(); i-- > 0 && held_[i].context == context_;) {
        twin_.AddEdge(held_[i].lock, held_[i].mode, lock, mode);
      }
      if (context_ != 0) twin_.AddUsed(context_, lock, mode);
    }
    held_.push_back({lock, mode, context_});
    MarkEnabled(held_.back());
  }
  // Hard interrupts may come where they are on; soft ones where both are.
  void MarkEnabled(const Held& held) {
    if (!hard_on_) return;
    twin_.AddEnabled(2, held.lock, held.mode);
    if (soft_on_) twin_.AddEnabled(1, held.lock, held.mode);
  }
  void Release() {
    std::vector<size_t> own;
    for (size_t i = 0; i < held_.size(); ++i) {
      if (held_[i].context == context_) own.push_back(i);
    }
    if (own.empty()) return;
    const size_t i = own[static_cast<size_t>(Draw(static_cast<int>(own.size())))];
    log_ += absl::StrCat(" -", held_[i].lock);
    validator_.Release(task_, maps_[held_[i].lock]);
    held_.erase(held_.begin() + static_cast<long>(i));
  }
  void Switch() {
    switch (Draw(4)) {
      case 0:
        log_ += " hd";
        validator_.DisableHardirqs(task_);
        hard_on_ = false;
        break;
      case 1:
        if (context_ == 2) return;  // it would interrupt itself
        log_ += " he";
        validator_.EnableHardirqs(task_);
        hard_on_ = true;
        break;
      case 2:
        log_ += " sd";
        validator_.DisableSoftirqs(task_);
        soft_on_ = false;
        break;
      default:
        if (context_ != 0) return;
        log_ += " se";
        validator_.EnableSoftirqs(task_);
        soft_on_ = true;
        break;
    }
    for (const Held& held : held_) MarkEnabled(held);
  }
  // An interrupt comes where it may, takes a few locks, and leaves everything as it was.
  void Interrupt() {
    const int kind = 1 + Draw(2);
    if (!hard_on_ || (kind == 1 && !soft_on_) || kind <= context_) return;
    log_ += kind == 2 ? " h+" : " s+";
    const int outer = context_;
    const bool soft_was_on = soft_on_;
    context_ = kind;
    if (kind == 2) {
      validator_.DisableHardirqs(task_);
      validator_.EnterHardirq(task_);
      hard_on_ = false;
    } else {
      validator_.DisableSoftirqs(task_);
      validator_.EnterSoftirq(task_);
      soft_on_ = false;
    }
    for (int steps = Draw(6); steps > 0; --steps) {
      Draw(3) == 0 ? Release() : Acquire();
      Check();
    }
    while (!held_.empty() && held_.back().context == kind) Release();
    log_ += kind == 2 ? " h-" : " s-";
    context_ = outer;
    if (kind == 2) {
      validator_.LeaveHardirq(task_);
      validator_.EnableHardirqs(task_);
      hard_on_ = true;
    } else {
      validator_.LeaveSoftirq(task_);
      if (soft_was_on) validator_.EnableSoftirqs(task_);
      soft_on_ = soft_was_on;
    }
  }
  void Check() {
    bool cycle = false;
    bool inversion = false;
    for (const Violation& violation : validator_.violations()) {
      cycle |= violation.kind == ViolationKind::kCircular;
      inversion |= violation.kind == ViolationKind::kInconsistentState || violation.kind == ViolationKind::kIrqInversion ||
                   violation.kind == ViolationKind::kIrqOrder;
    }
    ASSERT_EQ(cycle, twin_.HasCycle()) << "seed " << GetParam() << ":" << log_;
    ASSERT_EQ(inversion, twin_.HasInversion()) << "seed " << GetParam() << ":" << log_;
  }
  void Run() {
    validator_.BeginRun();
    twin_.Clear();
    log_ += "\n";
    for (int steps = 10 + Draw(40); steps > 0 && !HasFatalFailure(); --steps) {
      const int what = Draw(20);
      if (what < 10 && held_.size() < 4) {
        Acquire();
      } else if (what < 17) {
        Release();
      } else if (what < 18) {
        Switch();
      } else {
        Interrupt();
      }
      Check();
    }
    while (!held_.empty()) Release();
    validator_.EnableSoftirqs(task_);
    validator_.EnableHardirqs(task_);
    hard_on_ = soft_on_ = true;
  }

  std::mt19937 random_;
  // What is kept besides must not change a verdict.
  Validator validator_{{.grade_online = GetParam() % 2 == 1, .count_sites = GetParam() % 3 == 1}};
  TaskContext task_{"task", 1};
  std::deque<LockMap> maps_;
  Twin twin_;
  std::vector<Held> held_;
  int context_ = 0;
  bool hard_on_ = true;
  bool soft_on_ = true;
  std::string log_;
};

TEST_P(ModelTest, ValidatorAndTwinAgreeAfterEachStep) {
  for (int run = 0; run < 12 && !HasFatalFailure(); ++run) Run();
}
INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Range(0, 300));

}  // namespace
}  // namespace ordeal::lockdep
