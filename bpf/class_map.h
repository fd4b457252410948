// Which lock classes of a model and of a real kernel are one lock, as data: a file for each file system (bpf/class_maps), built
// into the program; people bring their own with --map=FILE. docs/formats/class-map.md
//
// A map gives each lock a token, lists the model's and the kernel's names for it, says which classes of the model are not compared
// and why, and explains pairs that one side alone has.
//
// Thread-safety: plain values; the functions keep no state.
// Invariants:    a name belongs to one token; tokens are named once; every explanation and omission has a reason.
// Example:
//   ASSIGN_OR_RETURN(const ClassMap map, BuiltInClassMap("xfs"));
//   map.TokenOf("&sb->s_type->i_mutex_key#16@xfs_fs_type");   // "IOLOCK"
#ifndef ORDEAL_BPF_CLASS_MAP_H_
#define ORDEAL_BPF_CLASS_MAP_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lockdep/report/order_graph.h"

namespace ordeal::bpf {

struct ExplainedPair {
  bool only_model = true;  // else only the kernel has it
  std::string from;        // "IOLOCK", "IOLOCK/1", "*"
  std::string to;
  std::string reason;
};

class ClassMap {
 public:
  // "" if the map does not name it. The kernel numbers keys of one name ("#16"): the number counts only if the map gives one.
  std::string TokenOf(const std::string& lock_class) const;
  // Whether the graph has a class that the map knows for one of directories.
  bool TellsDirectoriesApart(const lockdep::OrderGraph& graph) const;
  // The classes that the map names, with their tokens, and what is between them. `fold_directories` gives directories' classes the
  // tokens of files.
  lockdep::OrderGraph Mapped(const lockdep::OrderGraph& graph, bool fold_directories) const;
  // Why the pair of nodes ("IOLOCK/1") is on that side alone; "" if the map does not say.
  std::string Explanation(bool only_model, const std::string& from, const std::string& to) const;

  const std::string& file_system() const { return file_system_; }
  const std::vector<std::string>& tokens() const { return tokens_; }  // in the order of the file
  const std::map<std::string, std::string>& unmapped() const { return unmapped_; }  // model class -> reason

 private:
  friend class ClassMapReader;

  std::string file_system_;
  std::vector<std::string> tokens_;
  std::map<std::string, std::string> token_of_;
  std::map<std::string, std::string> files_token_;  // of directories' tokens
  std::map<std::string, std::string> unmapped_;
  std::vector<ExplainedPair> explained_;
};

// `name` is what errors call the text. InvalidArgument: "NAME:LINE: what is wrong; what to do".
absl::StatusOr<ClassMap> ParseClassMap(const std::string& text, const std::string& name);
absl::StatusOr<ClassMap> ReadClassMap(const std::string& path);

// NotFound names those that there are. A historical type has the map of its file system.
absl::StatusOr<ClassMap> BuiltInClassMap(const std::string& file_system);
// The text of the map, to begin one's own with.
absl::StatusOr<std::string> BuiltInClassMapText(const std::string& file_system);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_CLASS_MAP_H_
