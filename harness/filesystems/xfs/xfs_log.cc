#include "harness/filesystems/xfs/xfs_log.h"

#include <algorithm>

#include "harness/filesystems/xfs/xfs_ilock.h"

namespace ordeal {

using pagecache::Inode;

XfsLog::XfsLog(Simulation& sim, int units)
    : sim_(sim),
      free_units_(units),
      space_(sim, sim.Class("xfs_log_space", {.is_event = true}), "log space"),
      work_(sim, sim.Class("xfs_ail_work", {.is_event = true}), "AIL work") {}

void XfsLog::Reserve(lockdep::Site site) {
  ++waiting_;
  if (free_units_ == 0) work_.WakeAll();
  space_.WaitUntil([this] { return free_units_ > 0; }, site);
  --waiting_;
  if (--free_units_ == 0) work_.WakeAll();  // who has come meanwhile found some left
}

void XfsLog::Commit(Inode& inode) {
  const auto at = std::find(ail_.begin(), ail_.end(), &inode);
  if (at == ail_.end()) {
    ail_.push_back(&inode);
    work_.WakeAll();
    return;
  }
  std::rotate(at, at + 1, ail_.end());
  ++free_units_;  // what it occupied before
  space_.WakeAll();
}

bool XfsLog::InAil(const Inode& inode) const { return std::find(ail_.begin(), ail_.end(), &inode) != ail_.end(); }

void XfsLog::RunAild() {
  space_.set_trigger(sim_.scheduler().current());
  for (;;) {
    work_.WaitUntil([this] { return waiting_ > 0 && free_units_ == 0 && !ail_.empty(); });
    Inode& oldest = *ail_.front();
    XfsIlock(oldest, kXfsIlockShared);
    const auto at = std::find(ail_.begin(), ail_.end(), &oldest);
    if (at != ail_.end()) {
      ail_.erase(at);
      ++free_units_;
    }
    XfsIunlock(oldest, kXfsIlockShared);
    space_.WakeAll();
  }
}

}  // namespace ordeal
