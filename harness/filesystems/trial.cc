#include "harness/filesystems/trial.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {

using pagecache::CheckInvariants;
using pagecache::CheckMoment;
using pagecache::Error;
using pagecache::Io;
using pagecache::kPageCells;
using pagecache::Result;
using pagecache::Stamp;
using pagecache::StampKind;
using pagecache::World;

Trial::Trial(const std::string& filesystem, std::vector<std::string> bugs) : fs_(MakeFileSystem(filesystem, bugs)) {
  LD_CHECK(fs_ != nullptr, absl::StrCat("no file system ", filesystem, " with these bugs"));
}

void Trial::Fail(const std::string& finding, const std::string& details) {
  if (!finding_.empty()) return;
  finding_ = finding;
  details_ = details;
}

void Trial::RecordWrites(int file, uint32_t offset, const std::vector<Stamp>& stamps, uint32_t from, uint32_t to,
                         int64_t start, int64_t end, bool optional) {
  for (uint32_t i = from; i < to && i < stamps.size(); ++i) {
    history_.Write(Uid(file), offset + i, stamps[i], start, end, optional);
  }
}

void Trial::Expect(int file, uint32_t cell, const Stamp& seen, int64_t start, int64_t end, const char* what) {
  pending_expectations_.push_back({file, cell, seen, start, end, what});
}

void Trial::Perform(const TrialTask& task, const Op& op) {
  pagecache::Inode& file = File(op.file);
  pagecache::Mm& mm = *mm_[static_cast<size_t>(task.mm)];
  const uint32_t operation = ++operations_;
  const bool reads = op.kind == OpKind::kRead || op.kind == OpKind::kDirectRead;
  const bool direct = op.kind == OpKind::kDirectWrite;
  const int target = reads ? op.buffer_file : op.file;
  const uint32_t base = reads ? op.buffer_offset : op.offset;
  std::vector<Stamp> stamps;
  if (target >= 0) {
    const StampKind kind = direct ? StampKind::kDirect : reads || op.kind == OpKind::kStore ? StampKind::kStore
                                                                                             : StampKind::kWrite;
    for (uint32_t i = 0; i < op.length; ++i) stamps.push_back(Stamp::Make(kind, Uid(target), base + i, operation));
  }
  Io io{&file, op.offset, op.length, {}, stamps};
  if (op.buffer_file >= 0) io.buffer = {&File(op.buffer_file), op.buffer_offset};

  const int64_t start = Tick();
  const uint32_t size_before = file.i_size;
  Result r;
  switch (op.kind) {
    case OpKind::kRead: r = world_->Read(mm, io); break;
    case OpKind::kWrite: r = world_->Write(mm, io); break;
    case OpKind::kDirectRead: r = world_->DirectRead(mm, io); break;
    case OpKind::kDirectWrite: r = world_->DirectWrite(mm, io); break;
    case OpKind::kLoad: r = world_->Load(mm, file, op.offset, op.length); break;
    case OpKind::kStore: r = world_->Store(mm, file, op.offset, stamps); break;
    case OpKind::kTruncate: r = world_->Truncate(file, op.offset); break;
    case OpKind::kPunchHole: r = world_->PunchHole(file, op.offset, op.length); break;
    case OpKind::kFadvise: r = world_->FadviseWillNeed(file, op.offset, op.length); break;
    case OpKind::kMadvise: r = world_->MadviseWillNeed(mm, file, op.offset, op.length); break;
    case OpKind::kFsync: r = world_->Fsync(file); break;
    case OpKind::kDropCaches: r = world_->DropCaches(file); break;
    case OpKind::kMapUnmap: r = world_->MapUnmap(mm); break;
    case OpKind::kDedupe: r = world_->Dedupe(file, op.offset, File(op.other_file), op.offset, op.length); break;
    case OpKind::kLink:
      r = world_->Link(file);
      if (r.error == Error::kOk) r = world_->Unlink(file);
      break;
    case OpKind::kCount: break;
  }
  const int64_t end = Tick();
  Judge(op, r, stamps, start, end);
  if (op.kind == OpKind::kStore) RecordStore(op, r, stamps, std::min(size_before, file.i_size), start, end);
}

// What is stored behind the end of file may be zeroed at any time.
void Trial::RecordStore(const Op& op, const Result& r, const std::vector<Stamp>& stamps, uint32_t size, int64_t start,
                        int64_t end) {
  for (uint32_t i = 0; i < r.cells_done; ++i) {
    const bool behind = op.offset + i >= size;
    RecordWrites(op.file, op.offset, stamps, i, i + 1, start, end, behind);
    if (behind) history_.Write(Uid(op.file), op.offset + i, Stamp::Zero(), start, end, true);
  }
}

