// The two-stage draw is the one of FoundationDB's simulation: a site is enabled once a run, then fires at some visits.
#include "injectors/fault/fault_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr uint64_t kFaultStream = 0xfa;

constexpr FaultEntry kFaults[] = {
    {"allocation", ChoiceKind::kAllocation, 25, 25, "a memory allocation fails (ENOMEM) where the caller may see that"},
    {"io-error", ChoiceKind::kIoError, 25, 25, "a block request completes with EIO"},
    {"io-delay", ChoiceKind::kIoDelay, 50, 50, "a block request completes later than submitted, and out of order"},
    {"reader-steal", ChoiceKind::kReaderSteal, 50, 50, "a reader passes queued writers, where rw-semaphores allow it"},
    {"io-short", ChoiceKind::kIoShort, 25, 25, "a direct I/O transfers fewer blocks than asked"},
    {"io-torn", ChoiceKind::kIoTorn, 50, 50, "a failing write reaches the device in part"},
    {"device-full", ChoiceKind::kDeviceFull, 15, 25, "no block is free (ENOSPC)"},
    {"user-page", ChoiceKind::kUserPage, 25, 25, "a page of user memory is not present any more, or is a bad address"},
    {"trylock", ChoiceKind::kTrylock, 25, 25, "a trylock fails although the lock is free"},
    {"spurious-wake", ChoiceKind::kSpuriousWake, 25, 10, "a waiter wakes without its condition"},
    {"memory-pressure", ChoiceKind::kMemoryPressure, 25, 25, "an allocation finds memory low: direct reclaim and kswapd"},
    {"signal", ChoiceKind::kSignal, 25, 10, "a signal ends an interruptible wait"},
    {"message-delay", ChoiceKind::kMessageDelay, 50, 50, "a message between nodes arrives late"},
    {"node-death", ChoiceKind::kNodeDeath, 50, 10, "a node of the cluster dies, with its messages"},
    {"clock-jump", ChoiceKind::kClockJump, 15, 10, "the clock jumps ahead"},
};

}  // namespace

absl::Span<const FaultEntry> Faults() { return kFaults; }

const FaultEntry* FindFault(absl::string_view name) {
  for (const FaultEntry& entry : kFaults) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

int FaultPlan::IndexOf(ChoiceKind kind) {
  const absl::Span<const ChoiceKind> all = AllFaults();
  const auto found = std::find(all.begin(), all.end(), kind);
  return found == all.end() ? -1 : static_cast<int>(found - all.begin());
}

FaultPlan::FaultPlan(uint64_t seed, ChoiceSource* strategy)
    : seed_(DeriveSeed(seed, kFaultStream)), strategy_(strategy) {
  for (const FaultEntry& entry : ordeal::kFaults) Set(entry.kind, {entry.activated_percent, entry.fires_percent});
  run_seed_ = DeriveSeed(seed_, 0);
  prng_ = Prng(run_seed_);
}

void FaultPlan::Set(ChoiceKind kind, Probability probability) {
  const int index = IndexOf(kind);
  LD_CHECK(index >= 0, absl::StrCat(ChoiceKindName(kind), " is not a fault"));
  LD_CHECK(probability.activated_percent <= 100 && probability.fires_percent <= 100, "a probability above 100 percent");
  probability_[index] = probability;
}

void FaultPlan::BeginRun(uint64_t run) {
  run_seed_ = DeriveSeed(seed_, run);
  prng_ = Prng(run_seed_);
  strategy_->BeginRun(run);
}

int FaultPlan::Choose(const ChoicePoint& point) {
  const int index = IndexOf(point.kind);
  if (index < 0) return strategy_->Choose(point);
  const Probability& probability = probability_[index];
  const uint64_t site = (static_cast<uint64_t>(point.kind) << 48) | (static_cast<uint64_t>(Index(point.task)) << 32) |
                        Index(point.object);
  if (Prng(DeriveSeed(run_seed_, site)).Below(100) >= probability.activated_percent) return 0;
  if (prng_.Below(100) >= probability.fires_percent) return 0;
  // Option 0 is the quiet one; with more than one way to misbehave, each is as likely.
  return 1 + static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options - 1)));
}

}  // namespace ordeal
