#include "bpf/kernel_symbols.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace ordeal::bpf {

KernelSymbols KernelSymbols::Load() {
  std::ifstream kallsyms("/proc/kallsyms");
  return Parse(kallsyms);
}

KernelSymbols KernelSymbols::Parse(std::istream& kallsyms) {
  KernelSymbols symbols;
  std::string line;
  while (std::getline(kallsyms, line)) {
    std::istringstream words(line);
    uint64_t address = 0;
    std::string type, name;
    if (!(words >> std::hex >> address >> type >> name) || address == 0) continue;
    if (type != "t" && type != "T" && type != "w" && type != "W") continue;
    symbols.functions_.emplace_back(address, name.substr(0, name.find('.')));
  }
  std::sort(symbols.functions_.begin(), symbols.functions_.end());
  return symbols;
}

std::string KernelSymbols::Name(uint64_t address) const {
  if (address == 0) return "";
  const auto after = std::upper_bound(functions_.begin(), functions_.end(), address,
                                      [](uint64_t wanted, const auto& function) { return wanted < function.first; });
  return after == functions_.begin() ? "" : std::prev(after)->second;
}

}  // namespace ordeal::bpf
