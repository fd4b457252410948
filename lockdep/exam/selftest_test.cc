#include "lockdep/exam/selftest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ordeal::lockdep {
namespace {

using ::testing::HasSubstr;

struct Row {
  int number = 0;
  std::string name;
  std::string expect;
  std::string kind;
  std::string line;
  std::string sequence;
};

std::vector<Row> ReadTable(const std::string& file) {
  std::vector<Row> rows;
  std::ifstream in(absl::StrCat(ORDEAL_SOURCE_DIR, "/lockdep/exam/testdata/", file));
  EXPECT_TRUE(in.good()) << file;
  std::string line;
  while (std::getline(in, line)) {
    const std::vector<std::string> columns = absl::StrSplit(line, '\t');
    Row row;
    if (columns.size() != 6 || !absl::SimpleAtoi(columns[0], &row.number)) continue;
    row.name = absl::StrCat(columns[1], ", ", columns[2]);
    row.expect = columns[3];
    row.kind = columns[4];
    row.line = line;
    row.sequence = columns[5];
    rows.push_back(row);
  }
  return rows;
}

void ExpectTableHolds(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const absl::StatusOr<SelfTestVerdict> verdict = RunSelfTestLine(row.line);
    ASSERT_TRUE(verdict.ok()) << row.number << ": " << verdict.status();
    EXPECT_EQ(verdict->report ? "REPORT" : "ok", row.expect) << row.number << " (" << row.name << "): " << row.sequence;
    EXPECT_EQ(verdict->kind, row.kind) << row.number << " (" << row.name << "): " << row.sequence;
  }
}

std::string KindOf(const std::string& sequence, const SelfTestOptions& options = {}) {
  const absl::StatusOr<SelfTestVerdict> verdict = RunSelfTestSequence(sequence, options);
  return verdict.ok() ? verdict->kind : std::string(verdict.status().message());
}

TEST(SelfTestTest, EachRowOfTheKernelsTestGetsTheKernelsVerdictAndKind) {
  const std::vector<Row> rows = ReadTable("locking-selftest.tsv");
  EXPECT_EQ(rows.size(), 307u);
  ExpectTableHolds(rows);
}

// The table has gaps. Rows come in columns (the kind of lock) and permutations of their segments, so that the rows in the
// gaps follow from their neighbours; testdata/derived.tsv says for each which. That each section then has the number of
// reports that the kernel's test has in it supports the derivation.
TEST(SelfTestTest, RowsThatFollowFromTheirNeighboursGetTheirVerdict) {
  const std::vector<Row> rows = ReadTable("derived.tsv");
  EXPECT_EQ(rows.size(), 87u);
  ExpectTableHolds(rows);
}

TEST(SelfTestTest, BothTablesTogetherHaveTheReportsThatTheKernelsTestHas) {
  int reports = 0;
  int silent = 0;
  for (const char* file : {"locking-selftest.tsv", "derived.tsv"}) {
    for (const Row& row : ReadTable(file)) ++(row.expect == "REPORT" ? reports : silent);
  }
  EXPECT_EQ(reports, 250);
  EXPECT_EQ(silent, 144);
}

TEST(SelfTestTest, ReadLocksAreRecursiveUnlessQueued) {
  EXPECT_EQ(KindOf("rL(A) rL(B) rU(B) rU(A) ; rL(B) rL(A)"), "-");
  EXPECT_EQ(KindOf("rL(A) rL(B) rU(B) rU(A) ; rL(B) rL(A)", {.queued_rwlocks = true}), "circular");
}

TEST(SelfTestTest, QueuedReadLocksAreStillRecursiveInInterrupts) {
  EXPECT_EQ(KindOf("h+ rL(A) rL(A) rU(A) rU(A) h-", {.queued_rwlocks = true}), "-");
  EXPECT_EQ(KindOf("rL(A) rL(A)", {.queued_rwlocks = true}), "recursive");
}

