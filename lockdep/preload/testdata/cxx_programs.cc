// The C++ counterpart of lock_programs.c: locks of the C++ library, which reach the interposer as pthread calls. Built twice:
// optimised, and without (where every lock goes through several functions of the library).
#include <pthread.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace {

std::mutex global_a, global_b;
std::shared_mutex shared_a, shared_b;

struct Journal {
  std::mutex mutex;
};
struct Inode {
  std::mutex mutex;
};

void OneAfterTheOther(void (*first)(), void (*second)()) {
  std::mutex turn;
  bool first_done = false;
  std::thread two([&] {
    for (;;) {
      {
        const std::lock_guard<std::mutex> guard(turn);
        if (first_done) break;
      }
      std::this_thread::yield();
    }
    second();
  });
  std::thread one([&] {
    first();
    const std::lock_guard<std::mutex> guard(turn);
    first_done = true;
  });
  one.join();
  two.join();
}

void AThenB() {
  const std::lock_guard<std::mutex> a(global_a);
  const std::lock_guard<std::mutex> b(global_b);
}
void BThenA() {
  const std::unique_lock<std::mutex> b(global_b);
  const std::unique_lock<std::mutex> a(global_a);
}
void BothByScopedLock() { const std::scoped_lock both(global_a, global_b); }
void BothByScopedLockReversed() { const std::scoped_lock both(global_b, global_a); }

Journal* journal = nullptr;
Inode* inode = nullptr;
void JournalThenInode() {
  const std::lock_guard<std::mutex> outer(journal->mutex);
  const std::lock_guard<std::mutex> inner(inode->mutex);
}
void InodeThenJournal() {
  const std::lock_guard<std::mutex> outer(inode->mutex);
  const std::lock_guard<std::mutex> inner(journal->mutex);
}

void ReadThenWrite() {
  const std::shared_lock<std::shared_mutex> a(shared_a);
  const std::unique_lock<std::shared_mutex> b(shared_b);
}
void WriteThenWrite() {
  const std::unique_lock<std::shared_mutex> b(shared_b);
  const std::unique_lock<std::shared_mutex> a(shared_a);
}
void ReadThenRead() {
  const std::shared_lock<std::shared_mutex> a(shared_a);
  const std::shared_lock<std::shared_mutex> b(shared_b);
}
void ReadThenReadReversed() {
  const std::shared_lock<std::shared_mutex> b(shared_b);
  const std::shared_lock<std::shared_mutex> a(shared_a);
}

void MutexInverted() { OneAfterTheOther(AThenB, BThenA); }
void MutexInOrder() { OneAfterTheOther(AThenB, AThenB); }
void ScopedLock() {
  OneAfterTheOther(BothByScopedLock, BothByScopedLockReversed);
  OneAfterTheOther(BothByScopedLockReversed, BothByScopedLock);
}
void SharedInverted() { OneAfterTheOther(ReadThenWrite, WriteThenWrite); }
void SharedReaders() { OneAfterTheOther(ReadThenRead, ReadThenReadReversed); }
void HeapInverted() {
  const auto a = std::make_unique<Journal>();
  const auto b = std::make_unique<Inode>();
  journal = a.get();
  inode = b.get();
  OneAfterTheOther(JournalThenInode, InodeThenJournal);
}

// std::mutex has no destructor that anybody could see: the same memory is a journal's lock first and an inode's later. Judged
// by address, or by what lay there before, this would be an inversion.
void MemoryUsedAgain() {
  char* heap = new char[2 * sizeof(Journal)];
  for (int round = 0; round < 3; ++round) {
    journal = new (heap) Journal;
    inode = new (heap + sizeof(Journal)) Inode;
    OneAfterTheOther(JournalThenInode, JournalThenInode);
    inode = new (heap) Inode;
    journal = new (heap + sizeof(Journal)) Journal;
    OneAfterTheOther(JournalThenInode, JournalThenInode);
  }
  delete[] heap;
}

void OnceThatThrows() {
  std::once_flag once;
  for (int attempt = 0; attempt < 3; ++attempt) {
    try {
      std::call_once(once, [&] {
        const std::lock_guard<std::mutex> a(global_a);
        if (attempt < 2) throw attempt;
      });
    } catch (int) {
    }
  }
  MutexInOrder();
}

}  // namespace

int main(int argc, char** argv) {
  static constexpr struct {
    const char* name;
    void (*run)();
  } kCases[] = {{"mutex_inverted", MutexInverted},     {"mutex_in_order", MutexInOrder},
                {"scoped_lock", ScopedLock},           {"shared_inverted", SharedInverted},
                {"shared_readers", SharedReaders},     {"heap_inverted", HeapInverted},
                {"memory_used_again", MemoryUsedAgain}, {"once_that_throws", OnceThatThrows}};
  for (const auto& entry : kCases) {
    if (argc < 2 || std::strcmp(argv[1], entry.name) != 0) continue;
    entry.run();
    std::printf("done %s\n", entry.name);
    return 7;
  }
  return 2;
}
