// The file systems that ship, and the factory that makes one with some bugs switched on. Each has a folder here.
//
// Thread-safety: the table is immutable; a FileSystem serves one simulation.
// Example:       std::unique_ptr<pagecache::FileSystem> fs = MakeFileSystem("vfs", {"B01"});
#ifndef ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEMS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEMS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "harness/filesystems/filesystem_type.h"

namespace ordeal {

// One function a folder; filesystems.cc lists them.
std::vector<FileSystemType> VfsTypes();
std::vector<FileSystemType> ExtTypes();
std::vector<FileSystemType> XfsTypes();
std::vector<FileSystemType> DaxTypes();
std::vector<FileSystemType> BcachefsTypes();
std::vector<FileSystemType> BtrfsTypes();
std::vector<FileSystemType> Gfs2Types();
std::vector<FileSystemType> NfsTypes();
std::vector<FileSystemType> Ocfs2Types();

const std::vector<FileSystemType>& FileSystemTypes();
// Null if none has that name.
const FileSystemType* FindFileSystemType(const std::string& name);

// Null if no file system has that name, or if it has no switch for one of the bugs.
std::unique_ptr<pagecache::FileSystem> MakeFileSystem(const std::string& name,
                                                      absl::Span<const std::string> bug_ids = {});

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_FILESYSTEMS_H_
