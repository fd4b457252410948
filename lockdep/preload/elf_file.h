// An ELF file as far as the launcher needs it: can its program be interposed, and what lies at an address of its image.
//
// Thread-safety: const after Open. Invariants: any bytes are safe to open; what does not parse is absent.
// Cost:          Open reads the file once; a look-up is a binary search.
// Example:       auto file = ElfFile::Open("/usr/sbin/x");   file->FunctionAt(0x1234) == "InitServer"
#ifndef ORDEAL_LOCKDEP_PRELOAD_ELF_FILE_H_
#define ORDEAL_LOCKDEP_PRELOAD_ELF_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ordeal::lockdep {

class ElfFile {
 public:
  // InvalidArgument: not a 64-bit little-endian ELF file.
  static absl::StatusOr<ElfFile> Open(const std::string& path);
  static absl::StatusOr<ElfFile> Parse(const std::string& bytes);

  bool is_this_machine() const { return is_this_machine_; }
  // The program that loads it ("/lib64/ld-linux-x86-64.so.2"); empty: it is linked statically.
  const std::string& loader() const { return loader_; }
  // The name of the function, or variable, that covers the address; "name+0x10" inside one; empty if none is known.
  std::string FunctionAt(uint64_t address) const { return NameAt(functions_, address, false); }
  std::string VariableAt(uint64_t address) const { return NameAt(variables_, address, true); }

 private:
  struct Symbol {
    uint64_t address;
    uint64_t size;
    std::string name;
  };
  static std::string NameAt(const std::vector<Symbol>& symbols, uint64_t address, bool with_offset);
  void ReadSymbols(const std::string& bytes, uint32_t type);

  bool is_this_machine_ = false;
  std::string loader_;
  std::vector<Symbol> functions_;  // by address
  std::vector<Symbol> variables_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_ELF_FILE_H_
