// `ordeal lockdep` as a user meets it: what it prints and its exit status, for good and for bad input.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/cli/program_for_test.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using nlohmann::json;

constexpr char kOwnAbba[] =
    "ordeal-lock-trace 1\n"
    "T1 acquire A at=x.cc:1\nT1 acquire B at=x.cc:2\nT1 release B\nT1 release A\n"
    "T2 acquire B at=y.cc:1\nT2 acquire A at=y.cc:2\nT2 release A\nT2 release B\n";
constexpr char kOwnAbab[] =
    "ordeal-lock-trace 1\n"
    "T1 acquire A at=x.cc:1\nT1 acquire B at=x.cc:2\nT1 release B\nT1 release A\n"
    "T2 acquire A at=y.cc:1\nT2 acquire B at=y.cc:2\nT2 release B\nT2 release A\n";
constexpr char kOwnGated[] =
    "ordeal-lock-trace 1\n"
    "T1 acquire G at=x.cc:9\nT1 acquire A at=x.cc:1\nT1 acquire B at=x.cc:2\nT1 release B\nT1 release A\nT1 release G\n"
    "T2 acquire G at=y.cc:9\nT2 acquire B at=y.cc:1\nT2 acquire A at=y.cc:2\nT2 release A\nT2 release B\nT2 release G\n";
constexpr char kStdAbba[] =
    "T1|acq(A)|1\nT1|acq(B)|2\nT1|rel(B)|3\nT1|rel(A)|4\nT2|acq(B)|5\nT2|acq(A)|6\nT2|rel(A)|7\nT2|rel(B)|8\n";
constexpr char kSelftest[] =
    "mL(A) mL(B) mU(B) mU(A) ; mL(B) mL(A) mU(A) mU(B)\nmL(A) mL(B) mU(B) mU(A)\n\n# remark\nsL(A) sL(A)\n";

class LockdepCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/lockdep_command_test.", getpid(), ".",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  ProgramResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "lockdep");
    return RunProgram(arguments, folder_);
  }
  // One line on stderr, nothing on stdout, exit status 2.
  void ExpectUsageError(const std::vector<std::string>& arguments, const std::string& message) {
    const ProgramResult result = Run(arguments);
    EXPECT_EQ(result.status, 2) << result.out << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_THAT(result.err, StartsWith("ordeal: "));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "");
  }
  void Write(const std::string& name, const std::string& text) { std::ofstream(Path(name), std::ios::binary) << text; }
  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

  std::string folder_;
};

