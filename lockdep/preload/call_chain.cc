#include "lockdep/preload/call_chain.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>
#include <unwind.h>

#include <climits>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ordeal::lockdep {
namespace {

constexpr int kBacktraceFrames = 24;
char program_path[PATH_MAX] = "?";

// _dl_find_object takes no lock; dladdr and dl_iterate_phdr do.
bool FindModule(const void* address, dl_find_object* module) {
  return _dl_find_object(const_cast<void*>(address), module) == 0;
}

const link_map* OwnModule() {
  static const link_map* own = [] {
    dl_find_object module;
    return FindModule(reinterpret_cast<const void*>(&InitialiseCallChains), &module) ? module.dlfo_link_map : nullptr;
  }();
  return own;
}

const char* PathOf(const dl_find_object& module) {
  const char* name = module.dlfo_link_map->l_name;
  return name == nullptr || name[0] == '\0' ? program_path : name;
}

bool IsRuntime(const dl_find_object& module) {
  if (module.dlfo_link_map == OwnModule()) return true;
  const char* base = std::strrchr(PathOf(module), '/');
  return base != nullptr && std::strncmp(base, "/libstdc++.so", 13) == 0;
}

std::string Token(const void* address, char sign) {
  const auto number = reinterpret_cast<uintptr_t>(address);
  dl_find_object module;
  if (!FindModule(address, &module)) return absl::StrCat("{?", absl::string_view(&sign, 1), "0x", absl::Hex(number), "}");
  return absl::StrCat("{", PathOf(module), absl::string_view(&sign, 1), "0x",
                      absl::Hex(number - module.dlfo_link_map->l_addr), "}");
}

struct Walk {
  const void** frames;
  int size;
  int capacity;
  bool skip_runtime;
};

_Unwind_Reason_Code Visit(_Unwind_Context* context, void* argument) {
  auto* walk = static_cast<Walk*>(argument);
  const auto* address = reinterpret_cast<const void*>(_Unwind_GetIP(context));
  if (address == nullptr) return _URC_END_OF_STACK;
  dl_find_object module;
  const bool found = FindModule(static_cast<const char*>(address) - 1, &module);
  if (found && (module.dlfo_link_map == OwnModule() || (walk->skip_runtime && IsRuntime(module)))) return _URC_NO_REASON;
  walk->frames[walk->size++] = address;
  return walk->size < walk->capacity ? _URC_NO_REASON : _URC_END_OF_STACK;
}

}  // namespace

void InitialiseCallChains() {
  const ssize_t length = readlink("/proc/self/exe", program_path, sizeof program_path - 1);
  if (length > 0) program_path[length] = '\0';
  OwnModule();
}

std::string CodeToken(const void* return_address) {
  return Token(static_cast<const char*>(return_address) - 1, '+');
}
std::string FunctionToken(const void* entry) { return Token(entry, '='); }
std::string DataToken(const void* address) { return Token(address, '@'); }

bool IsStaticStorage(const void* address) {
  dl_find_object module;
  return FindModule(address, &module);
}

CallChain CallChain::Here(int frames) {
  CallChain chain;
  Walk walk{chain.frames_.data(), 0, frames, true};
  _Unwind_Backtrace(Visit, &walk);
  chain.size_ = walk.size;
  return chain;
}

uint64_t CallChain::Hash() const {
  uint64_t hash = 0x9e3779b97f4a7c15u;
  for (int i = 0; i < size_; ++i) {
    hash = (hash ^ reinterpret_cast<uintptr_t>(frames_[static_cast<size_t>(i)])) * 0x9fb21c651e98df25u;
    hash ^= hash >> 32;
  }
  return hash;
}

std::string CallChain::ToString() const {
  std::string text;
  for (int i = 0; i < size_; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : "<", CodeToken(frames_[static_cast<size_t>(i)]));
  }
  return text.empty() ? "{?+0x0}" : text;
}

std::vector<std::string> BacktraceTokens() {
  const void* frames[kBacktraceFrames];
  Walk walk{frames, 0, kBacktraceFrames, false};
  _Unwind_Backtrace(Visit, &walk);
  std::vector<std::string> tokens;
  for (int i = 0; i < walk.size; ++i) tokens.push_back(CodeToken(frames[i]));
  return tokens;
}

}  // namespace ordeal::lockdep
