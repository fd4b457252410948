#include "lockdep/report/proc_revalidation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "lockdep/report/proc_testdata.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A kernel's texts from "a>b" dependencies, classes with usage characters and chains.
struct Kernel {
  std::map<std::string, std::string> usage;  // class to usage
  std::vector<std::pair<std::string, std::string>> listed;
  std::vector<std::vector<std::string>> chains;

  ProcRevalidation Judge() const {
    std::string graph_text = "all lock classes:\n";
    for (const auto& [name, chars] : usage) {
      absl::StrAppend(&graph_text, "c FD:    1 BD:    1 ", chars, ": ", name, "\n");
      for (const auto& [from, to] : listed) {
        if (from == name) absl::StrAppend(&graph_text, " -> [c] ", to, "\n");
      }
      absl::StrAppend(&graph_text, "\n");
    }
    std::string chains_text = "all lock chains:\n";
    for (const std::vector<std::string>& chain : chains) {
      absl::StrAppend(&chains_text, "irq_context: 0\n");
      for (const std::string& name : chain) absl::StrAppend(&chains_text, "[c] ", name, "\n");
      absl::StrAppend(&chains_text, "\n");
    }
    const auto graph = ParseProcLockdep(graph_text, "lockdep");
    EXPECT_TRUE(graph.ok()) << graph.status();
    const auto parsed = ParseProcChains(chains_text, "chains", &*graph);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return RevalidateProc(*graph, &*parsed);
  }
};

std::vector<ProcExplanation> Explanations(const std::vector<ProcFinding>& findings) {
  std::vector<ProcExplanation> explanations;
  for (const ProcFinding& finding : findings) explanations.push_back(finding.explanation);
  return explanations;
}

TEST(ProcRevalidationTest, FindsTheInversionThatNothingExcuses) {
  Kernel kernel{{{"a", "+.+."}, {"b", "+.+."}}, {{"a", "b"}, {"b", "a"}}, {{"a"}, {"b"}, {"a", "b"}, {"b", "a"}}};
  const ProcRevalidation found = kernel.Judge();
  EXPECT_EQ(found.readings.front().cycles, 1u);
  EXPECT_EQ(found.readings.back().cycles, 1u);
  EXPECT_THAT(Explanations(found.remaining), ElementsAre(ProcExplanation::kUnexplained));
  EXPECT_THAT(found.ToString(), HasSubstr("nothing in the text excuses it"));

  kernel.listed.pop_back();
  kernel.chains.pop_back();
  const ProcRevalidation silent = kernel.Judge();
  EXPECT_TRUE(silent.findings.empty() && silent.remaining.empty());
}

// Chain "b a" is missing, so in "b a c" the lock a was a trylock: no wait from b to a.
TEST(ProcRevalidationTest, InfersTrylocksFromChainsThatWereNotWaitedFor) {
  Kernel kernel{{{"a", "+.+."}, {"b", "+.+."}, {"c", "+.+."}},
                {{"a", "b"}, {"a", "c"}},
                {{"a"}, {"b"}, {"a", "b"}, {"b", "a", "c"}}};
  const ProcRevalidation excused = kernel.Judge();
  EXPECT_THAT(Explanations(excused.findings), ElementsAre(ProcExplanation::kTrylock));
  EXPECT_TRUE(excused.remaining.empty());

  kernel.chains.push_back({"b", "a"});
  kernel.listed.push_back({"b", "a"});
  EXPECT_THAT(Explanations(kernel.Judge().remaining), ElementsAre(ProcExplanation::kUnexplained));
}

// rcu ends no chain and has no successors, though b is waited for under it.
TEST(ProcRevalidationTest, InfersUncheckedClasses) {
  const Kernel kernel{{{"b", "+.+."}, {"c", "+.+."}, {"rcu", "...."}}, {{"b", "c"}}, {{"b"}, {"rcu", "b"}, {"b", "rcu", "c"}}};
  const ProcRevalidation excused = kernel.Judge();
  EXPECT_THAT(excused.unchecked, ElementsAre("rcu"));
  EXPECT_THAT(Explanations(excused.findings), ElementsAre(ProcExplanation::kUnchecked));
  EXPECT_TRUE(excused.remaining.empty());
}

