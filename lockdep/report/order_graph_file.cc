// The file format of order graphs: text, versions, checksum, atomic replacement. See order_graph.h.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/text_format.h"
#include "lockdep/report/order_graph.h"
#include "lockdep/report/order_graph.pb.h"
#include "lockdep/report/proto_errors.h"

namespace ordeal::lockdep {
namespace {

constexpr size_t kFileBytesMax = 64u << 20;
constexpr char kHeading[] = "# ordeal order graph: which locks were acquired while which others were held\n";
constexpr char kRemedy[] = "write the file again (`ordeal kernel run --out=FILE` or `ordeal kernel model --out=FILE`)";

absl::Status Refuse(const std::string& name, int line, const std::string& what, const std::string& remedy = kRemedy) {
  return absl::InvalidArgumentError(absl::StrCat(name, ":", line, ": ", what, "; ", remedy));
}

// FNV-1a, 64 bits: it guards against accidents, not against forgers.
uint64_t Fold(uint64_t hash, const std::string& text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return (hash ^ 0xffu) * 0x100000001b3ull;  // a separator: "ab","c" differs from "a","bc"
}
uint64_t Fold(uint64_t hash, uint64_t number) { return Fold(hash, absl::StrCat(number)); }

std::string Checksum(const proto::OrderGraph& file) {
  uint64_t hash = Fold(0xcbf29ce484222325ull, file.source());
  for (const proto::OrderGraph::Node& node : file.node()) {
    hash = Fold(Fold(hash, node.id()), node.lock_class());
    hash = Fold(Fold(Fold(hash, node.subclass()), node.mode()), node.acquired());
  }
  hash = Fold(hash, std::string("edges"));
  for (const proto::OrderGraph::Edge& edge : file.edge()) {
    hash = Fold(Fold(Fold(Fold(hash, edge.from()), edge.to()), edge.instances()), edge.count());
    hash = Fold(Fold(hash, edge.from_site()), edge.to_site());
    for (const std::string& frame : edge.from_stack()) hash = Fold(hash, frame);
    if (edge.to_stack_size() != 0) hash = Fold(hash, std::string("to"));
    for (const std::string& frame : edge.to_stack()) hash = Fold(hash, frame);
  }
  hash = Fold(hash, std::string("counters"));
  for (const proto::OrderGraph::Counter& counter : file.counter()) {
    hash = Fold(Fold(hash, counter.name()), counter.value());
  }
  return absl::StrFormat("%016x", hash);
}

proto::OrderGraph::Mode ToProto(Mode mode) {
  switch (mode) {
    case Mode::kExclusive: return proto::OrderGraph::EXCLUSIVE;
    case Mode::kShared: return proto::OrderGraph::SHARED;
    case Mode::kSharedRecursive: return proto::OrderGraph::SHARED_RECURSIVE;
  }
  return proto::OrderGraph::MODE_UNKNOWN;
}

bool FromProto(proto::OrderGraph::Mode file, Mode* mode) {
  switch (file) {
    case proto::OrderGraph::EXCLUSIVE: *mode = Mode::kExclusive; return true;
    case proto::OrderGraph::SHARED: *mode = Mode::kShared; return true;
    case proto::OrderGraph::SHARED_RECURSIVE: *mode = Mode::kSharedRecursive; return true;
    default: return false;
  }
}

int CountLines(const std::string& text) {
  int lines = 1;
  for (size_t i = 0; i + 1 < text.size(); ++i) lines += text[i] == '\n';
  return lines;
}

int LineOf(const std::string& text, const std::string& needle) {
  const size_t at = text.find(needle);
  return at == std::string::npos ? 1 : CountLines(text.substr(0, at + 1));
}

// Looks at the format alone, so that a file of a later format gives one clear error instead of the parser's.
absl::Status CheckFormat(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string::npos || line[start] == '#') continue;
    constexpr char kField[] = "format:";
    uint32_t format = 0;
    if (line.compare(start, sizeof(kField) - 1, kField) != 0 ||
        !absl::SimpleAtoi(line.substr(start + sizeof(kField) - 1), &format)) {
      return Refuse(name, number, "this is no order graph: the first field is not `format: N`",
                    "name a file that `ordeal kernel run --out=FILE` wrote");
    }
    if (format >= 1 && format <= kOrderGraphFormat) return absl::OkStatus();
    return Refuse(name, number,
                  absl::StrCat("format ", format, format > kOrderGraphFormat ? " is newer than" : " is not",
                               " the one that this program reads (", kOrderGraphFormat, ")"),
                  "use the program that wrote it, or write the file again with this one");
  }
  return Refuse(name, CountLines(text), "the file is empty");
}

