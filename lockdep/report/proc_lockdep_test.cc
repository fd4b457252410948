#include "lockdep/report/proc_lockdep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <string>
#include <tuple>

#include "lockdep/report/proc_testdata.h"

namespace ordeal::lockdep {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Lines of the recorded dump, with addresses of a kernel that shows them.
constexpr char kGraph[] = R"(all lock classes:
ffffffff82a1c0e0 FD:    2 BD:   15 ....: static_call_mutex
 -> [ffffffff82a1d120] text_mutex

ffffffff82a1d120 FD:    1 BD:   19 +.+.: text_mutex

ffffffff830000c1 FD:   47 BD:   52 ?.-+: btrfs-root-00/1
 -> [ffffffff83000110] &xa->xa_lock#3
 -> [ffffffff83000200] key#15

ffffffff83000110 FD:    1 BD:  100 ..-.: &xa->xa_lock#3

)";

constexpr char kChains[] = R"(all lock chains:
irq_context: 0
[ffffffff82a1c0e0] static_call_mutex
[ffffffff82a1d120] text_mutex

irq_context: hardirq|softirq
[ffffffff83000110] &xa->xa_lock#3

)";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ProcLockdepTest, ReadsEveryFieldOfAClass) {
  const auto graph = ParseProcLockdep(kGraph, "lockdep");
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->classes.size(), 4u);
  const ProcClass& btrfs = graph->classes[2];
  EXPECT_EQ(btrfs.key, "ffffffff830000c1");
  EXPECT_EQ(btrfs.name, "btrfs-root-00/1");
  EXPECT_EQ(btrfs.forward, 47u);
  EXPECT_EQ(btrfs.backward, 52u);
  EXPECT_EQ(btrfs.usage, "?.-+");
  EXPECT_EQ(btrfs.line, 7);
  EXPECT_TRUE(btrfs.EverRead());
  EXPECT_FALSE(graph->classes[3].EverRead());
  ASSERT_EQ(btrfs.successors.size(), 2u);
  EXPECT_EQ(btrfs.successors[0].index, 3u);
  EXPECT_EQ(btrfs.successors[1].index, kUnlisted);  // the kernel may change while it is being read; it is counted
  EXPECT_EQ(graph->unlisted, 1u);
  EXPECT_TRUE(graph->KeysAreDistinct());
  EXPECT_EQ(FormatProcLockdep(*graph), kGraph);
}

TEST(ProcLockdepTest, ReadsChainsWithTheirContexts) {
  const auto graph = ParseProcLockdep(kGraph, "lockdep");
  ASSERT_TRUE(graph.ok());
  const auto chains = ParseProcChains(kChains, "chains", &*graph);
  ASSERT_TRUE(chains.ok()) << chains.status();
  ASSERT_EQ(chains->chains.size(), 2u);
  EXPECT_EQ(chains->chains[0].held[1].index, 1u);
  EXPECT_FALSE(chains->chains[0].InHardirq());
  EXPECT_TRUE(chains->chains[1].InHardirq());
  EXPECT_TRUE(chains->chains[1].InSoftirq());
  EXPECT_EQ(chains->unlisted, 0u);
  EXPECT_EQ(FormatProcChains(*chains), kChains);
}

// The recorded dumps: nothing is lost.
TEST(ProcLockdepTest, RoundTripsTheRecordedDumps) {
  const std::string graph_text = UnpackDump(kLockdepDump);
  const std::string chains_text = UnpackDump(kChainsDump);
  if (graph_text.empty() || chains_text.empty()) GTEST_SKIP() << "ORDEAL_SKIPPED: no xz here (apt-get install xz-utils)";
  const auto graph = ParseProcLockdep(graph_text, "lockdep");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->classes.size(), 857u);
  EXPECT_EQ(graph->unlisted, 0u);
  EXPECT_FALSE(graph->KeysAreDistinct());  // recorded before the kernel had random numbers: "(____ptrval____)"
  EXPECT_TRUE(FormatProcLockdep(*graph) == graph_text);
  const auto chains = ParseProcChains(chains_text, "chains", &*graph);
  ASSERT_TRUE(chains.ok()) << chains.status();
  EXPECT_EQ(chains->chains.size(), 7706u);
  EXPECT_EQ(chains->unlisted, 0u);
  EXPECT_TRUE(FormatProcChains(*chains) == chains_text);
}

TEST(ProcLockdepTest, ReadsTheFormsOfOtherKernels) {
  for (const char* text : {
           "all lock classes:\nc1 OPS:      12 FD:    1 BD:    1 ......: old\n\n",  // DEBUG_LOCKDEP; reclaim states
           "all lock classes:\nc1: without dependencies\nc2: second\n",              // LOCK_STAT alone
           "all lock classes:\n0000000000000000 FD:123456 BD:    1 ....: zeroed\n -> [0000000000000000] zeroed\n\n",
       }) {
    const auto graph = ParseProcLockdep(text, "lockdep");
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(FormatProcLockdep(*graph), text);
  }
  const std::string numbered = "(buggered) all lock chains:\nirq_context: 3\n[c1] old\n\n";
  const auto chains = ParseProcChains(numbered, "chains", nullptr);
  ASSERT_TRUE(chains.ok()) << chains.status();
  EXPECT_TRUE(chains->overflowed && chains->chains[0].InHardirq() && chains->chains[0].InSoftirq());
  EXPECT_EQ(FormatProcChains(*chains), numbered);
}

