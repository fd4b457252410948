#include "bpf/class_map.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bpf/class_map.pb.h"
#include "bpf/class_maps.h"
#include "google/protobuf/text_format.h"
#include "lockdep/report/proto_errors.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

constexpr uint32_t kFormat = 1;
constexpr char kRemedy[] = "see docs/formats/class-map.md, or begin with the text that `ordeal kernel map` prints";

absl::Status Refuse(const std::string& name, int line, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ":", line, ": ", what, "; ", kRemedy));
}

// The first line that has the text in quotes.
int LineOf(const std::string& text, const std::string& word) {
  const size_t at = text.find(absl::StrCat("\"", word, "\""));
  if (at == std::string::npos) return 1;
  return static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) + 1;
}

// "BASE#NUMBER@SYMBOL", of which the last two may be missing.
struct LockName {
  std::string base;
  std::string number;
  std::string symbol;

  explicit LockName(const std::string& name) {
    const size_t at = name.rfind('@');
    if (at != std::string::npos) symbol = name.substr(at + 1);
    base = name.substr(0, at);
    const size_t hash = base.rfind('#');
    uint32_t ignored = 0;
    if (hash == std::string::npos || !absl::SimpleAtoi(base.substr(hash + 1), &ignored)) return;
    number = base.substr(hash + 1);
    base.resize(hash);
  }
  // As an entry of a map: what it leaves out, it leaves open. A name without symbol may be of any.
  bool StandsFor(const LockName& name) const {
    return base == name.base && (number.empty() || number == name.number) &&
           (symbol.empty() || name.symbol.empty() || symbol == name.symbol);
  }
  // Entries that name a symbol say which class of the name is meant: one without (of the model's) does not stand for all others.
  bool IsNarrowedBy(const LockName& entry, const LockName& name) const {
    return symbol.empty() && !name.symbol.empty() && base == entry.base && !entry.symbol.empty();
  }
};

std::string WithoutSubclass(const std::string& node) { return node.substr(0, node.find('/')); }

bool Covers(const std::string& pattern, const std::string& node) {
  return pattern == "*" || pattern == node || pattern == WithoutSubclass(node);
}

}  // namespace

std::string ClassMap::TokenOf(const std::string& lock_class) const {
  const auto exact = token_of_.find(lock_class);
  if (exact != token_of_.end()) return exact->second;
  const LockName name(lock_class);
  for (const auto& [entry, token] : token_of_) {
    const LockName candidate(entry);
    if (!candidate.StandsFor(name)) continue;
    const bool narrowed = std::any_of(token_of_.begin(), token_of_.end(), [&](const auto& other) {
      return candidate.IsNarrowedBy(LockName(other.first), name);
    });
    if (!narrowed) return token;
  }
  return "";
}

bool ClassMap::TellsDirectoriesApart(const lockdep::OrderGraph& graph) const {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const lockdep::OrderGraph::Acquired& acquired) {
    return files_token_.count(TokenOf(acquired.node.lock_class)) != 0;
  });
}

lockdep::OrderGraph ClassMap::Mapped(const lockdep::OrderGraph& graph, bool fold_directories) const {
  std::map<std::string, std::string> known;  // class -> token
  for (const lockdep::OrderGraph::Acquired& acquired : graph.nodes) {
    std::string token = TokenOf(acquired.node.lock_class);
    const auto files = files_token_.find(token);
    if (fold_directories && files != files_token_.end()) token = files->second;
    if (!token.empty()) known[acquired.node.lock_class] = token;
  }
  lockdep::OrderGraph result;
  result.source = graph.source;
  result.counters = graph.counters;
  for (lockdep::OrderGraph::Acquired acquired : graph.nodes) {
    const auto token = known.find(acquired.node.lock_class);
    if (token == known.end()) continue;
    acquired.node.lock_class = token->second;
    result.nodes.push_back(acquired);
  }
  for (lockdep::OrderGraph::Edge edge : graph.edges) {
    const auto from = known.find(edge.from.lock_class);
    const auto to = known.find(edge.to.lock_class);
    if (from == known.end() || to == known.end()) continue;
    edge.from.lock_class = from->second;
    edge.to.lock_class = to->second;
    result.edges.push_back(edge);
  }
  result.Normalise();
  return result;
}

std::string ClassMap::Explanation(bool only_model, const std::string& from, const std::string& to) const {
  for (const ExplainedPair& pair : explained_) {
    if (pair.only_model == only_model && Covers(pair.from, from) && Covers(pair.to, to)) return pair.reason;
  }
  return "";
}

// Fills a map from a parsed file; the first thing that is wrong with it is the result.
class ClassMapReader {
 public:
  ClassMapReader(const std::string& text, const std::string& name) : text_(text), name_(name) {}