using Nodes = std::map<uint32_t, OrderNode>;

absl::Status ReadNodes(const proto::OrderGraph& file, const std::string& name, const std::string& text, OrderGraph* graph,
                       Nodes* nodes) {
  for (const proto::OrderGraph::Node& node : file.node()) {
    OrderNode read{node.lock_class(), static_cast<int>(node.subclass()), Mode::kExclusive};
    const std::string which = absl::StrCat("node ", node.id());
    const int line = LineOf(text, absl::StrCat("id: ", node.id()));
    if (read.lock_class.empty()) return Refuse(name, line, which + " has no lock_class");
    if (node.subclass() >= kSubclasses) {
      return Refuse(name, line, absl::StrCat(which, " has subclass ", node.subclass(), "; the last is ", kSubclasses - 1));
    }
    if (!FromProto(node.mode(), &read.mode)) return Refuse(name, line, which + " has no mode that is known here");
    if (!nodes->emplace(node.id(), read).second) return Refuse(name, line, which + " appears twice");
    graph->nodes.push_back({read, node.acquired()});
  }
  return absl::OkStatus();
}

absl::Status ReadEdges(const proto::OrderGraph& file, const std::string& name, const std::string& text,
                       const Nodes& nodes, OrderGraph* graph) {
  for (const proto::OrderGraph::Edge& edge : file.edge()) {
    const auto from = nodes.find(edge.from());
    const auto to = nodes.find(edge.to());
    if (from == nodes.end() || to == nodes.end()) {
      const uint32_t missing = from == nodes.end() ? edge.from() : edge.to();
      return Refuse(name, LineOf(text, absl::StrCat(from == nodes.end() ? "from: " : "to: ", missing)),
                    absl::StrCat("an edge names node ", missing, ", which does not exist"));
    }
    if (edge.instances() < 0 || edge.instances() > 3) {
      return Refuse(name, LineOf(text, "instances:"), "an edge has an unknown value of `instances`");
    }
    const Instances instances = static_cast<Instances>(edge.instances());
    graph->edges.push_back({from->second, to->second, instances, edge.count(), edge.from_site(), edge.to_site(),
                            {edge.from_stack().begin(), edge.from_stack().end()},
                            {edge.to_stack().begin(), edge.to_stack().end()}});
  }
  return absl::OkStatus();
}

absl::Status OperatingError(const std::string& path, const std::string& what, int error) {
  const std::string message = absl::StrCat(path, ": ", what, ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(message + "; check the name") : absl::InvalidArgumentError(message);
}

absl::Status WriteAll(int fd, const std::string& path, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OperatingError(path, "cannot write", errno);
    done += static_cast<size_t>(n);
  }
  if (fsync(fd) != 0 && errno != EINVAL) return OperatingError(path, "cannot sync", errno);
  return absl::OkStatus();
}

}  // namespace

