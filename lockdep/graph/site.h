// Where in the source something was acquired: two words, filled by the compiler, free on the hot path.
//
// A site may also be a code address (an interposer knows only its return address) or a finished text (read from a file);
// `line` tells which, so the value stays two words and the hot path copies it unread. Use ToString() and ==, not the members.
//
// Thread-safety: plain value; SetSiteNamer: before any address is printed.
// Invariants:    file is a string that outlives the site, or with line kAddress a code address.
// Example:       void Lock(Site site = Site::Here());   // the caller's file and line
#ifndef ORDEAL_LOCKDEP_GRAPH_SITE_H_
#define ORDEAL_LOCKDEP_GRAPH_SITE_H_

#include <string>

namespace ordeal::lockdep {

struct Site {
  static constexpr int kAddress = -1;  // file is a code address
  static constexpr int kText = -2;     // file is all of it

  const char* file = "";
  int line = 0;

  // As a default argument it yields the place of the call that omitted it.
  static constexpr Site Here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  // The instruction before `return_address`, named by the namer when it is printed.
  static Site FromAddress(const void* return_address) { return {static_cast<const char*>(return_address), kAddress}; }
  static constexpr Site FromText(const char* text) { return {text, kText}; }

  bool is_address() const { return line == kAddress; }
  const void* address() const { return file; }
  // "harness/pagecache/read.cc:88": the path from the repository's top, if the file lies in it.
  std::string ToString() const;

  friend bool operator==(const Site& a, const Site& b);
};

// How ToString() prints a code address; without a namer it prints the number. Null removes it.
using SiteNamer = std::string (*)(const void* return_address);
void SetSiteNamer(SiteNamer namer);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_SITE_H_
