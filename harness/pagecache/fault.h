// Page faults (mm/memory.c and filemap_fault), and how a program or a system call reaches user memory that is a mapping.
//
// Thread-safety: tasks of one simulation.
// Invariants:    a fault is called without the folio lock; it returns with mmap_lock as it found it.
// Example:
//   const Error error = UserMemory(world, mm).Store(file, cell, stamp);         // faults as often as it must
//   const bool copied = UserMemory(world, mm).LoadAtomic(file, cell, &stamp);   // page faults disabled
#ifndef ORDEAL_HARNESS_PAGECACHE_FAULT_H_
#define ORDEAL_HARNESS_PAGECACHE_FAULT_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class UserMemory {
 public:
  UserMemory(World& world, Mm& mm) : world_(world), mm_(mm) {}

  // One access to the cell that the mapping of `file` shows. kSigBus at or behind the end of file: what lies behind it in the last
  // page is none of the caller's, except for who says that he stores there too. With the fault kUserPage each access of this class
  // may find that the page has just been evicted, or (if it may take a page fault) that the address is bad.
  enum class Reach : uint8_t { kFile, kLastPage };
  Error Load(Inode& file, uint32_t cell, Stamp* stamp);
  Error Store(Inode& file, uint32_t cell, const Stamp& stamp, Reach reach = Reach::kFile);
  // Without taking a fault: false if the page is not mapped.
  bool LoadAtomic(Inode& file, uint32_t cell, Stamp* stamp);
  // Touches the pages of [cell, cell + cells) for reading; the number of cells that can be read from the first on.
  uint32_t FaultInReadable(Inode& file, uint32_t cell, uint32_t cells);
  // The same for writing (fault_in_safe_writeable): the pages become writable and dirty, nothing is stored.
  uint32_t FaultInWriteable(Inode& file, uint32_t cell, uint32_t cells);
  // get_user_pages: a reference to the folio that shows the cell, and a pin if it will be written. Null: it cannot be reached
  // (*error says why).
  Folio* Pin(Inode& file, uint32_t cell, bool write, Error* error);
  // The same without faulting the page in (iov_iter::nofault): kFault if it is not present.
  Folio* PinNofault(Inode& file, uint32_t cell, bool write, Error* error);
  void Unpin(Folio& folio, bool write);

 private:
  // At or behind the end of file, as far as the file system knows without a fault.
  bool Beyond(const Inode& file, uint32_t cell) const { return cell >= file.i_size && world_.fs().SizeIsKnown(file); }
  Error Disturb(Inode& file, uint32_t cell, bool may_fault);
  void Evict(Inode& file, uint32_t page);
  uint32_t InsideOf(const Inode& file, uint32_t cell, uint32_t cells) const;
  Pte* Present(Inode& file, uint32_t cell, bool write);
  Error Fault(Inode& file, uint32_t page, bool write);
  static Folio* TakePin(Folio& folio, bool write);

  World& world_;
  Mm& mm_;
};

// One page fault, under mmap_lock held shared.
class PageFault {
 public:
  PageFault(World& world, Mm& mm, Inode& file, uint32_t page, bool write, bool allow_retry)
      : world_(world), mm_(mm), file_(file), page_(page), write_(write), allow_retry_(allow_retry) {}

  enum class Outcome : uint8_t { kDone, kRetry, kSigBus, kNoMemory };
  // handle_mm_fault. mmap_lock has been dropped if mm_dropped(), which implies kRetry.
  Outcome Handle();
  bool mm_dropped() const { return mm_dropped_; }
  // The file system has put it off: FaultWait, then once more.
  bool put_off() const { return put_off_; }

 private:
  enum class Filled : uint8_t { kLocked, kRetry, kSigBus, kNoMemory };
  Filled FilemapFault(Folio** folio);
  Filled FillAndLock(Folio** folio, bool* mapping_locked);
  Filled ReadMissing(Folio& folio);
  Error Mkwrite(Folio& folio);  // page_mkwrite; kOk: locked and dirty; kAgain: not the file's any more, or put off
  void Install(Folio& folio, bool writable);
  void MapAround();
  void MaybeDropMm();
  Pte& pte() { return mm_.FindVma(file_)->table[page_]; }

  World& world_;
  Mm& mm_;
  Inode& file_;
  const uint32_t page_;
  const bool write_;
  const bool allow_retry_;
  bool mm_dropped_ = false;
  bool put_off_ = false;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_FAULT_H_