TEST(SelfTestTest, LocksOfDifferentKindsAreOfDifferentClasses) {
  EXPECT_EQ(KindOf("mL(A) sL(A) sU(A) mU(A) ; rawL(A) rawU(A)"), "-");
  EXPECT_EQ(KindOf("mL(A) mL(A1)"), "recursive");
}

TEST(SelfTestTest, SubclassesAndNestLocksAllowOneClassToNest) {
  EXPECT_EQ(KindOf("mL(X1) mL_nested(X2, 1) mU(X2) mU(X1)"), "-");
  EXPECT_EQ(KindOf("mL(X1) mL_nested(X2, 0)"), "recursive");
  EXPECT_EQ(KindOf("mL(M) sL(S) sU(S) mU(M) ; mL(M) mL_nest(X1, nest=M) mL_nest(X2, M)"), "-");
  EXPECT_EQ(KindOf("mL(X1) mL(M) mL_nest(X2, M)"), "recursive");  // M came too late to serialise X1
  EXPECT_EQ(KindOf("mL_nest(X1, nest=M)"), "nest-not-held");
}

TEST(SelfTestTest, AttemptsThatFailTakeNothing) {
  EXPECT_EQ(KindOf("mL(A) mL(B) mU(B) mU(A) ; mL(B) mT(A)=1 mU(A) mU(B)"), "-");
  EXPECT_EQ(KindOf("mT(A)=0 mU(A)"), "bad-unlock");
  EXPECT_EQ(KindOf("mT(A)=1 mL(B) mU(B) mU(A) ; mL(B) mL(A)"), "circular");
  EXPECT_EQ(KindOf("mL_intr(A)=EINTR mU(A)"), "bad-unlock");
}

TEST(SelfTestTest, AValueThatTheRowDoesNotExpectIsABrokenRule) {
  EXPECT_EQ(KindOf("init(t) wwL(o,t)=0 wwL(o,t)=EALREADY"), "-");
  EXPECT_EQ(KindOf("init(t) wwL(o,t)=0 wwL(o,t)=0"), "api-assert");
  EXPECT_EQ(KindOf("wwT(o) wwT(o)=1"), "api-assert");
  EXPECT_EQ(KindOf("wwL(o) wwT(o)=fail wwU(o) wwT(o)=ok"), "-");
}

TEST(SelfTestTest, AContextThatMustStayAndDidNotIsABrokenRule) {
  EXPECT_EQ(KindOf("o.ctx:=poison ; each of {mL, mT ok, mT fail}(o.base) then mU(o.base); o.ctx must stay poison"), "-");
  EXPECT_EQ(KindOf("o.ctx:=poison ; o.ctx:=t ; o.ctx must stay poison"), "api-assert");
  EXPECT_EQ(KindOf("init(t) wwL(o,t)=0 o.ctx must be t ; wwU(o) o.ctx must be 0"), "-");
}

TEST(SelfTestTest, WhereALockSleepsOrSpinsDependsOnTheContext) {
  EXPECT_EQ(KindOf("rcu+ sL(A) sU(A) rcu-"), "-");
  EXPECT_EQ(KindOf("rcusched+ sL(A)"), "wait-context");
  EXPECT_EQ(KindOf("rcubh+ rtL(A)"), "wait-context");
  EXPECT_EQ(KindOf("mL(A) WsL(B) sL(C) wL(D) rawL(E)"), "-");
  EXPECT_EQ(KindOf("sL(A) WsL(B)"), "wait-context");
}

TEST(SelfTestTest, AllocationScopesNestAndEnd) {
  EXPECT_EQ(KindOf("reclaim+ mL(A) mU(A) reclaim- ; mL(A) alloc(GFP_KERNEL)"), "circular");
  EXPECT_EQ(KindOf("reclaim+ mL(A) mU(A) reclaim- ; mL(A) noio_save alloc(KERNEL) noio_restore"), "-");
  EXPECT_EQ(KindOf("reclaim+ memalloc_save alloc(KERNEL) memalloc_restore alloc(NOIO) reclaim-"), "-");
  EXPECT_EQ(KindOf("reclaim+ nofs_save nofs_save nofs_restore alloc nofs_restore reclaim-"), "-");
  EXPECT_EQ(KindOf("reclaim+ nofs_save nofs_restore alloc"), "recursive");
}

