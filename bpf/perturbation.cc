#include "bpf/perturbation.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace ordeal::bpf {
namespace {

constexpr uint32_t kSleepMaxUs = 200;
constexpr uint32_t kNiceMost = 10;

}  // namespace

// What the kernel refuses (a container may) is left as it is.
void Perturbation::Enter() {
  const sched_param none = {};
  switch (prng_.Below(8)) {
    case 0: sched_setscheduler(0, SCHED_BATCH, &none); break;
    case 1: sched_setscheduler(0, SCHED_IDLE, &none); break;
    case 2: setpriority(PRIO_PROCESS, 0, static_cast<int>(prng_.Below(kNiceMost))); break;
    default: break;
  }
  if (prng_.Below(2) == 0) MoveToAnyCpu();
}

// One of those that we may run on: pinning to a random number would mostly fail on a machine with holes.
void Perturbation::MoveToAnyCpu() {
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (cpus < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  const uint32_t pick = prng_.Below(static_cast<uint32_t>(cpus) + 1);
  for (uint32_t cpu = 0; cpu < static_cast<uint32_t>(cpus); ++cpu) {
    if (pick == static_cast<uint32_t>(cpus) || cpu == pick) CPU_SET(cpu, &set);  // the last answer: anywhere again
  }
  sched_setaffinity(0, sizeof(set), &set);
}

void Perturbation::BeforeOperation() {
  const uint32_t draw = prng_.Below(32);
  if (draw < 4) {
    sched_yield();
  } else if (draw < 6) {
    usleep(prng_.Below(kSleepMaxUs));
  } else if (draw == 6) {
    MoveToAnyCpu();
  }
}

}  // namespace ordeal::bpf
