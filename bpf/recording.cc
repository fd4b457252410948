#include "bpf/recording.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bpf/order_comparer.h"

namespace ordeal::bpf {
namespace {

using nlohmann::ordered_json;

constexpr size_t kRowsMax = 20;     // of a table for people; JSON has all
constexpr size_t kEdgesMax = 200;   // with lock debugging there are thousands
constexpr size_t kFramesMax = 8;    // of a stack, likewise
constexpr size_t kPagesShown = 5;

bool HasPrefix(const std::string& name, std::initializer_list<const char*> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const char* prefix) { return absl::StartsWith(name, prefix); });
}

bool Traces(const std::string& name) {
  return HasPrefix(name, {"bpf_prog_", "bpf_trace_run", "bpf_get_stack", "__bpf_trace_", "__traceiter_", "__bpf_get_stack",
                          "bpf_trampoline_", "trace_event_raw_event_", "__mmap_lock_do_trace_"});
}

bool Locks(const std::string& name) {
  return HasPrefix(name, {"down_read", "down_write", "__down_", "rwsem_", "mutex_lock", "__mutex_lock", "__ww_mutex_lock",
                          "mmap_read_", "mmap_write_", "percpu_down_", "__percpu_", "percpu_rwsem_", "_raw_", "queued_",
                          "native_queued_", "__pv_queued_", "rt_mutex_", "lock_mm_and_find_vma", "up_read", "up_write",
                          "__up_read", "__up_write", "preempt_schedule"});
}

std::string FormatStack(const CallStack& stack, const std::string& indent) {
  std::string text;
  for (size_t i = 0; i < std::min(stack.size(), kFramesMax); ++i) absl::StrAppend(&text, indent, stack[i], "\n");
  if (stack.size() > kFramesMax) absl::StrAppend(&text, indent, "... ", stack.size() - kFramesMax, " more\n");
  return text;
}

std::string FormatEdges(const lockdep::OrderGraph& graph) {
  std::string text = "orders (acquired while held)\n";
  if (graph.edges.empty()) return text + "  none\n";
  size_t rows = 0;
  for (const lockdep::OrderGraph::Edge& edge : graph.edges) {
    if (rows++ == kEdgesMax) {
      absl::StrAppend(&text, "  ... ", graph.edges.size() - kEdgesMax, " more; --out and --json have all\n");
      break;
    }
    absl::StrAppendFormat(&text, "  %10d  %s -> %s", edge.count, edge.from.ToString(), edge.to.ToString());
    if (edge.instances != lockdep::Instances::kUnrelated) {
      absl::StrAppend(&text, "  ", lockdep::InstancesName(edge.instances));
    }
    absl::StrAppend(&text, "  [", edge.from_site.empty() ? "?" : edge.from_site, " -> ",
                    edge.to_site.empty() ? "?" : edge.to_site, "]\n");
  }
  return text;
}

std::string FormatHolds(const std::vector<HeldLock>& holds) {
  std::string text =
      "held longest (mean of a sample)\n"
      "    acquired        mean     longest  lock, and where the longest was released\n";
  size_t rows = 0;
  for (const HeldLock& hold : holds) {
    if (hold.longest_ns == 0 || rows++ >= kRowsMax) continue;
    absl::StrAppendFormat(&text, "  %10d  %10s  %10s  %s  by %s (%s, %d)\n", hold.acquired,
                          hold.timed == 0 ? "?" : FormatNanoseconds(hold.held_ns / hold.timed),
                          FormatNanoseconds(hold.longest_ns),
                          hold.node.ToString(), hold.longest_site.empty() ? "?" : hold.longest_site, hold.longest_comm,
                          hold.longest_pid);
    text += FormatStack(hold.longest_stack, std::string(42, ' '));
  }
  return rows == 0 ? "held longest\n  nothing was held\n" : text;
}

std::string FormatWaits(const std::vector<LockWait>& waits) {
  std::string text =
      "waited for\n       count       total         50%         90%         99%     longest  lock, or kind of lock and site\n";
  if (waits.empty()) return "waited for\n  nothing\n";
  for (size_t i = 0; i < std::min(waits.size(), kRowsMax); ++i) {
    const LockWait& wait = waits[i];
    absl::StrAppendFormat(&text, "  %10d  %10s  %10s  %10s  %10s  %10s  %s", wait.count, FormatNanoseconds(wait.total_ns),
                          FormatNanoseconds(wait.p50_ns), FormatNanoseconds(wait.p90_ns), FormatNanoseconds(wait.p99_ns),
                          FormatNanoseconds(wait.longest_ns), wait.lock);
    if (wait.failed != 0) absl::StrAppend(&text, "  (", wait.failed, " gave up)");
    text += "\n";
  }
  if (waits.size() > kRowsMax) absl::StrAppend(&text, "  ... ", waits.size() - kRowsMax, " more; --json has all\n");
  return text;
}

std::string FormatPages(const Recording& recording) {
  std::string text = absl::StrFormat("pages added under an exclusive invalidate lock of another task: %d\n",
                                     recording.page_findings);
  for (size_t i = 0; i < std::min(recording.pages.size(), kPagesShown); ++i) {
    const PageFinding& page = recording.pages[i];
    absl::StrAppendFormat(&text, "  page %d of inode %d, by %s (%d), %s after the lock was held by task %d (%s)\n", page.index,
                          page.inode, page.adder_comm, page.adder_pid, FormatNanoseconds(page.added_ns), page.holder_pid,
                          page.holder_site.empty() ? "?" : page.holder_site);
    if (page.holder_had_removed) {
      absl::StrAppendFormat(&text, "    the holder had removed pages %d to %d: %s\n", page.removed_first, page.removed_last,
                            page.in_removed_range() ? "the page is among them" : "the page is not among them");
    }
    text += FormatStack(page.adder_stack, "      ");
  }
  return text;
}

