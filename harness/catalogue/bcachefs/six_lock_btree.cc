// A btree of a root and two leaves under SIX locks. A value moves from leaf to leaf: a writer takes intent on root and leaves, in
// that order, and exclusive only while it changes them. A reader finds the leaf in the root, drops the root, locks the leaf, and
// relocks the root by its sequence number: if the root has changed, it begins again, else the leaf is still the right one.
//
// six-relock-ignores-sequence: the reader takes what the leaf has, although the root may say something else by now: the value is
// gone from there. six-intent-order: one of the writers takes intent on its leaf before the root's.
// Source: the use of six locks by bcachefs' btree iterators, as described in protocols 2.5.3.
#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/sync/six_lock.h"

namespace ordeal {
namespace {

constexpr int kMoves = 2;    // of each writer
constexpr int kLookups = 3;  // of each reader
constexpr int kRootLevel = 0;
constexpr int kLeafLevel = 1;  // subclass of a leaf's lock
constexpr int kSecondLeaf = 2;
constexpr int kGone = -1;

class SixLockBtree : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!lock_class_.has_value()) lock_class_ = sim.Class("btree node", {.kind = &lockdep::kSixLock});
    ignores_sequence_ = run.HasBug("six-relock-ignores-sequence");
    wrong_order_ = run.HasBug("six-intent-order");
    run_ = &run;
    scheduler_ = &sim.scheduler();
    root_.emplace(sim, *lock_class_, "root");
    for (uint32_t i = 0; i < leaves_.size(); ++i) leaves_[i].emplace(sim, *lock_class_, "leaf", i + 1);
    data_ = scheduler_->NewObject("btree data");
    home_ = 0;
    value_ = 0;
    held_by_leaf_ = {0, kGone};
    for (int writer = 0; writer < 2; ++writer) {
      scheduler_->Spawn("writer", [this, writer] { Write(writer == 1 && wrong_order_); });
    }
    scheduler_->Spawn("reader", [this] { Read(); });
  }
  void Teardown() override {
    for (auto& leaf : leaves_) leaf.reset();
    root_.reset();
  }

 private:
  // Changes the value and moves it to the other leaf.
  void Write(bool leaf_first) {
    for (int move = 0; move < kMoves; ++move) {
      if (leaf_first) leaves_[0]->Lock(SixMode::kIntent, kLeafLevel);
      root_->Lock(SixMode::kIntent, kRootLevel);
      if (!leaf_first) leaves_[0]->Lock(SixMode::kIntent, kLeafLevel);
      leaves_[1]->Lock(SixMode::kIntent, kSecondLeaf);
      const size_t from = home_;  // intent keeps other writers out
      LockForChange();
      scheduler_->Point(OperationKind::kWrite, data_);
      held_by_leaf_[1 - from] = ++value_;
      held_by_leaf_[from] = kGone;
      home_ = 1 - from;
      UnlockAfterChange();
      scheduler_->NoteProgress();
    }
  }
  void LockForChange() {
    root_->Lock(SixMode::kExclusive, kRootLevel);
    leaves_[0]->Lock(SixMode::kExclusive, kLeafLevel);
    leaves_[1]->Lock(SixMode::kExclusive, kSecondLeaf);
  }
  void UnlockAfterChange() {
    for (SixLock* node : {&*leaves_[1], &*leaves_[0], &*root_}) {
      node->Unlock(SixMode::kExclusive);
      node->Unlock(SixMode::kIntent);
    }
  }

  void Read() {
    int newest = 0;
    for (int lookup = 0; lookup < kLookups; ++lookup) {
      int seen = kGone;
      while (!Lookup(&seen)) scheduler_->NoteRetry(RetryReason::kTransactionRestart, root_->sequence());
      if (seen == kGone) {
        Report("a lookup finds the value", "the leaf that the root named has it no more");
      } else if (seen < newest) {
        Report("lookups never go back in time", absl::StrCat("value ", seen, " after ", newest));
      }
      newest = std::max(newest, seen);
      scheduler_->NoteProgress();
    }
  }

  // False: the root has changed since it was read.
  bool Lookup(int* seen) {
    root_->Lock(SixMode::kShared, kRootLevel);
    scheduler_->Point(OperationKind::kRead, data_);
    const size_t leaf = home_;
    const uint64_t sequence = root_->sequence();
    root_->Unlock(SixMode::kShared);
    leaves_[leaf]->Lock(SixMode::kShared, kLeafLevel + static_cast<int>(leaf));
    const bool relocked = ignores_sequence_ || root_->Relock(SixMode::kShared, sequence, kRootLevel);
    if (relocked) {
      if (!ignores_sequence_) root_->Unlock(SixMode::kShared);
      scheduler_->Point(OperationKind::kRead, data_);
      *seen = held_by_leaf_[leaf];
    }
    leaves_[leaf]->Unlock(SixMode::kShared);
    return relocked;
  }

  void Report(const char* rule, const std::string& what) {
    run_->Report({.kind = FindingKind::kInvariant,
                  .signature = absl::StrCat("invariant: ", rule),
                  .summary = absl::StrCat("invariant: ", rule, ": ", what)});
  }

  std::optional<lockdep::LockClassId> lock_class_;
  std::optional<SixLock> root_;
  std::array<std::optional<SixLock>, 2> leaves_;
  ScenarioRun* run_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  ObjectId data_ = kNoObject;
  bool ignores_sequence_ = false;
  bool wrong_order_ = false;
  // Guarded by the nodes' locks: what the root says, and what the leaves have.
  size_t home_ = 0;
  int value_ = 0;
  std::array<int, 2> held_by_leaf_{};
};

}  // namespace

ScenarioEntry SixLockBtreeScenario() {
  ScenarioEntry entry;
  entry.name = "six-lock-btree";
  entry.summary = "two writers move a value between the leaves of a btree that a reader descends";
  entry.bugs = {"six-intent-order", "six-relock-ignores-sequence"};
  entry.make = [] { return std::make_unique<SixLockBtree>(); };
  return entry;
}

}  // namespace ordeal
