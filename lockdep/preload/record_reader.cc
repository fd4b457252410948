#include "lockdep/preload/record_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lockdep/preload/record_file.h"
#include "lockdep/preload/source_lookup.h"
#include "lockdep/support/status_macros.h"
#include "lockdep/trace/own_format.h"

namespace ordeal::lockdep {
namespace {

constexpr size_t kWriteBytes = 1 << 20;
constexpr uint8_t kSemaphore = 3;  // PthreadKind
constexpr uint8_t kBarrier = 5, kSignal = 6, kCondition = 7;

absl::Status Failed(absl::string_view what, const std::string& path) {
  return absl::InternalError(absl::StrCat(what, " '", path, "': ", std::strerror(errno)));
}

class MappedRecord {
 public:
  explicit MappedRecord(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    void* mapping = mmap(nullptr, RecordHeader::kFileBytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    if (mapping != MAP_FAILED) header_ = static_cast<const RecordHeader*>(mapping);
  }
  ~MappedRecord() {
    if (header_ != nullptr) munmap(const_cast<RecordHeader*>(header_), RecordHeader::kFileBytes);
  }
  MappedRecord(const MappedRecord&) = delete;
  MappedRecord& operator=(const MappedRecord&) = delete;
  const RecordHeader* header() const { return header_; }
  uint64_t chunks() const { return std::min(header_->chunks.load(std::memory_order_acquire), RecordHeader::kChunks); }
  const RecordChunk& chunk(uint64_t i) const {
    return *reinterpret_cast<const RecordChunk*>(reinterpret_cast<const char*>(header_) + (i + 1) * RecordChunk::kBytes);
  }

 private:
  const RecordHeader* header_ = nullptr;
};

uint32_t UsedOf(const RecordChunk& chunk) {
  return std::min(chunk.used.load(std::memory_order_acquire), RecordChunk::kSlots);
}

// The slots behind a text's first one that it fills; more than are there if it is damaged.
uint64_t SlotsOfText(const RecordSlot& slot) {
  return slot.argument / sizeof(RecordSlot) + (slot.argument % sizeof(RecordSlot) != 0 ? 1 : 0);
}

// What one task did, in order.
struct Stream {
  uint32_t process = 0;
  uint32_t thread = 0;
  std::vector<const RecordChunk*> chunks;
  size_t chunk = 0;
  uint32_t slot = 0;

  // The next event, null at the end. Texts are passed over.
  const RecordSlot* Peek() {
    while (chunk < chunks.size()) {
      const RecordChunk& at = *chunks[chunk];
      if (slot >= UsedOf(at)) {
        ++chunk;
        slot = 0;
      } else if (at.slots[slot].op == kRecordText) {
        slot += static_cast<uint32_t>(std::min<uint64_t>(SlotsOfText(at.slots[slot]) + 1, RecordChunk::kSlots));
      } else {
        return &at.slots[slot];
      }
    }
    return nullptr;
  }
};

class Recording {
 public:
  Recording(const MappedRecord& file, bool lines) : lookup_(lines) {
    std::map<std::pair<uint32_t, uint32_t>, Stream> streams;
    for (uint64_t i = 0; i < file.chunks(); ++i) {
      const RecordChunk& chunk = file.chunk(i);
      if (UsedOf(chunk) == 0 || chunk.process == 0) continue;
      parents_[chunk.process] = chunk.parent;
      Stream& stream = streams[{chunk.process, chunk.thread}];
      stream.process = chunk.process;
      stream.thread = chunk.thread;
      stream.chunks.push_back(&chunk);
      CollectTexts(chunk);
    }
    for (auto& [key, stream] : streams) streams_.push_back(std::move(stream));
    lookup_.Resolve();
    for (auto& [key, text] : texts_) text = lookup_.Rewrite(text);
  }

  // In the order of tickets.
  void ForEach(absl::FunctionRef<void(const Stream& task, const RecordSlot& slot)> visit) const {
    std::vector<Stream> streams = streams_;
    std::priority_queue<std::pair<uint64_t, size_t>, std::vector<std::pair<uint64_t, size_t>>, std::greater<>> next;
    for (size_t i = 0; i < streams.size(); ++i) {
      if (const RecordSlot* slot = streams[i].Peek()) next.push({slot->ticket, i});
    }
    while (!next.empty()) {
      Stream& stream = streams[next.top().second];
      const size_t number = next.top().second;
      next.pop();
      visit(stream, *stream.Peek());
      ++stream.slot;
      if (const RecordSlot* slot = stream.Peek()) next.push({slot->ticket, number});
    }
  }

