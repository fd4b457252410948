// lockdep_launch PROGRAM ARGS: the launcher alone, for overhead_table.py. The report goes to $LOCKDEP_REPORT, or nowhere.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "lockdep/preload/launcher.h"

int main(int argc, char** argv) {
  ordeal::lockdep::PreloadOptions options;
  options.grades = std::getenv("LOCKDEP_NO_GRADES") == nullptr;
  const auto outcome =
      ordeal::lockdep::RunUnderLockdep(options, std::vector<std::string>(argv + 1, argv + argc));
  if (!outcome.ok()) {
    std::cerr << outcome.status().message() << "\n";
    return 3;
  }
  if (const char* file = std::getenv("LOCKDEP_REPORT"); file != nullptr) std::ofstream(file) << outcome->report;
  return outcome->exit_status;
}
