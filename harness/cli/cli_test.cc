// The program as a user meets it: what it prints and its exit status, for good and for bad input.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/cli/program_for_test.h"

namespace ordeal {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using nlohmann::json;

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/cli_test.", getpid(), ".",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  ProgramResult Run(const std::vector<std::string>& arguments) { return RunProgram(arguments, folder_); }
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
  // Finds the philosophers' deadlock and returns the saved file.
  std::string SaveOne() {
    const ProgramResult result = Run({"run", "dining-philosophers", "--bug=naive-order", "--json", "--save=found"});
    EXPECT_EQ(result.status, 1) << result.err;
    return json::parse(result.out)["findings"][0]["file"].get<std::string>();
  }

  std::string folder_;
};

TEST_F(CliTest, BadUsageIsOneLineAndExitStatusTwo) {
  ExpectUsageError({}, "a command is missing; there are: list, run, replay");
  ExpectUsageError({"rnu"}, "there is no command 'rnu'; did you mean 'run'?");
  ExpectUsageError({"frobnicate"}, "there is no command 'frobnicate'; there are:");
  ExpectUsageError({"--frob"}, "there is no option '--frob' before a command");
  ExpectUsageError({"nightly", "--seeds=3"}, "--seeds requires --canaries");
  ExpectUsageError({"run"}, "scenario is required; see 'ordeal run --help'");
  ExpectUsageError({"run", "mutex-counter", "--frob"}, "--frob; see 'ordeal run --help'");
  ExpectUsageError({"run", "mutex-counter", "extra"}, "extra");
  ExpectUsageError({"run", "mutex-countre"}, "did you mean 'mutex-counter'?");
  ExpectUsageError({"run", "mutex-counter", "--fs=ext9"}, "ext9");
  ExpectUsageError({"run", "dining-philosophers", "--bug=naive"}, "did you mean 'naive-order'?");
  ExpectUsageError({"run", "mutex-counter", "--strategy=pcx"}, "there are: random, pct");
  ExpectUsageError({"run", "mutex-counter", "--strategy=pct:99"}, "from 1 to 16");
  ExpectUsageError({"run", "mutex-counter", "--faults=io"}, "did you mean 'io-error'?");
  ExpectUsageError({"run", "mutex-counter", "--schedules=-1"}, "--schedules must be a whole number");
  ExpectUsageError({"run", "mutex-counter", "--schedules=0"}, "--schedules must be a whole number");
  ExpectUsageError({"run", "mutex-counter", "--seed=1.5"}, "--seed must be a whole number");
  ExpectUsageError({"run", "mutex-counter", "--time=soon"}, "--time must be a duration");
  ExpectUsageError({"list", "bug"}, "did you mean 'bugs'?");
  ExpectUsageError({"nightly", "--time=-5m"}, "--time must be a duration");
  ExpectUsageError({"corpus", "chekc"}, "did you mean 'check'?");
  ExpectUsageError({"kernel", "compar"}, "did you mean 'compare'?");
  ExpectUsageError({"kernel", "run", "--fs=fat"}, "use xfs, ext4, btrfs, gfs2 or ocfs2");
  ExpectUsageError({"kernel", "run", "--directory=none"}, "cannot use directory 'none'");
  ExpectUsageError({"kernel", "run", "--workload=none"}, "none: cannot open");
  ExpectUsageError({"kernel", "run", "--vm-program=true"}, "--vm-program runs in the virtual machine; add --vm");
  ExpectUsageError({"kernel", "run", "--vm", "--vm-program=none 1"}, "none: no such file");
  ExpectUsageError({"kernel", "run", "--vm", "--vm-program=" + folder_}, "no such file");
  ExpectUsageError({"kernel", "record", "--pid=0"}, "--pid must be a whole number");
  ExpectUsageError({"kernel", "record", "--time=soon"}, "--time must be a duration");
  ExpectUsageError({"kernel", "record", "words", "--", "true"}, "'words' stands before '--'");
  ExpectUsageError({"kernel", "record", "--unknown"}, "there is no option '--unknown'");
  ExpectUsageError({"replay", "none.txtpb"}, "none.txtpb: cannot open: No such file or directory");
  ExpectUsageError({"replay", "."}, "no corpus entry (*.txtpb) in this folder");
}

