// The trace formats: every operation and option survives a round trip, errors name line and remedy, and hostile bytes are
// refused or read, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "lockdep/trace/own_format.h"
#include "lockdep/trace/std_format.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string OwnError(absl::string_view text) {
  return std::string(ParseTrace(text, TraceFormat::kOwn, "t.txt").status().message());
}

std::string StdError(absl::string_view text) {
  return std::string(ParseTrace(text, TraceFormat::kStd, "t.std").status().message());
}

std::vector<std::string> Texts(const Trace& trace) {
  std::vector<std::string> texts;
  for (const LockEvent& event : trace.events) texts.push_back(EventText(event, trace.symbols));
  return texts;
}

constexpr char kEverything[] = R"(ordeal-lock-trace 1
task T1 role=writer
class cA name=i_rwsem inner=spin outer=free ordered event no-validate no-check-recursion per-cpu wait-override
lock A cA order=7 count=3 recursive
T1 acquire A mode=shared sub=3 try unchecked sync timed interruptible order=9 at=a.cc:12
class B
lock B B
T1 acquire B nest=A at=a%20b.cc:1
T1 request B mode=recursive stamp=4
T1 try-failed B
T1 downgrade A mode=shared
class c#2
T1 set-class A sub=1 class=c#2
T1 init A class=c#2 order=4
T1 destroy A
T1 freed A
T1 pin B cookie=5
T1 unpin B cookie=5
T1 assert-held B
T1 assert-exclusive B
T1 assert-shared B
T1 assert-not-held A
T1 assert-class-not-held cA
T1 unregister-class c#2
T1 release B at=a.cc:13
class E
lock E E
T1 event-request E
T1 event-wait E timed
T1 event-blocked E
T1 event-trigger E
T1 owe E
T1 disown E
T1 down B try
T1 up B
T1 arrive B
T1 depart B
T1 fork T2
T1 join T2
T1 join-blocked T2
T1 begin
T1 exit
T1 user-return
T1 hardirq-enter threaded
T1 hardirq-exit
T1 softirq-enter
T1 softirq-exit
T1 hardirqs-off
T1 hardirqs-on
T1 softirqs-off
T1 softirqs-on
T1 reclaim-enter
T1 reclaim-exit
T1 alloc fs io reclaim nolockdep
T1 nofs-save
T1 nofs-restore
T1 noio-save
T1 noio-restore
T1 memalloc-save
T1 memalloc-restore
T1 read V
T1 write V
T1 ww-begin cA stamp=2
T1 ww-done cA
T1 ww-end cA
T1 mark
)";

// Every operation appears in kEverything, and what is read is written back byte by byte.
TEST(OwnFormatTest, EveryOperationAndOptionSurvivesARoundTrip) {
  const absl::StatusOr<Trace> trace = ParseTrace(kEverything, TraceFormat::kOwn, "t.txt");
  ASSERT_TRUE(trace.ok()) << trace.status();
  std::vector<bool> seen(kEventOps);
  for (const LockEvent& event : trace->events) seen[static_cast<size_t>(event.op)] = true;
  for (int op = 0; op < kEventOps; ++op) {
    EXPECT_TRUE(seen[static_cast<size_t>(op)]) << EventOpName(static_cast<EventOp>(op));
  }
  EXPECT_EQ(FormatTrace(*trace), kEverything);
}

TEST(OwnFormatTest, ModesOfAKindComeBack) {
  const std::string text =
      "ordeal-lock-trace 1\nclass C kind=dlm\nlock c C\nT acquire c as=PR sub=2\nT release c\nT acquire c as=EX\n";
  const absl::StatusOr<Trace> trace = ParseTrace(text, TraceFormat::kOwn, "t.txt");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->events[0].lock_mode, 3);
  EXPECT_EQ(trace->events[0].subclass, 2);
  EXPECT_EQ(FormatTrace(*trace), text);
  for (const auto& [line, error] : std::vector<std::pair<std::string, std::string>>{
           {"T acquire c as=XX\n", "it is one of NL, CR, CW, PR, PW, EX"},
           {"T acquire d as=PR\n", "whose class has no kind"},
           {"class D kind=x\n", "it is one of six, two-state, dlm, glock"}}) {
    const absl::StatusOr<Trace> bad = ParseTrace(text + line, TraceFormat::kOwn, "t.txt");
    EXPECT_THAT(std::string(bad.status().message()), ::testing::HasSubstr(error));
  }
}

