// A part of the benchmark that is compiled with ORDEAL_LOCKDEP_OFF.
#define ORDEAL_LOCKDEP_OFF
#include "benchmark/benchmark.h"
#include "lockdep/locks/mutex.h"

namespace ordeal::lockdep {

void CompiledOutPairs(int pairs) {
  static Mutex mutex("compiled out");
  for (int i = 0; i < pairs; ++i) {
    mutex.Lock();
    benchmark::ClobberMemory();
    mutex.Unlock();
  }
}

}  // namespace ordeal::lockdep
