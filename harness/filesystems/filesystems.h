// The file systems that ship, their bugs, and the factory that makes one with some bugs switched on.
//
// Thread-safety: the tables are immutable; a FileSystem serves one simulation.
// Invariants:    every bug in the table is found in a run of each file system that it names, and none is found without it.
// Example:       std::unique_ptr<pagecache::FileSystem> fs = MakeFileSystem("vfs", {"B01"});
#ifndef ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEMS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEMS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "harness/pagecache/file_system.h"

namespace ordeal {

struct FileSystemDescription {
  std::string name;     // "vfs"
  std::string summary;
  std::vector<std::string> inherent_bugs;  // holes of a historical protocol, which no switch turns off
};

struct BugDescription {
  std::string id;    // "B01"
  std::string slug;  // "punch-hole-vs-read-fill"
  std::vector<std::string> filesystems;
  std::string kind;    // "stale exposure"
  std::string oracle;  // "data"
  std::string classic_lockdep;  // "yes", "no", "partly"
  std::string reference;
  std::string summary;
};

const std::vector<FileSystemDescription>& FileSystemTable();
const std::vector<BugDescription>& BugTable();

// Null if no file system has that name, or if it has no switch for one of the bugs.
std::unique_ptr<pagecache::FileSystem> MakeFileSystem(const std::string& name,
                                                      absl::Span<const std::string> bug_ids = {});

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEMS_H_
