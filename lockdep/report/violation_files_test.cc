// Pictures and JSON of violations of real events.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lockdep/report/violation_dot.h"
#include "lockdep/report/violation_json.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ViolationFilesTest : public ::testing::Test {
 protected:
  LockMap NewLock(const char* name, LockClassOptions options = {}) {
    return validator_.NewMap(validator_.RegisterClass(name, options), "it", 7);
  }
  void Nest(const char* name, const LockMap& outer, const LockMap& inner, int line) {
    TaskContext task(name);
    validator_.Acquire(task, outer, Mode::kExclusive, {.site = {"x.cc", line}});
    validator_.Acquire(task, inner, Mode::kShared, {.site = {"x.cc", line + 1}});
    validator_.Release(task, inner);
    validator_.Release(task, outer);
  }
  Violation Cycle() {
    const LockMap a = NewLock("a");
    const LockMap b = NewLock("b \"quoted\" \\");
    Nest("first", a, b, 10);
    Nest("second", b, a, 20);
    EXPECT_EQ(validator_.violations().size(), 1u);
    return validator_.violations().at(0);
  }

  Validator validator_;
};

TEST_F(ViolationFilesTest, DrawsTheClosingDependencyApart) {
  EXPECT_EQ(ViolationToDot(Cycle()), R"(digraph violation {
  label="lock order cycle a > b \"quoted\" \\ > a\ngrade: order";
  labelloc=t;
  fontname="sans-serif";
  nodesep=1;
  ranksep=1;
  node [shape=box, style=rounded, fontname="sans-serif"];
  edge [fontname="monospace", fontsize=10];
  n0 [label="a\n{++++}\nwanted", penwidth=2];
  n1 [label="b \"quoted\" \\\n{++++}\nheld", penwidth=2];
  n0 -> n1 [label="  first\l  has a: x.cc:10\l  wants b \"quoted\" \\ (shared): x.cc:11\l",
    color="#2c3e50", fontcolor="#2c3e50", style=solid, penwidth=1.2];
  n1 -> n0 [label="  second closes the cycle\l  has b \"quoted\" \\: x.cc:20\l  wants a (shared): x.cc:21\l",
    color="#c0392b", fontcolor="#c0392b", style=solid, penwidth=2.5];
}
)");
}

TEST_F(ViolationFilesTest, DrawsEventsDashedAndInterruptsDotted) {
  Violation violation = Cycle();
  violation.cycle[0].to_event = true;
  EXPECT_THAT(ViolationToDot(violation), HasSubstr("style=dashed"));
  EXPECT_THAT(ViolationToDot(violation), HasSubstr("waits for b"));
  violation.kind = ViolationKind::kIrqInversion;
  violation.safe = {"a", "IN-HARDIRQ-W", {"irq.cc", 1}, "handler"};
  violation.unsafe = {"b", "HARDIRQ-ON-W", {"irq.cc", 2}, "task"};
  EXPECT_THAT(ViolationToDot(violation), HasSubstr("interrupts the holder\\l  HARDIRQ-ON-W: irq.cc:2"));
  EXPECT_THAT(ViolationToDot(violation), HasSubstr("style=dotted"));
}

TEST_F(ViolationFilesTest, DrawsEveryKind) {
  for (int kind = 0; kind <= static_cast<int>(ViolationKind::kApiAssert); ++kind) {
    Violation violation;
    violation.kind = static_cast<ViolationKind>(kind);
    violation.acquiring.node = "lock";
    EXPECT_THAT(ViolationToDot(violation), HasSubstr("label=\"lock\\nwanted\""));
    violation.conflicting.node = "other";
    EXPECT_THAT(ViolationToDot(violation), HasSubstr("n0 -> n1"));
  }
}

TEST_F(ViolationFilesTest, BecomesSvgWhereGraphvizIsInstalled) {
  const std::string dot = ViolationToDot(Cycle());
  const auto missing = DotToSvg(dot, "no-such-program");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("apt-get install graphviz"));
  const auto svg = DotToSvg(dot);
  if (svg.status().code() == absl::StatusCode::kFailedPrecondition) GTEST_SKIP() << "ORDEAL_SKIPPED: " << svg.status();
  ASSERT_TRUE(svg.ok()) << svg.status();
  EXPECT_THAT(*svg, HasSubstr("</svg>"));
  EXPECT_THAT(*svg, HasSubstr("b &quot;quoted&quot; \\"));
  EXPECT_EQ(DotToSvg("no graph").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ViolationFilesTest, JsonHasEverythingAndReadsBack) {
  Violation violation = Cycle();
  violation.hint = "bytes: \xff";
  violation.instances = {"1 x first", "1 x second"};
  const std::string text = FormatViolationsJson({violation});
  const auto json = nlohmann::ordered_json::parse(text);
  EXPECT_EQ(json["format"], 1);
  ASSERT_EQ(json["violations"].size(), 1u);
  const auto& one = json["violations"][0];
  EXPECT_EQ(one["kind"], "circular");
  EXPECT_EQ(one["signature"], violation.signature);
  EXPECT_EQ(one["acquiring"]["node"], "a");
  EXPECT_EQ(one["acquiring"]["instance"], "it 7");
  EXPECT_EQ(one["acquiring"]["mode"], "shared");
  EXPECT_EQ(one["cycle"].size(), 2u);
  EXPECT_EQ(one["cycle"][1]["from_site"]["file"], "x.cc");
  EXPECT_EQ(one["cycle"][1]["from_site"]["line"], 20);
  EXPECT_EQ(one["held"].size(), 2u);
  EXPECT_EQ(one["safe"], nullptr);
  EXPECT_EQ(one["grade"], "order");
  EXPECT_EQ(one["instances"][1], "1 x second");
  EXPECT_THAT(one["splat"].get<std::string>(), HasSubstr("*** DEADLOCK ***"));
  EXPECT_THAT(text, Not(HasSubstr("\xff")));
  EXPECT_EQ(FormatViolationsJson({}), "{\n  \"format\": 1,\n  \"violations\": []\n}\n");
}

}  // namespace
}  // namespace ordeal::lockdep
