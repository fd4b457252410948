// The text of corpus entries: round trip, one clear error for each way a file can be wrong, and no crash on any bytes.
#include "harness/corpus/corpus_entry.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/choice/prng.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

CorpusEntry Example() {
  CorpusEntry entry;
  entry.spec = {"punch-hole-vs-read", "vfs", {"B01", "B02"}, {}};
  entry.spec.faults.Add(ChoiceKind::kIoDelay);
  entry.finding = ExpectedFinding{FindingKind::kData, "data: stale \"x\"", "read saw a\nfreed block"};
  std::vector<RecordedChoice> recorded;
  for (uint16_t i = 0; i < 200; ++i) {
    const uint16_t answer = i % 50 == 7 ? 1 : 0;
    recorded.push_back({i * 3u, answer, 2, static_cast<uint16_t>(i % 4),
                        i % 2 == 0 ? ChoiceKind::kSchedule : ChoiceKind::kIoDelay});
  }
  entry.choices = MakeSparse(recorded);
  entry.steps = 345;
  entry.trace_hash = 0xfedcba9876543210u;
  entry.found_by = {"pct:3", 7, 1234};
  return entry;
}

// A file whose checksum is right, whatever the content: reaches the checks behind it.
std::string Reseal(std::string text) {
  const size_t last = text.rfind("checksum: 0x");
  if (last != std::string::npos) text.resize(last);
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return absl::StrCat(text, absl::StrFormat("checksum: 0x%016x\n", hash));
}

std::string ErrorOf(absl::string_view text) {
  const auto entry = ParseCorpusEntry(text, "f.txtpb");
  return entry.ok() ? "ok" : std::string(entry.status().message());
}

std::string Edited(absl::string_view from, absl::string_view to) {
  const std::string text = FormatCorpusEntry(Example());
  EXPECT_TRUE(absl::StrContains(text, from)) << from;
  return Reseal(absl::StrReplaceAll(text, {{from, to}}));
}

TEST(CorpusEntryTest, RoundTripKeepsEverything) {
  const CorpusEntry entry = Example();
  const std::string text = FormatCorpusEntry(entry);
  const auto again = ParseCorpusEntry(text, "f.txtpb");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(FormatCorpusEntry(*again), text);
  EXPECT_EQ(again->spec.scenario, "punch-hole-vs-read");
  EXPECT_EQ(again->spec.bugs, (std::vector<std::string>{"B01", "B02"}));
  EXPECT_EQ(again->spec.faults, entry.spec.faults);
  EXPECT_EQ(again->finding->summary, entry.finding->summary);
  EXPECT_EQ(again->choices.deviations.size(), 4u);
  EXPECT_EQ(again->choices.checkpoints.size(), entry.choices.checkpoints.size());
  EXPECT_EQ(again->choices.checkpoints.back().hash, entry.choices.checkpoints.back().hash);
  EXPECT_EQ(again->trace_hash, entry.trace_hash);
}

TEST(CorpusEntryTest, EntryWithoutFindingAndChoicesRoundTrips) {
  CorpusEntry entry;
  entry.spec.scenario = "quiet";
  const auto again = ParseCorpusEntry(FormatCorpusEntry(entry), "f.txtpb");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->finding.has_value());
  EXPECT_EQ(again->choices.choices, 0u);
}

TEST(CorpusEntryTest, EachChoiceIsOneLine) {
  EXPECT_THAT(FormatCorpusEntry(Example()),
              HasSubstr("\nchoice { at: 7 kind: \"io-delay\" options: 2 task: 3 object: 21 answer: 1 }\n"));
}

TEST(CorpusEntryTest, NewerFormatIsRefusedBeforeAnythingElse) {
  EXPECT_EQ(ErrorOf("# comment\nformat_version: 2\nanything {{{"),
            "f.txtpb:2: format version 2 is newer than 1, the newest that this ordeal reads; use a newer ordeal");
}

TEST(CorpusEntryTest, OtherSemanticsAreRefusedWithTheRemedy) {
  const std::string error = ErrorOf(Edited(absl::StrCat("semantics_version: ", kSemanticsVersion), "semantics_version: 9"));
  EXPECT_THAT(error, HasSubstr(absl::StrCat("f.txtpb:3: recorded with semantics version 9; this ordeal has ", kSemanticsVersion)));
  EXPECT_THAT(error, HasSubstr("record it again with 'ordeal run --save=DIR'"));
}

TEST(CorpusEntryTest, EditedFileIsRefused) {
  const std::string text = absl::StrReplaceAll(FormatCorpusEntry(Example()), {{"answer: 1", "answer: 0"}});
  EXPECT_THAT(ErrorOf(text), HasSubstr("edited or damaged: the checksum is 0x"));
}

TEST(CorpusEntryTest, EveryTruncationIsRefused) {
  const std::string text = FormatCorpusEntry(Example());
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string error = ErrorOf(absl::string_view(text.data(), size));
    EXPECT_TRUE(absl::StrContains(error, "truncated") || absl::StrContains(error, "not a corpus entry") ||
                absl::StrContains(error, "edited or damaged"))
        << size << ": " << error;
  }
}

