// For tests: the recorded dumps of a Linux 6.1 with lock debugging that had worked on five file systems.
#ifndef ORDEAL_LOCKDEP_REPORT_PROC_TESTDATA_H_
#define ORDEAL_LOCKDEP_REPORT_PROC_TESTDATA_H_

#include <array>
#include <cstdio>
#include <string>

namespace ordeal::lockdep {

inline constexpr char kLockdepDump[] = "lockdep-6.1-five-filesystems.txt.xz";
inline constexpr char kChainsDump[] = "lockdep_chains-6.1-five-filesystems.txt.xz";

// The unpacked text; empty if there is no xz here.
inline std::string UnpackDump(const char* name) {
  const std::string command = std::string("xz -dc '" ORDEAL_SOURCE_DIR "/lockdep/report/testdata/") + name + "'";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  std::array<char, 65536> block;
  for (size_t got; (got = std::fread(block.data(), 1, block.size(), pipe)) > 0;) text.append(block.data(), got);
  return pclose(pipe) == 0 ? text : "";
}

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_PROC_TESTDATA_H_
