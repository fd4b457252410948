#include "lockdep/trace/own_format.h"

#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lockdep/graph/lock_kind.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::lockdep {
namespace {

constexpr absl::string_view kMagic = "ordeal-lock-trace";
constexpr int kVersion = 1;

// The options an event may have, as bits.
constexpr uint32_t kMode = 1, kSub = 2, kOrder = 4, kNest = 8, kClass = 16, kCookie = 32, kStamp = 64;
constexpr uint32_t kTry = 128, kUnchecked = 256, kSync = 512, kTimed = 1024, kThreaded = 2048, kInterruptible = 4096;
constexpr uint32_t kAllocWords = 8192, kAs = 16384;

uint32_t OptionsOf(EventOp op) {
  switch (op) {
    case EventOp::kAcquire:
    case EventOp::kRequest:
      return kMode | kSub | kOrder | kNest | kTry | kUnchecked | kSync | kTimed | kInterruptible |
             kStamp | kAs;
    case EventOp::kTryFailed: return kMode | kSub;
    case EventOp::kDowngrade: return kMode;
    case EventOp::kSetClass: return kClass | kSub;
    case EventOp::kInit: return kClass | kOrder;
    case EventOp::kPin:
    case EventOp::kUnpin: return kCookie;
    case EventOp::kEventWait:
    case EventOp::kEventBlocked: return kTimed | kSub | kUnchecked;
    case EventOp::kEventRequest:
    case EventOp::kEventTrigger:
    case EventOp::kOwe:
    case EventOp::kDisown: return kSub;
    case EventOp::kDown: return kTry | kTimed;
    case EventOp::kHardirqEnter: return kThreaded;
    case EventOp::kAlloc: return kAllocWords;
    case EventOp::kWwBegin: return kStamp;
    default: return 0;
  }
}

struct FlagRow {
  const char* word;
  uint32_t option;
  uint8_t flag;
};
constexpr std::array<FlagRow, 6> kFlags = {{
    {"try", kTry, kFlagTrylock},
    {"unchecked", kUnchecked, kFlagUnchecked},
    {"sync", kSync, kFlagSync},
    {"timed", kTimed, kFlagTimed},
    {"threaded", kThreaded, kFlagThreaded},
    {"interruptible", kInterruptible, kFlagInterruptible},
}};

struct AllocRow {
  const char* word;
  uint64_t bit;
};
constexpr std::array<AllocRow, 4> kAllocs = {
    {{"fs", kAllocFs}, {"io", kAllocIo}, {"reclaim", kAllocReclaim}, {"nolockdep", kAllocNolockdep}}};

constexpr std::array<const char*, 3> kModes = {"exclusive", "shared", "recursive"};
const std::array<const LockKind*, 4> kKinds = {&kSixLock, &kTwoStateLock, &kDlmLock, &kGlock};
constexpr std::array<const char*, 5> kWaits = {"unchecked", "free", "spin", "config", "sleep"};

absl::string_view NextWord(absl::string_view* rest) {
  size_t begin = 0;
  while (begin < rest->size() && ((*rest)[begin] == ' ' || (*rest)[begin] == '\t')) ++begin;
  size_t end = begin;
  while (end < rest->size() && (*rest)[end] != ' ' && (*rest)[end] != '\t') ++end;
  const absl::string_view word = rest->substr(begin, end - begin);
  rest->remove_prefix(end);
  if (!word.empty() && word[0] == '#') {  // a comment up to the end of the line
    *rest = absl::string_view();
    return absl::string_view();
  }
  return word;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `word` itself if nothing is escaped, else *scratch.
absl::string_view Unescape(absl::string_view word, std::string* scratch) {
  if (word.find('%') == absl::string_view::npos) return word;
  scratch->clear();
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '%' && i + 2 < word.size() && HexDigit(word[i + 1]) >= 0 && HexDigit(word[i + 2]) >= 0) {
      scratch->push_back(static_cast<char>(HexDigit(word[i + 1]) * 16 + HexDigit(word[i + 2])));
      i += 2;
    } else {
      scratch->push_back(word[i]);
    }
  }
  return *scratch;
}

