// The texts of bpf/class_maps/*.txtpb, which the build makes strings of. Read them through class_map.h.
//
// Thread-safety: constants.
#ifndef ORDEAL_BPF_CLASS_MAPS_H_
#define ORDEAL_BPF_CLASS_MAPS_H_

#include <utility>
#include <vector>

namespace ordeal::bpf {

extern const char kBtrfsClassMap[];
extern const char kExt4ClassMap[];
extern const char kGfs2ClassMap[];
extern const char kOcfs2ClassMap[];
extern const char kXfsClassMap[];

// File system, text.
inline std::vector<std::pair<const char*, const char*>> BuiltInClassMapTexts() {
  return {{"btrfs", kBtrfsClassMap}, {"ext4", kExt4ClassMap}, {"gfs2", kGfs2ClassMap}, {"ocfs2", kOcfs2ClassMap},
          {"xfs", kXfsClassMap}};
}

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_CLASS_MAPS_H_