TEST(OwnFormatTest, AnEventHoldsWhatItsLineSays) {
  const absl::StatusOr<Trace> trace = ParseTrace(kEverything, TraceFormat::kOwn, "t.txt");
  ASSERT_TRUE(trace.ok()) << trace.status();
  const LockEvent& first = trace->events[0];
  EXPECT_EQ(first.op, EventOp::kAcquire);
  EXPECT_EQ(first.mode, Mode::kShared);
  EXPECT_EQ(first.subclass, 3);
  EXPECT_EQ(first.argument, 9u);
  EXPECT_EQ(first.flags,
            kFlagTrylock | kFlagUnchecked | kFlagSync | kFlagTimed | kFlagOrderKey | kFlagInterruptible);
  EXPECT_EQ(trace->symbols.SiteOf(first.site).line, 12);
  EXPECT_STREQ(trace->symbols.SiteOf(first.site).file, "a.cc");
  EXPECT_EQ(trace->symbols.role(first.task), "writer");
  const TraceLock& lock = trace->symbols.lock_row(first.object);
  EXPECT_EQ(lock.order_key, 7u);
  EXPECT_EQ(lock.count, 3u);
  EXPECT_TRUE(lock.recursive);
  EXPECT_EQ(trace->symbols.class_row(lock.lock_class).name, "i_rwsem");
  EXPECT_EQ(trace->symbols.class_row(lock.lock_class).options.inner, WaitType::kSpin);
  EXPECT_EQ(trace->events[1].nest, first.object);
  EXPECT_STREQ(trace->symbols.SiteOf(trace->events[1].site).file, "a b.cc");
}

TEST(OwnFormatTest, ALockNeedsNoDeclaration) {
  const absl::StatusOr<Trace> trace =
      ParseTrace("# by hand\nordeal-lock-trace 1 # version\n\n  T1 acquire A # nested\n\tT1 release A\r\n", TraceFormat::kOwn);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(Texts(*trace), ElementsAre("T1 acquire A", "T1 release A"));
  EXPECT_EQ(trace->symbols.class_row(trace->symbols.lock_row(0).lock_class).name, "A");
}

TEST(OwnFormatTest, NamesMayHoldAnything) {
  Trace trace;
  const std::string hostile("# %41 \n\t\x01\xff=", 12);
  const uint32_t task = trace.symbols.Task("class");
  const uint32_t lock = trace.symbols.DeclareLock(hostile, trace.symbols.Class("lock"));
  trace.events.push_back({.op = EventOp::kAcquire, .task = task, .object = lock});
  const absl::StatusOr<Trace> again = ParseTrace(FormatTrace(trace), TraceFormat::kOwn);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->events, trace.events);
  EXPECT_EQ(again->symbols.lock_name(0), hostile);
  EXPECT_EQ(again->symbols.task_name(0), "class");
  EXPECT_EQ(again->symbols.class_id(0), "lock");
}