void Trial::Judge(const Op& op, const Result& r, const std::vector<Stamp>& stamps, int64_t start, int64_t end) {
  const uint32_t done = r.cells_done;
  switch (op.kind) {
    case OpKind::kRead:
    case OpKind::kDirectRead:
      for (uint32_t i = 0; i < r.seen.size(); ++i) Expect(op.file, op.offset + i, r.seen[i], start, end, "read");
      if (op.buffer_file >= 0) {
        RecordWrites(op.buffer_file, op.buffer_offset, stamps, 0, done, start, end, false);
        RecordWrites(op.buffer_file, op.buffer_offset, stamps, done, op.length, start, end, true);
      }
      break;
    case OpKind::kLoad:
      for (uint32_t i = 0; i < r.seen.size(); ++i) Expect(op.file, op.offset + i, r.seen[i], start, end, "load");
      break;
    case OpKind::kWrite:
    case OpKind::kDirectWrite: {
      for (uint32_t i = 0; i < r.seen.size(); ++i) {
        Expect(op.buffer_file, op.buffer_offset + i, r.seen[i], start, end, "write source");
      }
      RecordWrites(op.file, op.offset, stamps, 0, done, start, end, r.cache_conflict);
      const bool torn = op.kind == OpKind::kDirectWrite && done < op.length;
      if (torn) RecordWrites(op.file, op.offset, stamps, done, op.length, start, end, true);
      break;
    }
    case OpKind::kTruncate:
      if (r.error != Error::kOk) break;
      for (uint32_t c = op.offset; c < pagecache::kFilePagesMax * kPageCells; ++c) {
        history_.Write(Uid(op.file), c, Stamp::Zero(), start, end, false);
      }
      break;
    case OpKind::kPunchHole:
      if (r.error != Error::kOk) break;
      for (uint32_t c = op.offset; c < op.offset + op.length; ++c) {
        history_.Write(Uid(op.file), c, Stamp::Zero(), start, end, false);
      }
      break;
    default:
      break;
  }
}

// After the run: the writes that a read overlapped may have been recorded after it.
void Trial::JudgeExpectations() {
  if (!judge_data) return;
  for (const Expectation& e : pending_expectations_) {
    if (history_.Allows(Uid(e.file), e.cell, e.seen, e.start, e.end)) continue;
    Fail("data", absl::StrCat(e.what, " of file ", Uid(e.file), " cell ", e.cell, " in [", e.start, ", ", e.end, "] saw ",
                              ToString(e.seen), "; history:\n", history_.Describe(Uid(e.file), e.cell)));
    return;
  }
}

void Trial::FinalChecks() {
  Scheduler& scheduler = sim_->scheduler();
  std::vector<std::vector<std::pair<uint32_t, Stamp>>> cached(inodes_.size());
  for (size_t f = 0; f < inodes_.size(); ++f) {
    for (uint32_t c = 0; c < inodes_[f]->i_size; ++c) {
      const auto cell = world_->CachedCell(*inodes_[f], c);
      if (cell.has_value()) cached[f].push_back({c, *cell});
    }
  }
  bool quiet = false;
  scheduler.Spawn("quiesce", [&] { quiet = world_->Quiesce(); });
  const RunEnd end = scheduler.Run();
  if (end.kind != RunEndKind::kCompleted) {
    Fail(RunEndKindName(end.kind), absl::StrCat("while quiescing:\n", scheduler.DescribeTasks()));
    return;
  }
  if (judge_invariants) {
    for (const auto& v : CheckInvariants(*world_, CheckMoment::kQuiescent)) {
      Fail(absl::StrCat("invariant ", v.id), absl::StrCat(v.rule, ": ", v.message));
    }
    if (!quiet) Fail("leak", "the world does not come to rest");
  }
  for (size_t f = 0; f < inodes_.size() && judge_data; ++f) {
    const int file = static_cast<int>(f);
    for (uint32_t c = 0; c < inodes_[f]->i_size; ++c) {
      Expect(file, c, world_->DiskCell(*inodes_[f], c), clock_ + 1, clock_ + 2, "final content");
    }
    for (const auto& [c, stamp] : cached[f]) {
      if (c < inodes_[f]->i_size && stamp != world_->DiskCell(*inodes_[f], c)) {
        Fail("data", absl::StrCat("file ", Uid(file), " cell ", c, " was cached as ", ToString(stamp), ", is on disk as ",
                                  ToString(world_->DiskCell(*inodes_[f], c))));
      }
    }
  }
}