  // What the process, or one that it is a copy of, called it; empty if nobody did.
  const std::string& TextOf(uint32_t process, RecordText kind, uint64_t id) const {
    static const std::string none;
    for (int depth = 0; process != 0 && depth < 1000; ++depth) {
      const auto found = texts_.find({process, kind, id});
      if (found != texts_.end()) return found->second;
      process = ParentOf(process);
    }
    return none;
  }
  uint32_t ParentOf(uint32_t process) const {
    const auto parent = parents_.find(process);
    return parent == parents_.end() ? 0 : parent->second;
  }

 private:
  void CollectTexts(const RecordChunk& chunk) {
    const uint32_t used = UsedOf(chunk);
    for (uint32_t i = 0; i < used; ++i) {
      const RecordSlot& slot = chunk.slots[i];
      if (slot.op != kRecordText) continue;
      const uint64_t slots = SlotsOfText(slot);
      if (slots > used - i - 1) return;  // damaged
      std::string text(reinterpret_cast<const char*>(&slot + 1), slot.argument);
      lookup_.Collect(text);
      texts_[{chunk.process, static_cast<RecordText>(slot.mode), slot.site}] = std::move(text);
      i += static_cast<uint32_t>(slots);
    }
  }

  SourceLookup lookup_;
  std::vector<Stream> streams_;
  std::map<uint32_t, uint32_t> parents_;
  std::map<std::tuple<uint32_t, RecordText, uint64_t>, std::string> texts_;
};

// "db.c:12 (Flush)" -> "db.c:12", which a trace's reader takes apart; a place without a line stays as it is.
absl::string_view PlaceOf(absl::string_view text) {
  const size_t blank = text.find(" (");
  if (blank == absl::string_view::npos || blank == 0) return text;
  if (!absl::ascii_isdigit(static_cast<unsigned char>(text[blank - 1]))) return text;
  return text.substr(0, blank).find(':') == absl::string_view::npos ? text : text.substr(0, blank);
}

// "thread 3 (worker)" -> "worker"
absl::string_view RoleOf(absl::string_view thread_name) {
  const size_t begin = thread_name.find('(');
  if (begin == absl::string_view::npos) return "";
  return thread_name.substr(begin + 1, thread_name.rfind(')') - begin - 1);
}

class Translator {
 public:
  explicit Translator(const Recording& recording) : recording_(recording) {
    recording_.ForEach([this](const Stream& task, const RecordSlot& slot) { FollowSemaphore(task, slot); });
  }

  const TraceSymbols& symbols() const { return symbols_; }
  // False for what is no event of the trace.
  bool Translate(const Stream& task, const RecordSlot& slot, LockEvent* event);

 private:
  struct Lock {
    RecordSlot declaration;
    uint32_t process = 0;  // that declared it
  };
  struct Semaphore {
    std::pair<uint32_t, uint32_t> holder;
    bool held = false;
    bool signals = false;
  };
  using LockKey = std::pair<uint32_t, uint32_t>;  // process, ordinal

  const Lock* Find(uint32_t process, uint32_t ordinal) const {
    for (int depth = 0; process != 0 && depth < 1000; ++depth) {
      const auto found = locks_.find({process, ordinal});
      if (found != locks_.end()) return &found->second;
      process = recording_.ParentOf(process);
    }
    return nullptr;
  }
  void FollowSemaphore(const Stream& task, const RecordSlot& slot);
  uint32_t TaskOf(uint32_t process, uint32_t thread);
  uint32_t LockOf(uint32_t process, uint32_t ordinal);
  uint32_t ClassOf(const std::string& name, uint8_t kind);

