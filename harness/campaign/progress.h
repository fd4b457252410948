// Tells a waiting person how far long work is: one line that is rewritten on a terminal, a plain line now and then otherwise.
//
// Thread-safety: none. Writes to stderr alone, so that results on stdout stay clean.
// Example:
//   Progress progress;
//   progress.Update([&] { return absl::StrCat(done, " schedules"); });   // the text is made only when it is shown
#ifndef ORDEAL_HARNESS_CAMPAIGN_PROGRESS_H_
#define ORDEAL_HARNESS_CAMPAIGN_PROGRESS_H_

#include <cstdio>
#include <string>

#include "absl/functional/function_ref.h"
#include "harness/campaign/stopwatch.h"

namespace ordeal {

class Progress {
 public:
  // Silent: shows nothing at all (--json, tests).
  explicit Progress(bool silent = false);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows the text if the last one is old enough: 0.2 s on a terminal, 30 s otherwise.
  void Update(absl::FunctionRef<std::string()> text);
  // A line that stays, on stderr.
  void Line(const std::string& text);
  // Removes the rewritten line before other output.
  void Clear();

 private:
  const bool silent_;
  const bool terminal_;
  bool shown_ = false;
  double last_seconds_ = 0;
  Stopwatch watch_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_PROGRESS_H_
