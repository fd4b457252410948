// Puts functions, files and lines for the tokens in which a checked program names places (call_chain.h).
//
// Code is shown as "db.c:120 (Flush)", or "redis-server+0x1234 (Flush)" without debug information; a variable by its name; a
// class that is named by a chain of callers by the first of them that is not the C++ runtime's wrapping of a lock.
//
// Thread-safety: none.
// Invariants:    texts without tokens stay as they are; two classes never get one name: the second is "db.c:120#2".
// Cost:          one run of addr2line for each module with tokens.
// Example:       lookup.Collect(text) ...; lookup.Resolve(); lookup.Rewrite(text)
#ifndef ORDEAL_LOCKDEP_PRELOAD_SOURCE_LOOKUP_H_
#define ORDEAL_LOCKDEP_PRELOAD_SOURCE_LOOKUP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "lockdep/preload/elf_file.h"

namespace ordeal::lockdep {

class SourceLookup {
 public:
  // `lines`: ask addr2line; without, names of functions only.
  explicit SourceLookup(bool lines) : lines_(lines) {}

  void Collect(const std::string& text);
  void Resolve();
  std::string Rewrite(const std::string& text);

 private:
  struct Token {
    std::string module;
    char sign = '+';
    uint64_t address = 0;
    size_t length = 0;  // in the text
  };
  struct Place {
    std::string function;
    std::string file_line;
    bool is_wrapper = false;  // of the C++ runtime, around a lock
  };
  static bool ParseToken(absl::string_view text, Token* token);
  const ElfFile* FileOf(const std::string& module);
  void AskAddr2line(const std::string& module, const std::set<uint64_t>& addresses);
  std::string Describe(const Token& token);
  std::string DescribeClass(const std::string& chain, const std::vector<Token>& tokens);
  std::string Unique(const std::string& name, const std::string& chain);

  const bool lines_;
  std::map<std::string, std::set<uint64_t>> wanted_;  // code, by module
  std::map<std::string, std::unique_ptr<ElfFile>> files_;  // null: cannot be read
  std::map<std::pair<std::string, uint64_t>, Place> places_;
  std::map<std::string, std::string> names_;           // of classes and variables, by chain
  std::map<std::string, int> used_names_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_SOURCE_LOOKUP_H_
