// The random walk: every choice is uniform over its options.
//
// A bug that needs n particular decisions of width w has probability at least w^-n. It is the cheapest strategy and the
// best one on symmetric deadlocks; it hardly ever holds one short task back behind a long one (use Pct there).
//
// Thread-safety: none; one source serves one run at a time.
// Invariants:    run n of seed s is the same in every process: BeginRun derives everything from (seed, n).
// Cost:          Choose is one draw (about 1 ns), no branch; BeginRun two draws. Nothing is allocated.
// Example:
//   RandomWalk source(seed);
//   for (uint64_t run = 0; run < 1000; ++run) runner.Run(source, run);
#ifndef ORDEAL_INJECTORS_SCHEDULE_RANDOM_WALK_H_
#define ORDEAL_INJECTORS_SCHEDULE_RANDOM_WALK_H_

#include <cstdint>

#include "harness/choice/choice_source.h"
#include "harness/choice/prng.h"

namespace ordeal {

class RandomWalk final : public ChoiceSource {
 public:
  explicit RandomWalk(uint64_t seed) : seed_(seed) { BeginRun(0); }

  int Choose(const ChoicePoint& point) override {
    const uint64_t drawn = ready_;
    ready_ = prng_.Next();
    return static_cast<int>(((drawn >> 32) * static_cast<uint64_t>(point.options)) >> 32);
  }
  void BeginRun(uint64_t run) override {
    prng_ = Prng(DeriveSeed(seed_, run));
    ready_ = prng_.Next();
  }

 private:
  uint64_t seed_;
  Prng prng_;
  uint64_t ready_ = 0;  // drawn one ahead, off the path that waits for the answer; the answers are those of Prng::Below
};

}  // namespace ordeal

#endif  // ORDEAL_INJECTORS_SCHEDULE_RANDOM_WALK_H_
