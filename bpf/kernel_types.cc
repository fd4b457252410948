#include "bpf/kernel_types.h"

#include <bpf/btf.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace ordeal::bpf {
namespace {

// A member by name, also in unnamed structures within.
const btf_member* FindMember(const btf* types, const btf_type* type, const std::string& name, uint32_t* bits) {
  const btf_member* members = btf_members(type);
  for (uint32_t i = 0; i < btf_vlen(type); ++i) {
    const uint32_t at = btf_member_bit_offset(type, i);
    const char* found = btf__name_by_offset(types, members[i].name_off);
    if (found != nullptr && name == found) {
      *bits += at;
      return &members[i];
    }
    const btf_type* inner = btf__type_by_id(types, members[i].type);
    if (found == nullptr || *found != '\0' || inner == nullptr || !btf_is_composite(inner)) continue;
    uint32_t within = *bits + at;
    if (const btf_member* member = FindMember(types, inner, name, &within); member != nullptr) {
      *bits = within;
      return member;
    }
  }
  return nullptr;
}

}  // namespace

void KernelTypes::Free::operator()(btf* types) const { btf__free(types); }

absl::StatusOr<KernelTypes> KernelTypes::Load() {
  KernelTypes types;
  types.kernel_.reset(btf__load_vmlinux_btf());
  if (types.kernel_ == nullptr) {
    return absl::UnavailableError(absl::StrCat("this kernel has no BTF that can be read (/sys/kernel/btf/vmlinux: ",
                                               strerror(errno), "); use one with CONFIG_DEBUG_INFO_BTF"));
  }
  if (access("/sys/kernel/btf/xfs", R_OK) == 0) types.xfs_.reset(btf__load_module_btf("xfs", types.kernel_.get()));
  return types;
}

bool KernelTypes::HasTracepoint(const std::string& name) const {
  const std::string type = "btf_trace_" + name;
  if (btf__find_by_name_kind(kernel_.get(), type.c_str(), BTF_KIND_TYPEDEF) > 0) return true;
  return xfs_ != nullptr && btf__find_by_name_kind(xfs_.get(), type.c_str(), BTF_KIND_TYPEDEF) > 0;
}

std::optional<uint32_t> KernelTypes::FieldOffset(const std::string& type, const std::string& field) const {
  int id = btf__find_by_name_kind(kernel_.get(), type.c_str(), BTF_KIND_STRUCT);
  uint32_t bits = 0;
  for (size_t start = 0; id > 0;) {
    const btf_type* found = btf__type_by_id(kernel_.get(), static_cast<uint32_t>(id));
    const size_t dot = field.find('.', start);
    if (found == nullptr || !btf_is_composite(found)) return std::nullopt;
    const btf_member* member = FindMember(kernel_.get(), found, field.substr(start, dot - start), &bits);
    if (member == nullptr) return std::nullopt;
    if (dot == std::string::npos) return bits / 8;
    id = btf__resolve_type(kernel_.get(), member->type);
    start = dot + 1;
  }
  return std::nullopt;
}

}  // namespace ordeal::bpf
