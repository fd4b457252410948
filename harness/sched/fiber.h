// Fibers on Boost.Context's fcontext, with pooled stacks behind guard pages, known to AddressSanitizer.
//
// Thread-safety: none; a fiber and its pool belong to one thread.
// Invariants:    a stack is in the pool or used by exactly one fiber; the page below each stack is unmapped for access.
// Cost:          a switch is fcontext's (4 to 5 ns); a start on a pooled stack about 12 ns; the first use of a stack maps it.
// Example:
//   StackPool pool(64 * 1024);
//   Fiber main, fiber;
//   fiber.Prepare(pool.Take(), [](void* arg) { ...; }, arg);
//   Fiber::Switch(main, fiber);
#ifndef ORDEAL_HARNESS_SCHED_FIBER_H_
#define ORDEAL_HARNESS_SCHED_FIBER_H_

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace ordeal {

struct Stack {
  void* bottom = nullptr;  // lowest usable address
  size_t bytes = 0;
};

class StackPool {
 public:
  explicit StackPool(size_t stack_bytes) : stack_bytes_(stack_bytes) {}
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  Stack Take() {
    if (free_count_ == 0) return Map();
    return free_[--free_count_];
  }
  void Return(Stack stack) { free_[free_count_++] = stack; }

 private:
  Stack Map();

  size_t stack_bytes_;
  std::vector<Stack> free_;  // as long as all_; the first free_count_ are free
  size_t free_count_ = 0;
  std::vector<Stack> all_;
};

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  // The fiber will run entry(argument) on `stack` at its first Switch. entry must not return: it ends by a Switch away.
  void Prepare(Stack stack, Entry entry, void* argument) {
    stack_ = stack;
    entry_ = entry;
    argument_ = argument;
    context_ = boost::context::detail::make_fcontext(static_cast<char*>(stack.bottom) + stack.bytes, stack.bytes,
                                                     &Fiber::Trampoline);
#if defined(__SANITIZE_ADDRESS__)
    Unpoison();
#endif
  }
  Stack stack() const { return stack_; }

  // Saves the running code in `from` and continues `to`. `from_ends`: `from` will never be continued.
  [[gnu::always_inline]] static void Switch(Fiber& from, Fiber& to, bool from_ends = false) {
    Transfer transfer{&from, &to};
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.fake_stack_, to.stack_.bottom, to.stack_.bytes);
#endif
    const boost::context::detail::transfer_t back = boost::context::detail::jump_fcontext(to.context_, &transfer);
    Arrived(back);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(from.fake_stack_, nullptr, nullptr);
#endif
  }

  // For the thread's own stack under AddressSanitizer: call once on the fiber that stands for it.
  void AdoptThreadStack();

 private:
  struct Transfer {
    Fiber* from;
    Fiber* to;
  };
  static void Arrived(boost::context::detail::transfer_t transfer) {
    static_cast<Transfer*>(transfer.data)->from->context_ = transfer.fctx;
  }
  void Unpoison();
  static void Trampoline(boost::context::detail::transfer_t transfer);

  boost::context::detail::fcontext_t context_ = nullptr;
  Stack stack_;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* fake_stack_ = nullptr;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCHED_FIBER_H_
