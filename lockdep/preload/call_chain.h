// Who called a lock function, as addresses while the program runs and as tokens in its report.
//
// A token names a place by file and offset, which a launcher can look up later: "{/usr/sbin/x+0x1234}" is code,
// "{/usr/sbin/x@0x1234}" data, "{/usr/sbin/x=0x1234}" a function's entry. Tokens are the same in every run, addresses are not.
//
// Thread-safety: any thread. Takes no lock of the dynamic linker: the caller may be inside any lock of the program.
// Cost:          CallChain: some microseconds (unwinding); tokens: a look-up and a string. Only when a lock is first seen.
// Example:       const CallChain chain = CallChain::Here();   chain.ToString() == "{/bin/x+0x12}<{/bin/x+0x34}"
#ifndef ORDEAL_LOCKDEP_PRELOAD_CALL_CHAIN_H_
#define ORDEAL_LOCKDEP_PRELOAD_CALL_CHAIN_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::lockdep {

// Finds the program's own path. Before anything below.
void InitialiseCallChains();

std::string CodeToken(const void* return_address);
std::string FunctionToken(const void* entry);
std::string DataToken(const void* address);
// True if the address lies in the image of the program or of a library: a global, not the heap, a stack or a mapping.
bool IsStaticStorage(const void* address);

// The innermost callers outside this library and the C++ runtime.
class CallChain {
 public:
  static constexpr int kFramesMax = 8;
  static CallChain Here(int frames = kFramesMax);
  uint64_t Hash() const;  // of the addresses: for this process only
  std::string ToString() const;
  int size() const { return size_; }

 private:
  std::array<const void*, kFramesMax> frames_{};
  int size_ = 0;
};

// The callers of the current function, innermost first, as code tokens.
std::vector<std::string> BacktraceTokens();

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_CALL_CHAIN_H_
