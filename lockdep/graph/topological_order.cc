// Incremental topological ordering: the affected region of Pearce and Kelly ("A dynamic topological sort algorithm for
// directed acyclic graphs", 2007), searched from both ends at one pace and with components merged as in Haeupler, Kavitha,
// Mathew, Sen and Tarjan ("Incremental cycle detection, topological ordering, and strong component maintenance", 2012).
// Places are labels of a list, made as in Bender, Cole, Demaine, Farach-Colton and Zito ("Two simplified algorithms for
// maintaining order in a list", 2002), so that one side can be moved without touching the other.
//
// Why moving one side is enough. Let the new edge be u -> v with v before u, and F all that v reaches up to u's place. If u is
// not in F, put F right behind u, in its old order: what F leads to is in F or was behind u already; what leads to F is
// where it was, or in F. The same holds for B, all that reaches u down to v's place, put right before v.
// With a cycle, C = F and B in common becomes one component at u's place and F without C goes right behind it: what C
// leads to is in F or behind u, and what leads to C is in B, before u, or before v.

#include "lockdep/graph/topological_order.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

constexpr uint32_t kHead = 0;
constexpr int kLabelBits = 62;
constexpr uint64_t kLabelsEnd = uint64_t{1} << kLabelBits;
constexpr uint64_t kStride = uint64_t{1} << 32;  // between neighbours at the ends of the list
// A range of 2^i labels is full at (2 / kDensity)^i places; any value in (1, 2) is correct, smaller ones fit more places.
constexpr double kDensity = 1.4;

}  // namespace

TopologicalOrder::TopologicalOrder() : vertices_(1), out_(1), in_(1) {}

VertexId TopologicalOrder::AddVertexAtFront() { return NewVertex(kHead); }
VertexId TopologicalOrder::AddVertexAtEnd() { return NewVertex(vertices_[kHead].previous); }
VertexId TopologicalOrder::AddVertexAfter(VertexId place) { return NewVertex(Component(Index(place))); }

VertexId TopologicalOrder::NewVertex(uint32_t after) {
  uint32_t vertex = static_cast<uint32_t>(vertices_.size());
  if (free_.empty()) {
    LD_CHECK(vertex < std::numeric_limits<uint32_t>::max(), "more than 2^32 vertices");
    vertices_.emplace_back();
    out_.emplace_back();
    in_.emplace_back();
  } else {
    vertex = free_.back();
    free_.pop_back();
    vertices_[vertex] = Vertex();
  }
  vertices_[vertex].component = vertices_[vertex].next_member = vertex;
  LinkAfter(after, vertex, 0);
  return VertexId{vertex};
}

void TopologicalOrder::AddEdge(VertexId from_id, VertexId to_id) {
  const uint32_t from = Index(from_id);
  const uint32_t to = Index(to_id);
  LD_CHECK(from != to, "an edge from a vertex to itself");
  out_[from].push_back(to);
  in_[to].push_back(from);
  const uint32_t tail = Component(from);
  const uint32_t head = Component(to);
  if (vertices_[tail].label > vertices_[head].label) Repair(tail, head);
}

// The edge from -> to of two components is new and `to` comes first.
void TopologicalOrder::Repair(uint32_t from, uint32_t to) {
  ++stats_.repairs;
  if (last_mark_ > std::numeric_limits<uint32_t>::max() - 8) ForgetMarks();
  Start(forward_, true, to, vertices_[from].label);
  Start(backward_, false, from, vertices_[to].label);
  while (true) {
    Step step = Advance(forward_, backward_.mark);
    if (step == Step::kEnded) {
      MoveAfter(from, forward_.reached);
      break;
    }
    if (step == Step::kOn) step = Advance(backward_, forward_.mark);
    if (step == Step::kEnded) {
      MoveAfter(vertices_[to].previous, backward_.reached);
      break;
    }
    if (step == Step::kMet) {
      Merge(from, to);
      break;
    }
  }
  stats_.region_max = std::max<uint64_t>(stats_.region_max, forward_.reached.size() + backward_.reached.size());
}

