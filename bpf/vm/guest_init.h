// The scripts of the virtual machine, guest_init.sh (its first program) and guest_workload.sh: the build makes strings of them.
//
// Thread-safety: constants.
#ifndef ORDEAL_BPF_VM_GUEST_INIT_H_
#define ORDEAL_BPF_VM_GUEST_INIT_H_

namespace ordeal::bpf {

extern const char kGuestInit[];
extern const char kGuestWorkload[];

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_VM_GUEST_INIT_H_
