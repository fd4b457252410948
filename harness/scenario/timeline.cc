// The timeline of a finding: which steps of the trace it shows, and how (run_findings.h).

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "harness/scenario/run_findings.h"

namespace ordeal {
namespace {

struct Row {
  std::string step, task, operation, object, site, remark;
};

bool Contains(const std::vector<TaskId>& tasks, TaskId task) {
  return std::find(tasks.begin(), tasks.end(), task) != tasks.end();
}

class Selection {
 public:
  Selection(const std::vector<TraceStep>& trace, const Timeline& timeline)
      : trace_(trace),
        timeline_(timeline),
        end_(std::min(timeline.steps_end, trace.size())),
        chosen_(trace.size()) {}

  std::vector<size_t> Choose() {
    for (const uint32_t operation : timeline_.operations) ChooseOperation(operation);
    if (timeline_.operations.empty()) ChooseTasks();
    std::vector<size_t> steps;
    for (size_t i = 0; i < end_; ++i) {
      if (chosen_[i]) steps.push_back(i);
    }
    return steps;
  }

 private:
  // The last steps of a task in [begin, end).
  void ChooseLast(TaskId task, size_t begin, size_t end) {
    size_t left = timeline_.steps_max;
    for (size_t i = end; i > begin && left > 0; --i) {
      if (trace_[i - 1].task != task) continue;
      chosen_[i - 1] = true;
      --left;
    }
  }

  void ChooseTasks() {
    std::vector<TaskId> tasks = timeline_.tasks;
    for (size_t i = 0; timeline_.tasks.empty() && i < end_; ++i) {
      if (!Contains(tasks, trace_[i].task)) tasks.push_back(trace_[i].task);
    }
    for (const TaskId task : tasks) ChooseLast(task, 0, end_);
  }

  // From the note that begins the operation to the one that ends it; both are always shown.
  void ChooseOperation(uint32_t operation) {
    const auto of_it = [operation](const TraceStep& step) { return step.operation_id == operation; };
    const auto begin = std::find_if(trace_.begin(), trace_.end(), of_it);
    if (begin == trace_.end()) return;
    const auto end = std::find_if(begin + 1, trace_.end(), of_it);
    const size_t first = static_cast<size_t>(begin - trace_.begin());
    const size_t last = end == trace_.end() ? end_ : static_cast<size_t>(end - trace_.begin()) + 1;
    chosen_[first] = true;
    ChooseLast(begin->task, first, last);
  }

  const std::vector<TraceStep>& trace_;
  const Timeline& timeline_;
  const size_t end_;
  std::vector<bool> chosen_;
};

Row Describe(const Scheduler& scheduler, const TraceStep& step) {
  Row row;
  row.step = absl::StrCat(step.step);
  row.task = step.task == kNoTask ? "-" : absl::StrCat(Index(step.task), " ", scheduler.task_name(step.task));
  if (!step.note.empty()) {
    row.remark = step.note;
    return row;
  }
  const absl::string_view kind = OperationKindName(step.operation.kind);
  row.operation.assign(kind.data(), kind.size());
  if (step.operation.object != kNoObject) row.object = scheduler.ObjectName(step.operation.object);
  if (step.site.line != 0) row.site = step.site.ToString();
  return row;
}

size_t Width(const std::vector<Row>& rows, std::string Row::*column) {
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, (row.*column).size());
  return width;
}

std::string Padded(const std::string& text, size_t width, bool right = false) {
  const std::string blanks(width > text.size() ? width - text.size() : 0, ' ');
  return right ? blanks + text : text + blanks;
}

void AppendLine(std::string line, std::string* text) {
  line.erase(line.find_last_not_of(' ') + 1);
  absl::StrAppend(text, line, "\n");
}

}  // namespace

std::string RenderTimeline(const Scheduler& scheduler, const Timeline& timeline) {
  const std::vector<TraceStep>& trace = scheduler.trace();
  const std::vector<size_t> steps = Selection(trace, timeline).Choose();
  if (steps.empty()) return "";
  std::vector<Row> rows = {{"step", "task", "operation", "object", "at", ""}};
  for (const size_t step : steps) rows.push_back(Describe(scheduler, trace[step]));
  std::vector<TaskId> unmarked = timeline.blocked;
  for (size_t i = steps.size(); i > 0; --i) {  // the last step of each blocked task
    const auto blocked = std::find(unmarked.begin(), unmarked.end(), trace[steps[i - 1]].task);
    if (blocked == unmarked.end() || !trace[steps[i - 1]].note.empty()) continue;
    unmarked.erase(blocked);
    rows[i].site += "  <- waits";
  }
  const size_t step = Width(rows, &Row::step), task = Width(rows, &Row::task);
  const size_t operation = Width(rows, &Row::operation), object = Width(rows, &Row::object);
  std::string text;
  for (const Row& row : rows) {
    std::string line = absl::StrCat("  ", Padded(row.step, step, true), "  ", Padded(row.task, task), "  ");
    if (row.remark.empty()) {
      absl::StrAppend(&line, Padded(row.operation, operation), "  ", Padded(row.object, object), "  ", row.site);
    } else {
      absl::StrAppend(&line, "-- ", row.remark);
    }
    AppendLine(std::move(line), &text);
  }
  return text;
}

}  // namespace ordeal
