// One list of fields per struct, in Fields(); writing, reading and rewriting are three visitors of it.
#include "lockdep/preload/violation_codec.h"

#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace ordeal::lockdep {
namespace {

template <typename V>
void Fields(V& visit, HeldLockReport& lock) {
  visit(lock.node, lock.instance, lock.mode, lock.trylock, lock.site, lock.sync, lock.event, lock.nested, lock.usage,
        lock.outer, lock.inner, lock.backtrace);
}

template <typename V>
void Fields(V& visit, DependencyReport& edge) {
  visit(edge.from, edge.to, edge.from_mode, edge.to_mode, edge.from_site, edge.to_site, edge.task, edge.from_event,
        edge.to_event, edge.to_sync, edge.backtrace);
}

template <typename V>
void Fields(V& visit, UsageReport& usage) {
  visit(usage.node, usage.state, usage.site, usage.task);
}

template <typename V>
void Fields(V& visit, TaskStateReport& state) {
  visit(state.in_hardirq, state.in_softirq, state.hardirqs_on, state.softirqs_on, state.in_reclaim);
}

template <typename V>
void Fields(V& visit, Violation& violation) {
  visit(violation.kind, violation.variant, violation.task, violation.acquiring, violation.conflicting, violation.cycle,
        violation.held, violation.safe, violation.unsafe, violation.state, violation.wait_context, violation.message,
        violation.signature, violation.grade, violation.grade_reason, violation.instances, violation.hint,
        violation.corpus_file);
}

const char* Intern(const std::string& text) {
  static std::mutex mutex;  // a leaf
  static auto* texts = new std::deque<std::string>;
  static auto* known = new absl::flat_hash_map<std::string, const char*>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto [entry, added] = known->try_emplace(text, nullptr);
  if (added) entry->second = texts->emplace_back(text).c_str();
  return entry->second;
}

class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}
  template <typename... T>
  void operator()(T&... values) {
    (Write(values), ...);
  }

 private:
  void Number(uint32_t value) { out_->append(reinterpret_cast<const char*>(&value), sizeof value); }
  void Write(std::string& text) {
    Number(static_cast<uint32_t>(text.size()));
    out_->append(text);
  }
  void Write(Site& site) {
    std::string text = site.ToString();
    Write(text);
  }
  template <typename T>
  void Write(std::vector<T>& values) {
    Number(static_cast<uint32_t>(values.size()));
    for (T& value : values) Write(value);
  }
  template <typename T>
  void Write(T& value) {
    if constexpr (std::is_enum_v<T> || std::is_arithmetic_v<T>) {
      Number(static_cast<uint32_t>(value));
    } else {
      Fields(*this, value);
    }
  }

  std::string* out_;
};

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}
  template <typename... T>
  void operator()(T&... values) {
    (Read(values), ...);
  }
  bool complete() const { return ok_ && bytes_.empty(); }

 private:
  uint32_t Number() {
    uint32_t value = 0;
    if (bytes_.size() < sizeof value) {
      ok_ = false;
      return 0;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  void Read(std::string& text) {
    const uint32_t size = Number();
    if (size > bytes_.size()) {
      ok_ = false;
      return;
    }
    text.assign(bytes_.data(), size);
    bytes_.remove_prefix(size);
  }
  void Read(Site& site) {
    std::string text;
    Read(text);
    site = Site::FromText(Intern(text));
  }
  template <typename T>
  void Read(std::vector<T>& values) {
    const uint32_t size = Number();
    for (uint32_t i = 0; i < size && ok_; ++i) Read(values.emplace_back());
  }
  template <typename T>
  void Read(T& value) {
    if constexpr (std::is_enum_v<T> || std::is_arithmetic_v<T>) {
      value = static_cast<T>(Number());
    } else {
      Fields(*this, value);
    }
  }

  absl::string_view bytes_;
  bool ok_ = true;
};

class Rewriter {
 public:
  explicit Rewriter(absl::FunctionRef<std::string(const std::string&)> rewrite) : rewrite_(rewrite) {}
  template <typename... T>
  void operator()(T&... values) {
    (Rewrite(values), ...);
  }

 private:
  void Rewrite(std::string& text) { text = rewrite_(text); }
  void Rewrite(Site& site) { site = Site::FromText(Intern(rewrite_(site.ToString()))); }
  template <typename T>
  void Rewrite(std::vector<T>& values) {
    for (T& value : values) Rewrite(value);
  }
  template <typename T>
  void Rewrite(T& value) {
    if constexpr (!std::is_enum_v<T> && !std::is_arithmetic_v<T>) Fields(*this, value);
  }

  absl::FunctionRef<std::string(const std::string&)> rewrite_;
};

}  // namespace

std::string EncodeViolation(const Violation& violation) {
  std::string bytes;
  Writer writer(&bytes);
  Violation copy = violation;
  Fields(writer, copy);
  return bytes;
}

bool DecodeViolation(absl::string_view bytes, Violation* violation) {
  Reader reader(bytes);
  Fields(reader, *violation);
  return reader.complete();
}

void RewriteTexts(Violation& violation, absl::FunctionRef<std::string(const std::string&)> rewrite) {
  Rewriter rewriter(rewrite);
  Fields(rewriter, violation);
}

}  // namespace ordeal::lockdep