  absl::StatusOr<ClassMap> Read(const proto::ClassMap& file) {
    if (file.format() != kFormat) {
      return Refuse(name_, 1, absl::StrCat("the format is ", file.format(), ", this program reads ", kFormat));
    }
    map_.file_system_ = file.file_system();
    for (const proto::ClassMap::Class& one : file.class_()) RETURN_IF_ERROR(AddClass(one));
    for (const auto& [token, files] : map_.files_token_) {
      if (!HasToken(files)) return Wrong(files, absl::StrCat("no class has the token ", files, ", which ", token, " names"));
    }
    for (const proto::ClassMap::Unmapped& one : file.unmapped()) {
      if (one.reason().empty()) return Wrong(one.model(), absl::StrCat("'", one.model(), "' is left out without a reason"));
      if (!map_.TokenOf(one.model()).empty()) {
        return Wrong(one.model(), absl::StrCat("'", one.model(), "' is both mapped and left out"));
      }
      map_.unmapped_[one.model()] = one.reason();
    }
    for (const proto::ClassMap::Explained& one : file.explained()) RETURN_IF_ERROR(AddExplained(one));
    return std::move(map_);
  }

 private:
  absl::Status Wrong(const std::string& word, const std::string& what) const { return Refuse(name_, LineOf(text_, word), what); }
  bool HasToken(const std::string& token) const {
    return std::find(map_.tokens_.begin(), map_.tokens_.end(), token) != map_.tokens_.end();
  }

  absl::Status AddClass(const proto::ClassMap::Class& one) {
    if (one.token().empty()) return Refuse(name_, 1, "a class has no token");
    if (HasToken(one.token())) return Wrong(one.token(), absl::StrCat("the token ", one.token(), " is named twice"));
    map_.tokens_.push_back(one.token());
    if (!one.files().empty()) map_.files_token_[one.token()] = one.files();
    std::set<std::string> names(one.model().begin(), one.model().end());
    names.insert(one.kernel().begin(), one.kernel().end());
    names.insert(one.token());
    for (const std::string& of_class : names) {
      const auto [at, added] = map_.token_of_.emplace(of_class, one.token());
      if (!added) return Wrong(of_class, absl::StrCat("'", of_class, "' belongs to ", at->second, " and to ", one.token()));
    }
    return absl::OkStatus();
  }

  absl::Status AddExplained(const proto::ClassMap::Explained& one) {
    if (one.only() == proto::ClassMap::Explained::SIDE_UNKNOWN) {
      return Wrong(one.from(), "a pair does not say which side alone has it");
    }
    if (one.reason().empty()) return Wrong(one.from(), "a pair is explained without a reason");
    for (const std::string& node : {one.from(), one.to()}) {
      if (node != "*" && !HasToken(WithoutSubclass(node))) return Wrong(node, absl::StrCat("no class has the token '", node, "'"));
    }
    map_.explained_.push_back({one.only() == proto::ClassMap::Explained::MODEL, one.from(), one.to(), one.reason()});
    return absl::OkStatus();
  }

  const std::string& text_;
  const std::string& name_;
  ClassMap map_;
};

absl::StatusOr<ClassMap> ParseClassMap(const std::string& text, const std::string& name) {
  proto::ClassMap file;
  lockdep::FirstProtoError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &file)) return Refuse(name, error.line(), error.message());
  return ClassMapReader(text, name).Read(file);
}

absl::StatusOr<ClassMap> ReadClassMap(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": ", strerror(errno), "; name a class map, or leave --map out"));
  std::ostringstream text;
  text << file.rdbuf();
  return ParseClassMap(text.str(), path);
}

absl::StatusOr<std::string> BuiltInClassMapText(const std::string& file_system) {
  // Historical types have the classes of their file system: "gfs2-5.15", "xfs-dax".
  const std::string wanted = file_system.substr(0, file_system.find('-'));
  std::vector<std::string> names;
  for (const auto& [name, text] : BuiltInClassMapTexts()) {
    if (name == wanted) return std::string(text);
    names.push_back(name);
  }
  return absl::NotFoundError(absl::StrCat("there is no class map for '", file_system, "', but for ", absl::StrJoin(names, ", "),
                                          "; write one (docs/formats/class-map.md) and name it with --map=FILE"));
}

absl::StatusOr<ClassMap> BuiltInClassMap(const std::string& file_system) {
  ASSIGN_OR_RETURN(const std::string text, BuiltInClassMapText(file_system));
  return ParseClassMap(text, absl::StrCat("class map of ", file_system));
}

}  // namespace ordeal::bpf