// For messages: hostile bytes are shown escaped, long words cut.
std::string Quote(absl::string_view word) {
  return absl::StrCat("'", absl::CHexEscape(word.substr(0, 60)), word.size() > 60 ? "..." : "", "'");
}

absl::Status Error(absl::string_view what, absl::string_view remedy) {
  return absl::InvalidArgumentError(absl::StrCat(what, "; ", remedy));
}

absl::Status ParseNumber(absl::string_view key, absl::string_view value, uint64_t max, uint64_t* out) {
  if (absl::SimpleAtoi(value, out) && *out <= max) return absl::OkStatus();
  return Error(absl::StrCat(key, "=", Quote(value), " is no number up to ", max), "give a decimal number");
}

template <size_t kSize>
absl::Status ParseEnum(absl::string_view key, absl::string_view value, const std::array<const char*, kSize>& names,
                       int* out) {
  std::string all;
  for (size_t i = 0; i < kSize; ++i) {
    if (value == names[i]) {
      *out = static_cast<int>(i);
      return absl::OkStatus();
    }
    absl::StrAppend(&all, i == 0 ? "" : ", ", names[i]);
  }
  return Error(absl::StrCat("unknown ", key, "=", Quote(value)), absl::StrCat("it is one of ", all));
}

absl::Status ParseClassOption(absl::string_view word, std::string* scratch, std::string* name,
                              LockClassOptions* options) {
  const std::pair<absl::string_view, absl::string_view> option = [&] {
    const size_t equals = word.find('=');
    return equals == absl::string_view::npos ? std::pair(word, absl::string_view())
                                             : std::pair(word.substr(0, equals), word.substr(equals + 1));
  }();
  int value = 0;
  if (option.first == "name") {
    const absl::string_view text = Unescape(option.second, scratch);
    name->assign(text.data(), text.size());
  } else if (option.first == "inner" || option.first == "outer") {
    RETURN_IF_ERROR(ParseEnum(option.first, option.second, kWaits, &value));
    (option.first == "inner" ? options->inner : options->outer) = static_cast<WaitType>(value);
  } else if (option.first == "kind") {
    for (const LockKind* kind : kKinds) {
      if (option.second == kind->name) options->kind = kind;
    }
    if (options->kind == nullptr) {
      return Error(absl::StrCat("unknown kind=", Quote(option.second)), "it is one of six, two-state, dlm, glock");
    }
  } else if (word == "ordered") {
    options->ordered_by_key = true;
  } else if (word == "event") {
    options->is_event = true;
  } else if (word == "no-validate") {
    options->no_validate = true;
  } else if (word == "no-check-recursion") {
    options->no_check_recursion = true;
  } else if (word == "per-cpu") {
    options->per_cpu = true;
  } else if (word == "wait-override") {
    options->wait_override = true;
  } else {
    return Error(absl::StrCat("unknown class option ", Quote(word)),
                 "known: name= inner= outer= kind= ordered event no-validate no-check-recursion per-cpu wait-override");
  }
  return absl::OkStatus();
}

bool IsDirective(absl::string_view word) { return word == "class" || word == "lock" || word == "task" || word == kMagic; }

}  // namespace

absl::Status OwnFormatParser::ParseLine(absl::string_view line, EventSink sink) {
  if (absl::EndsWith(line, "\r")) line.remove_suffix(1);
  absl::string_view rest = line;
  const absl::string_view first = NextWord(&rest);
  if (first.empty()) return absl::OkStatus();
  if (!header_seen_) return ParseHeader(line);
  if (first == "class") return ParseClass(rest);
  if (first == "lock") return ParseLock(rest);
  if (first == "task") return ParseTask(rest);
  return ParseEvent(first, rest, sink);
}

