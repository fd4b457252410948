#include "bpf/hang_watch.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ordeal::bpf {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// "D (disk sleep)", of /proc/.../status.
std::string StateOf(const std::string& directory) {
  std::ifstream status(directory + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("State:\t", 0) == 0) return line.substr(7);
  }
  return "gone";
}

std::string Indented(const std::string& text, const char* indent) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) absl::StrAppend(&result, indent, line, "\n");
  return result;
}

std::string DirectoryOf(int tid, const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    const std::string directory = absl::StrCat("/proc/", pid, "/task/", tid);
    if (access(directory.c_str(), F_OK) == 0) return directory;
  }
  return "";
}

}  // namespace

const FileOperation* FindOperation(const Workload& workload, uint32_t id) {
  for (const std::vector<FileOperation>& task : workload.tasks) {
    if (id == 0) return nullptr;
    if (id <= task.size()) return &task[id - 1];
    id -= static_cast<uint32_t>(task.size());
  }
  return nullptr;
}

LongOperation LongestOperation(const OperationLog& log) {
  LongOperation longest;
  for (uint32_t task = 0; task < log.tasks(); ++task) {
    const OperationLog::TaskState state = log.task_state(task);
    if (state.id != 0 && state.seconds >= longest.seconds) longest = {task, state.id, state.seconds};
  }
  return longest;
}

std::string DescribeTasks(const Workload& workload, const OperationLog& log, const std::vector<pid_t>& pids) {
  std::string text;
  for (uint32_t task = 0; task < log.tasks(); ++task) {
    const OperationLog::TaskState state = log.task_state(task);
    const FileOperation* operation = FindOperation(workload, state.id);
    absl::StrAppendFormat(&text, "task %d (thread %d): ", task, state.tid);
    if (operation == nullptr) {
      absl::StrAppend(&text, "between operations\n");
    } else {
      absl::StrAppendFormat(&text, "operation %d: %s, for %.1f s\n", state.id, ToString(*operation), state.seconds);
    }
    const std::string directory = DirectoryOf(state.tid, pids);
    if (state.tid == 0 || directory.empty()) {
      absl::StrAppend(&text, "  has ended, or has not begun\n");
      continue;
    }
    absl::StrAppend(&text, "  state ", StateOf(directory), ", waits in ", Contents(directory + "/wchan"), "\n");
    const std::string stack = Contents(directory + "/stack");
    absl::StrAppend(&text, stack.empty() ? "    (no kernel stack: in user space, or not shown to us)\n" : Indented(stack, "    "));
  }
  return text;
}

}  // namespace ordeal::bpf
