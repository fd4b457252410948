#include "lockdep/predict/pattern_search.h"

#include <algorithm>

namespace ordeal::lockdep {
namespace {

const HeldInstance* FindHeld(const LockSet& set, uint32_t instance) {
  const auto found = std::lower_bound(set.begin(), set.end(), instance,
                                      [](const HeldInstance& held, uint32_t i) { return held.instance < i; });
  return found == set.end() || found->instance != instance ? nullptr : &*found;
}

}  // namespace

PatternSearch::PatternSearch(const LockHistory* history, uint64_t steps_max)
    : history_(*history), steps_max_(steps_max) {
  Index();
  FindComponents();
}

void PatternSearch::Index() {
  holders_.resize(history_.instances());
  writers_.resize(history_.instances());
  triggerers_.resize(history_.instances());
  of_task_.resize(history_.order().tasks());
  for (uint32_t id = 0; id < history_.nodes().size(); ++id) {
    const AbstractAcquire& node = history_.nodes()[id];
    for (const HeldInstance& held : history_.lock_set(node.held)) holders_[held.instance].push_back(id);
    if (node.kind == WaitsFor::kLock && node.mode == Mode::kExclusive) writers_[node.object].push_back(id);
    of_task_[node.task].push_back(id);
  }
  for (uint32_t instance = 0; instance < history_.instances(); ++instance) {
    std::vector<Trigger>& tasks = triggerers_[instance];
    for (const ::ordeal::lockdep::Trigger& trigger : history_.triggers(instance)) {
      const auto found =
          std::find_if(tasks.begin(), tasks.end(), [&](const Trigger& t) { return t.task == trigger.point.task; });
      if (found == tasks.end()) {
        tasks.push_back({trigger.point.task, trigger.point.position});
      } else {
        found->last_position = trigger.point.position;
      }
    }
  }
}

// Whether `waiter`, which waits for a lock, is kept out by what `holder` holds.
bool PatternSearch::HoldsFor(uint32_t waiter, uint32_t holder, bool shared_only) const {
  const AbstractAcquire& wants = history_.nodes()[waiter];
  const HeldInstance* held = FindHeld(history_.lock_set(history_.nodes()[holder].held), wants.object);
  if (held == nullptr) return false;
  if (held->exclusive()) return !shared_only;
  return wants.mode == Mode::kExclusive;
}

// Calls visit(node, queued) for each node that `node` may wait for, until it returns false. `shared_only`: it is a writer
// that a reader waits behind, so only readers are of interest.
template <typename Visit>
bool PatternSearch::ForEachNext(uint32_t id, bool shared_only, Visit visit) const {
  const AbstractAcquire& node = history_.nodes()[id];
  switch (node.kind) {
    case WaitsFor::kLock:
      for (const uint32_t next : holders_[node.object]) {
        if (HoldsFor(id, next, shared_only) && !visit(next, false)) return false;
      }
      if (node.mode != Mode::kShared) return true;
      for (const uint32_t next : writers_[node.object]) {
        if (!visit(next, true)) return false;
      }
      return true;
    case WaitsFor::kEvent:
    case WaitsFor::kBarrier:
      for (const Trigger& trigger : triggerers_[node.object]) {
        for (const uint32_t next : of_task_[trigger.task]) {
          if (history_.nodes()[next].occurrences.front().position >= trigger.last_position) continue;
          if (!visit(next, false)) return false;
        }
      }
      return true;
    case WaitsFor::kTaskEnd:
      for (const uint32_t next : of_task_[node.object]) {
        if (!visit(next, false)) return false;
      }
      return true;
  }
  return true;
}

// Tarjan's algorithm, iterative, on a bipartite graph: nodes lead to what they wait for (a lock, a lock's writers' queue, an
// event, a task), and that leads to the nodes that hold it. So dense lock graphs stay linear.
void PatternSearch::FindComponents() {
  const uint32_t nodes = static_cast<uint32_t>(history_.nodes().size());
  const uint32_t locks = history_.instances();
  const uint32_t tasks = history_.order().tasks();
  const uint32_t total = nodes + 2 * locks + tasks;
  std::vector<uint32_t> index(total), low(total), stack;
  std::vector<bool> on_stack(total);
  component_.assign(total, 0);
  const auto successors = [&](uint32_t vertex, std::vector<uint32_t>* out) {
    out->clear();
    if (vertex < nodes) {
      const AbstractAcquire& node = history_.nodes()[vertex];
      const uint32_t what = node.kind == WaitsFor::kTaskEnd ? nodes + 2 * locks + node.object : nodes + node.object;
      out->push_back(what);
      if (node.kind == WaitsFor::kLock && node.mode == Mode::kShared) out->push_back(nodes + locks + node.object);
    } else if (vertex < nodes + locks) {
      *out = holders_[vertex - nodes];
      for (const Trigger& trigger : triggerers_[vertex - nodes]) {
        out->insert(out->end(), of_task_[trigger.task].begin(), of_task_[trigger.task].end());
      }
    } else if (vertex < nodes + 2 * locks) {
      *out = writers_[vertex - nodes - locks];
    } else {
      *out = of_task_[vertex - nodes - 2 * locks];
    }
  };
  struct Frame {
    uint32_t vertex;
    std::vector<uint32_t> next;
    size_t at;
  };
  uint32_t counter = 0, components = 0;
  std::vector<Frame> frames;
  const auto enter = [&](uint32_t vertex) {
    index[vertex] = low[vertex] = ++counter;
    stack.push_back(vertex);
    on_stack[vertex] = true;
    frames.push_back({vertex, {}, 0});
    successors(vertex, &frames.back().next);
  };
  for (uint32_t root = 0; root < nodes; ++root) {
    if (index[root] == 0) enter(root);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.at < frame.next.size()) {
        const uint32_t next = frame.next[frame.at++];
        if (index[next] == 0) {
          enter(next);
        } else if (on_stack[next]) {
          low[frame.vertex] = std::min(low[frame.vertex], index[next]);
        }
        continue;
      }
      const uint32_t vertex = frame.vertex;
      frames.pop_back();
      if (!frames.empty()) low[frames.back().vertex] = std::min(low[frames.back().vertex], low[vertex]);
      if (low[vertex] != index[vertex]) continue;
      const bool alone = stack.back() == vertex;  // a cycle needs a node and what it waits for
      ++components;
      for (bool last = false; !last;) {
        const uint32_t member = stack.back();
        stack.pop_back();
        on_stack[member] = false;
        component_[member] = alone ? 0 : components;
        last = member == vertex;
      }
    }
  }
  component_.resize(nodes);
}