void TopologicalOrder::Start(Side& side, bool forward, uint32_t start, uint64_t bound) {
  side.forward = forward;
  side.bound = bound;
  side.mark = ++last_mark_;
  side.reached.assign(1, start);
  side.at = 0;
  side.member = 0;
  side.edge = 0;
  vertices_[start].mark = side.mark;
}

// Walks one edge; kMet if it leads to a component that bears `other_mark`.
TopologicalOrder::Step TopologicalOrder::Advance(Side& side, uint32_t other_mark) {
  while (side.at < side.reached.size()) {
    const uint32_t component = side.reached[side.at];
    if (side.member == 0) side.member = component;
    const Neighbours& neighbours = side.forward ? out_[side.member] : in_[side.member];
    if (side.edge == neighbours.size()) {
      side.edge = 0;
      side.member = vertices_[side.member].next_member;
      if (side.member != component) continue;
      side.member = 0;
      ++side.at;
      continue;
    }
    ++stats_.edges_walked;
    const uint32_t next = Component(neighbours[side.edge++]);
    Vertex& reached = vertices_[next];
    if (side.forward ? reached.label > side.bound : reached.label < side.bound) return Step::kOn;
    if (reached.mark == other_mark) return Step::kMet;
    if (reached.mark == side.mark) return Step::kOn;
    reached.mark = side.mark;
    side.reached.push_back(next);
    return Step::kOn;
  }
  return Step::kEnded;
}

// Moves `components` right behind `place`, which is not one of them, in the order they have.
void TopologicalOrder::MoveAfter(uint32_t place, std::vector<uint32_t>& components) {
  std::sort(components.begin(), components.end(),
            [this](uint32_t a, uint32_t b) { return vertices_[a].label < vertices_[b].label; });
  for (const uint32_t component : components) Unlink(component);
  // `place` was the one before the first of them, when backward, and so still stands.
  for (size_t i = 0; i < components.size(); ++i) {
    LinkAfter(place, components[i], components.size() - i - 1);
    place = components[i];
  }
  stats_.vertices_moved += components.size();
}

// The edge from -> to closes a cycle: makes one component of all that lies between them.
void TopologicalOrder::Merge(uint32_t from, uint32_t to) {
  ++stats_.merges;
  Start(forward_, true, to, vertices_[from].label);
  while (Advance(forward_, forward_.mark) != Step::kEnded) {  // it meets itself alone
  }
  // Backward through what was reached: exactly the components on a cycle.
  const uint32_t on_cycle = ++last_mark_;
  std::vector<uint32_t> cycle = {from};
  vertices_[from].mark = on_cycle;
  for (size_t next = 0; next < cycle.size(); ++next) {
    uint32_t member = cycle[next];
    do {
      for (const uint32_t neighbour : in_[member]) {
        const uint32_t component = Component(neighbour);
        ++stats_.edges_walked;
        if (vertices_[component].mark != forward_.mark) continue;
        vertices_[component].mark = on_cycle;
        cycle.push_back(component);
      }
      member = vertices_[member].next_member;
    } while (member != cycle[next]);
  }
  std::vector<uint32_t> behind;
  for (const uint32_t component : forward_.reached) {
    if (vertices_[component].mark != on_cycle) behind.push_back(component);
  }
  MoveAfter(from, behind);
  // The largest keeps its name; it takes the place of `from`.
  const uint32_t largest = *std::max_element(cycle.begin(), cycle.end(), [this](uint32_t a, uint32_t b) {
    return vertices_[a].members < vertices_[b].members;
  });
  if (largest != from) {
    Unlink(largest);
    LinkAfter(from, largest, 0);
  }
  cyclic_components_ += vertices_[largest].members == 1;
  for (const uint32_t component : cycle) {
    if (component != largest) Absorb(largest, component);
  }
}

void TopologicalOrder::Absorb(uint32_t into, uint32_t component) {
  cyclic_components_ -= vertices_[component].members > 1;
  Unlink(component);
  uint32_t member = component;
  do {
    vertices_[member].component = into;
    member = vertices_[member].next_member;
  } while (member != component);
  vertices_[into].members += vertices_[component].members;
  std::swap(vertices_[into].next_member, vertices_[component].next_member);
}

