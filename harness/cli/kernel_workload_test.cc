#include "harness/cli/kernel_workload.h"

#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/cli/kernel_run_report.h"
#include "harness/workload/workload_text.h"

namespace ordeal {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class KernelWorkloadTest : public ::testing::Test {
 protected:
  KernelWorkloadTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kernel_workload_test.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~KernelWorkloadTest() override { std::filesystem::remove_all(directory_); }
  std::string Path(const std::string& name) const { return (directory_ / name).string(); }

  std::filesystem::path directory_;
};

TEST_F(KernelWorkloadTest, EverySeedGivesAValidOneAndSomeSeedGivesEachKind) {
  std::set<FileOperationKind> kinds;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const absl::StatusOr<Workload> workload = KernelWorkload(seed);
    ASSERT_TRUE(workload.ok()) << workload.status();
    const absl::Status valid = ValidateWorkload(*workload);
    ASSERT_TRUE(valid.ok()) << "seed " << seed << ": " << valid;
    for (const auto& task : workload->tasks) {
      for (const FileOperation& operation : task) kinds.insert(operation.kind);
    }
  }
  for (const FileOperationKind kind : AllFileOperationKinds()) EXPECT_TRUE(kinds.count(kind)) << FileOperationKindName(kind);
}

TEST_F(KernelWorkloadTest, TheSeedAloneDecides) {
  EXPECT_EQ(PrintWorkload(*KernelWorkload(7)), PrintWorkload(*KernelWorkload(7)));
  EXPECT_NE(PrintWorkload(*KernelWorkload(7)), PrintWorkload(*KernelWorkload(8)));
}

TEST_F(KernelWorkloadTest, AFileIsRunInEveryRound) {
  const std::string text = PrintWorkload(*KernelWorkload(7));
  std::ofstream(Path("w")) << text;
  const auto workloads = Workloads(Path("w"));
  ASSERT_TRUE(workloads.ok()) << workloads.status();
  EXPECT_EQ(PrintWorkload(*(*workloads)(1)), text);
  EXPECT_EQ(PrintWorkload(*(*workloads)(2)), text);
}

TEST_F(KernelWorkloadTest, LeavesOutWhatItIsTold) {
  const auto workloads = Workloads("", "remap,fork");
  ASSERT_TRUE(workloads.ok()) << workloads.status();
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::string text = PrintWorkload(*(*workloads)(seed));
    EXPECT_THAT(text, Not(AnyOf(HasSubstr("\n  remap "), HasSubstr("\n  fork"))));
    EXPECT_THAT(text, HasSubstr("\n  write "));
  }
  EXPECT_THAT(std::string(Workloads("", "remap,jump").status().message()), HasSubstr("no operation 'jump'"));
  EXPECT_FALSE(Workloads(Path("w"), "remap").ok()) << "both";
  std::string all;
  for (const FileOperationKind kind : AllFileOperationKinds()) absl::StrAppend(&all, FileOperationKindName(kind), ",");
  EXPECT_THAT(std::string(Workloads("", all).status().message()), HasSubstr("nothing to do"));
}

TEST_F(KernelWorkloadTest, SaysWhatIsWrongWithAFile) {
  EXPECT_FALSE(Workloads(Path("none")).ok());
  std::ofstream(Path("w")) << "ordeal-workload 1\nfile a 16\ntask process 0\n  jump file 0\n";
  const absl::Status status = Workloads(Path("w")).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr(":4:"));
}

TEST_F(KernelWorkloadTest, AFindingIsPrintedAndSaved) {
  bpf::KernelRunResult result;
  result.file_system = "xfs";
  result.findings.push_back({.kind = "data", .signature = "stale: read vs write", .summary = "stale: read of file 0",
                             .details = "both sides\n", .workload = "the workload", .history = "the history", .seed = 9});
  const absl::StatusOr<std::vector<std::string>> saved = SaveFindings(result, Path("findings"));
  ASSERT_TRUE(saved.ok()) << saved.status();
  ASSERT_THAT(*saved, SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists((*saved)[0] + ".workload"));
  EXPECT_TRUE(std::filesystem::exists((*saved)[0] + ".history"));
  EXPECT_THAT((*saved)[0], HasSubstr("kernel-xfs-9-1"));
  EXPECT_THAT(FormatRun(result, false, *saved), HasSubstr("found: stale: read of file 0"));
  EXPECT_EQ(RunToJson(result, *saved)["findings"][0]["signature"], "stale: read vs write");
}

TEST_F(KernelWorkloadTest, ARunWithoutFindingsSavesNothing) {
  EXPECT_THAT(*SaveFindings({}, Path("findings")), SizeIs(0));
  EXPECT_FALSE(std::filesystem::exists(Path("findings")));
}

}  // namespace
}  // namespace ordeal
