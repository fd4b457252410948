#include "lockdep/preload/private_heap.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <new>

#include "lockdep/preload/raw_lock.h"

namespace ordeal::lockdep {
namespace {

constexpr size_t kHeader = 16;             // before each block: its class, or the size of its mapping
constexpr int kSmallestShift = 5;          // 32 bytes with the header
constexpr int kLargestShift = 16;          // larger ones are mapped
constexpr size_t kSlab = size_t{1} << 20;  // taken from the system at once

struct FreeBlock {
  FreeBlock* next;
};

RawLock heap_lock;
FreeBlock* free_lists[kLargestShift + 1];
char* slab = nullptr;
size_t slab_left = 0;

void* MapOrDie(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) return memory;
  constexpr char kMessage[] = "ordeal lockdep: out of memory\n";
  (void)!write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  _exit(127);
}

uint64_t& HeaderOf(void* block) { return *reinterpret_cast<uint64_t*>(static_cast<char*>(block) - kHeader); }

void* TakeSmall(int shift) {
  const size_t size = size_t{1} << shift;
  PrivateHeapLock();
  char* memory = reinterpret_cast<char*>(free_lists[shift]);
  if (memory != nullptr) {
    free_lists[shift] = free_lists[shift]->next;
  } else {
    if (slab_left < size) {
      slab = static_cast<char*>(MapOrDie(kSlab));
      slab_left = kSlab;
    }
    memory = slab;
    slab += size;
    slab_left -= size;
  }
  PrivateHeapUnlock();
  return memory;
}

}  // namespace

void PrivateHeapLock() { heap_lock.Lock(); }
void PrivateHeapUnlock() { heap_lock.Unlock(); }

// Blocks are aligned to 16 bytes; a stricter alignment costs room for it, and its header repeats where the block begins.
void* PrivateAllocate(size_t size, size_t alignment) {
  const size_t room = size + kHeader + (alignment > kHeader ? alignment : 0);
  const int shift = std::max(kSmallestShift, static_cast<int>(std::bit_width(room - 1)));
  char* memory = static_cast<char*>(shift <= kLargestShift ? TakeSmall(shift) : MapOrDie(room));
  const uint64_t header = shift <= kLargestShift ? static_cast<uint64_t>(shift) : room;
  char* block = memory + kHeader;
  if (alignment > kHeader) {
    const auto address = reinterpret_cast<uintptr_t>(block);
    block += (alignment - address % alignment) % alignment;
  }
  HeaderOf(block) = header;
  *(&HeaderOf(block) + 1) = static_cast<uint64_t>(block - memory);
  return block;
}

void PrivateFree(void* block) {
  if (block == nullptr) return;
  const uint64_t header = HeaderOf(block);
  char* memory = static_cast<char*>(block) - *(&HeaderOf(block) + 1);
  if (header > kLargestShift) {
    munmap(memory, header);
    return;
  }
  PrivateHeapLock();
  auto* freed = reinterpret_cast<FreeBlock*>(memory);
  freed->next = free_lists[header];
  free_lists[header] = freed;
  PrivateHeapUnlock();
}

}  // namespace ordeal::lockdep

// Local to the library: its version script exports none of them.
void* operator new(size_t size) { return ordeal::lockdep::PrivateAllocate(size, 16); }
void* operator new[](size_t size) { return ordeal::lockdep::PrivateAllocate(size, 16); }
void* operator new(size_t size, std::align_val_t alignment) {
  return ordeal::lockdep::PrivateAllocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return ordeal::lockdep::PrivateAllocate(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return ordeal::lockdep::PrivateAllocate(size, 16); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return ordeal::lockdep::PrivateAllocate(size, 16); }
void operator delete(void* block) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete[](void* block) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete(void* block, size_t) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete[](void* block, size_t) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete(void* block, std::align_val_t) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete[](void* block, std::align_val_t) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { ordeal::lockdep::PrivateFree(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { ordeal::lockdep::PrivateFree(block); }
