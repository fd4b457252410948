#include "bpf/lockdep_import.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "bpf/kernel_symbols.h"
#include "lockdep/report/order_graph_proc.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

// Static keys inside functions all have names of the compiler ("__key.42"), which say nothing and change with every build.
bool SaysSomething(const std::string& symbol) { return !symbol.empty() && symbol.rfind("__", 0) != 0; }

std::string FirstLine(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string IfThere(const std::filesystem::path& path) { return std::filesystem::exists(path) ? path.string() : ""; }

}  // namespace

absl::StatusOr<lockdep::OrderGraph> ImportLockdep(const LockdepFiles& files) {
  ASSIGN_OR_RETURN(const lockdep::ProcLockdep graph, lockdep::ReadProcLockdep(files.lockdep));
  std::optional<lockdep::ProcChains> chains;
  if (!files.chains.empty()) {
    ASSIGN_OR_RETURN(chains, lockdep::ReadProcChains(files.chains, &graph));
  }
  if (files.symbols.empty()) return lockdep::OrderGraphFromProc(graph, chains ? &*chains : nullptr, files.source);
  std::ifstream list(files.symbols);
  if (!list) {
    return absl::NotFoundError(
        absl::StrCat(files.symbols, " cannot be read; name the kernel's System.map, or leave --symbols out"));
  }
  const KernelSymbols symbols = KernelSymbols::ParseObjects(list);
  const auto symbol_of = [&](uint64_t address) { return ClassSymbol(symbols, address); };
  return lockdep::OrderGraphFromProc(graph, chains ? &*chains : nullptr, files.source, symbol_of);
}

std::string ClassSymbol(const KernelSymbols& objects, uint64_t key) {
  const std::string symbol = objects.Name(key);
  return SaysSomething(symbol) ? symbol : std::string();
}

std::string VmRecord(const std::string& folder, const std::string& file_system) {
  return IfThere(std::filesystem::path(folder) / (file_system + ".record.txtpb"));
}

absl::StatusOr<lockdep::OrderGraph> ImportVmResults(const std::string& folder) {
  const std::filesystem::path path(folder);
  if (!std::filesystem::exists(path / "lockdep.txt")) {
    return absl::NotFoundError(
        absl::StrCat(folder, " has no lockdep.txt: the machine did not come to its end; its console.log says why"));
  }
  return ImportLockdep({.lockdep = (path / "lockdep.txt").string(),
                        .chains = IfThere(path / "lockdep_chains.txt"),
                        .symbols = IfThere(path / "System.map"),
                        .source = absl::StrCat("kernel ", FirstLine(path / "release"))});
}

}  // namespace ordeal::bpf
