// B46, as in the mail that began it: one node follows a file (tail -f) that another one appends to. The appender wants the
// cluster lock; the reader's node must drop the pages first, under their locks; a reader that has locked a page before it asks
// for the cluster lock keeps it from that. B49 is the same when the downconvert skips locked pages and tries again. B55: a reader
// that may not wait with the page locked has it looked up again without having waited for the cluster lock, and again.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry ReaderAndAppenderScenario() {
  ScenarioEntry entry;
  entry.name = "reader-and-appender";
  entry.summary = "one node reads a file that another node appends to";
  entry.filesystems = {"ocfs2", "ocfs2-naive", "ocfs2-skip-locked", "ocfs2-guard", "ocfs2-atp", "ocfs2-fs-misc"};
  entry.holes = {{"B46", "ocfs2-naive", "ocfs2", "deadlock: acquire folio"},
                 {"B49", "ocfs2-skip-locked", "ocfs2", "livelock"},
                 {"B55", "ocfs2-atp", "ocfs2", "livelock"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  read file 0 cells [0, 8)
  read file 0 cells [4, 12)
  read file 0 cells [4, 12)
task process 1
  write file 0 cells [8, 10)
  write file 0 cells [10, 12)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
