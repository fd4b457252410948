// What a file system is registered with: a name, the switches it has, and how to make one.
//
// Thread-safety: plain value.
// Invariants:    every id in `bugs` is found in a run on this file system with it, and by nothing without it.
// Example:
//   std::vector<FileSystemType> ExtTypes() {
//     return {MakeFileSystemType<Ext4>("ext4", "ext4 today: ...", {"B01", "B02"})};
//   }
#ifndef ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEM_TYPE_H_
#define ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEM_TYPE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "harness/pagecache/file_system.h"

namespace ordeal {

// Null if it has no switch for one of the ids.
using MakeFileSystemFunction = std::function<std::unique_ptr<pagecache::FileSystem>(absl::Span<const std::string>)>;

struct FileSystemType {
  std::string name;  // "vfs"
  std::string summary;
  std::vector<std::string> bugs;           // ids of its switches
  std::vector<std::string> inherent_bugs;  // holes of a historical protocol, which no switch turns off
  MakeFileSystemFunction make;
  int nodes = 1;              // of the cluster that it runs on; 1: a local file system
  bool atomic_calls = false;  // it promises that a buffered read sees each buffered write wholly or not at all
  // It promises that buffered calls never come between the parts of a direct write: only stores through a mapping excuse data that
  // a direct write has lost to a dirty page.
  bool separates_direct_io = false;
};

// `known`: the ids among `ids` must be. False (and nothing useful in *bugs) for another or for an id of no catalogue entry.
bool ParseBugs(absl::Span<const std::string> ids, const std::vector<std::string>& known, pagecache::BugSet* bugs);

// For a class with a constructor from (BugSet, arguments...).
template <typename FileSystemClass, typename... Arguments>
FileSystemType MakeFileSystemType(std::string name, std::string summary, std::vector<std::string> bugs,
                                  Arguments... arguments) {
  FileSystemType type;
  type.name = std::move(name);
  type.summary = std::move(summary);
  type.bugs = bugs;
  type.make = [bugs = std::move(bugs), arguments...](absl::Span<const std::string> ids) {
    pagecache::BugSet set;
    std::unique_ptr<pagecache::FileSystem> made;
    if (ParseBugs(ids, bugs, &set)) made = std::make_unique<FileSystemClass>(set, arguments...);
    return made;
  };
  return type;
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEM_TYPE_H_
