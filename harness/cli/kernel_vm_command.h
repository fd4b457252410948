// `ordeal kernel run --vm`: the workload on real file systems under a lockdep kernel in a virtual machine.
//
// Thread-safety: none.
// Example:       return RunKernelVm({.file_systems = "xfs,gfs2", .kernel = image, .out = "vm"});
#ifndef ORDEAL_HARNESS_CLI_KERNEL_VM_COMMAND_H_
#define ORDEAL_HARNESS_CLI_KERNEL_VM_COMMAND_H_

#include <string>
#include <vector>

namespace ordeal {

// As words of the command line.
struct KernelVmArguments {
  std::string file_systems;  // "xfs,ext4"
  std::string seed;
  std::string time;
  std::string kernel;   // empty: the newest that ci/lockdep-kernel has built
  std::string faults;   // "failslab,fail_page_alloc"; empty: none
  std::string out;      // empty: "ordeal-vm"
  std::vector<std::string> programs;  // each: FILE [ARGUMENT...]; run instead of the workload
  std::string without;  // operations that are left out, "remap,fork"
  bool record = true;   // the orders that eBPF sees, too
  bool json = false;
};

// The exit status.
int RunKernelVm(const KernelVmArguments& arguments);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_KERNEL_VM_COMMAND_H_