TEST_F(LockdepCommandTest, OwnTraceWithOppositeOrdersIsAFinding) {
  Write("abba.trace", kOwnAbba);
  const ProgramResult result = Run({"--trace", "abba.trace"});
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr("possible circular locking dependency"));
  EXPECT_THAT(result.out, HasSubstr("x.cc:2"));
  EXPECT_THAT(result.out, HasSubstr("y.cc:2"));
  EXPECT_THAT(result.out, HasSubstr("1 finding: 8 events, 2 tasks, 2 lock classes, 2 dependencies\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("\033[")));
}

TEST_F(LockdepCommandTest, OwnTraceWithEqualOrdersIsQuiet) {
  Write("abab.trace", kOwnAbab);
  const ProgramResult result = Run({"--trace", "abab.trace"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "nothing found: 8 events, 2 tasks, 2 lock classes, 1 dependencies\n");
}

TEST_F(LockdepCommandTest, StdTraceIsRecognisedByItsFirstLine) {
  Write("abba.std", kStdAbba);
  EXPECT_EQ(Run({"--trace=abba.std"}).status, 1);
  EXPECT_EQ(Run({"--trace=abba.std", "--format=std"}).status, 1);
  ExpectUsageError({"--trace=abba.std", "--format=own"}, "abba.std:1: ");
}

TEST_F(LockdepCommandTest, SelftestPrintsAVerdictForEachLine) {
  Write("rows.txt", kSelftest);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--trace=rows.txt", "--format=selftest"}, {"--trace=rows.txt"}}) {
    const ProgramResult result = Run(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.out, "1\tREPORT\tcircular\n2\tok\t-\n5\tREPORT\trecursive\n");
  }
}

TEST_F(LockdepCommandTest, SelftestQueuedReadersAreAnOption) {
  Write("rows.txt", "rL(A) rL(A)\n");
  EXPECT_EQ(Run({"--trace=rows.txt", "--format=selftest"}).out, "1\tok\t-\n");
  EXPECT_EQ(Run({"--trace=rows.txt", "--format=selftest", "--queued-rwlocks"}).out, "1\tREPORT\trecursive\n");
}

TEST_F(LockdepCommandTest, SelftestBadLineNamesFileAndLineAndTheOthersAreJudged) {
  Write("rows.txt", "mL(A)\nfrobnicate(A)\nmL(A) mL(A)\n");
  const ProgramResult result = Run({"--trace=rows.txt", "--format=selftest"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, StartsWith("ordeal: rows.txt:2: "));
  EXPECT_THAT(result.out, HasSubstr("3\tREPORT\trecursive\n"));
}

TEST_F(LockdepCommandTest, GradesTellAGateLock) {
  Write("gated.trace", kOwnGated);
  Write("abba.trace", kOwnAbba);
  for (const bool whole : {false, true}) {
    std::vector<std::string> gated = {"--trace=gated.trace", "--json"};
    std::vector<std::string> abba = {"--trace=abba.trace", "--json"};
    if (whole) gated.push_back("--grade");
    if (whole) abba.push_back("--grade");
    const json first = json::parse(Run(gated).out)["violations"][0];
    EXPECT_EQ(first["grade"], "order") << first;
    EXPECT_THAT(first["grade_reason"].get<std::string>(), HasSubstr("gate lock G"));
    EXPECT_EQ(json::parse(Run(abba).out)["violations"][0]["grade"], "feasible");
  }
}

TEST_F(LockdepCommandTest, JsonAndDotGoToFiles) {
  Write("abba.trace", kOwnAbba);
  const ProgramResult result = Run({"--trace=abba.trace", "--json=out.json", "--dot=out.dot"});
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr("circular"));
  EXPECT_EQ(json::parse(ReadWhole(Path("out.json")))["violations"].size(), 1u);
  EXPECT_THAT(ReadWhole(Path("out.dot")), HasSubstr("digraph"));
  Write("file", "x");
  ExpectUsageError({"--trace=abba.trace", "--json=file/below.json"}, "ordeal: file: cannot create the folder");
}

TEST_F(LockdepCommandTest, RecordWritesOurOwnFormat) {
  Write("abba.std", kStdAbba);
  EXPECT_EQ(Run({"--trace=abba.std", "--record=abba.trace"}).status, 1);
  EXPECT_THAT(ReadWhole(Path("abba.trace")), StartsWith("ordeal-lock-trace 1\n"));
  EXPECT_EQ(Run({"--trace=abba.trace"}).status, 1);
}

TEST_F(LockdepCommandTest, BadTracesNameFileLineAndRemedy) {
  Write("empty", "");
  Write("blank", "\n\n");
  Write("binary", std::string("\x7f" "ELF\0\1\2", 7));
  Write("prose", "once upon a time\n");
  Write("truncated.trace", std::string(kOwnAbba).substr(0, 48));
  Write("truncated.std", "T1|acq(A)|1\nT1|ac");
  Write("verb.trace", "ordeal-lock-trace 1\nT1 acquire A\nT1 frobnicate A\n");
  Write("newer.trace", "ordeal-lock-trace 99\nT1 acquire A\n");
  std::filesystem::create_directories(Path("folder"));
  ExpectUsageError({"--trace=empty"}, "empty:1: the file is empty");
  ExpectUsageError({"--trace=blank"}, "blank:1: the file is empty");
  ExpectUsageError({"--trace=binary"}, "binary:1: this is no text");
  ExpectUsageError({"--trace=prose"}, "prose:1: the format of this trace is not recognised; name it with --format=");
  ExpectUsageError({"--trace=truncated.trace"}, "truncated.trace:3: ");
  ExpectUsageError({"--trace=truncated.std"}, "truncated.std:2: ");
  ExpectUsageError({"--trace=verb.trace"}, "verb.trace:3: ");
  ExpectUsageError({"--trace=newer.trace"}, "newer.trace:1: ");
  ExpectUsageError({"--trace=missing"}, "missing: ");
  ExpectUsageError({"--trace=folder"}, "folder: is a folder");
  ExpectUsageError({"--trace=binary", "--format=own"}, "binary:1: ");
  ExpectUsageError({"--trace=binary", "--format=std"}, "binary:1: ");
  ExpectUsageError({"--trace=binary", "--format=selftest"}, "binary:1: ");
  ExpectUsageError({"--trace=missing", "--format=selftest"}, "missing: cannot open: No such file or directory");
  ExpectUsageError({"--trace=folder", "--format=selftest"}, "folder: is a folder");
}

TEST_F(LockdepCommandTest, BadUsageIsOneLine) {
  Write("abba.trace", kOwnAbba);
  Write("rows.txt", kSelftest);
  ExpectUsageError({}, "nothing to check: give one of --trace=FILE");
  ExpectUsageError({"--trace=abba.trace", "--proc=x"}, "more than one thing to check");
  ExpectUsageError({"--trace=abba.trace", "--format=xml"}, "selftest");
  ExpectUsageError({"--trace=rows.txt", "--format=selftest", "--json"}, "--format=selftest prints one verdict a line");
  ExpectUsageError({"--proc=a,b,c"}, "--proc takes LOCKDEP or LOCKDEP,CHAINS");
}

#ifdef ORDEAL_PROGRAMS
// What the interposer finds is tested beside it; here: streams, exit status, refusals.
TEST_F(LockdepCommandTest, ProgramKeepsItsStreamsAndExitStatus) {
  const ProgramResult result = Run({"--json=out.json", "--", "sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(result.status, 7) << result.err;
  EXPECT_EQ(result.out, "out\n");
  EXPECT_THAT(result.err, StartsWith("err\n"));
  EXPECT_EQ(json::parse(ReadWhole(Path("out.json")))["violations"].size(), 0u);
  EXPECT_EQ(Run({"sh", "-c", "exit 3"}).status, 3);  // without --: the first word that is no option begins the program
}

TEST_F(LockdepCommandTest, ProgramIsRecordedAsATraceThatIsJudgedAgain) {
  EXPECT_EQ(Run({"--record=run.trace", "--format=own", "--", "sh", "-c", "exit 7"}).status, 7);
  const ProgramResult again = Run({"--trace=run.trace"});
  EXPECT_EQ(again.status, 0) << again.out << again.err;
  ExpectUsageError({"--format=own", "--", "sh"}, "--record=FILE");
  ExpectUsageError({"--record=run.trace", "--format=std", "--", "sh"}, "in our own format");
}

TEST_F(LockdepCommandTest, ProgramThatCannotBeCheckedIsRefused) {
  const ProgramResult su = Run({"--", "su"});
  EXPECT_EQ(su.status, 3) << su.err;
  EXPECT_THAT(su.err, StartsWith("ordeal: "));
  ExpectUsageError({"--", "no-such-program"}, "no-such-program");
  ExpectUsageError({"--json", "--", "sh"}, "use --json=FILE");
  ExpectUsageError({"--grade", "sh"}, "are for traces");
  ExpectUsageError({"--frob", "sh"}, "there is no option '--frob'");
  ExpectUsageError({"--frob", "--", "sh"}, "'--frob' stands before '--'");
}
#endif

TEST_F(LockdepCommandTest, ProcLockdepIsJudgedAgain) {
  Write("lockdep",
        "all lock classes:\n"
        "ffffffff82a1c0e0 FD:    2 BD:    1 +.+.: a\n"
        " -> [ffffffff82a1c0e8] b\n\n"
        "ffffffff82a1c0e8 FD:    1 BD:    2 +.+.: b\n\n");
  const ProgramResult result = Run({"--proc=lockdep"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("2"));
  ExpectUsageError({"--trace=lockdep"}, "lockdep:1: this is the text of /proc/lockdep; use --proc");
  Write("bad", "all lock classes:\nnonsense\n");
  ExpectUsageError({"--proc=bad"}, "bad:2: ");
  ExpectUsageError({"--proc=missing"}, "missing: cannot open");
  ExpectUsageError({"--proc=lockdep,missing"}, "missing: cannot open");
}

}  // namespace
}  // namespace ordeal
