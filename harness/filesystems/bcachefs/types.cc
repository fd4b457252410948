#include "harness/filesystems/bcachefs/bcachefs.h"
#include "harness/filesystems/filesystems.h"

namespace ordeal {

std::vector<FileSystemType> BcachefsTypes() {
  FileSystemType merged = MakeFileSystemType<Bcachefs>(
      "bcachefs", "bcachefs 6.7 to 6.17: a two-state lock a mapping and faults_disabled_mapping (historical)",
      {"B42", "B43", "B45"}, BcachefsProtocol::kMerged);
  merged.inherent_bugs = {"B42b", "B73", "B74", "B74b", "B76"};
  FileSystemType proposed = MakeFileSystemType<Bcachefs>(
      "bcachefs-proposed", "bcachefs' series before: add for each folio, direct reads block, too (historical)",
      {"B42", "B43", "B45"}, BcachefsProtocol::kProposed);
  proposed.inherent_bugs = {"B42b", "B74", "B74b", "B76"};
  FileSystemType repaired = MakeFileSystemType<Bcachefs>(
      "bcachefs-repaired", "bcachefs with its holes closed: nobody waits for the two-state lock under mmap_lock",
      {"B42", "B42b", "B43", "B45", "B73", "B74", "B74b", "B76b"}, BcachefsProtocol::kRepaired);
  repaired.inherent_bugs = {"B76"};
  return {merged, proposed, repaired};
}

}  // namespace ordeal
