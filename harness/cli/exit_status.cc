#include "harness/cli/exit_status.h"

#include <cstdio>
#include <string>

namespace ordeal {

int Fail(const absl::Status& status) {
  std::string message(status.message().data(), status.message().size());
  for (char& c : message) {
    if (c == '\n') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';  // a file name must not drive the terminal
  }
  std::fflush(stdout);
  std::fprintf(stderr, "ordeal: %s\n", message.c_str());
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal: return kExitCannot;
    default: return kExitUsage;
  }
}

}  // namespace ordeal