absl::Status OwnFormatParser::Finish() const {
  if (header_seen_) return absl::OkStatus();
  return Error("the file is empty", absl::StrCat("the first line must be '", kMagic, " ", kVersion, "'"));
}

absl::Status OwnFormatParser::ParseHeader(absl::string_view line) {
  const absl::string_view magic = NextWord(&line);
  const absl::string_view version = NextWord(&line);
  int number = 0;
  if (magic != kMagic || !absl::SimpleAtoi(version, &number) || number < 1) {
    return Error("this is no lock trace of ours",
                 absl::StrCat("the first line must be '", kMagic, " ", kVersion, "', or give another --format"));
  }
  if (number > kVersion) {
    return Error(absl::StrCat("version ", number, " is newer than this program, which reads ", kVersion),
                 "use a newer ordeal");
  }
  header_seen_ = true;
  return absl::OkStatus();
}

absl::Status OwnFormatParser::ParseClass(absl::string_view rest) {
  const absl::string_view word = NextWord(&rest);
  if (word.empty()) return Error("a class without an id", "write 'class ID [options]'");
  const uint32_t lock_class = symbols_.Class(Unescape(word, &scratch_));
  std::string name = symbols_.class_id(lock_class);
  LockClassOptions options;
  for (absl::string_view option = NextWord(&rest); !option.empty(); option = NextWord(&rest)) {
    RETURN_IF_ERROR(ParseClassOption(option, &scratch_, &name, &options));
  }
  symbols_.DeclareClass(lock_class, name, options);
  return absl::OkStatus();
}

absl::Status OwnFormatParser::ParseLock(absl::string_view rest) {
  const absl::string_view lock_word = NextWord(&rest);
  const absl::string_view class_word = NextWord(&rest);
  if (class_word.empty()) return Error("a lock without id or class", "write 'lock ID CLASS [order=N] [count=N]'");
  const uint32_t lock_class = symbols_.Class(Unescape(class_word, &scratch_));
  uint64_t order = 0, count = 1;
  bool recursive = false;
  for (absl::string_view word = NextWord(&rest); !word.empty(); word = NextWord(&rest)) {
    if (absl::StartsWith(word, "order=")) {
      RETURN_IF_ERROR(ParseNumber("order", word.substr(6), UINT64_MAX, &order));
    } else if (absl::StartsWith(word, "count=")) {
      RETURN_IF_ERROR(ParseNumber("count", word.substr(6), UINT32_MAX, &count));
    } else if (word == "recursive") {
      recursive = true;
    } else {
      return Error(absl::StrCat("unknown lock option ", Quote(word)), "known: order= count= recursive");
    }
  }
  const uint32_t lock =
      symbols_.DeclareLock(Unescape(lock_word, &scratch_), lock_class, order, static_cast<uint32_t>(count));
  if (recursive) symbols_.SetRecursive(lock);
  return absl::OkStatus();
}

absl::Status OwnFormatParser::ParseTask(absl::string_view rest) {
  const absl::string_view word = NextWord(&rest);
  if (word.empty()) return Error("a task without a name", "write 'task NAME [role=ROLE]'");
  const uint32_t task = symbols_.Task(Unescape(word, &scratch_));
  const absl::string_view role = NextWord(&rest);
  if (role.empty()) return absl::OkStatus();
  if (!absl::StartsWith(role, "role=")) return Error(absl::StrCat("unknown task option ", Quote(role)), "known: role=");
  symbols_.SetRole(task, Unescape(role.substr(5), &scratch_));
  return absl::OkStatus();
}

