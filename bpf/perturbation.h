// Disturbs a task between its operations, so that they meet in more ways than the scheduler would show by itself: it yields,
// sleeps for some microseconds, moves to another CPU, becomes less important. All of it is a function of the seed.
//
// Thread-safety: none; one a task.
// Cost:          some microseconds an operation on average, on purpose.
// Example:
//   Perturbation perturbation(seed, task);
//   perturbation.Enter();
//   for (...) { perturbation.BeforeOperation(); ... }
#ifndef ORDEAL_BPF_PERTURBATION_H_
#define ORDEAL_BPF_PERTURBATION_H_

#include <cstdint>

#include "harness/choice/prng.h"

namespace ordeal::bpf {

class Perturbation {
 public:
  Perturbation(uint64_t seed, uint32_t task) : prng_(DeriveSeed(seed, task)) {}
  void Enter();
  void BeforeOperation();
  bool SlowCopy() { return prng_.Below(8) == 0; }  // whether the next transfer's buffer arrives late

 private:
  void MoveToAnyCpu();

  Prng prng_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_PERTURBATION_H_
