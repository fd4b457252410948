#include "lockdep/trace/player.h"

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {

Player::~Player() {
  for (TaskState& task : tasks_) {
    if (task.context != nullptr) validator_.Detach(*task.context);
  }
}

Player::TaskState& Player::StateOf(uint32_t task) {
  while (tasks_.size() <= task) tasks_.emplace_back();
  TaskState& state = tasks_[task];
  if (state.context == nullptr) {
    state.context = std::make_unique<TaskContext>(symbols_.task_name(task).c_str(), task + 1);  // 0 names no task
    validator_.Attach(*state.context);
    validator_.RememberAcquisitions(*state.context);
  }
  return state;
}

// Classes are registered in the order of the symbols, so that those of one name are numbered alike wherever they are counted.
LockClassId Player::ClassIdOf(uint32_t lock_class) {
  while (classes_.size() <= lock_class) {
    const uint32_t next = static_cast<uint32_t>(classes_.size());
    const TraceClass& row = symbols_.class_row(next);
    classes_.push_back(validator_.RegisterKey(next + 1, row.name, row.options));
  }
  return classes_[lock_class];
}

LockMap& Player::MapOf(uint32_t lock) {
  if (lock >= mapped_.size()) mapped_.resize(lock + 1);
  while (maps_.size() <= lock) maps_.emplace_back();
  if (!mapped_[lock]) {
    mapped_[lock] = true;
    const TraceLock& row = symbols_.lock_row(lock);
    maps_[lock] = validator_.NewMap(ClassIdOf(row.lock_class), symbols_.lock_name(lock).c_str(), 0, row.order_key);
  }
  return maps_[lock];
}

FsReclaim& Player::Reclaim() {
  if (reclaim_ == nullptr) reclaim_ = std::make_unique<FsReclaim>(validator_);
  return *reclaim_;
}

void Player::Play(const LockEvent& event) {
  ++events_;
  TaskState& task = StateOf(event.task);
  const Site site = symbols_.SiteOf(event.site);
  if (task.requested) {
    task.requested = false;
    if (event.op != EventOp::kAcquire || event.object != task.request.object) {
      Acquire(task, task.request, symbols_.SiteOf(task.request.site));  // it went on without: the request returned unseen
    }
  }
  switch (event.op) {
    case EventOp::kAcquire: Acquire(task, event, site); break;
    case EventOp::kRelease: validator_.Release(*task.context, MapOf(event.object), site); break;
    case EventOp::kRead:
    case EventOp::kWrite:
    case EventOp::kMark:
    case EventOp::kTryFailed: break;
    default: PlayLock(task, event, site); break;
  }
}

void Player::Finish() {
  for (TaskState& task : tasks_) {
    if (!task.requested) continue;
    task.requested = false;
    Acquire(task, task.request, symbols_.SiteOf(task.request.site));
  }
}

void Player::Acquire(TaskState& task, const LockEvent& event, Site site) {
  LockMap& map = MapOf(event.object);
  if ((event.flags & kFlagOrderKey) != 0) map.order_key = event.argument;
  AcquireOptions options;
  options.subclass = event.subclass;
  options.trylock = event.trylock();
  options.site = site;
  options.check = (event.flags & (kFlagUnchecked | kFlagTimed)) == 0;
  if (event.nest != kNoIndex) {
    options.nest = &MapOf(event.nest);
  } else if (task.ww_map != nullptr && map.lock_class == ClassIdOf(task.ww_class)) {
    options.nest = task.ww_map.get();
  }
  if ((event.flags & kFlagSync) != 0) {
    validator_.Sync(*task.context, map, event.mode, options);
    return;
  }
  if (validator_.classes().at(map.lock_class).options.kind != nullptr) {
    validator_.AcquireMode(*task.context, map, event.lock_mode, options);
    return;
  }
  const bool recursive = symbols_.lock_row(event.object).recursive && task.context->Holds(map);
  if (recursive) options.check = false;  // its owner takes it again: counted, not judged
  validator_.Acquire(*task.context, map, event.mode, options);
}

void Player::Init(TaskContext& task, const LockEvent& event, Site site) {
  LockMap& map = MapOf(event.object);
  validator_.Reinitialised(task, map, site);
  const TraceLock& row = symbols_.lock_row(event.object);
  const uint32_t lock_class = event.lock_class == kNoIndex ? row.lock_class : event.lock_class;
  const uint64_t order_key = (event.flags & kFlagOrderKey) != 0 ? event.argument : row.order_key;
  map = validator_.NewMap(ClassIdOf(lock_class), symbols_.lock_name(event.object).c_str(), 0, order_key);
}

void Player::PlayLock(TaskState& task, const LockEvent& event, Site site) {
  TaskContext& context = *task.context;
  switch (event.op) {
    case EventOp::kRequest:
      task.request = event;
      task.requested = true;
      break;
    case EventOp::kDowngrade:
      validator_.Downgrade(context, MapOf(event.object),
                           event.mode == Mode::kExclusive ? Mode::kShared : event.mode, site);
      break;
    case EventOp::kSetClass:
      validator_.SetClass(context, MapOf(event.object), ClassIdOf(event.lock_class), event.subclass, site);
      break;
    case EventOp::kInit: Init(context, event, site); break;
    case EventOp::kDestroy:
    case EventOp::kFreed:
      validator_.MemoryFreed(context, &MapOf(event.object), sizeof(LockMap), site);
      validator_.ForgetEvent(MapOf(event.object));
      break;
    default: PlayAssertion(context, event, site); break;
  }
}

void Player::PlayAssertion(TaskContext& task, const LockEvent& event, Site site) {
  switch (event.op) {
    case EventOp::kPin:
      cookies_[{event.object, event.argument}] = validator_.Pin(task, MapOf(event.object), site);
      break;
    case EventOp::kUnpin: {
      const auto cookie = cookies_.find({event.object, event.argument});
      validator_.Unpin(task, MapOf(event.object), cookie == cookies_.end() ? ~0u : cookie->second, site);
      if (cookie != cookies_.end()) cookies_.erase(cookie);
      break;
    }
    case EventOp::kAssertHeld: validator_.AssertHeld(task, MapOf(event.object), site); break;
    case EventOp::kAssertExclusive: validator_.AssertHeldExclusive(task, MapOf(event.object), site); break;
    case EventOp::kAssertShared: validator_.AssertHeldShared(task, MapOf(event.object), site); break;
    case EventOp::kAssertNotHeld: validator_.AssertNotHeld(task, MapOf(event.object), site); break;
    case EventOp::kAssertClassNotHeld: validator_.AssertClassNotHeld(task, ClassIdOf(event.object), site); break;
    case EventOp::kUnregisterClass:
      validator_.UnregisterClass(task, ClassIdOf(event.object), site);
      // Its next use is another class.
      classes_[event.object] = validator_.RegisterKey(event.object + 1, symbols_.class_row(event.object).name,
                                                      symbols_.class_row(event.object).options);
      break;
    default: PlayEvent(task, event, site); break;
  }
}

void Player::PlayEvent(TaskContext& task, const LockEvent& event, Site site) {
  AcquireOptions options;
  options.subclass = event.subclass;
  options.site = site;
  options.check = (event.flags & (kFlagUnchecked | kFlagTimed)) == 0;
  switch (event.op) {
    case EventOp::kEventRequest: validator_.Arm(task, MapOf(event.object)); break;
    case EventOp::kEventBlocked: validator_.BeginWait(task, MapOf(event.object), options); break;
    case EventOp::kArrive:
    case EventOp::kDepart: PlayBarrier(StateOf(event.task), event, options); break;
    case EventOp::kEventWait:
      validator_.BeginWait(task, MapOf(event.object), options);
      validator_.EndWait(task, MapOf(event.object));
      break;
    case EventOp::kEventTrigger: validator_.Trigger(task, MapOf(event.object), site, event.subclass); break;
    case EventOp::kOwe: validator_.Owe(task, MapOf(event.object), site, event.subclass); break;
    case EventOp::kDisown: validator_.Release(task, MapOf(event.object), site); break;
    case EventOp::kDown:
    case EventOp::kUp: PlaySemaphore(StateOf(event.task), event, site); break;
    default: PlayTask(StateOf(event.task), event, site); break;
  }
}

void Player::PlayBarrier(TaskState& task, const LockEvent& event, const AcquireOptions& options) {
  std::shared_ptr<BarrierPhase>& newest = barriers_[event.object];
  if (event.op == EventOp::kArrive) {
    if (newest == nullptr || !newest->open) newest = std::make_shared<BarrierPhase>();
    newest->arrivals.emplace_back(event.task, std::make_unique<LockMap>(MapOf(event.object)));
    task.arrived = newest;
    validator_.Trigger(*task.context, *newest->arrivals.back().second, options.site, event.subclass);
    return;
  }
  const std::shared_ptr<BarrierPhase> phase = std::move(task.arrived);
  if (phase == nullptr) return;  // its arrival is not in the trace
  phase->open = false;
  for (const auto& [other, arrival] : phase->arrivals) {
    if (other == event.task) continue;
    validator_.BeginWait(*task.context, *arrival, options);
    validator_.EndWait(*task.context, *arrival);
  }
  if (phase.use_count() > (newest == phase ? 2 : 1)) return;
  for (const auto& [other, arrival] : phase->arrivals) validator_.ForgetEvent(*arrival);  // all have departed
  if (newest == phase) newest.reset();
}

void Player::PlaySemaphore(TaskState& task, const LockEvent& event, Site site) {
  const bool mutex = symbols_.lock_row(event.object).count == 1;
  LockMap& map = MapOf(event.object);
  if (event.op == EventOp::kDown && mutex) {
    LockEvent acquire = event;
    acquire.op = EventOp::kAcquire;
    Acquire(task, acquire, site);
  } else if (event.op == EventOp::kDown) {
    const bool waits = !event.trylock() && (event.flags & kFlagTimed) == 0;
    validator_.BeginWait(*task.context, map, {.site = site, .check = waits});
    validator_.EndWait(*task.context, map);
  } else if (task.context->Holds(map)) {
    validator_.Release(*task.context, map, site);
  } else {
    // Somebody else downed it, if anybody: it passes on, and whoever waits for it waits for this task.
    for (TaskState& other : tasks_) {
      if (other.context == nullptr || !other.context->Holds(map)) continue;
      validator_.HandOver(*other.context, map);
      break;
    }
    validator_.Trigger(*task.context, map, site);
  }
}

void Player::PlayTask(TaskState& task, const LockEvent& event, Site site) {
  switch (event.op) {
    case EventOp::kFork:
      StateOf(event.object);
      validator_.Fork(ContextOf(event.task), event.object + 1);
      break;
    case EventOp::kJoin: validator_.Join(ContextOf(event.task), event.object + 1); break;
    case EventOp::kJoinBlocked:
    case EventOp::kTaskBegin: break;
    case EventOp::kTaskExit:
    case EventOp::kUserReturn: validator_.TaskExit(*task.context, site); break;
    case EventOp::kWwBegin:
    case EventOp::kWwDone:
    case EventOp::kWwEnd: PlayWoundWait(task, event, site); break;
    default: PlayContext(*task.context, event, site); break;
  }
}

void Player::PlayContext(TaskContext& task, const LockEvent& event, Site site) {
  switch (event.op) {
    // A handler runs with its own kind of interrupt off.
    case EventOp::kHardirqEnter:
      validator_.DisableHardirqs(task);
      validator_.EnterHardirq(task, (event.flags & kFlagThreaded) != 0);
      break;
    case EventOp::kHardirqExit:
      validator_.LeaveHardirq(task);
      validator_.EnableHardirqs(task, site);
      break;
    case EventOp::kSoftirqEnter:
      validator_.DisableSoftirqs(task);
      validator_.EnterSoftirq(task);
      break;
    case EventOp::kSoftirqExit:
      validator_.LeaveSoftirq(task);
      validator_.EnableSoftirqs(task, site);
      break;
    case EventOp::kHardirqsOff: validator_.DisableHardirqs(task); break;
    case EventOp::kHardirqsOn: validator_.EnableHardirqs(task, site); break;
    case EventOp::kSoftirqsOff: validator_.DisableSoftirqs(task); break;
    case EventOp::kSoftirqsOn: validator_.EnableSoftirqs(task, site); break;
    case EventOp::kReclaimEnter: Reclaim().ReclaimBegin(task, site); break;
    case EventOp::kReclaimExit: Reclaim().ReclaimEnd(task, site); break;
    default: PlayMemory(StateOf(event.task), event, site); break;
  }
}

void Player::PlayMemory(TaskState& task, const LockEvent& event, Site site) {
  const auto save = [&](FsReclaim::Scope scope) {
    task.scopes.emplace_back(scope, FsReclaim::Save(*task.context, scope));
  };
  const auto restore = [&](FsReclaim::Scope scope) {
    for (size_t i = task.scopes.size(); i-- > 0;) {
      if (task.scopes[i].first != scope) continue;
      FsReclaim::Restore(*task.context, scope, task.scopes[i].second);
      task.scopes.erase(task.scopes.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  };
  switch (event.op) {
    case EventOp::kAlloc: {
      if ((event.argument & kAllocNolockdep) != 0) break;
      const Gfp gfp{(event.argument & kAllocReclaim) != 0, (event.argument & kAllocFs) != 0,
                    (event.argument & kAllocIo) != 0};
      Reclaim().Alloc(*task.context, gfp, site);
      break;
    }
    case EventOp::kNofsSave: save(FsReclaim::kNoFs); break;
    case EventOp::kNofsRestore: restore(FsReclaim::kNoFs); break;
    case EventOp::kNoioSave: save(FsReclaim::kNoIo); break;
    case EventOp::kNoioRestore: restore(FsReclaim::kNoIo); break;
    case EventOp::kMemallocSave: save(FsReclaim::kMemalloc); break;
    case EventOp::kMemallocRestore: restore(FsReclaim::kMemalloc); break;
    default: break;
  }
}

void Player::PlayWoundWait(TaskState& task, const LockEvent& event, Site site) {
  if (event.op == EventOp::kWwBegin) {
    if (task.ww_map != nullptr) validator_.Release(*task.context, *task.ww_map, site);
    const LockClassId acquire_class =
        validator_.RegisterClass(absl::StrCat(symbols_.class_row(event.object).name, "_acquire"));
    task.ww_class = event.object;
    task.ww_map = std::make_unique<LockMap>(validator_.NewMap(acquire_class));
    validator_.Acquire(*task.context, *task.ww_map, Mode::kExclusive, {.site = site});
  } else if (event.op == EventOp::kWwEnd && task.ww_map != nullptr) {
    validator_.Release(*task.context, *task.ww_map, site);
    task.ww_map = nullptr;
    task.ww_class = kNoIndex;
  }
}

}  // namespace ordeal::lockdep
