// Runs the built `ordeal` program and captures what a user would see.
//
// Thread-safety: none.
// Example:       const ProgramResult result = RunProgram({"list", "bugs"}); EXPECT_EQ(result.status, 0);
#ifndef ORDEAL_HARNESS_CLI_PROGRAM_FOR_TEST_H_
#define ORDEAL_HARNESS_CLI_PROGRAM_FOR_TEST_H_

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace ordeal {

struct ProgramResult {
  int status = -1;  // exit status; 1000 + signal when killed
  std::string out;
  std::string err;
};

inline std::string ReadWhole(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// In `folder`, with no terminal on any stream.
inline ProgramResult RunProgram(const std::vector<std::string>& arguments, const std::string& folder) {
  const std::string program = ORDEAL_BINARY_DIR "/bin/ordeal";
  const std::string out = folder + "/stdout.txt";
  const std::string err = folder + "/stderr.txt";
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv = {const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    if (std::freopen("/dev/null", "r", stdin) == nullptr || std::freopen(out.c_str(), "w", stdout) == nullptr ||
        std::freopen(err.c_str(), "w", stderr) == nullptr || chdir(folder.c_str()) != 0) {
      _exit(126);
    }
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  ProgramResult result;
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return result;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  result.out = ReadWhole(out);
  result.err = ReadWhole(err);
  return result;
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_PROGRAM_FOR_TEST_H_
