// Lets the kernel's fault injection hit what a task asks the kernel for, for a while: /proc/thread-self/make-it-fail, which
// failslab and fail_page_alloc look at when their task-filter is on (debugfs says how often and which of them fail).
//
// Thread-safety: one a thread, used by it alone. A child that is forked meanwhile inherits it.
// Invariants:    off when it is made, and when a Scope has ended; does nothing where the kernel has no such file.
// Cost:          two short system calls a Scope.
// Example:
//   const FaultSwitch faults(environment.make_it_fail);
//   {
//     const FaultSwitch::Scope on(faults);
//     result = pwrite(...);
//   }
#ifndef ORDEAL_BPF_FAULT_SWITCH_H_
#define ORDEAL_BPF_FAULT_SWITCH_H_

#include <fcntl.h>
#include <unistd.h>

namespace ordeal::bpf {

class FaultSwitch {
 public:
  explicit FaultSwitch(bool wanted)
      : fd_(wanted ? open("/proc/thread-self/make-it-fail", O_WRONLY | O_CLOEXEC) : -1) {}
  ~FaultSwitch() {
    if (fd_ >= 0) close(fd_);
  }
  FaultSwitch(const FaultSwitch&) = delete;
  FaultSwitch& operator=(const FaultSwitch&) = delete;

  class Scope {
   public:
    explicit Scope(const FaultSwitch& faults) : fd_(faults.fd_) { Set("1"); }
    ~Scope() { Set("0"); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    void Set(const char* value) const {
      if (fd_ >= 0) static_cast<void>(!pwrite(fd_, value, 1, 0));
    }
    const int fd_;
  };

 private:
  const int fd_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_FAULT_SWITCH_H_
