#include "lockdep/preload/elf_file.h"

#include <cxxabi.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kThisMachine = EM_X86_64;
#else
constexpr uint16_t kThisMachine = EM_AARCH64;
#endif

// A copy of the T at `offset`; false if it is not all inside the file.
template <typename T>
bool ReadAt(const std::string& bytes, uint64_t offset, T* value) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(value, bytes.data() + offset, sizeof(T));
  return true;
}

std::string TextAt(const std::string& bytes, uint64_t offset, uint64_t limit) {
  if (offset >= bytes.size() || offset >= limit) return "";
  return std::string(bytes.data() + offset, strnlen(bytes.data() + offset, std::min<uint64_t>(limit, bytes.size()) - offset));
}

std::string Demangled(const std::string& name) {
  if (name.compare(0, 2, "_Z") != 0) return name;  // a C name; "a" alone would be read as a mangled type
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  if (text == nullptr) return name;
  std::string result = text;
  std::free(text);
  // "F(int, std::string)" is shown as "F".
  if (result.rfind("(anonymous namespace)::", 0) == 0) result.erase(0, std::strlen("(anonymous namespace)::"));
  return result.substr(0, result.find('('));
}

}  // namespace

absl::StatusOr<ElfFile> ElfFile::Open(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat("cannot read '", path, "'"));
  return Parse(std::string(std::istreambuf_iterator<char>(stream), {}));
}

absl::StatusOr<ElfFile> ElfFile::Parse(const std::string& bytes) {
  Elf64_Ehdr header;
  if (!ReadAt(bytes, 0, &header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return absl::InvalidArgumentError("not an ELF file");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return absl::InvalidArgumentError("not a 64-bit little-endian ELF file");
  }
  ElfFile file;
  file.is_this_machine_ = header.e_machine == kThisMachine;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!ReadAt(bytes, header.e_phoff + static_cast<uint64_t>(i) * sizeof segment, &segment)) break;
    if (segment.p_type == PT_INTERP) {
      file.loader_ = TextAt(bytes, segment.p_offset, segment.p_offset + segment.p_filesz);
    }
  }
  file.ReadSymbols(bytes, SHT_SYMTAB);
  if (file.functions_.empty()) file.ReadSymbols(bytes, SHT_DYNSYM);  // stripped
  return file;
}

void ElfFile::ReadSymbols(const std::string& bytes, uint32_t type) {
  Elf64_Ehdr header;
  if (!ReadAt(bytes, 0, &header)) return;
  const auto section_at = [&](uint64_t index, Elf64_Shdr* section) {
    return ReadAt(bytes, header.e_shoff + index * sizeof *section, section);
  };
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr table, names;
    if (!section_at(static_cast<uint64_t>(i), &table) || table.sh_type != type || !section_at(table.sh_link, &names)) continue;
    Elf64_Sym symbol;
    for (uint64_t at = 0; at + sizeof symbol <= table.sh_size; at += sizeof symbol) {
      if (!ReadAt(bytes, table.sh_offset + at, &symbol)) break;
      const int kind = ELF64_ST_TYPE(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || (kind != STT_FUNC && kind != STT_OBJECT)) continue;
      (kind == STT_FUNC ? functions_ : variables_)
          .push_back({symbol.st_value, symbol.st_size,
                      TextAt(bytes, names.sh_offset + symbol.st_name, names.sh_offset + names.sh_size)});
    }
  }
  const auto by_address = [](const Symbol& a, const Symbol& b) {
    return a.address != b.address ? a.address < b.address : a.name < b.name;
  };
  std::sort(functions_.begin(), functions_.end(), by_address);
  std::sort(variables_.begin(), variables_.end(), by_address);
}

std::string ElfFile::NameAt(const std::vector<Symbol>& symbols, uint64_t address, bool with_offset) {
  auto after = std::upper_bound(symbols.begin(), symbols.end(), address,
                                [](uint64_t value, const Symbol& symbol) { return value < symbol.address; });
  while (after != symbols.begin()) {
    const Symbol& symbol = *--after;
    if (address >= symbol.address + std::max<uint64_t>(symbol.size, 1)) {
      if (address - symbol.address > (uint64_t{1} << 20)) break;  // nothing that near can cover it
      continue;
    }
    const uint64_t offset = address - symbol.address;
    const std::string name = Demangled(symbol.name);
    return with_offset && offset != 0 ? absl::StrCat(name, "+0x", absl::Hex(offset)) : name;
  }
  return "";
}

}  // namespace ordeal::lockdep