absl::Status OwnFormatParser::ParseEvent(absl::string_view task, absl::string_view rest, EventSink sink) {
  LockEvent event;
  const absl::string_view op = NextWord(&rest);
  if (op.empty()) return Error(absl::StrCat("task ", Quote(task), " does nothing"), "write 'TASK OPERATION ...'");
  if (!FindEventOp(op, &event.op)) {
    return Error(absl::StrCat("unknown operation ", Quote(op)), "docs/formats/lock-trace.md lists them");
  }
  event.task = symbols_.Task(Unescape(task, &scratch_));
  RETURN_IF_ERROR(ParseObject(&rest, &event));
  for (absl::string_view word = NextWord(&rest); !word.empty(); word = NextWord(&rest)) {
    if (absl::StartsWith(word, "at=")) {
      event.site = symbols_.SiteIndex(Unescape(word.substr(3), &scratch_));
    } else {
      RETURN_IF_ERROR(ParseOption(word, &event));
    }
  }
  if (event.op == EventOp::kSetClass && event.lock_class == kNoIndex) {
    return Error("set-class without a class", "write 'TASK set-class LOCK class=ID'");
  }
  sink(event);
  return absl::OkStatus();
}

absl::Status OwnFormatParser::ParseObject(absl::string_view* rest, LockEvent* event) {
  const ObjectKind kind = ObjectOf(event->op);
  if (kind == ObjectKind::kNone) return absl::OkStatus();
  const absl::string_view word = NextWord(rest);
  if (word.empty()) {
    return Error(absl::StrCat("'", EventOpName(event->op), "' of nothing"),
                 kind == ObjectKind::kTask ? "name the other task" : "name its object");
  }
  const absl::string_view name = Unescape(word, &scratch_);
  switch (kind) {
    case ObjectKind::kLock: event->object = symbols_.Lock(name); break;
    case ObjectKind::kTask: event->object = symbols_.Task(name); break;
    case ObjectKind::kVariable: event->object = symbols_.Variable(name); break;
    case ObjectKind::kClass: event->object = symbols_.Class(name); break;
    case ObjectKind::kNone: break;
  }
  return absl::OkStatus();
}

absl::Status OwnFormatParser::ParseLockMode(absl::string_view value, LockEvent* event) {
  const uint32_t lock_class = symbols_.lock_row(event->object).lock_class;
  const LockKind* kind = symbols_.class_row(lock_class).options.kind;
  if (kind == nullptr) {
    return Error(absl::StrCat("as=", Quote(value), " of a lock whose class has no kind"),
                 absl::StrCat("declare 'class ", symbols_.class_id(lock_class), " kind=...' and the lock before"));
  }
  std::string all;
  for (int mode = 0; mode < kind->modes; ++mode) {
    const char* name = kind->mode_names[static_cast<size_t>(mode)];
    absl::StrAppend(&all, mode == 0 ? "" : ", ", name);
    if (value != name) continue;
    event->lock_mode = static_cast<uint8_t>(mode) & 7;
    return absl::OkStatus();
  }
  return Error(absl::StrCat("as=", Quote(value), " is no mode of kind ", kind->name), absl::StrCat("it is one of ", all));
}