void PatternSearch::ForEach(absl::FunctionRef<bool(const Pattern&)> visit) {
  for (start_ = 0; start_ < component_.size(); ++start_) {
    if (component_[start_] == 0) continue;
    path_.assign(1, {start_, false});
    if (!Extend(visit) || exhausted()) return;
  }
}

bool PatternSearch::Extend(absl::FunctionRef<bool(const Pattern&)> visit) {
  const bool behind_reader = path_.size() > 1 && path_[path_.size() - 2].queued;
  return ForEachNext(path_.back().node, behind_reader,
                     [&](uint32_t next, bool queued) { return Try(next, queued, visit); });
}

bool PatternSearch::Try(uint32_t next, bool queued, absl::FunctionRef<bool(const Pattern&)> visit) {
  if (++steps_ > steps_max_) return false;
  if (next < start_ || component_[next] != component_[start_]) return true;
  path_.back().queued = queued;
  bool go_on = true;
  if (next == start_) {
    // A writer at the start that the last reader waits behind must be kept out by a reader, too.
    if (!queued || (path_.size() > 1 && HoldsFor(start_, path_[1].node, true))) go_on = visit(path_);
  } else {
    const AbstractAcquire& added = history_.nodes()[next];
    for (const PatternNode& member : path_) {
      const AbstractAcquire& node = history_.nodes()[member.node];
      if (node.task == added.task || !Disjoint(history_.lock_set(node.held), history_.lock_set(added.held))) {
        path_.back().queued = false;
        return true;
      }
    }
    path_.push_back({next, false});
    go_on = Extend(visit);
    path_.pop_back();
  }
  path_.back().queued = false;
  return go_on;
}

}  // namespace ordeal::lockdep
