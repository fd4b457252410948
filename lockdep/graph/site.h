// Where in the source something was acquired: two words, filled by the compiler, free on the hot path.
//
// Thread-safety: plain value. Invariants: file is a string literal.
// Example:       void Lock(Site site = Site::Here());   // the caller's file and line
#ifndef ORDEAL_LOCKDEP_GRAPH_SITE_H_
#define ORDEAL_LOCKDEP_GRAPH_SITE_H_

#include <string>

namespace ordeal::lockdep {

struct Site {
  const char* file = "";
  int line = 0;

  // As a default argument it yields the place of the call that omitted it.
  static constexpr Site Here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  // "harness/pagecache/read.cc:88": the path from the repository's top, if the file lies in it.
  std::string ToString() const;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_SITE_H_
