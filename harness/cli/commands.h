// The verbs of the program. Each takes its arguments as the user typed them and returns an exit status (exit_status.h).
//
// Thread-safety: none. Results go to stdout, errors and progress to stderr.
#ifndef ORDEAL_HARNESS_CLI_COMMANDS_H_
#define ORDEAL_HARNESS_CLI_COMMANDS_H_

#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace ordeal {

struct ListArguments {
  std::string topic;  // empty: all
  bool json = false;
};
int ListCommand(const Registry& registry, const ListArguments& arguments);

struct RunArguments {
  std::string program = "ordeal";  // as the user called it: for the command that replays a finding
  std::string scenario;
  std::string filesystem;
  std::vector<std::string> bugs;
  std::string strategy = "random";
  std::string faults;     // empty: the scenario's own
  std::string schedules;  // empty: 10,000, or no bound when a time is given
  std::string time;
  std::string seed = "1";
  std::string save = "ordeal-findings";
  bool no_save = false;
  bool keep_going = false;
  bool fail_nth = false;  // --schedules is then how many to go through; 1 when left out
  bool no_confirm = false;
  bool json = false;
};
int RunCommand(const Registry& registry, const RunArguments& arguments);

struct ReplayArguments {
  std::vector<std::string> paths;
  std::string lock_trace;  // file for the locks of the run; one path only then
  bool verbose = false;
  bool json = false;
};
int ReplayCommand(const Registry& registry, const ReplayArguments& arguments);

struct NightlyArguments {
  std::string time = "8h";
  std::string directory = "nightly-out";
  std::string seed = "1";
  bool no_confirm = false;
  bool canaries = false;        // the canary table instead of a campaign
  std::string seeds = "20";     // of the table
  std::string clean = "100000";  // schedules of each clean file system in it
  std::string corpus;           // folder for minimised runs of the table's bugs
  bool json = false;
};
int NightlyCommand(const Registry& registry, const NightlyArguments& arguments);

struct MinimiseArguments {
  std::string path;
  std::string output;  // empty: beside it, with ".min" before the extension
  std::string runs = "3000";
  bool json = false;
};
int MinimiseCommand(const Registry& registry, const MinimiseArguments& arguments);

struct CorpusArguments {
  std::vector<std::string> paths;
  bool json = false;
};
int CorpusCheckCommand(const Registry& registry, const CorpusArguments& arguments);
int CorpusShowCommand(const Registry& registry, const CorpusArguments& arguments);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_COMMANDS_H_
