// LD_CHECK: aborts with the failed condition, its place and a message that prints the state. For broken invariants
// (programmer errors) only; operating errors are absl::Status, findings are values. Active in every build type.
//
// Thread-safety: any thread.
// Example:       LD_CHECK(depth_ > 0, absl::StrCat("release on an empty stack; ", ToString()));
#ifndef ORDEAL_LOCKDEP_SUPPORT_CHECK_H_
#define ORDEAL_LOCKDEP_SUPPORT_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <string>

namespace ordeal {

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line,
                                     const std::string& message) {
  std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", file, line, condition, message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace ordeal

// `message` is evaluated only on failure.
#define LD_CHECK(condition, message)                                          \
  do {                                                                        \
    if (__builtin_expect(!(condition), 0)) {                                  \
      ::ordeal::CheckFailed(#condition, __FILE__, __LINE__, std::string(message)); \
    }                                                                         \
  } while (false)

#endif  // ORDEAL_LOCKDEP_SUPPORT_CHECK_H_