void TopologicalOrder::RemoveVertex(VertexId id) {
  const uint32_t vertex = Index(id);
  const auto erase = [vertex](Neighbours& list) { list.erase(std::find(list.begin(), list.end(), vertex)); };
  for (const uint32_t to : out_[vertex]) erase(in_[to]);
  for (const uint32_t from : in_[vertex]) erase(out_[from]);
  for (Neighbours* list : {&out_[vertex], &in_[vertex]}) {
    list->clear();
    list->shrink_to_fit();
  }
  const uint32_t component = Component(vertex);
  if (vertices_[component].members > 1) {
    Split(component, vertex);
  } else {
    Unlink(vertex);
  }
  vertices_[vertex] = Vertex();
  free_.push_back(vertex);
}

// `leaving`, which has no edges any more, leaves its component; the rest may fall into several.
void TopologicalOrder::Split(uint32_t component, uint32_t leaving) {
  std::vector<uint32_t> rest;
  for (uint32_t member = vertices_[leaving].next_member; member != leaving; member = vertices_[member].next_member) {
    rest.push_back(member);
  }
  --cyclic_components_;
  // Each part is put right behind the old place; the last in topological order comes first.
  uint32_t place = vertices_[component].previous;
  Unlink(component);
  for (const std::vector<uint32_t>& part : StrongComponents(rest)) {
    for (size_t i = 0; i < part.size(); ++i) {
      vertices_[part[i]].component = part[0];
      vertices_[part[i]].next_member = part[(i + 1) % part.size()];
    }
    vertices_[part[0]].members = static_cast<uint32_t>(part.size());
    cyclic_components_ += part.size() > 1;
    LinkAfter(place, part[0], 0);
  }
}

// Tarjan's algorithm on the graph of `vertices` alone, which are one old component; the parts come last in order first.
std::vector<std::vector<uint32_t>> TopologicalOrder::StrongComponents(const std::vector<uint32_t>& vertices) {
  constexpr uint32_t kOutside = 0;
  constexpr uint32_t kNew = 1;
  constexpr uint32_t kDone = std::numeric_limits<uint32_t>::max();
  struct Frame {
    uint32_t vertex;
    size_t edge;
    uint32_t low;
  };
  std::vector<uint32_t> numbers(vertices_.size(), kOutside);  // kNew, then the order of discovery from 2 on, then kDone
  for (const uint32_t vertex : vertices) numbers[vertex] = kNew;
  uint32_t number = kNew;
  std::vector<std::vector<uint32_t>> parts;
  std::vector<uint32_t> open;
  std::vector<Frame> frames;
  const auto enter = [&](uint32_t vertex) {
    numbers[vertex] = ++number;
    open.push_back(vertex);
    frames.push_back({vertex, 0, number});
  };
  for (const uint32_t start : vertices) {
    if (numbers[start] != kNew) continue;
    enter(start);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.edge < out_[frame.vertex].size()) {
        const uint32_t next = out_[frame.vertex][frame.edge++];
        if (numbers[next] == kNew) {
          enter(next);
        } else if (numbers[next] != kOutside && numbers[next] != kDone) {
          frame.low = std::min(frame.low, numbers[next]);
        }
        continue;
      }
      const Frame done = frame;
      frames.pop_back();
      if (!frames.empty()) frames.back().low = std::min(frames.back().low, done.low);
      if (done.low != numbers[done.vertex]) continue;
      parts.emplace_back();
      do {
        parts.back().push_back(open.back());
        numbers[open.back()] = kDone;
        open.pop_back();
      } while (parts.back().back() != done.vertex);
    }
  }
  return parts;
}

void TopologicalOrder::ForgetMarks() {
  for (Vertex& vertex : vertices_) vertex.mark = 0;
  last_mark_ = 0;
}

void TopologicalOrder::Unlink(uint32_t component) {
  const Vertex& leaving = vertices_[component];
  vertices_[leaving.previous].next = leaving.next;
  vertices_[leaving.next].previous = leaving.previous;
}