// Two keys of one name: addresses decide. If they are hidden nobody can tell, and it is said so.
TEST(ProcLockdepTest, AddressesTellClassesOfOneNameApart) {
  const std::string shown =
      "all lock classes:\nc1 FD:    2 BD:    1 ....: key\n -> [c2] key\n\nc2 FD:    1 BD:    2 ....: key\n\n";
  const auto graph = ParseProcLockdep(shown, "lockdep");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->classes[0].successors[0].index, 1u);

  std::string hidden = shown;
  for (const char* key : {"c1", "c2", "c2"}) hidden = Replaced(hidden, key, "(____ptrval____)");
  const auto refused = ParseProcLockdep(hidden, "lockdep");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), AllOf(StartsWith("lockdep:3: 'key' is the name of several classes"),
                                                HasSubstr("boot with no_hash_pointers")));
}

TEST(ProcLockdepTest, NamesLineAndRemedyOfWhatTheKernelWouldNotPrint) {
  const struct {
    std::string text;
    const char* error;
  } graphs[] = {
      {"", "lockdep:1: the first line is not 'all lock classes:'; give a copy of /proc/lockdep"},
      {Replaced(kGraph, "FD:    2", "FD: 2"), "lockdep:2: neither a class"},
      {Replaced(kGraph, "+.+.", "+.+"), "lockdep:5: neither a class"},
      {Replaced(kGraph, "BD:   15 ", ""), "lockdep:2: neither a class"},
      {Replaced(kGraph, " -> [ffffffff82a1d120] text_mutex\n", "nothing\n"), "lockdep:3: an empty line is expected"},
      {Replaced(kGraph, "\n\nffffffff82a1d120", "\n\n\nffffffff82a1d120"), "lockdep:5: an empty line where a class"},
      {Replaced(kGraph, "text_mutex\n\n", "text_mutex\n\n -> [c0] lost\n"), "lockdep:5: a successor outside of a class"},
      {std::string(kGraph).substr(0, 60), "lockdep:2: "},
  };
  for (const auto& [text, error] : graphs) {
    const auto graph = ParseProcLockdep(text, "lockdep");
    ASSERT_FALSE(graph.ok()) << text;
    EXPECT_THAT(std::string(graph.status().message()), StartsWith(error));
  }
  const struct {
    std::string text;
    const char* error;
  } chains[] = {
      {kGraph, "chains:1: the first line is not 'all lock chains:'"},
      {Replaced(kChains, "hardirq|softirq", "nmi"), "chains:6: 'irq_context: ' and 0, hardirq"},
      {Replaced(kChains, "[ffffffff82a1d120]", "ffffffff82a1d120"), "chains:4: not a lock of a chain"},
      {std::string(kChains).substr(0, sizeof(kChains) - 2), "chains:7: the empty line behind the last chain is missing"},
  };
  for (const auto& [text, error] : chains) {
    const auto parsed = ParseProcChains(text, "chains", nullptr);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(parsed.status().message()), StartsWith(error));
  }
}

// Any bytes: an error, or a value that prints the same bytes.
TEST(ProcLockdepTest, RefusesOrKeepsEveryMutation) {
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    const bool of_graph = round % 2 == 0;
    std::string text = of_graph ? kGraph : kChains;
    for (unsigned i = random() % 3 + 1; i > 0; --i) {
      const size_t at = random() % text.size();
      constexpr char kBytes[] = " \n:[]->#/0(\r\0";
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.insert(at, 1, kBytes[random() % sizeof(kBytes)]); break;
        case 2: text.erase(at, random() % 40); break;
        default: text.insert(at, text.substr(random() % text.size(), random() % 40)); break;
      }
      if (text.empty()) break;
    }
    if (of_graph) {
      const auto graph = ParseProcLockdep(text, "lockdep");
      refused += !graph.ok();
      if (graph.ok()) { ASSERT_EQ(FormatProcLockdep(*graph), text); }
    } else {
      const auto chains = ParseProcChains(text, "chains", nullptr);
      refused += !chains.ok();
      if (chains.ok()) { ASSERT_EQ(FormatProcChains(*chains), text); }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(ProcLockdepTest, ReadsFilesOrNamesTheRemedy) {
  const std::string path = ::testing::TempDir() + "/proc_lockdep_test.txt";
  std::ofstream(path) << kGraph;
  const auto graph = ReadProcLockdep(path);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(FormatProcLockdep(*graph), kGraph);
  EXPECT_THAT(std::string(ReadProcChains(path, &*graph).status().message()), StartsWith(path + ":1: the first line is not"));
  EXPECT_EQ(ReadProcLockdep(path + ".missing").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReadProcLockdep(::testing::TempDir()).ok());  // a directory
  const std::string packed = std::string(ORDEAL_SOURCE_DIR "/lockdep/report/testdata/") + kLockdepDump;
  EXPECT_THAT(std::string(ReadProcLockdep(packed).status().message()), HasSubstr("unpack it first"));
}

TEST(ProcLockdepTest, SplitsWhatTheKernelAppendsToAName) {
  const auto split = [](const char* name) {
    const ProcName parts = SplitProcName(name);
    return std::make_tuple(parts.base, parts.version, parts.subclass);
  };
  EXPECT_EQ(split("&x->wait"), std::make_tuple("&x->wait", 1, 0));
  EXPECT_EQ(split("&x->wait#3"), std::make_tuple("&x->wait", 3, 0));
  EXPECT_EQ(split("btrfs-root-00/1"), std::make_tuple("btrfs-root-00", 1, 1));
  EXPECT_EQ(split("subsys mutex#19/7"), std::make_tuple("subsys mutex", 19, 7));
  EXPECT_EQ(split("a/8"), std::make_tuple("a/8", 1, 0));
  EXPECT_EQ(split("a#1"), std::make_tuple("a#1", 1, 0));
  EXPECT_EQ(split("/1"), std::make_tuple("/1", 1, 0));
}

}  // namespace
}  // namespace ordeal::lockdep
