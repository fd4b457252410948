// Corpus files on disk: written whole or not at all, read with bounds, listed in a fixed order.
//
// Thread-safety: any; files of one directory may be written by several processes.
// Invariants:    a reader sees the old file or the new one, never a part: temporary file, fsync, rename, fsync of the folder.
// Example:
//   RETURN_IF_ERROR(WriteCorpusEntry(absl::StrCat(dir, "/", CorpusFileName(entry)), entry));
//   ASSIGN_OR_RETURN(const std::vector<std::string> files, ListCorpusFiles({"corpora"}));
#ifndef ORDEAL_HARNESS_CORPUS_CORPUS_FILE_H_
#define ORDEAL_HARNESS_CORPUS_CORPUS_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "harness/corpus/corpus_entry.h"

namespace ordeal {

// Creates missing folders of `path`.
absl::Status WriteCorpusEntry(const std::string& path, const CorpusEntry& entry);
absl::StatusOr<CorpusEntry> ReadCorpusEntry(const std::string& path);

// "B01-punch-hole-vs-read-data-1f2e3d4c.txtpb": bugs, scenario, kind of finding and a hash of specification and signature,
// so that the same bug found again gets the same name.
std::string CorpusFileName(const CorpusEntry& entry);

// The files as given, and every *.txtpb below the folders, sorted by path. NotFound for a path that does not exist or a
// folder without entries.
absl::StatusOr<std::vector<std::string>> ListCorpusFiles(const std::vector<std::string>& paths);

// Whether files can be made in `path`, which need not exist yet, as far as that can be told without making anything.
absl::Status CheckFolder(const std::string& path);

// Any text, atomically: reports too.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view text);
absl::StatusOr<std::string> ReadFileBounded(const std::string& path, int64_t bytes_max);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CORPUS_CORPUS_FILE_H_
