#include "harness/filesystems/filesystems.h"
#include "harness/filesystems/gfs2/gfs2.h"

namespace ordeal {

std::vector<FileSystemType> Gfs2Types() {
  FileSystemType now = MakeFileSystemType<Gfs2>("gfs2", "GFS2 since 5.18: glocks, dropped to fault user memory in",
                                                {"B30", "B35", "B36", "B38", "B40", "B47", "B61", "B63", "B64", "B65", "B74c",
                                                 "grant-before-replay"},
                                                Gfs2Age::kNow);
  FileSystemType v516 = MakeFileSystemType<Gfs2>("gfs2-5.16", "GFS2 5.16: a holder may lose its glock in a fault",
                                                 {}, Gfs2Age::k516);
  v516.inherent_bugs = {"B35", "B36", "B37"};
  FileSystemType v515 = MakeFileSystemType<Gfs2>("gfs2-5.15", "GFS2 up to 5.15: page faults under the glock", {},
                                                 Gfs2Age::k515);
  v515.inherent_bugs = {"B32", "B33", "B34"};
  FileSystemType v2006 = MakeFileSystemType<Gfs2>("gfs2-2006", "GFS2 of 2006: the glock is taken in readpage", {},
                                                  Gfs2Age::k2006);
  v2006.inherent_bugs = {"B46", "B60"};
  std::vector<FileSystemType> types = {now, v516, v515, v2006};
  for (FileSystemType& type : types) type.nodes = 2;
  return types;
}

}  // namespace ordeal
