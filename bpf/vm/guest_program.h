// A static program that is to run inside the virtual machine, on the mounted file systems: a reproducer of corpora/kernel, say.
//
// It runs as PROGRAM DIRECTORY [ARGUMENT...] and answers by its exit status: 0 not reproduced, 1 reproduced, anything else: it
// could not be tried there.
//
// Thread-safety: none needed; a value and functions without state.
// Example:       ASSIGN_OR_RETURN(const GuestProgram program, ParseGuestProgram("out/iomap-short-write 100"));
#ifndef ORDEAL_BPF_VM_GUEST_PROGRAM_H_
#define ORDEAL_BPF_VM_GUEST_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ordeal::bpf {

struct GuestProgram {
  std::string path;                    // of the host
  std::string name;                    // its last part: the program's name in the machine, and of its results
  std::vector<std::string> arguments;  // after the directory
};

// Path and arguments, separated by spaces. InvalidArgument: no such file, not executable, not an x86-64 program, not static, or a
// name or an argument with characters that a shell or a file name would take for something else.
absl::StatusOr<GuestProgram> ParseGuestProgram(absl::string_view words);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_VM_GUEST_PROGRAM_H_