absl::Status OwnFormatParser::ParseOption(absl::string_view word, LockEvent* event) {
  const uint32_t allowed = OptionsOf(event->op);
  for (const FlagRow& row : kFlags) {
    if ((allowed & row.option) != 0 && word == row.word) {
      event->flags |= row.flag;
      return absl::OkStatus();
    }
  }
  for (const AllocRow& row : kAllocs) {
    if ((allowed & kAllocWords) != 0 && word == row.word) {
      event->argument |= row.bit;
      return absl::OkStatus();
    }
  }
  const size_t equals = word.find('=');
  const absl::string_view key = word.substr(0, equals);
  const absl::string_view value = equals == absl::string_view::npos ? absl::string_view() : word.substr(equals + 1);
  if ((allowed & kMode) != 0 && key == "mode") {
    int mode = 0;
    RETURN_IF_ERROR(ParseEnum(key, value, kModes, &mode));
    event->mode = static_cast<Mode>(mode);
  } else if ((allowed & kAs) != 0 && key == "as") {
    return ParseLockMode(value, event);
  } else if ((allowed & kSub) != 0 && key == "sub") {
    uint64_t subclass = 0;
    RETURN_IF_ERROR(ParseNumber(key, value, kSubclasses - 1, &subclass));
    event->subclass = static_cast<uint8_t>(subclass) & 7;
  } else if ((allowed & kOrder) != 0 && key == "order") {
    RETURN_IF_ERROR(ParseNumber(key, value, UINT64_MAX, &event->argument));
    event->flags |= kFlagOrderKey;
  } else if (((allowed & kCookie) != 0 && key == "cookie") || ((allowed & kStamp) != 0 && key == "stamp")) {
    RETURN_IF_ERROR(ParseNumber(key, value, UINT64_MAX, &event->argument));
  } else if ((allowed & kNest) != 0 && key == "nest" && !value.empty()) {
    event->nest = symbols_.Lock(Unescape(value, &scratch_));
  } else if ((allowed & kClass) != 0 && key == "class" && !value.empty()) {
    event->lock_class = symbols_.Class(Unescape(value, &scratch_));
  } else {
    return Error(absl::StrCat("'", EventOpName(event->op), "' has no option ", Quote(word)),
                 "docs/formats/lock-trace.md lists the options of each operation");
  }
  return absl::OkStatus();
}

std::string EscapeName(absl::string_view name) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string text;
  text.reserve(name.size());
  const bool directive = IsDirective(name);
  for (size_t i = 0; i < name.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(name[i]);
    if (c <= ' ' || c == 0x7f || c == '%' || (i == 0 && (c == '#' || directive))) {
      text.push_back('%');
      text.push_back(kHex[c >> 4]);
      text.push_back(kHex[c & 15]);
    } else {
      text.push_back(static_cast<char>(c));
    }
  }
  return text;
}

OwnFormatWriter::OwnFormatWriter(const TraceSymbols* symbols, std::string* out) : symbols_(*symbols), out_(*out) {
  absl::StrAppend(&out_, kMagic, " ", kVersion, "\n");
}

namespace {

// True the first time it is asked about `index`.
bool First(std::vector<bool>* seen, uint32_t index) {
  if (index >= seen->size()) seen->resize(index + 1);
  if ((*seen)[index]) return false;
  (*seen)[index] = true;
  return true;
}

}  // namespace

void OwnFormatWriter::DeclareTask(uint32_t task) {
  if (!First(&tasks_, task) || symbols_.role(task) == symbols_.task_name(task)) return;
  absl::StrAppend(&out_, "task ", EscapeName(symbols_.task_name(task)), " role=", EscapeName(symbols_.role(task)), "\n");
}

void OwnFormatWriter::DeclareClass(uint32_t lock_class) {
  if (!First(&classes_, lock_class)) return;
  const TraceClass& row = symbols_.class_row(lock_class);
  absl::StrAppend(&out_, "class ", EscapeName(symbols_.class_id(lock_class)));
  if (row.name != symbols_.class_id(lock_class)) absl::StrAppend(&out_, " name=", EscapeName(row.name));
  const LockClassOptions defaults;
  const LockClassOptions& options = row.options;
  if (options.inner != defaults.inner) {
    absl::StrAppend(&out_, " inner=", kWaits[static_cast<size_t>(options.inner)]);
  }
  if (options.outer != defaults.outer) {
    absl::StrAppend(&out_, " outer=", kWaits[static_cast<size_t>(options.outer)]);
  }
  if (options.kind != nullptr) absl::StrAppend(&out_, " kind=", options.kind->name);
  absl::StrAppend(&out_, options.ordered_by_key ? " ordered" : "", options.is_event ? " event" : "",
                  options.no_validate ? " no-validate" : "", options.no_check_recursion ? " no-check-recursion" : "",
                  options.per_cpu ? " per-cpu" : "", options.wait_override ? " wait-override" : "", "\n");
}