ordered_json HoldsToJson(const std::vector<HeldLock>& holds) {
  ordered_json list = ordered_json::array();
  for (const HeldLock& hold : holds) {
    list.push_back({{"lock", hold.node.ToString()},
                    {"acquired", hold.acquired},
                    {"timed", hold.timed},
                    {"held_ns", hold.held_ns},
                    {"longest_ns", hold.longest_ns},
                    {"longest_site", hold.longest_site},
                    {"longest_stack", hold.longest_stack},
                    {"longest_pid", hold.longest_pid},
                    {"longest_comm", hold.longest_comm}});
  }
  return list;
}

ordered_json WaitsToJson(const std::vector<LockWait>& waits) {
  ordered_json list = ordered_json::array();
  for (const LockWait& wait : waits) {
    list.push_back({{"lock", wait.lock},
                    {"known", wait.known},
                    {"count", wait.count},
                    {"failed", wait.failed},
                    {"total_ns", wait.total_ns},
                    {"p50_ns", wait.p50_ns},
                    {"p90_ns", wait.p90_ns},
                    {"p99_ns", wait.p99_ns},
                    {"longest_ns", wait.longest_ns},
                    {"stack", wait.stack}});
  }
  return list;
}

ordered_json PagesToJson(const std::vector<PageFinding>& pages) {
  ordered_json list = ordered_json::array();
  for (const PageFinding& page : pages) {
    ordered_json json = {{"device", page.device},       {"inode", page.inode},
                         {"index", page.index},         {"added_ns", page.added_ns},
                         {"adder_pid", page.adder_pid}, {"adder_comm", page.adder_comm},
                         {"adder_stack", page.adder_stack}, {"holder_pid", page.holder_pid},
                         {"holder_site", page.holder_site}};
    if (page.holder_had_removed) {
      json["removed_first"] = page.removed_first;
      json["removed_last"] = page.removed_last;
      json["in_removed_range"] = page.in_removed_range();
    }
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace

std::string FormatNanoseconds(uint64_t ns) {
  const double value = static_cast<double>(ns);
  if (ns < 1000) return absl::StrCat(ns, " ns");
  if (ns < 1000000) return absl::StrFormat("%.1f us", value / 1e3);
  if (ns < 1000000000) return absl::StrFormat("%.1f ms", value / 1e6);
  return absl::StrFormat("%.2f s", value / 1e9);
}

CallStack WithoutTracing(CallStack stack) {
  const auto first = std::find_if(stack.begin(), stack.end(), [](const std::string& name) { return !Traces(name); });
  stack.erase(stack.begin(), first);
  return stack;
}

std::string LockSite(const CallStack& stack) {
  for (const std::string& name : stack) {
    if (!Traces(name) && !Locks(name)) return name;
  }
  return "";
}

std::vector<OrderCycle> Recording::Cycles() const {
  std::vector<UnionEdge> edges;
  for (const lockdep::OrderGraph::Edge& edge : graph.edges) edges.push_back({edge, "kernel"});
  std::vector<OrderCycle> cycles = FindOrderCycles(edges);
  cycles.erase(std::remove_if(cycles.begin(), cycles.end(), [](const OrderCycle& cycle) { return cycle.needs_queued_writer; }),
               cycles.end());
  return cycles;
}

uint64_t Recording::lost() const { return LostEvents(graph.counters); }

std::string FormatRecording(const Recording& recording) {
  std::string text = absl::StrFormat("%s, %.2f s\n", recording.graph.source, recording.seconds);
  for (const std::string& note : recording.notes) absl::StrAppend(&text, "not seen: ", note, "\n");
  absl::StrAppend(&text, "\n", FormatEdges(recording.graph), "\n", FormatHolds(recording.holds), "\n",
                  FormatWaits(recording.waits), "\n", FormatPages(recording), "\n");
  const std::vector<OrderCycle> cycles = recording.Cycles();
  absl::StrAppend(&text, "cycles among the orders: ", cycles.size(), "\n");
  for (const OrderCycle& cycle : cycles) text += cycle.ToString();
  text += "\ncounters\n";
  for (const lockdep::OrderGraph::Counter& counter : recording.graph.counters) {
    absl::StrAppendFormat(&text, "  %10d  %s\n", counter.value, counter.name);
  }
  absl::StrAppend(&text, "\nrecording lost ", recording.lost(), " events\n");
  return text;
}

ordered_json RecordingToJson(const Recording& recording) {
  ordered_json cycles = ordered_json::array();
  for (const OrderCycle& cycle : recording.Cycles()) cycles.push_back(cycle.ToString());
  return {{"seconds", recording.seconds},
          {"notes", recording.notes},
          {"graph", OrderGraphToJson(recording.graph)},
          {"holds", HoldsToJson(recording.holds)},
          {"waits", WaitsToJson(recording.waits)},
          {"page_findings", recording.page_findings},
          {"pages", PagesToJson(recording.pages)},
          {"cycles", std::move(cycles)},
          {"lost", recording.lost()}};
}

}  // namespace ordeal::bpf
