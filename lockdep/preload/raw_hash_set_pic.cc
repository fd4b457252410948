// What absl/container/internal/raw_hash_set.cc defines, for a shared library: Debian builds its libabsl_raw_hash_set.a with
// thread-local storage that only an executable can have. The seed may be fixed: nothing here iterates a hash table.
#include "absl/container/internal/raw_hash_set.h"

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace container_internal {

alignas(16) ABSL_CONST_INIT ABSL_DLL const ctrl_t kEmptyGroup[16] = {
    ctrl_t::kSentinel, ctrl_t::kEmpty, ctrl_t::kEmpty, ctrl_t::kEmpty, ctrl_t::kEmpty, ctrl_t::kEmpty,
    ctrl_t::kEmpty,    ctrl_t::kEmpty, ctrl_t::kEmpty, ctrl_t::kEmpty, ctrl_t::kEmpty, ctrl_t::kEmpty,
    ctrl_t::kEmpty,    ctrl_t::kEmpty, ctrl_t::kEmpty, ctrl_t::kEmpty};

template FindInfo find_first_non_full(const ctrl_t*, size_t, size_t);

bool ShouldInsertBackwards(size_t, const ctrl_t*) { return false; }

// A group's special bytes (empty, deleted, sentinel) become empty and its full bytes deleted; the clones at the end and the
// sentinel are written again.
void ConvertDeletedToEmptyAndFullToDeleted(ctrl_t* ctrl, size_t capacity) {
  for (size_t i = 0; i != capacity; ++i) ctrl[i] = IsFull(ctrl[i]) ? ctrl_t::kDeleted : ctrl_t::kEmpty;
  for (size_t i = 0; i != NumClonedBytes(); ++i) ctrl[capacity + 1 + i] = i < capacity ? ctrl[i] : ctrl_t::kEmpty;
  ctrl[capacity] = ctrl_t::kSentinel;
}

}  // namespace container_internal
ABSL_NAMESPACE_END
}  // namespace absl
