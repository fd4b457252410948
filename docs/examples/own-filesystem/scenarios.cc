#include "scenarios.h"

#include <array>
#include <memory>
#include <numeric>
#include <optional>

#include "harness/scenario/workload_scenario.h"
#include "range_lock.h"

namespace mytrial {
namespace {

constexpr size_t kAccounts = 6;
constexpr int kBalance = 100;

// Three tasks move money between accounts under one range lock; their ranges overlap in pairs. The sum must stay.
class Transfers : public ordeal::Scenario {
 public:
  void Setup(ordeal::ScenarioRun& run) override {
    ordeal::Simulation& sim = run.sim();
    sim_ = &sim;
    lock_.emplace(sim, sim.Class("accounts.range_lock"), "accounts", 0);
    for (size_t i = 0; i < kAccounts; ++i) accounts_[i] = sim.scheduler().NewObject("account", static_cast<uint32_t>(i));
    balances_.fill(kBalance);
    for (size_t first : {0, 2, 3}) {
      sim.scheduler().Spawn("transfer", [this, first] { Transfer(first, first + 2); });
    }
  }

  void Check(ordeal::ScenarioRun& run) override {
    const int sum = std::accumulate(balances_.begin(), balances_.end(), 0);
    if (sum == kBalance * static_cast<int>(kAccounts)) return;
    run.Report({.kind = ordeal::FindingKind::kInvariant,
                .signature = "invariant: the sum of the accounts changed",
                .summary = "invariant: the sum of the accounts changed",
                .details = {},
                .sites = {}});
  }

  void Teardown() override { lock_.reset(); }

 private:
  void Transfer(size_t from, size_t to) {
    lock_->Lock(static_cast<uint32_t>(from), static_cast<uint32_t>(to) + 1);
    const int have_from = Read(from);
    const int have_to = Read(to);
    Write(from, have_from - 1);
    Write(to, have_to + 1);
    lock_->Unlock();
  }
  // Shared state is declared before it is touched: there, and at locks, other tasks may run.
  int Read(size_t account) {
    sim_->scheduler().Point(ordeal::OperationKind::kRead, accounts_[account]);
    return balances_[account];
  }
  void Write(size_t account, int balance) {
    sim_->scheduler().Point(ordeal::OperationKind::kWrite, accounts_[account]);
    balances_[account] = balance;
  }

  ordeal::Simulation* sim_ = nullptr;
  std::optional<RangeLock> lock_;
  std::array<ordeal::ObjectId, kAccounts> accounts_;
  std::array<int, kAccounts> balances_;
};

}  // namespace

// A page has four cells. The write lies outside the read's first page.
ordeal::ScenarioEntry LedgerReadVsWrite() {
  ordeal::ScenarioEntry entry;
  entry.name = "ledger-read-vs-write";
  entry.summary = "a read of three pages while the last two are written";
  entry.filesystems = {"ledger"};
  entry.bugs = {"L01"};
  return ordeal::FixedWorkload(entry, R"(ordeal-workload 1
file a 12
task process 0
  write file 0 cells [4, 12)
task process 1
  read file 0 cells [0, 12)
)");
}

ordeal::ScenarioEntry LedgerMix() {
  ordeal::ScenarioEntry entry;
  entry.name = "ledger-mix";
  entry.summary = "a generated mix of all operations on two files, short of memory";
  entry.filesystems = {"ledger"};
  ordeal::WorkloadShape shape;
  shape.tasks = 3;
  shape.operations_per_task = 3;
  ordeal::pagecache::WorldOptions options;
  options.memory_folios = 10;
  options.kswapd = true;
  return ordeal::GeneratedWorkload(entry, shape, options);
}

ordeal::ScenarioEntry RangeLockTransfers() {
  ordeal::ScenarioEntry entry;
  entry.name = "range-lock-transfers";
  entry.summary = "three tasks move money between accounts under one range lock";
  entry.make = [] { return std::make_unique<Transfers>(); };
  return entry;
}

}  // namespace mytrial
