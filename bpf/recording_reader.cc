#include "bpf/recording_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bpf/kernel_symbols.h"
#include "bpf/lock_order_record.h"
#include "bpf/lockdep_import.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

using lockdep::Mode;
using lockdep::OrderGraph;
using lockdep::OrderNode;

// By ordeal_lock_class; bpf/class_map.cc says what other graphs call them.
constexpr const char* kClassNames[ORDEAL_LOCK_CLASSES] = {"",          "xfs_iolock",     "xfs_mmaplock", "xfs_ilock",
                                                          "mmap_lock", "xfs_dir_iolock", "xfs_dir_ilock"};

// By ordeal_counter.
constexpr const char* kCounterNames[ORDEAL_COUNTERS] = {
    "events seen",
    "events used",
    "lost: edge map full",
    "lost: held-lock stack full",
    "lost: pending edges of a trylock full",
    "lost: no task state",
    "unlock of an ILOCK that was not held",
    "unlock of a lock that the VFS took",
    "demotion of a lock that the VFS took",
    "trylocks",
    "trylocks that succeeded",
    "trylocks that failed",
    "trylocks undecided",
    "edges dropped with their trylock",
    "mmap_lock acquisitions that failed",
    "release of a lock acquired before recording began",
    "held locks asked for again (the VFS released them)",
    "locks held at the end of a task",
    "lost: call stacks",
    "lost: a task's waits",
    "lost: waiting sites full",
    "waits for spin locks left out",
    "pages added while an invalidate lock was held or asked for exclusively",
    "of those: by its holder",
    "of those: by a writer of the file",
    "of those: before it was certainly held",
    "of those: perhaps after its release",
    "of those: findings",
    "lost: page checks",
    "exclusive invalidate locks followed",
    "lost: lock classes full",
    "locks of interrupts left out",
    "lost: processes not followed",
    "locks that lockdep does not check left out",
};

constexpr uint32_t kContentionRead = 2;  // flags of contention_begin
constexpr uint32_t kContentionWrite = 4;
constexpr uint32_t kContentionRt = 8;
constexpr uint32_t kContentionPercpu = 16;
constexpr uint32_t kContentionMutex = 32;

class Reader {
 public:
  Reader(const ProbeMaps& maps, int processors)
      : maps_(maps), processors_(static_cast<size_t>(processors)), symbols_(KernelSymbols::Load()) {}

  absl::Status ReadClasses();
  absl::Status ReadMmapSites();
  absl::Status ReadNodes(Recording* recording) const;
  absl::Status ReadEdges(Recording* recording);
  absl::Status ReadWaits(Recording* recording) const;
  absl::Status ReadPages(Recording* recording) const;
  absl::Status ReadCounters(OrderGraph* graph) const;

 private:
  struct MmapSite {
    uint64_t contended = 0;
    uint64_t failed = 0;
  };
  void AddEdge(const ordeal_edge_key& key, const std::vector<ordeal_edge_value>& values, OrderGraph* graph);
  OrderNode NodeOf(uint32_t node) const;
  std::string Site(uint64_t caller) const { return caller == 0 ? "" : symbols_.Name(caller - 1); }
  CallStack StackOf(int32_t id) const;
  bool OnlyTries(const CallStack& stack) const;
  LockWait WaitOf(const ordeal_wait_value& value) const;

  const ProbeMaps& maps_;
  const size_t processors_;
  const KernelSymbols symbols_;
  std::map<uint32_t, std::string> named_classes_;  // by id
  std::map<std::string, MmapSite> mmap_sites_;     // by function
  uint64_t trylock_edges_ = 0;
};

absl::Status Unreadable(const char* map) {
  return absl::UnavailableError(absl::StrCat("cannot read map `", map, "`: ", strerror(errno)));
}