TEST(CorpusEntryTest, BadContentIsRefusedByLine) {
  EXPECT_THAT(ErrorOf(Edited("found_by {", "colour: 3\nfound_by {")),
              HasSubstr("f.txtpb:17: Message type \"ordeal.proto.CorpusEntry\" has no field named \"colour\"; restore"));
  EXPECT_THAT(ErrorOf(Edited("scenario: \"punch-hole-vs-read\"", "")), HasSubstr("the field 'scenario' is missing"));
  EXPECT_THAT(ErrorOf(Edited("bug: \"B02\"", "bug: \"B01\"")), HasSubstr("f.txtpb:8: bugs must ascend"));
  EXPECT_THAT(ErrorOf(Edited("fault: \"io-delay\"", "fault: \"fire\"")), HasSubstr("no fault is called \"fire\""));
  EXPECT_THAT(ErrorOf(Edited("kind: \"data\"", "kind: \"bad luck\"")), HasSubstr("no kind of finding is called"));
  EXPECT_THAT(ErrorOf(Edited("kind: \"io-delay\"", "kind: \"weather\"")), HasSubstr("no kind of choice is called"));
  EXPECT_THAT(ErrorOf(Edited("at: 7 kind", "at: 700 kind")), HasSubstr("out of order or beyond the run's 200 choices"));
  EXPECT_THAT(ErrorOf(Edited("at: 57 kind", "at: 7 kind")), HasSubstr("out of order"));
  EXPECT_THAT(ErrorOf(Edited("answer: 1", "answer: 2")), HasSubstr("an answer of 1..options-1"));
  EXPECT_THAT(ErrorOf(Edited("options: 2", "options: 65536")), HasSubstr("2..65535 options"));
  EXPECT_THAT(ErrorOf(Edited("choices: 200", "choices: 201")), HasSubstr("the last checkpoint must be at 201"));
  EXPECT_THAT(ErrorOf(Edited("run { steps: 345 ", "run { ")), HasSubstr("'run' must have steps"));
}

TEST(CorpusEntryTest, OtherFilesAreNotCorpusEntries) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("f.txtpb:1: not a corpus entry"));
  EXPECT_THAT(ErrorOf("hello\n"), HasSubstr("not a corpus entry"));
  EXPECT_THAT(ErrorOf(std::string("\0\xff\xfe", 3)), HasSubstr("not a corpus entry"));
  EXPECT_THAT(ErrorOf("format_version: 99999999999999999999999\n"), HasSubstr("not a corpus entry"));
}

// Mutates good files, half of them resealed so that the parser behind the checksum is reached. Nothing may crash, and what
// is accepted must be a fixed point of format and parse.
TEST(CorpusEntryTest, MutatedFilesNeverCrash) {
  const std::string good = FormatCorpusEntry(Example());
  Prng prng(20261121);
  const std::vector<std::string> pieces = {"{", "}", "\"", "choice { ", "run {", "0x", "-1", "18446744073709551615", "\n",
                                           "at: ", std::string("\0", 1), "\xff", "#", "finding {", "1e400", "'", "\\"};
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    const uint32_t edits = 1 + prng.Below(4);
    for (uint32_t i = 0; i < edits && !text.empty(); ++i) {
      const size_t at = prng.Below(static_cast<uint32_t>(text.size()));
      switch (prng.Below(5)) {
        case 0: text[at] = static_cast<char>(prng.Below(256)); break;
        case 1: text.erase(at, 1 + prng.Below(40)); break;
        case 2: text.insert(at, pieces[prng.Below(static_cast<uint32_t>(pieces.size()))]); break;
        case 3: text.insert(at, text.substr(prng.Below(static_cast<uint32_t>(text.size())), prng.Below(60))); break;
        default: text.resize(at); break;
      }
    }
    if (prng.Below(2) == 0) text = Reseal(text);
    const auto entry = ParseCorpusEntry(text, "f.txtpb");
    if (!entry.ok()) {
      EXPECT_TRUE(absl::StartsWith(std::string(entry.status().message()), "f.txtpb:")) << entry.status();
      continue;
    }
    ++accepted;
    const std::string once = FormatCorpusEntry(*entry);
    const auto again = ParseCorpusEntry(once, "f.txtpb");
    ASSERT_TRUE(again.ok()) << again.status() << once;
    EXPECT_EQ(FormatCorpusEntry(*again), once);
  }
  EXPECT_GT(accepted, 10);  // the fuzz reaches the inside
}

TEST(CorpusEntryTest, DeepNestingIsRefused) {
  std::string text = "format_version: 1\n";
  for (int i = 0; i < 100'000; ++i) text += "run { ";
  EXPECT_NE(ErrorOf(Reseal(text + "\n")), "ok");
}

TEST(CorpusEntryTest, FaultNamesAndFlagsAreInverse) {
  FaultSet faults;
  for (const ChoiceKind kind : AllFaults()) EXPECT_TRUE(SetFault(ChoiceKindName(kind), &faults)) << ChoiceKindName(kind);
  EXPECT_EQ(FaultNames(faults).size(), AllFaults().size());
  EXPECT_EQ(faults, FaultSet::All());
  EXPECT_FALSE(SetFault("", &faults));
  EXPECT_FALSE(SetFault("schedule", &faults));
}

}  // namespace
}  // namespace ordeal
