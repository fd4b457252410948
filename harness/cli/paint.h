// Colours for a terminal, nothing otherwise: NO_COLOR and TERM=dumb are respected.
//
// Thread-safety: none.
// Example:       Paint paint; out << paint.Red("FOUND");
#ifndef ORDEAL_HARNESS_CLI_PAINT_H_
#define ORDEAL_HARNESS_CLI_PAINT_H_

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace ordeal {

class Paint {
 public:
  Paint() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    on_ = isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') && term != nullptr &&
          std::strcmp(term, "dumb") != 0;
  }
  std::string Red(const std::string& text) const { return Wrap("1;31", text); }
  std::string Green(const std::string& text) const { return Wrap("32", text); }
  std::string Bold(const std::string& text) const { return Wrap("1", text); }
  std::string Dim(const std::string& text) const { return Wrap("2", text); }

 private:
  std::string Wrap(const char* code, const std::string& text) const {
    return on_ ? std::string("\033[") + code + "m" + text + "\033[0m" : text;
  }
  bool on_ = false;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_PAINT_H_