// Links `component` behind `place` and leaves room for `to_follow` more between it and the next.
void TopologicalOrder::LinkAfter(uint32_t place, uint32_t component, uint64_t to_follow) {
  uint64_t gap = 0;
  while (true) {
    const uint32_t next = vertices_[place].next;
    gap = (next == kHead ? kLabelsEnd : vertices_[next].label) - vertices_[place].label;
    if (gap / (to_follow + 2) > 0) break;
    to_follow = std::min<uint64_t>(to_follow, 1);
    if (gap > to_follow + 1) break;
    MakeRoomAt(place);
  }
  const uint32_t next = vertices_[place].next;
  const uint64_t stride = gap / (to_follow + 2);
  Vertex& entering = vertices_[component];
  if (next == kHead && place != kHead) {
    entering.label = vertices_[place].label + std::min(stride, kStride);
  } else if (place == kHead && next != kHead) {
    entering.label = vertices_[next].label - std::min(stride, kStride) * (to_follow + 1);
  } else {
    entering.label = vertices_[place].label + stride;
  }
  entering.previous = place;
  entering.next = next;
  vertices_[place].next = component;
  vertices_[next].previous = component;
}

// Spreads the labels of the smallest range around `place` that is not full.
void TopologicalOrder::MakeRoomAt(uint32_t place) {
  if (place == kHead) place = vertices_[kHead].next;
  uint32_t first = place;
  uint32_t last = place;
  uint64_t count = 1;
  double full = 1;
  for (int bits = 1; bits <= kLabelBits; ++bits) {
    full *= 2 / kDensity;
    const uint64_t width = uint64_t{1} << bits;
    const uint64_t begin = vertices_[place].label & ~(width - 1);
    while (vertices_[first].previous != kHead && vertices_[vertices_[first].previous].label >= begin) {
      first = vertices_[first].previous;
      ++count;
    }
    while (vertices_[last].next != kHead && vertices_[vertices_[last].next].label - begin < width) {
      last = vertices_[last].next;
      ++count;
    }
    const uint64_t stride = width / count;
    if (static_cast<double>(count) > full || stride < 8) continue;
    uint64_t label = begin + stride / 2;
    for (uint32_t at = first;; at = vertices_[at].next) {
      vertices_[at].label = label;
      label += stride;
      ++stats_.labels_written;
      if (at == last) return;
    }
  }
  LD_CHECK(false, "no labels left for the order");
}

size_t TopologicalOrder::MemoryBytes() const {
  size_t bytes = vertices_.capacity() * sizeof(Vertex) + (out_.capacity() + in_.capacity()) * sizeof(Neighbours) +
                 (free_.capacity() + forward_.reached.capacity() + backward_.reached.capacity()) * sizeof(uint32_t);
  for (const std::vector<Neighbours>* lists : {&out_, &in_}) {
    for (const Neighbours& list : *lists) {
      if (list.capacity() > kInline) bytes += list.capacity() * sizeof(uint32_t);
    }
  }
  return bytes;
}

void TopologicalOrder::CheckInvariants() const {
  uint32_t members = 0;
  uint32_t cyclic = 0;
  for (uint32_t at = vertices_[kHead].next, previous = kHead; at != kHead; previous = at, at = vertices_[at].next) {
    LD_CHECK(vertices_[at].previous == previous, "the list is linked both ways");
    LD_CHECK(vertices_[at].component == at, "components alone are in the list");
    LD_CHECK(previous == kHead || vertices_[previous].label < vertices_[at].label, "labels ascend along the list");
    LD_CHECK(vertices_[at].label < kLabelsEnd, "labels have a bound");
    members += vertices_[at].members;
    cyclic += vertices_[at].members > 1;
    uint32_t ring = 1;
    for (uint32_t next = vertices_[at].next_member; next != at; next = vertices_[next].next_member, ++ring) {
      LD_CHECK(vertices_[next].component == at, "members know their component");
    }
    LD_CHECK(ring == vertices_[at].members, "the ring has every member");
  }
  LD_CHECK(members == size(), "every vertex is in one component");
  LD_CHECK(cyclic == cyclic_components_, "components with a cycle are counted");
  for (uint32_t from = 1; from < vertices_.size(); ++from) {
    for (const uint32_t to : out_[from]) {
      LD_CHECK(Component(from) == Component(to) || Before(VertexId{from}, VertexId{to}), "edges agree with the order");
    }
  }
}

}  // namespace ordeal::lockdep