// Visits every key of a hash map; entries may come while we look, none goes.
template <typename Key, typename Visit>
absl::Status ForEachKey(int map, Visit visit) {
  Key key = {};
  const void* previous = nullptr;
  Key next = {};
  while (bpf_map_get_next_key(map, previous, &next) == 0) {
    key = next;
    RETURN_IF_ERROR(visit(key));
    previous = &key;
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadClasses() {
  std::map<uint32_t, std::pair<uint64_t, std::string>> found;  // key, name
  RETURN_IF_ERROR(ForEachKey<uint64_t>(maps_.named_classes, [&](uint64_t key) -> absl::Status {
    ordeal_named_class named = {};
    if (bpf_map_lookup_elem(maps_.named_classes, &key, &named) != 0) return Unreadable("named_classes");
    if ((named.traits & ORDEAL_IS_UNCHECKED) == 0) {
      found[named.id] = {key, std::string(named.name, strnlen(named.name, sizeof(named.name)))};
    }
    return absl::OkStatus();
  }));
  if (found.empty()) return absl::OkStatus();
  // As of /proc/lockdep (lockdep_import.h): the symbol that holds the key, else a number for each key of one name.
  const KernelSymbols objects = KernelSymbols::LoadObjects();
  std::map<std::string, int> versions;
  for (const auto& [id, named] : found) {
    const std::string symbol = ClassSymbol(objects, named.first);
    if (!symbol.empty()) {
      named_classes_[id] = absl::StrCat(named.second, "@", symbol);
      continue;
    }
    const int version = ++versions[named.second];
    named_classes_[id] = version == 1 ? named.second : absl::StrCat(named.second, "#", version);
  }
  return absl::OkStatus();
}

OrderNode Reader::NodeOf(uint32_t node) const {
  const uint32_t lock_class = ordeal_node_class(node);
  const auto named = named_classes_.find(lock_class);
  const std::string name = named != named_classes_.end()      ? named->second
                           : lock_class < ORDEAL_LOCK_CLASSES ? kClassNames[lock_class]
                                                              : "unknown";
  const Mode mode = ordeal_node_mode(node) == ORDEAL_EXCLUSIVE ? Mode::kExclusive
                    : ordeal_node_mode(node) == ORDEAL_SHARED  ? Mode::kShared
                                                               : Mode::kSharedRecursive;
  return {name.empty() ? "unknown" : name, static_cast<int>(ordeal_node_subclass(node)), mode};
}

CallStack Reader::StackOf(int32_t id) const {
  uint64_t addresses[ORDEAL_STACK_DEPTH] = {};
  CallStack stack;
  const uint32_t key = static_cast<uint32_t>(id);
  if (id < 0 || bpf_map_lookup_elem(maps_.stacks, &key, addresses) != 0) return stack;
  for (const uint64_t address : addresses) {
    if (address == 0) break;
    std::string name = symbols_.Name(address - 1);
    if (!name.empty()) stack.push_back(std::move(name));
  }
  return WithoutTracing(std::move(stack));
}

absl::Status Reader::ReadMmapSites() {
  return ForEachKey<uint32_t>(maps_.mmap_sites, [&](uint32_t key) -> absl::Status {
    ordeal_mmap_site site = {};
    if (bpf_map_lookup_elem(maps_.mmap_sites, &key, &site) != 0) return Unreadable("mmap_sites");
    MmapSite& sum = mmap_sites_[LockSite(StackOf(static_cast<int32_t>(key)))];
    sum.contended += site.contended;
    sum.failed += site.failed;
    return absl::OkStatus();
  });
}

// A site that has failed without having waited, and was never seen to wait.
bool Reader::OnlyTries(const CallStack& stack) const {
  const auto site = mmap_sites_.find(LockSite(stack));
  return site != mmap_sites_.end() && !site->first.empty() && site->second.failed != 0 && site->second.contended == 0;
}

absl::Status Reader::ReadNodes(Recording* recording) const {
  std::vector<ordeal_node_value> values(processors_);
  for (uint32_t node = 0; node < maps_.node_count; ++node) {
    const uint32_t lock_class = ordeal_node_class(node);
    if (lock_class >= ORDEAL_FIRST_NAMED_CLASS && named_classes_.count(lock_class) == 0) continue;
    if (bpf_map_lookup_elem(maps_.nodes, &node, values.data()) != 0) return Unreadable("nodes");
    HeldLock sum;
    int32_t stack = -1;
    for (const ordeal_node_value& value : values) {
      sum.acquired += value.acquired;
      sum.timed += value.timed;
      sum.held_ns += value.held_ns;
      if (value.longest_ns <= sum.longest_ns) continue;
      sum.longest_ns = value.longest_ns;
      sum.longest_site = Site(value.longest_caller);
      sum.longest_pid = value.longest_pid;
      sum.longest_comm.assign(value.longest_comm, strnlen(value.longest_comm, sizeof(value.longest_comm)));
      stack = value.longest_stack;
    }
    if (sum.acquired == 0) continue;
    sum.node = NodeOf(node);
    sum.longest_stack = StackOf(stack);
    if (sum.longest_site.empty()) sum.longest_site = LockSite(sum.longest_stack);
    recording->graph.nodes.push_back({sum.node, sum.acquired});
    recording->holds.push_back(std::move(sum));
  }
  std::stable_sort(recording->holds.begin(), recording->holds.end(),
                   [](const HeldLock& a, const HeldLock& b) { return a.longest_ns > b.longest_ns; });
  return absl::OkStatus();
}

// The first sighting, but rather one with both stacks.
bool Better(const ordeal_edge_value& a, const ordeal_edge_value& b) {
  if ((a.from_stack >= 0) != (b.from_stack >= 0)) return a.from_stack >= 0;
  return a.first_ns < b.first_ns;
}

// One edge, as each processor counted it.
void Reader::AddEdge(const ordeal_edge_key& key, const std::vector<ordeal_edge_value>& values, OrderGraph* graph) {
  uint64_t count = 0;
  const ordeal_edge_value* best = nullptr;
  for (const ordeal_edge_value& value : values) {
    count += value.count;
    if (value.first_ns != 0 && (best == nullptr || Better(value, *best))) best = &value;
  }
  if (best == nullptr) return;
  OrderGraph::Edge edge = {NodeOf(key.from), NodeOf(key.to), static_cast<lockdep::Instances>(key.relation), count,
                           Site(best->from_caller), Site(best->to_caller), StackOf(best->from_stack),
                           StackOf(key.to_stack != 0 ? static_cast<int32_t>(key.to_stack) - 1 : best->to_stack)};
  if (key.to_stack != 0 && OnlyTries(edge.to_stack)) {
    trylock_edges_ += count;
    return;
  }
  if (edge.from_site.empty()) edge.from_site = LockSite(edge.from_stack);
  if (edge.to_site.empty()) edge.to_site = LockSite(edge.to_stack);
  graph->edges.push_back(std::move(edge));
}

absl::Status Reader::ReadEdges(Recording* recording) {
  // The two maps together: the same edge may be in the one on this processor and in the other one on that.
  struct ByKey {
    bool operator()(const ordeal_edge_key& a, const ordeal_edge_key& b) const {
      return std::tie(a.from, a.to, a.relation, a.to_stack) < std::tie(b.from, b.to, b.relation, b.to_stack);
    }
  };
  std::map<ordeal_edge_key, std::vector<ordeal_edge_value>, ByKey> found;
  std::vector<ordeal_first_edge> first(processors_);
  for (uint32_t i = 0; i < ORDEAL_FIRST_EDGES; ++i) {
    if (bpf_map_lookup_elem(maps_.first_edges, &i, first.data()) != 0) return Unreadable("first_edges");
    for (const ordeal_first_edge& edge : first) {
      if (edge.value.first_ns != 0) found[edge.key].push_back(edge.value);
    }
  }
  std::vector<ordeal_edge_value> values(processors_);
  RETURN_IF_ERROR(ForEachKey<ordeal_edge_key>(maps_.edges, [&](const ordeal_edge_key& key) -> absl::Status {
    if (bpf_map_lookup_elem(maps_.edges, &key, values.data()) != 0) return Unreadable("edges");
    std::vector<ordeal_edge_value>& all = found[key];
    all.insert(all.end(), values.begin(), values.end());
    return absl::OkStatus();
  }));
  for (const auto& [key, all] : found) AddEdge(key, all, &recording->graph);
  // Of equal edges the first one's stacks are kept: let that be the most frequent one.
  std::stable_sort(recording->graph.edges.begin(), recording->graph.edges.end(),
                   [](const OrderGraph::Edge& a, const OrderGraph::Edge& b) { return a.count > b.count; });
  return absl::OkStatus();
}

const char* KindOfLock(uint32_t flags) {
  if (flags & kContentionMutex) return "mutex";
  if (flags & kContentionPercpu) return flags & kContentionWrite ? "percpu rwsem (write)" : "percpu rwsem (read)";
  if (flags & kContentionRt) return "rt mutex";
  if (flags & kContentionWrite) return "rwsem (write)";
  if (flags & kContentionRead) return "rwsem (read)";
  return "lock";
}

LockWait Reader::WaitOf(const ordeal_wait_value& value) const {
  LockWait wait;
  wait.count = value.count;
  wait.failed = value.failed;
  wait.total_ns = value.total_ns;
  wait.longest_ns = value.longest_ns;
  const auto percentile = [&](uint64_t percent) {
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < ORDEAL_WAIT_BUCKETS; ++bucket) {
      seen += value.buckets[bucket];
      if (seen * 100 >= value.count * percent) return std::min<uint64_t>(ordeal_wait_bucket_end(bucket), value.longest_ns);
    }
    return static_cast<uint64_t>(value.longest_ns);
  };
  wait.p50_ns = percentile(50);
  wait.p90_ns = percentile(90);
  wait.p99_ns = percentile(99);
  return wait;
}

absl::Status Reader::ReadWaits(Recording* recording) const {
  ordeal_wait_value value = {};
  RETURN_IF_ERROR(ForEachKey<ordeal_wait_key>(maps_.waits, [&](const ordeal_wait_key& key) -> absl::Status {
    if (bpf_map_lookup_elem(maps_.waits, &key, &value) != 0) return Unreadable("waits");
    LockWait wait = WaitOf(value);
    wait.known = key.node != 0;
    wait.stack = StackOf(key.stack);
    const std::string site = LockSite(wait.stack);
    wait.lock = wait.known ? NodeOf(key.node).ToString()
                           : absl::StrCat(KindOfLock(key.flags), " in ", site.empty() ? "?" : site);
    recording->waits.push_back(std::move(wait));
    return absl::OkStatus();
  }));
  for (uint32_t kind = 0; kind < 2 && maps_.page_lock_waits >= 0; ++kind) {
    if (bpf_map_lookup_elem(maps_.page_lock_waits, &kind, &value) != 0) return Unreadable("waits of pages");
    if (value.count == 0) continue;
    recording->waits.push_back(WaitOf(value));
    recording->waits.back().known = true;
    recording->waits.back().lock = kind == 0 ? "page lock" : "page write-back";
  }
  std::sort(recording->waits.begin(), recording->waits.end(), [](const LockWait& a, const LockWait& b) {
    return std::tie(b.total_ns, a.lock, a.stack) < std::tie(a.total_ns, b.lock, b.stack);
  });
  return absl::OkStatus();
}

absl::Status Reader::ReadPages(Recording* recording) const {
  recording->page_findings = maps_.page_findings_count;
  for (uint32_t i = 0; i < maps_.page_findings_count; ++i) {
    ordeal_page_finding found = {};
    if (bpf_map_lookup_elem(maps_.page_findings, &i, &found) != 0) break;  // beyond those that are kept
    PageFinding page;
    page.device = found.device;
    page.inode = found.inode_number;
    page.index = found.index;
    page.added_ns = found.added_ns;
    page.holder_had_removed = found.removed_first <= found.removed_last;
    page.removed_first = found.removed_first;
    page.removed_last = found.removed_last;
    page.holder_pid = found.holder_pid;
    page.holder_site = Site(found.holder_caller);
    page.adder_pid = found.adder_pid;
    page.adder_comm.assign(found.adder_comm, strnlen(found.adder_comm, sizeof(found.adder_comm)));
    page.adder_stack = StackOf(found.adder_stack);
    recording->pages.push_back(std::move(page));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadCounters(OrderGraph* graph) const {
  std::vector<uint64_t> values(processors_);
  for (uint32_t counter = 0; counter < ORDEAL_COUNTERS; ++counter) {
    if (bpf_map_lookup_elem(maps_.counters, &counter, values.data()) != 0) return Unreadable("counters");
    uint64_t sum = 0;
    for (const uint64_t value : values) sum += value;
    graph->counters.push_back({kCounterNames[counter], sum});
  }
  // The kernel skips a program that is already running on that processor (an event within an event).
  uint64_t missed = 0;
  for (const int program : maps_.programs) {
    bpf_prog_info info = {};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(program, &info, &size) == 0) missed += info.recursion_misses;
  }
  // With lock events nothing of a task is lost by it: programs on tracepoints are not preempted, so what comes within one is of an
  // interrupt, which is left out anyway, or a lock that the program (or the kernel, around it) takes.
  graph->counters.push_back({maps_.lock_events ? "events within a program (of interrupts, and of its own locks) left out"
                                               : "lost: events within the program of the same event",
                             missed});
  graph->counters.push_back({"edges into trylocks of mmap_lock left out", trylock_edges_});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Recording> ReadRecording(const ProbeMaps& maps, const std::string& source) {
  const int processors = libbpf_num_possible_cpus();
  if (processors <= 0) {
    return absl::UnavailableError(absl::StrCat("cannot count the processors: ", strerror(-processors)));
  }
  Reader reader(maps, processors);
  Recording recording;
  recording.graph.source = source;
  RETURN_IF_ERROR(reader.ReadClasses());
  RETURN_IF_ERROR(reader.ReadMmapSites());
  RETURN_IF_ERROR(reader.ReadNodes(&recording));
  RETURN_IF_ERROR(reader.ReadEdges(&recording));
  RETURN_IF_ERROR(reader.ReadWaits(&recording));
  RETURN_IF_ERROR(reader.ReadPages(&recording));
  RETURN_IF_ERROR(reader.ReadCounters(&recording.graph));
  recording.graph.Normalise();
  return recording;
}

}  // namespace ordeal::bpf