TEST(OwnFormatTest, ErrorsNameFileLineAndRemedy) {
  EXPECT_EQ(OwnError(""), "t.txt:1: the file is empty; the first line must be 'ordeal-lock-trace 1'");
  EXPECT_EQ(OwnError("T1|acq(A)|1\n"),
            "t.txt:1: this is no lock trace of ours; the first line must be 'ordeal-lock-trace 1', or give another --format");
  EXPECT_EQ(OwnError("ordeal-lock-trace 2\n"),
            "t.txt:1: version 2 is newer than this program, which reads 1; use a newer ordeal");
  const std::string head = "ordeal-lock-trace 1\n";
  EXPECT_EQ(OwnError(head + "T1 aquire A\n"),
            "t.txt:2: unknown operation 'aquire'; docs/formats/lock-trace.md lists them");
  EXPECT_EQ(OwnError(head + "T1\n"), "t.txt:2: task 'T1' does nothing; write 'TASK OPERATION ...'");
  EXPECT_EQ(OwnError(head + "T1 acquire\n"), "t.txt:2: 'acquire' of nothing; name its object");
  EXPECT_EQ(OwnError(head + "T1 join\n"), "t.txt:2: 'join' of nothing; name the other task");
  EXPECT_EQ(OwnError(head + "T1 acquire A sub=8\n"), "t.txt:2: sub='8' is no number up to 7; give a decimal number");
  EXPECT_EQ(OwnError(head + "T1 acquire A mode=S\n"),
            "t.txt:2: unknown mode='S'; it is one of exclusive, shared, recursive");
  EXPECT_EQ(OwnError(head + "T1 release A try\n"),
            "t.txt:2: 'release' has no option 'try'; docs/formats/lock-trace.md lists the options of each operation");
  EXPECT_EQ(OwnError(head + "T1 set-class A\n"), "t.txt:2: set-class without a class; write 'TASK set-class LOCK class=ID'");
  EXPECT_THAT(OwnError(head + "class A inner=deep\n"), HasSubstr("t.txt:2: unknown inner='deep'; it is one of unchecked,"));
  EXPECT_THAT(OwnError(head + "class A big\n"), HasSubstr("t.txt:2: unknown class option 'big'; known: name="));
  EXPECT_THAT(OwnError(head + "class\n"), HasSubstr("t.txt:2: a class without an id"));
  EXPECT_THAT(OwnError(head + "lock A\n"), HasSubstr("t.txt:2: a lock without id or class"));
  EXPECT_THAT(OwnError(head + "lock A C big\n"), HasSubstr("t.txt:2: unknown lock option 'big'"));
  EXPECT_THAT(OwnError(head + "task\n"), HasSubstr("t.txt:2: a task without a name"));
  EXPECT_THAT(OwnError(head + "task T rolle=x\n"), HasSubstr("t.txt:2: unknown task option 'rolle=x'; known: role="));
  EXPECT_EQ(OwnError(head + "\n# x\nT1 \x01\n"), "t.txt:4: unknown operation '\\x01'; docs/formats/lock-trace.md lists them");
}

TEST(OwnFormatTest, ALineOfEndlessLengthIsRefusedWithoutReadingItAll) {
  const std::string error = OwnError("ordeal-lock-trace 1\n" + std::string(3 * kTraceLineMax, 'x'));
  EXPECT_EQ(error, "t.txt:2: a line of more than 65536 bytes; is this a text file? shorten its names");
}

TEST(StdFormatTest, ReadsEveryOperation) {
  const absl::StatusOr<Trace> trace = ParseTrace(
      "T0|fork(T1)|1\nT1|begin|2\nT1|req(L)|3\nT1|acq(L)|3\nT1|r(V1.a[0])|Main.java:4\nT1|w(V1.a[0])|5\nT1|rel(L)|6\n"
      "T1|end(1)|7\nT0|join(T1)|8\n# comment\n\n",
      TraceFormat::kStd);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(Texts(*trace),
              ElementsAre("T0 fork T1 at 1", "T1 mark at 2", "T1 request L at 3", "T1 acquire L at 3",
                          "T1 read V1.a[0] at Main.java:4", "T1 write V1.a[0] at 5", "T1 release L at 6",
                          "T1 mark at 7", "T0 join T1 at 8"));
  EXPECT_EQ(trace->symbols.SiteOf(trace->events[4].site).line, 4);
}

TEST(StdFormatTest, MonitorsAreReEntrant) {
  const absl::StatusOr<Trace> trace = ParseTrace(
      "T|acq(L)|1\nT|req(L)|2\nT|acq(L)|2\nU|acq(M)|2\nT|rel(L)|3\nT|rel(L)|4\nT|acq(L)|5\nT|rel(L)|6\nT|rel(L)|7\n",
      TraceFormat::kStd);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(Texts(*trace), ElementsAre("T acquire L at 1", "U acquire M at 2", "T release L at 4", "T acquire L at 5",
                                         "T release L at 6", "T release L at 7"));
}

TEST(StdFormatTest, WritesWhatItCanSayAndRefusesTheRest) {
  const std::string text = "T0|fork(T1)|1\nT1|req(L)|3\nT1|acq(L)|3\nT1|r(V)|4\nT1|w(V)|5\nT1|rel(L)|6\nT0|join(T1)|8\n";
  const absl::StatusOr<Trace> trace = ParseTrace(text, TraceFormat::kStd);
  ASSERT_TRUE(trace.ok()) << trace.status();
  std::string out;
  for (const LockEvent& event : trace->events) EXPECT_TRUE(AppendStdFormat(event, trace->symbols, &out));
  EXPECT_EQ(out, text);
  LockEvent shared = trace->events[2];
  shared.mode = Mode::kShared;
  EXPECT_FALSE(AppendStdFormat(shared, trace->symbols, &out));
  EXPECT_FALSE(AppendStdFormat({.op = EventOp::kHardirqEnter}, trace->symbols, &out));
  EXPECT_EQ(out, text);
}