  const Recording& recording_;
  TraceSymbols symbols_;
  std::map<LockKey, Lock> locks_;
  std::map<LockKey, Semaphore> semaphores_;
  std::map<LockKey, uint32_t> lock_numbers_, task_numbers_;
};

std::string Prefix(uint32_t process) { return process == 1 ? "" : absl::StrCat("p", process, "."); }

// The first pass: declarations, and who takes and who posts.
void Translator::FollowSemaphore(const Stream& task, const RecordSlot& slot) {
  const std::pair<uint32_t, uint32_t> who = {task.process, task.thread};
  if (slot.op == kRecordDeclareLock) {
    locks_[{task.process, slot.object}] = {slot, task.process};
  } else if (slot.op == static_cast<uint8_t>(EventOp::kDown)) {
    Semaphore& semaphore = semaphores_[{task.process, slot.object}];
    semaphore.signals = semaphore.signals || semaphore.held;
    semaphore.held = true;
    semaphore.holder = who;
  } else if (slot.op == static_cast<uint8_t>(EventOp::kUp)) {
    Semaphore& semaphore = semaphores_[{task.process, slot.object}];
    semaphore.signals = semaphore.signals || !semaphore.held || semaphore.holder != who;
    semaphore.held = false;
  }
}

uint32_t Translator::TaskOf(uint32_t process, uint32_t thread) {
  const auto [entry, added] = task_numbers_.try_emplace({process, thread}, 0);
  if (!added) return entry->second;
  const uint32_t task = symbols_.Task(absl::StrCat(Prefix(process), thread == 0 ? "main" : absl::StrCat("T", thread)));
  const absl::string_view role = RoleOf(recording_.TextOf(process, RecordText::kThread, thread));
  if (!role.empty()) symbols_.SetRole(task, role);
  return entry->second = task;
}

uint32_t Translator::LockOf(uint32_t process, uint32_t ordinal) {
  const auto [entry, added] = lock_numbers_.try_emplace({process, ordinal}, kNoIndex);
  if (!added) return entry->second;
  const Lock* lock = Find(process, ordinal);
  if (lock == nullptr) return kNoIndex;  // the declaration did not fit
  const uint64_t argument = lock->declaration.argument;
  std::string class_name = recording_.TextOf(lock->process, RecordText::kClass, argument & 0xffffffffu);
  if (class_name.empty()) class_name = absl::StrCat("class", argument & 0xffffffffu);
  const uint32_t instance = static_cast<uint32_t>(argument >> 32);
  uint32_t count = 1;
  if (lock->declaration.mode == kSemaphore || lock->declaration.mode == kSignal) {
    count = static_cast<uint32_t>(lock->declaration.site);
    if (count == 1 && semaphores_[{process, ordinal}].signals) count = 0;
  }
  const std::string name =
      absl::StrCat(Prefix(process), class_name, instance == 0 ? "" : absl::StrCat("[", instance, "]"));
  return entry->second = symbols_.DeclareLock(name, ClassOf(class_name, lock->declaration.mode), 0, count);
}

uint32_t Translator::ClassOf(const std::string& name, uint8_t kind) {
  const uint32_t lock_class = symbols_.Class(name);
  if (kind == kBarrier || kind == kSignal || kind == kCondition) symbols_.DeclareClass(lock_class, name, {.is_event = true});
  return lock_class;
}

bool Translator::Translate(const Stream& task, const RecordSlot& slot, LockEvent* event) {
  *event = {};
  if (slot.op == kRecordForked) {
    event->op = EventOp::kFork;
    event->task = TaskOf(recording_.ParentOf(task.process), slot.object);
    event->object = TaskOf(task.process, task.thread);
    return true;
  }
  if (slot.op >= kEventOps || slot.mode > static_cast<uint8_t>(Mode::kSharedRecursive)) return false;
  event->op = static_cast<EventOp>(slot.op);
  event->mode = static_cast<Mode>(slot.mode);
  event->subclass = std::min<uint8_t>(slot.subclass, kSubclasses - 1);
  event->flags = slot.flags & (kFlagTrylock | kFlagUnchecked | kFlagTimed);
  event->task = TaskOf(task.process, task.thread);
  if (ObjectOf(event->op) == ObjectKind::kLock) event->object = LockOf(task.process, slot.object);
  if (ObjectOf(event->op) == ObjectKind::kTask) event->object = TaskOf(task.process, slot.object);
  if (ObjectOf(event->op) != ObjectKind::kNone && event->object == kNoIndex) return false;
  if (slot.site != 0) {
    const std::string& place = recording_.TextOf(task.process, RecordText::kSite, slot.site);
    if (!place.empty()) event->site = symbols_.SiteIndex(PlaceOf(place));
  }
  return true;
}

}  // namespace

absl::Status CreateRecordFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("cannot create the recording's file", path);
  const bool made = ftruncate(fd, static_cast<off_t>(RecordHeader::kFileBytes)) == 0 &&
                    pwrite(fd, RecordHeader::kMagic, sizeof RecordHeader::kMagic, 0) == sizeof RecordHeader::kMagic;
  close(fd);
  return made ? absl::OkStatus() : Failed("cannot write the recording's file", path);
}

absl::StatusOr<RecordTotals> WriteRecording(const std::string& record_file, const std::string& trace_file, bool lines) {
  const MappedRecord file(record_file);
  if (file.header() == nullptr) return Failed("cannot read the recording's file", record_file);
  std::ofstream out(trace_file, std::ios::binary | std::ios::trunc);
  const Recording recording(file, lines);
  Translator translator(recording);
  std::string text;
  OwnFormatWriter writer(&translator.symbols(), &text);
  RecordTotals totals;
  totals.processes = file.header()->processes.load(std::memory_order_relaxed);
  totals.lost = file.header()->lost.load(std::memory_order_relaxed);
  recording.ForEach([&](const Stream& task, const RecordSlot& slot) {
    LockEvent event;
    if (!translator.Translate(task, slot, &event)) return;
    writer.Append(event);
    ++totals.events;
    if (text.size() < kWriteBytes) return;
    out << text;
    text.clear();
  });
  out << text;
  out.flush();
  if (!out) return Failed("cannot write", trace_file);
  return totals;
}

}  // namespace ordeal::lockdep
