// The first program of the virtual machine: the text of guest_init.sh, which the build makes a string of.
//
// Thread-safety: a constant.
#ifndef ORDEAL_BPF_VM_GUEST_INIT_H_
#define ORDEAL_BPF_VM_GUEST_INIT_H_

namespace ordeal::bpf {

extern const char kGuestInit[];

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_VM_GUEST_INIT_H_