TEST(StdFormatTest, ErrorsNameFileLineAndRemedy) {
  const std::string remedy = "; write TASK|OPERATION(OBJECT)|LOCATION, for example T1|acq(L)|40";
  EXPECT_EQ(StdError("T1|acq(L)|1\nT1 acquire L\n"), "t.std:2: 'T1 acquire L' has no three fields" + remedy);
  EXPECT_EQ(StdError("T1|acq(L)|1|2\n"), "t.std:1: 'T1|acq(L)|1|2' has more than three fields" + remedy);
  EXPECT_EQ(StdError("|acq(L)|1\n"), "t.std:1: the task has no name" + remedy);
  EXPECT_EQ(StdError("T1|acq(L|1\n"), "t.std:1: 'acq(L' lacks its closing parenthesis" + remedy);
  EXPECT_EQ(StdError("T1|acq()|1\n"), "t.std:1: 'acq()' has no object" + remedy);
  EXPECT_EQ(StdError("T1|lock(L)|1\n"),
            "t.std:1: unknown operation 'lock'; known: acq rel req fork join r w begin end dummy sync branch");
}

TEST(TraceReaderTest, FormatsHaveNames) {
  for (const TraceFormat format : {TraceFormat::kOwn, TraceFormat::kStd, TraceFormat::kSelftest}) {
    EXPECT_EQ(*ParseTraceFormat(TraceFormatName(format)), format);
  }
  EXPECT_EQ(ParseTraceFormat("elf").status().message(), "unknown trace format 'elf'; it is one of own, std, selftest");
  TraceSymbols symbols;
  EXPECT_EQ(ReadTraceFile("/nonexistent/trace", TraceFormat::kStd, &symbols, [](const LockEvent&) {}).message(),
            "/nonexistent/trace: cannot be opened; give the path of a readable trace");
}

// Lines that straddle the reader's buffer are whole, and a last line needs no newline.
TEST(TraceReaderTest, LinesMayStraddleTheBuffer) {
  std::string text = "ordeal-lock-trace 1\n";
  for (int i = 0; i < 30000; ++i) absl::StrAppend(&text, "T", i % 7, " acquire L", i % 100, " at=file.cc:", i, "\n");
  text.pop_back();
  const absl::StatusOr<Trace> trace = ParseTrace(text, TraceFormat::kOwn);
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->events.size(), 30000u);
  for (int i = 0; i < 30000; ++i) {
    ASSERT_EQ(EventText(trace->events[static_cast<size_t>(i)], trace->symbols),
              absl::StrCat("T", i % 7, " acquire L", i % 100, " at file.cc:", i));
  }
}

// Mutated good files: bytes changed, lines cut, doubled or swapped.
TEST(TraceReaderTest, AnyBytesAreReadOrRefused) {
  std::mt19937 random(20261121);
  const std::string std_text = "T0|fork(T1)|1\nT1|acq(L)|3\nT1|r(V)|4\nT1|rel(L)|6\nT0|join(T1)|8\n";
  for (int round = 0; round < 4000; ++round) {
    const bool own = round % 2 == 0;
    std::string text = own ? std::string(kEverything) : std_text;
    const int edits = 1 + static_cast<int>(random() % 6);
    for (int i = 0; i < edits && !text.empty(); ++i) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random() % 256); break;
        case 1: text.erase(at, random() % 20); break;
        case 2: text.insert(at, text.substr(random() % text.size(), random() % 20)); break;
        case 3: text.insert(at, 1, "\n %=|()"[random() % 7]); break;
      }
    }
    const absl::StatusOr<Trace> trace = ParseTrace(text, own ? TraceFormat::kOwn : TraceFormat::kStd, "m");
    if (!trace.ok()) {
      EXPECT_THAT(std::string(trace.status().message()), ::testing::MatchesRegex("m:[0-9]+: (.|\n)*; (.|\n)*"));
      continue;
    }
    const absl::StatusOr<Trace> again = ParseTrace(FormatTrace(*trace), TraceFormat::kOwn);
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << text;
    EXPECT_EQ(again->events.size(), trace->events.size());
  }
}

}  // namespace
}  // namespace ordeal::lockdep