TEST(SelfTestTest, ErrorsNameTheOperationAndTheRemedy) {
  EXPECT_THAT(KindOf("zL(A)"), HasSubstr("'zL(A)': unknown verb 'zL'; the verbs are s w r m"));
  EXPECT_THAT(KindOf("sL"), HasSubstr("takes 1 to 2 arguments, not 0"));
  EXPECT_THAT(KindOf("sL(A"), HasSubstr("not closed"));
  EXPECT_THAT(KindOf("sL(A) sU)A("), HasSubstr("without its opening one"));
  EXPECT_THAT(KindOf("sL(A) [comment"), HasSubstr("without its ']'"));
  EXPECT_THAT(KindOf("h-"), HasSubstr("'h+' did not enter"));
  EXPECT_THAT(KindOf("nofs_restore"), HasSubstr("'nofs_save' did not start"));
  EXPECT_THAT(KindOf("alloc(PLENTY)"), HasSubstr("NOFS"));
  EXPECT_THAT(KindOf("t.colour:=1"), HasSubstr("a context has stamp"));
  EXPECT_THAT(KindOf("mL_nested(A, x)"), HasSubstr("must be a number"));
  EXPECT_THAT(KindOf("mL_nest(A)"), HasSubstr("second argument"));
  EXPECT_THAT(KindOf("sL(o.base)"), HasSubstr("is a mutex"));
  EXPECT_THAT(KindOf("each of mL"), HasSubstr("each"));
}

// Any text is a sequence or an error; no text crashes.
TEST(SelfTestTest, DamagedRowsAreRefusedOrJudged) {
  for (const Row& row : ReadTable("locking-selftest.tsv")) {
    for (size_t i = 0; i < row.sequence.size(); i += 3) {
      std::string cut = row.sequence;
      cut.erase(i, 1);
      (void)RunSelfTestSequence(cut);
      (void)RunSelfTestSequence(row.sequence.substr(i));
      cut = row.sequence;
      cut[i] = "(){}[],;=.:+-!_tL\t"[i % 18];
      (void)RunSelfTestSequence(cut);
    }
  }
}

TEST(SelfTestFileTest, PrintsALineForEachSequence) {
  std::istringstream in(
      "# comment\n"
      "sL(A) sL(B) sU(B) sU(A) ; sL(B) sL(A)\n"
      "\n"
      "rL(X1) rL(X2)\n"
      "nr\trow\tcolumn\texpect\tkernel_report_kind\tsequence\n"
      "349\trow\tqueued\tREPORT\tcircular\th+ rL(A) wL(B) wU(B) rU(A) h- ; hd wL(B) rL(A) rU(A) wU(B) he\r\n");
  std::ostringstream out;
  EXPECT_TRUE(RunSelfTestFile(in, "rows", {}, out).ok());
  EXPECT_EQ(out.str(), "2\tREPORT\tcircular\n4\tok\t-\n6\tREPORT\tcircular\n");
}

TEST(SelfTestFileTest, NamesEachLineThatItCannotReadAndJudgesTheRest) {
  std::istringstream in("nonsense\nsL(A) sU(A)\nsL(\n");
  std::ostringstream out;
  const absl::Status status = RunSelfTestFile(in, "rows", {}, out);
  EXPECT_EQ(out.str(), "2\tok\t-\n");
  EXPECT_THAT(std::string(status.message()), HasSubstr("rows:1: 'nonsense': unknown verb 'nonsense'"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\nrows:3: "));
}

}  // namespace
}  // namespace ordeal::lockdep
