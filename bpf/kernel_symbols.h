// Names for addresses in the kernel, from /proc/kallsyms or a System.map.
//
// Thread-safety: const methods from any thread.
// Invariants:    an address before the first symbol, or a kernel that hides its addresses, gives "".
// Cost:          Load reads the whole list (about 10 MB); Name is a binary search.
// Example:
//   const KernelSymbols symbols = KernelSymbols::Load();
//   symbols.Name(caller);   // "xfs_file_write_checks"
#ifndef ORDEAL_BPF_KERNEL_SYMBOLS_H_
#define ORDEAL_BPF_KERNEL_SYMBOLS_H_

#include <cstdint>
#include <istream>
#include <string>
#include <utility>
#include <vector>

namespace ordeal::bpf {

class KernelSymbols {
 public:
  static KernelSymbols Load();         // functions of the running kernel
  static KernelSymbols LoadObjects();  // its variables
  static KernelSymbols Parse(std::istream& kallsyms);         // functions
  static KernelSymbols ParseObjects(std::istream& kallsyms);  // variables
  // Without the compiler's suffixes (".isra.0"), so that two builds of a kernel compare.
  std::string Name(uint64_t address) const;

 private:
  static KernelSymbols ParseTypes(std::istream& kallsyms, const std::string& types);

  std::vector<std::pair<uint64_t, std::string>> symbols_;  // by address
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_KERNEL_SYMBOLS_H_
