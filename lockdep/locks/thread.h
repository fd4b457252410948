// A std::thread whose start and end the validator knows: what its parent did before, no lock of the child can have delayed;
// and it has a name in reports.
//
// Thread-safety: as std::thread. With another thread type nothing breaks, but a wait for an event may be judged against what
// was done before the thread existed.
// Invariants:    joined at the latest by the destructor.
// Cost:          a start and a join take the validator's mutex.
// Example:       Thread writer("writer", [&] { journal.Run(); });
#ifndef ORDEAL_LOCKDEP_LOCKS_THREAD_H_
#define ORDEAL_LOCKDEP_LOCKS_THREAD_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "lockdep/locks/validation.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

#if !defined(ORDEAL_LOCKDEP_OFF)
namespace internal {
// In the parent, before the start: the child's number. In the child. In the parent, after the join.
uint32_t ForkThread();
void BeginThread(uint32_t number, const char* name);
void JoinThread(uint32_t number);
}  // namespace internal
#endif

class Thread {
 public:
  Thread() = default;
#if defined(ORDEAL_LOCKDEP_OFF)
  Thread(std::string, std::function<void()> body) : native_(std::move(body)) {}
  void Join() { native_.join(); }
#else
  Thread(std::string name, std::function<void()> body) : number_(internal::ForkThread()) {
    native_ = std::thread([number = number_, name = std::move(name), body = std::move(body)] {
      internal::BeginThread(number, name.c_str());
      body();
    });
  }
  void Join() {
    native_.join();
    internal::JoinThread(number_);
  }
#endif
  ~Thread() {
    if (native_.joinable()) Join();
  }
  Thread(Thread&&) = default;
  Thread& operator=(Thread&&) = delete;

  bool joinable() const { return native_.joinable(); }
  std::thread& native() { return native_; }

 private:
  std::thread native_;
  uint32_t number_ = 0;
};

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_THREAD_H_
