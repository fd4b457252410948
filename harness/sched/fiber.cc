#include "harness/sched/fiber.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "lockdep/support/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace ordeal {
namespace {

size_t PageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

StackPool::~StackPool() {
  for (const Stack& stack : all_) {
    munmap(static_cast<char*>(stack.bottom) - PageBytes(), stack.bytes + PageBytes());
  }
}

Stack StackPool::Map() {
  const size_t page = PageBytes();
  const size_t bytes = (stack_bytes_ + page - 1) / page * page;
  void* base = mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  LD_CHECK(base != MAP_FAILED, std::string("cannot map a fiber stack: ") + std::strerror(errno));
  LD_CHECK(mprotect(base, page, PROT_NONE) == 0, std::string("cannot protect a guard page: ") + std::strerror(errno));
  const Stack stack{static_cast<char*>(base) + page, bytes};
  all_.push_back(stack);
  free_.resize(all_.size());
  return stack;
}

void Fiber::Unpoison() {
#if defined(__SANITIZE_ADDRESS__)
  // The frames of the fiber that used this stack before never returned, so their redzones are still marked.
  __asan_unpoison_memory_region(stack_.bottom, stack_.bytes);
#endif
}

void Fiber::AdoptThreadStack() {
  pthread_attr_t attributes;
  LD_CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0, "cannot read the thread's stack bounds");
  pthread_attr_getstack(&attributes, &stack_.bottom, &stack_.bytes);
  pthread_attr_destroy(&attributes);
}

void Fiber::Trampoline(boost::context::detail::transfer_t transfer) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  const Fiber* self = static_cast<Transfer*>(transfer.data)->to;
  Arrived(transfer);
  self->entry_(self->argument_);
  LD_CHECK(false, "a fiber's entry returned");
}

}  // namespace ordeal
