#include "harness/filesystems/filesystems.h"

#include <algorithm>
#include <utility>

namespace ordeal {
namespace {

std::vector<FileSystemType> AllTypes() {
  std::vector<FileSystemType> all;
  for (auto* types :
       {&VfsTypes, &ExtTypes, &XfsTypes, &DaxTypes, &BcachefsTypes, &BtrfsTypes, &NfsTypes, &Gfs2Types, &Ocfs2Types}) {
    for (FileSystemType& type : types()) all.push_back(std::move(type));
  }
  return all;
}

}  // namespace

bool ParseBugs(absl::Span<const std::string> ids, const std::vector<std::string>& known, pagecache::BugSet* bugs) {
  for (const std::string& id : ids) {
    pagecache::Bug bug;
    if (std::find(known.begin(), known.end(), id) == known.end() || !pagecache::ParseBugId(id, &bug)) return false;
    bugs->Add(bug);
  }
  return true;
}

const std::vector<FileSystemType>& FileSystemTypes() {
  static const auto& types = *new std::vector<FileSystemType>(AllTypes());
  return types;
}

const FileSystemType* FindFileSystemType(const std::string& name) {
  for (const FileSystemType& type : FileSystemTypes()) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

std::unique_ptr<pagecache::FileSystem> MakeFileSystem(const std::string& name,
                                                      absl::Span<const std::string> bug_ids) {
  const FileSystemType* type = FindFileSystemType(name);
  return type == nullptr ? nullptr : type->make(bug_ids);
}

}  // namespace ordeal
