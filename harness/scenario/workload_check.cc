// The end of a workload's run (protocols 4.5): K the device, C through the cache, D past it, E after dropping the
// caches.
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/oracle/block_shadow.h"
#include "harness/scenario/run_findings.h"
#include "harness/scenario/workload_executor.h"

namespace ordeal {

using pagecache::Inode;

namespace {

constexpr int64_t kRecoveryPollNs = 50 * kStepNs;

}  // namespace

// Until the end of the run.
// A process of a node that is alive; if the workload had none there, a new one.
pagecache::Mm& WorkloadExecutor::MmOfSurvivor() {
  int survivor = 0;
  while (world_.NodeIsDead(survivor)) ++survivor;
  for (pagecache::Mm* mm : mms_) {
    if (mm->node == survivor) return *mm;
  }
  pagecache::Mm& mm = world_.CreateMm(survivor);
  for (const Inode* file : files_) world_.Map(mm, world_.OnNode(*file, survivor));
  return mm;
}

void WorkloadExecutor::OpenUnmapped() {
  for (uint32_t file = 0; file < files_.size(); ++file) OpenOne(file, *looking_mm_);
}

// On a cluster the first node, which looks, may not yet know what others have written.
void WorkloadExecutor::RefreshSizes() {
  if (world_.options().nodes == 1) return;
  for (Inode* file : files_) {
    pagecache::Io io;
    io.file = file;
    io.length_cells = 1;
    world_.Read(*looking_mm_, io);
  }
}

// What the device holds where the cache claims to hold the same; nothing while a request is in flight.
void WorkloadExecutor::SampleCache() {
  const bool settled = world_.device().pending().empty();
  for (uint32_t file = 0; file < files_.size(); ++file) {
    const Inode& inode = *files_[file];
    FinalState& state = history_.final_states.emplace_back();
    state.file = file;
    state.size_known = true;
    state.size_cells = inode.i_size;
    for (uint32_t cell = 0; cell < inode.i_size; ++cell) {
      const bool clean = settled && world_.CachedCell(inode, cell).has_value() && !world_.CachedDirty(inode, cell);
      state.disk.push_back(clean ? ToCellValue(world_.DiskCell(inode, cell)) : CellValue{});
    }
  }
}

// Nothing is dirty any more: what has no block now is a hole.
void WorkloadExecutor::SampleExtents() {
  for (FinalState& state : history_.final_states) {
    for (const pagecache::Extent& extent : files_[state.file]->extents) {
      const bool hole = extent.kind == pagecache::ExtentKind::kHole;
      state.pages.push_back(extent.has_block() ? PageSpace::kAllocated : hole ? PageSpace::kHole : PageSpace::kUnknown);
    }
  }
}

void WorkloadExecutor::ReadBack(std::vector<CellValue> FinalState::*path, bool direct) {
  pagecache::Mm& mm = *looking_mm_;
  for (FinalState& state : history_.final_states) {
    Inode& inode = *files_[state.file];
    if (inode.i_size == 0) continue;
    pagecache::Io io;
    io.file = &inode;
    io.length_cells = pagecache::PagesFor(inode.i_size) * kPageCells;
    const pagecache::Result result = direct ? world_.DirectRead(mm, io) : world_.Read(mm, io);
    for (const pagecache::Stamp& stamp : result.seen) (state.*path).push_back(ToCellValue(stamp));
  }
}

void WorkloadExecutor::LookAtEnd() {
  sim_.scheduler().set_faults({});
  world_.BeginFinalChecks();
  CollectErrors();
  looking_mm_ = &MmOfSurvivor();
  if (world_.AnyNodeIsDead()) {
    world_.BindTask(sim_.scheduler().current(), looking_mm_->node);
    while (world_.recovering()) sim_.scheduler().Sleep(kRecoveryPollNs);
    for (Inode*& file : files_) file = &world_.OnNode(*file, looking_mm_->node);
  }
  OpenUnmapped();
  invariants_ = pagecache::CheckInvariants(world_);
  RefreshSizes();
  SampleCache();
  ReadBack(&FinalState::cached, false);
  ReadBack(&FinalState::direct, true);
  quiesced_ = world_.Quiesce();
  ReadBack(&FinalState::dropped, false);
  CollectErrors();
  quiesced_ &= world_.Quiesce();
  if (quiesced_) SampleExtents();
}

void WorkloadExecutor::Check(ScenarioRun& run) {
  sim_.scheduler().Spawn("final check", [this] { LookAtEnd(); });
  if (!run.RunTasks()) return;
  ReportFindings(run);
}

void WorkloadExecutor::ReportInvariant(const pagecache::InvariantViolation& violation, ScenarioRun& run) {
  Finding finding;
  finding.kind = FindingKind::kInvariant;
  finding.signature = absl::StrCat("invariant: ", violation.id, ": ", violation.rule);
  finding.summary = absl::StrCat("invariant ", violation.id, ": ", violation.message);
  finding.details = absl::StrCat(violation.rule, "\n", violation.message, "\n");
  if (violation.site.line != 0) {
    absl::StrAppend(&finding.details, "noticed at ", violation.site.ToString(), "\n");
    finding.sites.push_back(violation.site.ToString());
  }
  if (violation.against.line != 0) {
    absl::StrAppend(&finding.details, "against the operation at ", violation.against.ToString(), "\n");
    finding.sites.push_back(violation.against.ToString());
  }
  if (violation.last.site.line != 0) {
    absl::StrAppend(&finding.details, "the last operation on that file: ", violation.last.name, ", at ",
                    violation.last.site.ToString(), "\n");
    finding.sites.push_back(violation.last.site.ToString());
  }
  absl::StrAppend(&finding.details, "the operations of the run:\n");
  for (const OperationEvent& event : history_.events) absl::StrAppend(&finding.details, "  ", ToString(event), "\n");
  run.Report(std::move(finding));
}

void WorkloadExecutor::ReportFindings(ScenarioRun& run) {
  for (const DataViolation& violation : judge_.Judge(history_)) run.Report(DataFinding(history_, violation));
  for (const pagecache::InvariantViolation& violation : invariants_) ReportInvariant(violation, run);
  if (invariants_.empty()) {  // what was broken before is still broken
    invariants_ = pagecache::CheckInvariants(world_, pagecache::CheckMoment::kQuiescent);
    for (const pagecache::InvariantViolation& violation : invariants_) ReportInvariant(violation, run);
  }
  if (!quiesced_ && !spec_.faults.Has(ChoiceKind::kIoError)) {
    run.Report({.kind = FindingKind::kLeak,
                .signature = "leak: something stays dirty, locked or referenced",
                .summary = "leak: something stays dirty, locked or referenced when every operation has ended",
                .details = sim_.scheduler().DescribeTasks()});
  }
  for (const DataViolation& violation : JudgeBlocks(history_)) run.Report(DataFinding(history_, violation));
}

}  // namespace ordeal
