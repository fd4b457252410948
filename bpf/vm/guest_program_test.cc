// Which programs the machine takes. Files are written here; no compiler and no machine is needed.
#include "bpf/vm/guest_program.h"

#include <elf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GuestProgramTest : public ::testing::Test {
 protected:
  GuestProgramTest() { std::filesystem::create_directory(folder_); }
  ~GuestProgramTest() override { std::filesystem::remove_all(folder_); }

  // A program of one segment of that type.
  std::string Program(const std::string& name, uint32_t segment_type, mode_t mode = 0755) {
    Elf64_Ehdr header = {};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment = {};
    segment.p_type = segment_type;
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
    bytes.append(reinterpret_cast<const char*>(&segment), sizeof(segment));
    return File(name, bytes, mode);
  }
  std::string File(const std::string& name, const std::string& bytes, mode_t mode = 0755) {
    const std::string path = absl::StrCat(folder_, "/", name);
    std::ofstream(path, std::ios::binary) << bytes;
    chmod(path.c_str(), mode);
    return path;
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/guest_program_test.", getpid());
};

TEST_F(GuestProgramTest, TakesAStaticProgramWithArguments) {
  const auto program = ParseGuestProgram(absl::StrCat(Program("short-write", PT_LOAD), "  100 a=b,c"));
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(program->name, "short-write");
  EXPECT_THAT(program->arguments, ElementsAre("100", "a=b,c"));
  EXPECT_THAT(ParseGuestProgram(program->path)->arguments, IsEmpty());
}

TEST_F(GuestProgramTest, SaysWhyItTakesNothingElse) {
  const auto why = [](const std::string& words) { return std::string(ParseGuestProgram(words).status().message()); };
  EXPECT_THAT(why(Program("dynamic", PT_INTERP)), HasSubstr("dynamically linked"));
  EXPECT_THAT(why(File("script", "#!/bin/sh\necho x; sleep 1000000; echo a long enough text to be read as a header\n")),
              HasSubstr("not an x86-64 program"));
  EXPECT_THAT(why(File("empty", "")), HasSubstr("not an x86-64 program"));
  const std::string whole = Program("whole", PT_LOAD);
  std::filesystem::resize_file(whole, sizeof(Elf64_Ehdr) + 3);
  EXPECT_THAT(why(whole), HasSubstr("cut short"));
  EXPECT_THAT(why(folder_), HasSubstr("no such file"));
  EXPECT_THAT(why(absl::StrCat(folder_, "/none")), HasSubstr("no such file"));
  EXPECT_THAT(why(Program("a'b", PT_LOAD)), HasSubstr("a program's name has letters"));
  EXPECT_THAT(why(absl::StrCat(whole, " $(reboot)")), HasSubstr("argument '$(reboot)'"));
  EXPECT_THAT(why("  "), HasSubstr("has no name"));
}

// Root may execute only what somebody may.
TEST_F(GuestProgramTest, RefusesWhatNobodyMayExecute) {
  const auto program = ParseGuestProgram(Program("data", PT_LOAD, 0644));
  EXPECT_THAT(std::string(program.status().message()), HasSubstr("not executable"));
}

}  // namespace
}  // namespace ordeal::bpf
