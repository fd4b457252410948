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
  LinkResources();
}

void PatternSearch::Index() {
  holders_.resize(history_.instances());
  writers_.resize(history_.instances());
  triggerers_.resize(history_.instances());
  of_task_.resize(history_.order().tasks());
  owed_.resize(history_.order().tasks());
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
        owed_[trigger.point.task].push_back(instance);
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

// Whether `waiter` may wait for `next`. `shared_only`: it is a writer that a reader waits behind, so only readers count.
bool PatternSearch::Answers(uint32_t waiter, uint32_t next, bool queued, bool shared_only) const {
  const AbstractAcquire& node = history_.nodes()[waiter];
  const AbstractAcquire& other = history_.nodes()[next];
  switch (node.kind) {
    case WaitsFor::kLock:
      if (!queued) return HoldsFor(waiter, next, shared_only);
      return node.mode == Mode::kShared && other.kind == WaitsFor::kLock && other.mode == Mode::kExclusive &&
             other.object == node.object;
    case WaitsFor::kEvent:
    case WaitsFor::kBarrier: {
      const std::vector<Trigger>& triggers = triggerers_[node.object];
      return !queued && std::any_of(triggers.begin(), triggers.end(), [&](const Trigger& trigger) {
        return trigger.task == other.task && other.occurrences.front().position < trigger.last_position;
      });
    }
    case WaitsFor::kTaskEnd: return !queued && other.task == node.object;
  }
  return false;
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

PatternSearch::Resource PatternSearch::Wanted(uint32_t id) const {
  const AbstractAcquire& node = history_.nodes()[id];
  if (node.kind == WaitsFor::kTaskEnd) return TaskResource(node.object);
  if (node.kind == WaitsFor::kLock && node.mode == Mode::kShared) return EitherResource(node.object);
  return LockResource(node.object);
}

// The graph of resources: one leads to another if a node that holds the first waits for the second.
void PatternSearch::LinkResources() {
  const uint32_t resources = EitherResource(history_.instances());
  answers_.resize(resources);
  before_.resize(resources);
  distance_.resize(resources);
  mark_.resize(resources);
  for (uint32_t id = 0; id < component_.size(); ++id) {
    if (component_[id] == 0) continue;
    const AbstractAcquire& node = history_.nodes()[id];
    const Answer answer{Wanted(id), id};
    for (const HeldInstance& held : history_.lock_set(node.held)) answers_[held.instance].push_back(answer);
    for (const uint32_t event : owed_[node.task]) answers_[event].push_back(answer);
    if (node.kind == WaitsFor::kLock && node.mode == Mode::kExclusive) {
      answers_[QueueResource(node.object)].push_back(answer);
    }
    answers_[TaskResource(node.task)].push_back(answer);
  }
  for (Resource resource = 0; resource < resources; ++resource) {
    std::vector<Answer>& answers = answers_[resource];
    std::stable_sort(answers.begin(), answers.end(),
                     [](const Answer& a, const Answer& b) { return a.wanted < b.wanted; });
    for (size_t i = 0; i < answers.size(); ++i) {
      if (i == 0 || answers[i].wanted != answers[i - 1].wanted) before_[answers[i].wanted].push_back(resource);
    }
  }
}

// For each resource near enough: how many nodes are between one that waits for it and one that answers `target`.
const std::vector<std::pair<uint32_t, uint32_t>>& PatternSearch::DistancesTo(Resource target) {
  const auto [found, is_new] = distances_.try_emplace(target);
  std::vector<std::pair<Resource, uint32_t>>& reached = found->second;
  if (!is_new) return reached;
  ++marks_;
  const uint32_t locks = history_.instances();
  const auto reach = [&](Resource resource, uint32_t distance) {
    if (mark_[resource] == marks_) return;
    mark_[resource] = marks_;
    reached.emplace_back(resource, distance);
  };
  const auto reach_all = [&](Resource resource, uint32_t distance) {
    reach(resource, distance);
    if (resource < 2 * locks) reach(EitherResource(resource % locks), distance);  // a reader may wait for either
  };
  reach_all(target, 0);
  for (size_t i = 0; i < reached.size(); ++i) {
    const auto [wanted, distance] = reached[i];
    if (distance + 1 >= length_) break;
    steps_ += before_[wanted].size();
    for (const Resource resource : before_[wanted]) reach_all(resource, distance + 1);
  }
  return reached;
}

// False if no pattern of this length leads back to the start.
bool PatternSearch::SetDistances() {
  for (const Resource resource : near_) distance_[resource] = 0;
  near_.clear();
  const AbstractAcquire& node = history_.nodes()[start_];
  const auto add = [&](Resource target) {
    const std::vector<std::pair<Resource, uint32_t>>& distances = DistancesTo(target);
    steps_ += 1 + distances.size() / 8;  // far cheaper steps than those of the walk
    for (const auto& [resource, distance] : distances) {
      uint32_t& known = distance_[resource];
      if (known == 0) near_.push_back(resource);
      if (known == 0 || known > distance + 1) known = distance + 1;
    }
  };
  for (const HeldInstance& held : history_.lock_set(node.held)) add(LockResource(held.instance));
  for (const uint32_t event : owed_[node.task]) add(LockResource(event));
  if (node.kind == WaitsFor::kLock && node.mode == Mode::kExclusive) add(QueueResource(node.object));
  add(TaskResource(node.task));
  const uint32_t distance = distance_[Wanted(start_)];
  return distance != 0 && distance <= length_;
}

void PatternSearch::ForEach(absl::FunctionRef<bool(const Pattern&)> visit) {
  uint32_t tasks = 0;
  std::vector<bool> seen(history_.order().tasks());
  for (uint32_t id = 0; id < component_.size(); ++id) {
    if (component_[id] == 0 || seen[history_.nodes()[id].task]) continue;
    seen[history_.nodes()[id].task] = true;
    ++tasks;
  }
  for (length_ = 1; length_ <= tasks; ++length_) {
    distances_.clear();
    if (!Walk(visit)) return;
  }
}

bool PatternSearch::Walk(absl::FunctionRef<bool(const Pattern&)> visit) {
  for (start_ = 0; start_ < component_.size(); ++start_) {
    if (component_[start_] == 0) continue;
    if (exhausted()) return false;
    if (!SetDistances()) continue;
    path_.assign(1, {start_, false});
    if (!Extend(visit)) return false;
  }
  return true;
}

bool PatternSearch::Extend(absl::FunctionRef<bool(const Pattern&)> visit) {
  const AbstractAcquire& node = history_.nodes()[path_.back().node];
  const bool reads = node.kind == WaitsFor::kLock && node.mode == Mode::kShared;
  if (path_.size() == length_) return Close(false, visit) && (!reads || Close(true, visit));
  const Resource direct = node.kind == WaitsFor::kTaskEnd ? TaskResource(node.object) : LockResource(node.object);
  if (!ExtendTo(direct, false, visit)) return false;
  return !reads || ExtendTo(QueueResource(node.object), true, visit);
}

bool PatternSearch::Close(bool queued, absl::FunctionRef<bool(const Pattern&)> visit) {
  if (!Answers(path_.back().node, start_, queued, BehindReader())) return true;
  // A writer at the start that the last reader waits behind must be kept out by a reader, too.
  if (queued && (path_.size() == 1 || !HoldsFor(start_, path_[1].node, true))) return true;
  path_.back().queued = queued;
  const bool go_on = visit(path_);
  path_.back().queued = false;
  return go_on;
}

bool PatternSearch::ExtendTo(Resource resource, bool queued, absl::FunctionRef<bool(const Pattern&)> visit) {
  const std::vector<Answer>& answers = answers_[resource];
  const size_t last = path_.size() - 1;
  const bool shared_only = BehindReader();
  for (size_t i = 0; i < answers.size();) {
    const uint32_t distance = distance_[answers[i].wanted];
    if (distance == 0 || last + 1 + distance > length_) {  // too far: skip all that wait for the same
      const Resource wanted = answers[i].wanted;
      const auto next = std::upper_bound(answers.begin() + static_cast<std::ptrdiff_t>(i), answers.end(), wanted,
                                         [](Resource w, const Answer& answer) { return w < answer.wanted; });
      i = static_cast<size_t>(next - answers.begin());
      ++steps_;
      continue;
    }
    const uint32_t id = answers[i++].node;
    if (++steps_ > steps_max_) return false;
    if (id <= start_ || component_[id] != component_[start_]) continue;
    if (!Answers(path_[last].node, id, queued, shared_only)) continue;
    const AbstractAcquire& added = history_.nodes()[id];
    const bool fits = std::all_of(path_.begin(), path_.end(), [&](const PatternNode& member) {
      const AbstractAcquire& node = history_.nodes()[member.node];
      return node.task != added.task && Disjoint(history_.lock_set(node.held), history_.lock_set(added.held));
    });
    if (!fits) continue;
    path_[last].queued = queued;
    path_.push_back({id, false});
    const bool go_on = Extend(visit);
    path_.pop_back();
    path_[last].queued = false;
    if (!go_on) return false;
  }
  return true;
}

}  // namespace ordeal::lockdep
