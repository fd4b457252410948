#include "bpf/kernel_symbols.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace ordeal::bpf {

KernelSymbols KernelSymbols::Load() {
  std::ifstream kallsyms("/proc/kallsyms");
  return Parse(kallsyms);
}

KernelSymbols KernelSymbols::Parse(std::istream& kallsyms) { return ParseTypes(kallsyms, "tTwW"); }
KernelSymbols KernelSymbols::ParseObjects(std::istream& kallsyms) { return ParseTypes(kallsyms, "bBdDrRvV"); }

KernelSymbols KernelSymbols::ParseTypes(std::istream& kallsyms, const std::string& types) {
  KernelSymbols symbols;
  std::string line;
  while (std::getline(kallsyms, line)) {
    std::istringstream words(line);
    uint64_t address = 0;
    std::string type, name;
    if (!(words >> std::hex >> address >> type >> name) || address == 0) continue;
    if (type.size() != 1 || types.find(type) == std::string::npos) continue;
    symbols.symbols_.emplace_back(address, name.substr(0, name.find('.')));
  }
  std::sort(symbols.symbols_.begin(), symbols.symbols_.end());
  return symbols;
}

std::string KernelSymbols::Name(uint64_t address) const {
  if (address == 0) return "";
  const auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                      [](uint64_t wanted, const auto& symbol) { return wanted < symbol.first; });
  return after == symbols_.begin() ? "" : std::prev(after)->second;
}

}  // namespace ordeal::bpf
