#include "bpf/kernel_symbols.h"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace ordeal::bpf {

KernelSymbols KernelSymbols::Load() {
  std::ifstream kallsyms("/proc/kallsyms");
  return Parse(kallsyms);
}

KernelSymbols KernelSymbols::LoadObjects() {
  std::ifstream kallsyms("/proc/kallsyms");
  return ParseObjects(kallsyms);
}

KernelSymbols KernelSymbols::Parse(std::istream& kallsyms) { return ParseTypes(kallsyms, "tTwW"); }
KernelSymbols KernelSymbols::ParseObjects(std::istream& kallsyms) { return ParseTypes(kallsyms, "bBdDrRvV"); }

KernelSymbols KernelSymbols::ParseTypes(std::istream& kallsyms, const std::string& types) {
  KernelSymbols symbols;
  std::string line;
  while (std::getline(kallsyms, line)) {  // "ffffffff81000010 T name" or "... t name\t[module]"
    uint64_t address = 0;
    const char* const end = line.data() + line.size();
    const auto [after, error] = std::from_chars(line.data(), end, address, 16);
    if (error != std::errc() || address == 0 || end - after < 4 || *after != ' ' || after[2] != ' ') continue;
    if (types.find(after[1]) == std::string::npos) continue;
    const char* const name = after + 3;
    symbols.symbols_.emplace_back(address, std::string(name, std::find_if(name, end, [](char c) {
                                                           return c == '.' || c == '\t' || c == ' ';
                                                         })));
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
