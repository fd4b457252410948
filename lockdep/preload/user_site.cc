#include "lockdep/preload/user_site.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

#include <cerrno>
#include <cstring>

#include "absl/container/flat_hash_map.h"
#include "lockdep/preload/raw_lock.h"

extern "C" void* __libc_stack_end;  // of the main thread

namespace ordeal::lockdep {
namespace {

constexpr int kWrappersMax = 8;
constexpr uintptr_t kFramesSpanMax = 64 << 10;

RawLock sites_lock;  // a leaf but for the heap's
struct Known {
  absl::flat_hash_map<const void*, bool> wrappers;          // by return address
  absl::flat_hash_map<const link_map*, const char*> files;  // mapped ELF files; null: none
  absl::flat_hash_map<const link_map*, uint64_t> sizes;
};
Known& KnownSites() {
  static Known* known = new Known;
  return *known;
}

// "push %rbp; mov %rsp, %rbp", perhaps behind "endbr64": the function keeps a frame pointer.
bool KeepsFramePointer(const void* function) {
  const auto* code = static_cast<const unsigned char*>(function);
  static constexpr unsigned char kEndbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
  static constexpr unsigned char kProlog[] = {0x55, 0x48, 0x89, 0xe5};
  if (std::memcmp(code, kEndbr, sizeof kEndbr) == 0) code += sizeof kEndbr;
  return std::memcmp(code, kProlog, sizeof kProlog) == 0;
}

const char* MapFile(const link_map* module, uint64_t* size) {
  Known& known = KnownSites();
  if (const auto found = known.files.find(module); found != known.files.end()) {
    *size = known.sizes[module];
    return found->second;
  }
  const char* path = module->l_name != nullptr && module->l_name[0] != '\0' ? module->l_name : "/proc/self/exe";
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  void* mapping = MAP_FAILED;
  if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size > static_cast<off_t>(sizeof(Elf64_Ehdr))) {
    mapping = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    *size = static_cast<uint64_t>(status.st_size);
  }
  if (fd >= 0) close(fd);
  known.sizes[module] = *size;
  return known.files[module] = mapping == MAP_FAILED ? nullptr : static_cast<const char*>(mapping);
}

// The name of the function that begins at `address` of the module; null if its file has no such symbol.
const char* NameOfFunction(const link_map* module, uint64_t address) {
  uint64_t size = 0;
  const char* file = MapFile(module, &size);
  if (file == nullptr) return nullptr;
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file);
  const auto inside = [size](uint64_t offset, uint64_t length) { return offset <= size && length <= size - offset; };
  if (!inside(header->e_shoff, uint64_t{header->e_shnum} * sizeof(Elf64_Shdr))) return nullptr;
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    const Elf64_Shdr& table = sections[i];
    if (table.sh_type != SHT_SYMTAB || table.sh_link >= header->e_shnum || !inside(table.sh_offset, table.sh_size)) continue;
    const Elf64_Shdr& names = sections[table.sh_link];
    if (!inside(names.sh_offset, names.sh_size) || names.sh_size == 0 || file[names.sh_offset + names.sh_size - 1] != 0) continue;
    const auto* symbols = reinterpret_cast<const Elf64_Sym*>(file + table.sh_offset);
    for (uint64_t k = 0; k < table.sh_size / sizeof(Elf64_Sym); ++k) {
      if (symbols[k].st_value == address && ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC && symbols[k].st_name < names.sh_size) {
        return file + names.sh_offset + symbols[k].st_name;
      }
    }
  }
  return nullptr;
}

bool IsWrapper(const void* return_address) {
  const char* place = static_cast<const char*>(return_address) - 1;
  dl_find_object module;
  if (_dl_find_object(const_cast<char*>(place), &module) != 0) return false;
  const void* function = _Unwind_FindEnclosingFunction(const_cast<char*>(place));
  if (function == nullptr || !KeepsFramePointer(function)) return false;
  const char* name = NameOfFunction(module.dlfo_link_map, reinterpret_cast<uintptr_t>(function) - module.dlfo_link_map->l_addr);
  if (name == nullptr) return false;
  return std::strncmp(name, "_ZNSt", 5) == 0 || std::strncmp(name, "_ZSt", 4) == 0 || std::strncmp(name, "_ZNKSt", 6) == 0 ||
         std::strncmp(name, "_ZN9__gnu_cxx", 13) == 0 || std::strstr(name, "__gthread_") != nullptr;
}

bool IsKnownWrapper(const void* return_address) {
  const RawLockGuard guard(sites_lock);
  const auto [entry, added] = KnownSites().wrappers.try_emplace(return_address, false);
  if (!added) return entry->second;
  const bool wrapper = IsWrapper(return_address);
  return KnownSites().wrappers[return_address] = wrapper;
}

uintptr_t StackEnd(uintptr_t frame) {
  const uintptr_t thread = pthread_self();  // glibc keeps it above the stack of every thread but the first
  const auto main_end = reinterpret_cast<uintptr_t>(__libc_stack_end);
  uintptr_t end = frame + kFramesSpanMax;
  if (thread > frame && thread < end) end = thread;
  if (main_end > frame && main_end < end) end = main_end;
  return end;
}

}  // namespace

const void* UserSiteSlow(SiteCache& cache, const void* caller, const void* frame) {
#ifdef __x86_64__
  const int error = errno;
  const void* site = caller;
  const uintptr_t end = StackEnd(reinterpret_cast<uintptr_t>(frame));
  const auto* at = static_cast<const uintptr_t*>(frame);
  for (int i = 0; i < kWrappersMax && IsKnownWrapper(site); ++i) {
    const uintptr_t next = at[0];  // the wrapper's own frame
    if (next <= reinterpret_cast<uintptr_t>(at) || next % sizeof(uintptr_t) != 0 || next + 2 * sizeof(uintptr_t) > end) break;
    at = reinterpret_cast<const uintptr_t*>(next);
    site = reinterpret_cast<const void*>(at[1]);
  }
  errno = error;
  if (site != caller) return site;
#endif
  cache.plain[(reinterpret_cast<uintptr_t>(caller) >> 2) % SiteCache::kSlots] = caller;
  return caller;
}

void UserSiteLock() { sites_lock.Lock(); }
void UserSiteUnlock() { sites_lock.Unlock(); }

}  // namespace ordeal::lockdep