TEST(ProcRevalidationTest, SaysWhenReadersMayExcuseACycle) {
  const Kernel kernel{{{"a", "++++"}, {"b", "+.+."}}, {{"a", "b"}, {"b", "a"}}, {{"a"}, {"b"}, {"a", "b"}, {"b", "a"}}};
  const ProcRevalidation found = kernel.Judge();
  EXPECT_THAT(Explanations(found.findings), ElementsAre(ProcExplanation::kReaders));
  EXPECT_THAT(found.findings[0].readers, ElementsAre("a"));
  EXPECT_THAT(found.ToString(), HasSubstr("(1, of which 1 vanish if"));
  ASSERT_EQ(found.readings.size(), 5u);
  EXPECT_EQ(found.readings[1].cycles, 1u);
  EXPECT_EQ(found.readings[2].cycles, 0u);  // b waits for a recursive reader: nobody waits for b's holder in turn
}

TEST(ProcRevalidationTest, JudgesTheListedDependenciesWithoutChains) {
  const auto graph = ParseProcLockdep(
      "all lock classes:\nc FD:    2 BD:    2 -+..: a\n -> [c] b\n\nc FD:    2 BD:    2 +...: b\n -> [c] a\n\n", "lockdep");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const ProcRevalidation found = RevalidateProc(*graph, nullptr);
  EXPECT_THAT(Explanations(found.findings), ElementsAre(ProcExplanation::kReaders));
  ASSERT_EQ(found.irq_paths.size(), 1u);
  EXPECT_THAT(found.irq_paths[0].path, ElementsAre("a"));  // used in hard interrupts as writer, held with them on as reader
  EXPECT_EQ(found.counts_compared, 0u);
}

TEST(ProcRevalidationTest, FollowsInterruptStatesAlongDependencies) {
  Kernel kernel{{{"safe", "-..."}, {"middle", "...."}, {"unsafe", "+..."}},
                {{"safe", "middle"}, {"middle", "unsafe"}},
                {{"safe"}, {"safe", "middle"}, {"middle"}, {"middle", "unsafe"}}};
  const ProcRevalidation found = kernel.Judge();
  ASSERT_EQ(found.irq_paths.size(), 1u);
  EXPECT_EQ(found.irq_paths[0].context, "hardirq");
  EXPECT_THAT(found.irq_paths[0].path, ElementsAre("safe", "middle", "unsafe"));

  kernel.usage["unsafe"] = "..+.";  // soft interrupts may come; "safe" is used in hard ones
  EXPECT_TRUE(kernel.Judge().irq_paths.empty());
}

// What the kernel judged free of deadlocks is so here: the inference explains all but the chain of its self test.
TEST(ProcRevalidationTest, ExplainsTheRecordedDumps) {
  const std::string graph_text = UnpackDump(kLockdepDump);
  const std::string chains_text = UnpackDump(kChainsDump);
  if (graph_text.empty() || chains_text.empty()) GTEST_SKIP() << "ORDEAL_SKIPPED: no xz here (apt-get install xz-utils)";
  const auto graph = ParseProcLockdep(graph_text, "lockdep");
  ASSERT_TRUE(graph.ok());
  const auto chains = ParseProcChains(chains_text, "lockdep_chains", &*graph);
  ASSERT_TRUE(chains.ok());
  const ProcRevalidation result = RevalidateProc(*graph, &*chains);
  ASSERT_EQ(result.readings.size(), 5u);
  EXPECT_EQ(result.readings[0].cycles, 0u);
  EXPECT_GT(result.readings[1].cycles, 20u);  // how many depends on the cycles that the search picks
  EXPECT_LT(result.readings[2].cycles, result.readings[1].cycles);
  EXPECT_EQ(result.readings[4].cycles, 0u);
  ASSERT_EQ(result.remaining.size(), 1u);
  EXPECT_EQ(result.remaining[0].violation.acquiring.node, "fs_reclaim");
  EXPECT_THAT(result.unchecked, ElementsAre("rcu_read_lock", "rcu_callback", "&dev->mutex", "rcu_read_lock_bh"));
  EXPECT_EQ(result.counts_compared, 2u * 857);
  EXPECT_EQ(result.counts_equal, 1709u);
  EXPECT_TRUE(result.irq_paths.empty());
  EXPECT_EQ(RevalidateProc(*graph, &*chains).ToString(), result.ToString());
}

}  // namespace
}  // namespace ordeal::lockdep