TEST_F(CliTest, HelpAndVersionAreNoErrors) {
  EXPECT_THAT(Run({"--help"}).out, HasSubstr("Exit status: 0 nothing found, 1 findings"));
  EXPECT_EQ(Run({"run", "--help"}).status, 0);
  EXPECT_EQ(Run({"--version"}).out, "ordeal 0.1.0\n");
}

TEST_F(CliTest, ListNamesWhatThereIs) {
  const ProgramResult all = Run({"list"});
  EXPECT_EQ(all.status, 0);
  for (const char* topic : {"scenarios\n", "filesystems\n", "bugs\n", "strategies\n", "faults\n"}) {
    EXPECT_THAT(all.out, HasSubstr(topic));
  }
  const json scenarios = json::parse(Run({"list", "scenarios", "--json"}).out);
  EXPECT_EQ(scenarios.size(), 1u);
  EXPECT_GT(scenarios["scenarios"].size(), 1u);
}

TEST_F(CliTest, QuietRunIsExitStatusZero) {
  const ProgramResult result = Run({"run", "mutex-counter", "--schedules=500"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("nothing found in mutex-counter: 500 schedules in "));
  EXPECT_FALSE(std::filesystem::exists(Path("ordeal-findings")));
}

TEST_F(CliTest, FoundBugSaysWhatWhereAndHowToReplay) {
  const ProgramResult result = Run({"run", "dining-philosophers", "--bug=naive-order"});
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_THAT(result.out, StartsWith("FOUND "));
  EXPECT_THAT(result.out, HasSubstr("harness/catalogue/basics/dining_philosophers.cc:"));
  EXPECT_THAT(result.out, HasSubstr("/ordeal replay ordeal-findings/"));
  EXPECT_THAT(result.out, Not(HasSubstr("\033[")));  // no colours without a terminal
  const ProgramResult replay = Run({"replay", "ordeal-findings"});
  EXPECT_EQ(replay.status, 0) << replay.out;
  EXPECT_THAT(replay.out, EndsWith("2 of 2 replayed, twice, with the recorded finding and trace\n"));  // cycle and deadlock
}

TEST_F(CliTest, LockCycleIsConfirmedAndItsFileReplaysTheDeadlock) {
  const ProgramResult result = Run({"run", "dining-philosophers", "--bug=naive-order", "--json"});
  EXPECT_EQ(result.status, 1) << result.err;
  const json found = json::parse(result.out)["findings"][0];
  EXPECT_EQ(found["kind"], "lock-order");
  const json confirmation = found["confirmation"];
  EXPECT_EQ(confirmation["confirmed"], true) << confirmation;
  EXPECT_EQ(confirmation["grade"], "confirmed");
  const std::string file = confirmation["file"].get<std::string>();
  EXPECT_THAT(found["details"].get<std::string>(), HasSubstr(file));  // the splat names it
  const json replay = json::parse(Run({"replay", file, "--json"}).out)[0];
  EXPECT_EQ(replay["verdict"], "same");
  EXPECT_THAT(replay["found"].get<std::string>(), StartsWith("deadlock: "));
  const json text = json::parse(Run({"run", "dining-philosophers", "--bug=naive-order", "--json", "--no-confirm"}).out);
  EXPECT_EQ(text["findings"][0]["confirmation"], nullptr);
}

// Before the run where it can be known, and never instead of the finding.
TEST_F(CliTest, AFolderThatCannotBeMadeIsSaidBeforeTheRun) {
  Write("file", "text");
  ExpectUsageError({"run", "dining-philosophers", "--bug=naive-order", "--save=file"}, "file: cannot be a folder, ");
  ExpectUsageError({"run", "dining-philosophers", "--bug=naive-order", "--save=file/below"}, "file/below: cannot be a folder, ");
  const ProgramResult lost = Run({"run", "dining-philosophers", "--bug=naive-order", "--save=/proc/below"});
  EXPECT_EQ(lost.status, 2) << lost.err;
  EXPECT_THAT(lost.out, StartsWith("FOUND "));
}

TEST_F(CliTest, LockTraceOfAReplayIsJudgedAgain) {
  const std::string file = SaveOne();
  EXPECT_EQ(Run({"replay", file, "--lock-trace=run.trace"}).status, 0);
  const ProgramResult judged = Run({"lockdep", "--trace=run.trace"});
  EXPECT_EQ(judged.status, 1) << judged.err;
  EXPECT_THAT(judged.out, HasSubstr("fork 0"));
  EXPECT_THAT(judged.out, HasSubstr("harness/catalogue/basics/dining_philosophers.cc:"));
  ExpectUsageError({"replay", file, file, "--lock-trace=run.trace"}, "--lock-trace is the trace of one run");
}

TEST_F(CliTest, FaultsFireAsOftenAsAsked) {
  const auto digest = [&](const std::string& faults) {
    return json::parse(Run({"run", "punch-hole-vs-read", "--schedules=100", "--json", "--faults=" + faults}).out)["trace_digest"];
  };
  const json never = digest("io-error:0");
  EXPECT_EQ(never, digest("io-error:100:0"));
  EXPECT_NE(never, digest("io-error:100"));
}

// docs/mails.md: every command finds what stands behind it, or nothing.
TEST_F(CliTest, TheFiveMailsAreRunsAsWritten) {
  std::ifstream page(ORDEAL_SOURCE_DIR "/docs/mails.md");
  int commands = 0;
  for (std::string line; std::getline(page, line);) {
    if (!absl::StartsWith(line, "    ordeal ")) continue;
    ++commands;
    const std::vector<std::string> halves = absl::StrSplit(line.substr(11), '#');
    ASSERT_EQ(halves.size(), 2u) << line;
    std::vector<std::string> arguments = absl::StrSplit(halves[0], ' ', absl::SkipEmpty());
    arguments.insert(arguments.end(), {"--schedules=1000", "--no-confirm"});
    const ProgramResult result = Run(arguments);
    const std::string expected = std::string(absl::StripAsciiWhitespace(halves[1].substr(0, halves[1].find(':'))));
    EXPECT_EQ(result.status, expected == "nothing" ? 0 : 1) << line << "\n" << result.err;
    EXPECT_THAT(result.out, StartsWith(expected == "nothing" ? "nothing found in " : absl::StrCat("FOUND ", expected))) << line;
  }
  EXPECT_GE(commands, 10);
}

// A run is a function of scenario and choices: whatever a process leaves in memory, addresses or hash seeds must not show.
TEST_F(CliTest, EveryScenarioHasTheSameTracesInTwoProcesses) {
  const json scenarios = json::parse(Run({"list", "scenarios", "--json"}).out)["scenarios"];
  ASSERT_GE(scenarios.size(), 8u);
  for (const json& scenario : scenarios) {
    json filesystems = scenario["filesystems"];
    if (filesystems.empty()) filesystems.push_back("");
#if defined(__SANITIZE_ADDRESS__)
    filesystems = {filesystems.front()};  // a sanitized process takes long to start
#endif
    for (const json& filesystem : filesystems) {
      std::vector<std::string> run = {"run", scenario["name"].get<std::string>(), "--seed=9", "--schedules=60",
                                      "--keep-going", "--json",
                                      "--faults=all"};
      if (filesystem != "") run.push_back(absl::StrCat("--fs=", filesystem.get<std::string>()));
      json first = json::parse(Run(run).out);
      json second = json::parse(Run(run).out);
      EXPECT_EQ(first["schedules"], 60) << run[1];
      EXPECT_EQ(first["trace_digest"], second["trace_digest"]) << run[1] << " on " << filesystem;
      first.erase("seconds");
      second.erase("seconds");
      EXPECT_EQ(first, second) << run[1] << " on " << filesystem;
    }
  }
}

TEST_F(CliTest, SameSeedGivesTheSameOutputInTwoProcesses) {
  const std::vector<std::string> run = {"run", "dining-philosophers", "--bug=naive-order", "--strategy=pct:2",
                                        "--seed=5", "--schedules=300", "--keep-going", "--json"};
  json first = json::parse(Run(run).out);
  json second = json::parse(Run(run).out);
  first.erase("seconds");
  second.erase("seconds");
  EXPECT_EQ(first, second);
}

TEST_F(CliTest, VerboseReplayPrintsStepsAndFinding) {
  const ProgramResult result = Run({"replay", SaveOne(), "--verbose"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("acquire fork"));
  EXPECT_THAT(result.out, HasSubstr("dining_philosophers.cc:"));
}

TEST_F(CliTest, DamagedCorpusFilesAreExitStatusTwoWithFileAndLine) {
  const std::string good = ReadWhole(Path(SaveOne()));
  Write("truncated.txtpb", good.substr(0, good.size() / 2));
  Write("edited.txtpb", absl::StrReplaceAll(good, {{"answer: 1", "answer: 2"}}));
  Write("newer.txtpb", absl::StrReplaceAll(good, {{"format_version: 1", "format_version: 2"}}));
  Write("binary.txtpb", std::string("\x7f" "ELF\0\1\2", 7));
  for (const std::string verb : {"replay", "check", "show"}) {
    const auto run = [&](const std::string& file) {
      return verb == "replay" ? Run({"replay", file}) : Run({"corpus", verb, file});
    };
    for (const char* file : {"truncated.txtpb", "edited.txtpb", "newer.txtpb", "binary.txtpb"}) {
      const ProgramResult result = run(file);
      EXPECT_EQ(result.status, 2) << file;
      EXPECT_THAT(result.err, StartsWith(absl::StrCat("ordeal: ", file, ":"))) << result.err;
    }
    EXPECT_THAT(run("truncated.txtpb").err, HasSubstr("truncated"));
    EXPECT_THAT(run("edited.txtpb").err, HasSubstr("edited or damaged"));
    EXPECT_THAT(run("newer.txtpb").err, HasSubstr("format version 2 is newer than 1"));
  }
}

// A divergence is a result, not bad input: exit status 1, and it says at which choice.
TEST_F(CliTest, OneBadFileDoesNotHideTheOthers) {
  const std::string good = SaveOne();
  Write("bad.txtpb", "format_version: 1\n");
  const ProgramResult result = Run({"replay", "bad.txtpb", good, "--json"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(json::parse(result.out).size(), 1u);
  EXPECT_EQ(json::parse(result.out)[0]["verdict"], "same");
}

TEST_F(CliTest, CorpusShowAndCheckReadSavedFiles) {
  const std::string file = SaveOne();
  EXPECT_EQ(Run({"corpus", "check", file}).out, absl::StrCat("ok  ", file, "\n"));
  const json shown = json::parse(Run({"corpus", "show", file, "--json"}).out);
  EXPECT_EQ(shown[0]["scenario"], "dining-philosophers");
  EXPECT_THAT(Run({"corpus", "show", file}).out, HasSubstr("dining-philosophers"));
}

#if !defined(__SANITIZE_ADDRESS__)  // all canaries, sanitized, take minutes; campaign_test has a small nightly job
TEST_F(CliTest, NightlyWritesAReport) {
  const ProgramResult result = Run({"nightly", "--time=1s", "--dir=out"});
  EXPECT_LE(result.status, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr("report: "));
  EXPECT_THAT(ReadWhole(Path("out/report.md")), StartsWith("# ordeal nightly: "));
  EXPECT_TRUE(json::parse(ReadWhole(Path("out/report.json")))["schedules"].get<uint64_t>() > 0);
}
#endif

}  // namespace
}  // namespace ordeal