std::string FormatOrderGraph(OrderGraph graph) {
  graph.Normalise();
  proto::OrderGraph file;
  const bool has_stacks = std::any_of(graph.edges.begin(), graph.edges.end(), [](const OrderGraph::Edge& edge) {
    return !edge.from_stack.empty() || !edge.to_stack.empty();
  });
  file.set_format(has_stacks ? kOrderGraphFormat : 1);
  file.set_source(graph.source);
  std::map<OrderNode, uint32_t> ids;
  for (const OrderGraph::Acquired& acquired : graph.nodes) {
    proto::OrderGraph::Node* node = file.add_node();
    node->set_id(ids.emplace(acquired.node, ids.size() + 1).first->second);
    node->set_lock_class(acquired.node.lock_class);
    node->set_subclass(static_cast<uint32_t>(acquired.node.subclass));
    node->set_mode(ToProto(acquired.node.mode));
    node->set_acquired(acquired.count);
  }
  for (const OrderGraph::Edge& edge : graph.edges) {
    proto::OrderGraph::Edge* out = file.add_edge();
    out->set_from(ids.at(edge.from));
    out->set_to(ids.at(edge.to));
    out->set_instances(static_cast<proto::OrderGraph::Instances>(edge.instances));
    out->set_count(edge.count);
    out->set_from_site(edge.from_site);
    out->set_to_site(edge.to_site);
    for (const std::string& frame : edge.from_stack) out->add_from_stack(frame);
    for (const std::string& frame : edge.to_stack) out->add_to_stack(frame);
  }
  for (const OrderGraph::Counter& counter : graph.counters) {
    proto::OrderGraph::Counter* out = file.add_counter();
    out->set_name(counter.name);
    out->set_value(counter.value);
  }
  file.set_checksum(Checksum(file));
  std::string text;
  google::protobuf::TextFormat::PrintToString(file, &text);
  return kHeading + text;
}

absl::StatusOr<OrderGraph> ParseOrderGraph(const std::string& text, const std::string& name) {
  if (text.size() > kFileBytesMax) return Refuse(name, 1, "the file is larger than 64 MiB");
  if (absl::Status format = CheckFormat(text, name); !format.ok()) return format;
  proto::OrderGraph file;
  FirstProtoError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(8);
  if (!parser.ParseFromString(text, &file)) {
    return Refuse(name, error.line(), absl::StrCat("cannot be read (", absl::CEscape(error.message()), "): truncated or edited"));
  }
  const std::string checksum = Checksum(file);
  if (file.checksum() != checksum) {
    return Refuse(name, LineOf(text, "checksum:"),
                  absl::StrCat("the checksum says '", absl::CEscape(file.checksum().substr(0, 32)),
                               "', the contents give '", checksum, "': truncated or edited"));
  }
  OrderGraph graph;
  graph.source = file.source();
  Nodes nodes;
  if (absl::Status status = ReadNodes(file, name, text, &graph, &nodes); !status.ok()) return status;
  if (absl::Status status = ReadEdges(file, name, text, nodes, &graph); !status.ok()) return status;
  for (const proto::OrderGraph::Counter& counter : file.counter()) {
    graph.counters.push_back({counter.name(), counter.value()});
  }
  graph.Normalise();
  return graph;
}

absl::Status WriteOrderGraph(const OrderGraph& graph, const std::string& path) {
  std::string beside = path + ".XXXXXX";
  const int fd = mkostemp(beside.data(), O_CLOEXEC);
  if (fd < 0) return OperatingError(path, "cannot create", errno);
  absl::Status status = WriteAll(fd, path, FormatOrderGraph(graph));
  if (status.ok() && fchmod(fd, 0644) != 0) status = OperatingError(path, "cannot set permissions", errno);
  if (close(fd) != 0 && status.ok()) status = OperatingError(path, "cannot write", errno);
  if (status.ok() && rename(beside.c_str(), path.c_str()) != 0) status = OperatingError(path, "cannot replace", errno);
  if (!status.ok()) unlink(beside.c_str());
  return status;
}

absl::StatusOr<OrderGraph> ReadOrderGraph(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return OperatingError(path, "cannot open", errno);
  std::string text;
  char buffer[65536];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof(buffer))) != 0 && text.size() <= kFileBytesMax) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  const int error = errno;
  close(fd);
  if (n < 0) return OperatingError(path, "cannot read", error);
  return ParseOrderGraph(text, path);
}

}  // namespace ordeal::lockdep