std::string Trial::RunOnce(ChoiceSource& source, uint64_t run, std::string* details) {
  if (sim_ == nullptr) {
    sim_ = std::make_unique<Simulation>();
    world_ = std::make_unique<World>(*sim_, *fs_, options);
  }
  finding_.clear();
  details_.clear();
  pending_expectations_.clear();
  history_.Clear();
  operations_ = 0;
  clock_ = 0;
  inodes_.clear();
  mm_.clear();
  source.BeginRun(run);
  choices_.Begin(&source);
  sim_->BeginRun(&choices_);
  world_->BeginRun();
  for (size_t f = 0; f < files.size(); ++f) {
    std::vector<Stamp> content;
    for (uint32_t c = 0; c < files[f]; ++c) {
      content.push_back(Stamp::Make(StampKind::kWrite, Uid(static_cast<int>(f)), c, 0));
      history_.Write(Uid(static_cast<int>(f)), c, content.back(), -2, -1, false);
    }
    for (uint32_t c = files[f]; c < pagecache::kFilePagesMax * kPageCells; ++c) {
      history_.Write(Uid(static_cast<int>(f)), c, Stamp::Zero(), -2, -1, false);
    }
    inodes_.push_back(&world_->CreateFile(content));
  }
  for (int i = 0; i < mms; ++i) {
    mm_.push_back(&world_->CreateMm());
    for (pagecache::Inode* inode : inodes_) world_->Map(*mm_.back(), *inode);
  }
  for (const TrialTask& task : tasks) {
    sim_->scheduler().Spawn("worker", [this, &task] {
      for (const Op& op : task.ops) {
        Perform(task, op);
        if (!judge_invariants || !finding_.empty()) continue;
        for (const auto& v : CheckInvariants(*world_)) {
          Fail(absl::StrCat("invariant ", v.id), absl::StrCat(v.rule, ": ", v.message));
        }
      }
    });
  }
  const RunEnd end = sim_->scheduler().Run();
  trace_hash_ = end.trace_hash;
  steps_ = end.steps;
  if (end.kind == RunEndKind::kCompleted) {
    FinalChecks();
    JudgeExpectations();
  } else {
    finding_.clear();
    std::string text = sim_->scheduler().DescribeTasks();
    if (end.kind == RunEndKind::kDeadlock) {
      for (const auto& w : sim_->scheduler().deadlock().cycle) {
        absl::StrAppend(&text, "  ", w.task_name, " ", Index(w.task), " waits for ", w.object, " at ",
                        w.site.ToString(), "\n");
      }
    }
    Fail(RunEndKindName(end.kind), text);
  }
  sim_->EndRun();
  for (const lockdep::Violation& v : sim_->validator().violations()) Fail("lock-order", v.signature);
  world_->EndRun();
  if (details != nullptr) *details = details_;
  return finding_;
}

TrialVerdict Trial::Run(int schedules, uint64_t seed) {
  TrialVerdict verdict;
  RandomChoices source(seed);
  for (; verdict.schedules < schedules; ++verdict.schedules) {
    verdict.finding = RunOnce(source, static_cast<uint64_t>(verdict.schedules), &verdict.details);
    if (verdict.finding.empty()) continue;
    verdict.first = verdict.schedules;
    break;
  }
  return verdict;
}

void Trial::DrawTasks(uint64_t seed, int tasks_count, int ops) {
  Prng prng(seed);
  const auto pick = [&prng](uint32_t bound) { return prng.Below(bound); };
  tasks.clear();
  for (int t = 0; t < tasks_count; ++t) {
    TrialTask task;
    task.mm = static_cast<int>(pick(static_cast<uint32_t>(mms)));
    for (int i = 0; i < ops; ++i) {
      Op op;
      op.kind = static_cast<OpKind>(pick(static_cast<uint32_t>(OpKind::kCount)));
      const auto count = static_cast<uint32_t>(files.size());
      op.file = static_cast<int>(pick(count));
      op.other_file = (op.file + 1) % static_cast<int>(count);
      const uint32_t span = files[static_cast<size_t>(op.file)] + 4;
      op.offset = pick(span);
      op.length = 1 + pick(6);
      const bool aligned = op.kind == OpKind::kDirectRead || op.kind == OpKind::kDirectWrite ||
                           op.kind == OpKind::kPunchHole;
      if (aligned) {
        op.offset -= op.offset % kPageCells;
        op.length = kPageCells * (1 + pick(2));
      }
      const bool buffered_io = op.kind == OpKind::kRead || op.kind == OpKind::kWrite ||
                               op.kind == OpKind::kDirectRead || op.kind == OpKind::kDirectWrite;
      if (buffered_io && pick(3) == 0) {
        op.buffer_file = static_cast<int>(pick(count));
        op.buffer_offset = pick(files[static_cast<size_t>(op.buffer_file)]);
      }
      task.ops.push_back(op);
    }
    tasks.push_back(task);
  }
}

}  // namespace ordeal