void OwnFormatWriter::DeclareLock(uint32_t lock) {
  if (!First(&locks_, lock)) return;
  const TraceLock& row = symbols_.lock_row(lock);
  DeclareClass(row.lock_class);
  absl::StrAppend(&out_, "lock ", EscapeName(symbols_.lock_name(lock)), " ",
                  EscapeName(symbols_.class_id(row.lock_class)));
  if (row.order_key != 0) absl::StrAppend(&out_, " order=", row.order_key);
  if (row.count != 1) absl::StrAppend(&out_, " count=", row.count);
  absl::StrAppend(&out_, row.recursive ? " recursive" : "", "\n");
}

void OwnFormatWriter::Append(const LockEvent& event) {
  const ObjectKind kind = ObjectOf(event.op);
  const uint32_t allowed = OptionsOf(event.op);
  DeclareTask(event.task);
  if (kind == ObjectKind::kLock) DeclareLock(event.object);
  if (kind == ObjectKind::kTask) DeclareTask(event.object);
  if (kind == ObjectKind::kClass) DeclareClass(event.object);
  if (event.nest != kNoIndex) DeclareLock(event.nest);
  if (event.lock_class != kNoIndex) DeclareClass(event.lock_class);
  absl::StrAppend(&out_, EscapeName(symbols_.task_name(event.task)), " ", EventOpName(event.op));
  switch (kind) {
    case ObjectKind::kNone: break;
    case ObjectKind::kLock: absl::StrAppend(&out_, " ", EscapeName(symbols_.lock_name(event.object))); break;
    case ObjectKind::kTask: absl::StrAppend(&out_, " ", EscapeName(symbols_.task_name(event.object))); break;
    case ObjectKind::kVariable: absl::StrAppend(&out_, " ", EscapeName(symbols_.variable_name(event.object))); break;
    case ObjectKind::kClass: absl::StrAppend(&out_, " ", EscapeName(symbols_.class_id(event.object))); break;
  }
  if (event.mode != Mode::kExclusive) absl::StrAppend(&out_, " mode=", kModes[static_cast<size_t>(event.mode)]);
  if ((allowed & kAs) != 0) {
    const LockKind* lock_kind = symbols_.class_row(symbols_.lock_row(event.object).lock_class).options.kind;
    if (lock_kind != nullptr) absl::StrAppend(&out_, " as=", lock_kind->mode_names[event.lock_mode]);
  }
  if (event.subclass != 0) absl::StrAppend(&out_, " sub=", static_cast<int>(event.subclass));
  for (const FlagRow& row : kFlags) {
    if ((event.flags & row.flag) != 0) absl::StrAppend(&out_, " ", row.word);
  }
  for (const AllocRow& row : kAllocs) {
    if ((allowed & kAllocWords) != 0 && (event.argument & row.bit) != 0) absl::StrAppend(&out_, " ", row.word);
  }
  if (event.nest != kNoIndex) absl::StrAppend(&out_, " nest=", EscapeName(symbols_.lock_name(event.nest)));
  if (event.lock_class != kNoIndex) absl::StrAppend(&out_, " class=", EscapeName(symbols_.class_id(event.lock_class)));
  if ((event.flags & kFlagOrderKey) != 0) {
    absl::StrAppend(&out_, " order=", event.argument);
  } else if (event.argument != 0 && (allowed & kCookie) != 0) {
    absl::StrAppend(&out_, " cookie=", event.argument);
  } else if (event.argument != 0 && (allowed & kStamp) != 0) {
    absl::StrAppend(&out_, " stamp=", event.argument);
  }
  if (event.site != kNoIndex) absl::StrAppend(&out_, " at=", EscapeName(symbols_.site_text(event.site)));
  out_.push_back('\n');
}

}  // namespace ordeal::lockdep
