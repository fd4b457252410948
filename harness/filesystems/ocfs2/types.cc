#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/ocfs2/ocfs2.h"
#include "harness/filesystems/ocfs2/ocfs2_fs_misc.h"
#include "harness/filesystems/ocfs2/ocfs2_historical.h"

namespace ordeal {

std::vector<FileSystemType> Ocfs2Types() {
  std::vector<FileSystemType> types = {
      MakeFileSystemType<Ocfs2>("ocfs2", "OCFS2 on two nodes: cluster locks tried under folio locks, else waited for without",
                                {"B48", "B56", "B57", "B58", "B62", "grant-before-replay"}),
      MakeFileSystemType<Ocfs2Naive>("ocfs2-naive", "OCFS2 2005: cluster lock under the folio lock (historical)", {}),
      MakeFileSystemType<Ocfs2SkipLocked>(
          "ocfs2-skip-locked", "as ocfs2-naive, but the downconvert skips locked pages and retries (proposed)", {}),
      MakeFileSystemType<Ocfs2Guard>("ocfs2-guard", "OCFS2 2005: cluster lock before the folio lock, by guards (posted)",
                                     {"B50", "B51"}),
      MakeFileSystemType<Ocfs2Atp>("ocfs2-atp", "OCFS2 2005: AOP_TRUNCATED_PAGE as posted (historical)", {}),
      MakeFileSystemType<Ocfs2FsMisc>("ocfs2-fs-misc", "OCFS2 2005: folios lent to the downconvert by PG_fs_misc (posted idea)",
                                      {"B52", "B53", "B54"}),
  };
  types[1].inherent_bugs = {"B46"};
  types[2].inherent_bugs = {"B49"};
  types[5].inherent_bugs = {"B46"};  // of a truncate or a store, which lends nothing
  types[4].inherent_bugs = {"B55"};
  // No minimum hold time: where the daemons are always quicker than the tasks, two nodes take a lock from each other for ever.
  for (size_t i = 1; i < types.size(); ++i) types[i].inherent_bugs.push_back("B62");
  for (FileSystemType& type : types) type.nodes = 2;
  return types;
}

}  // namespace ordeal
