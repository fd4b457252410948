#include "harness/campaign/progress.h"

#include <unistd.h>

namespace ordeal {

Progress::Progress(bool silent) : silent_(silent), terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::Update(absl::FunctionRef<std::string()> text) {
  if (silent_) return;
  const double now = watch_.Seconds();
  if (now - last_seconds_ < (terminal_ ? 0.2 : 30.0)) return;
  last_seconds_ = now;
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", text().c_str());
    std::fflush(stderr);
    shown_ = true;
  } else {
    std::fprintf(stderr, "%s\n", text().c_str());
  }
}

void Progress::Line(const std::string& text) {
  if (silent_) return;
  Clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void Progress::Clear() {
  if (!shown_) return;
  std::fprintf(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace ordeal
