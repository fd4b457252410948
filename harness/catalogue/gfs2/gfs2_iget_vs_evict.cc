// B63: a lookup by inode number takes the glock and then waits for the end of the inode's eviction, which waits for the glock.
#include <memory>
#include <optional>

#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/filesystems/gfs2/gfs2.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

class IgetVsEvict final : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    if (fs_ == nullptr) {
      fs_ = run.spec().filesystem_type.make(run.spec().bugs);
      LD_CHECK(fs_ != nullptr, "Registry::Resolve checks the file system and its bugs");
      world_.emplace(run.sim(), *fs_, pagecache::WorldOptions{.nodes = run.spec().filesystem_type.nodes});
    }
    world_->BeginRun();
    pagecache::Inode& file = world_->CreateFile({});
    Scheduler& scheduler = run.sim().scheduler();
    const auto spawn = [&](const char* name, auto body) { world_->BindTask(scheduler.Spawn(name, body), 0); };
    spawn("unlink", [this, &file] {
      world_->Unlink(file);
      world_->Iput(file);
    });
    for (const char* name : {"lookup", "other lookup"}) {
      spawn(name, [this, &file] {
        static_cast<const Gfs2&>(*fs_).Lookup(file);
        world_->scheduler().NoteProgress();
      });
    }
  }
  void Teardown() override { world_->EndRun(); }

 private:
  std::unique_ptr<pagecache::FileSystem> fs_;
  std::optional<pagecache::World> world_;
};

}  // namespace

ScenarioEntry Gfs2IgetVsEvictScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-iget-vs-evict";
  entry.summary = "a file is looked up by number while it is unlinked and evicted";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B63"};
  entry.make = [] { return std::make_unique<IgetVsEvict>(); };
  return entry;
}

}  // namespace ordeal
