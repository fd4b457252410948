#include "lockdep/trace/trace_reader.h"

#include <array>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lockdep/support/status_macros.h"
#include "lockdep/trace/std_format.h"

namespace ordeal::lockdep {
namespace {

constexpr std::array<const char*, 3> kNames = {"own", "std", "selftest"};

absl::Status AtLine(absl::string_view name, uint64_t number, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(name, ":", number, ": ", status.message()));
}

}  // namespace

const char* TraceFormatName(TraceFormat format) { return kNames[static_cast<size_t>(format)]; }

absl::StatusOr<TraceFormat> ParseTraceFormat(absl::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<TraceFormat>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown trace format '", name, "'; it is one of own, std, selftest"));
}

absl::Status ForEachLine(std::istream& in, absl::string_view name,
                         absl::FunctionRef<absl::Status(absl::string_view line, uint64_t number)> visit) {
  std::vector<char> buffer(kTraceLineMax * 2);
  size_t filled = 0;
  uint64_t number = 0;
  for (bool end = false; !end;) {
    in.read(buffer.data() + filled, static_cast<std::streamsize>(buffer.size() - filled));
    filled += static_cast<size_t>(in.gcount());
    end = in.gcount() == 0 || !in;
    size_t begin = 0;
    while (const void* found = std::memchr(buffer.data() + begin, '\n', filled - begin)) {
      const size_t newline = static_cast<size_t>(static_cast<const char*>(found) - buffer.data());
      ++number;
      RETURN_IF_ERROR(AtLine(name, number, visit(absl::string_view(buffer.data() + begin, newline - begin), number)));
      begin = newline + 1;
    }
    std::memmove(buffer.data(), buffer.data() + begin, filled - begin);
    filled -= begin;
    if (filled > kTraceLineMax) {
      return AtLine(name, number + 1,
                    absl::InvalidArgumentError(absl::StrCat("a line of more than ", kTraceLineMax,
                                                            " bytes; is this a text file? shorten its names")));
    }
  }
  if (in.bad()) return absl::DataLossError(absl::StrCat(name, ": reading failed after line ", number, "; read it again"));
  if (filled == 0) return absl::OkStatus();
  return AtLine(name, number + 1, visit(absl::string_view(buffer.data(), filled), number + 1));
}

absl::Status ReadTrace(std::istream& in, absl::string_view name, TraceFormat format, TraceSymbols* symbols,
                       EventSink sink) {
  switch (format) {
    case TraceFormat::kOwn: {
      OwnFormatParser parser(symbols);
      uint64_t last = 1;
      RETURN_IF_ERROR(ForEachLine(in, name, [&](absl::string_view line, uint64_t number) {
        last = number;
        return parser.ParseLine(line, sink);
      }));
      return AtLine(name, last, parser.Finish());
    }
    case TraceFormat::kStd: {
      StdFormatParser parser(symbols);
      return ForEachLine(in, name, [&](absl::string_view line, uint64_t) { return parser.ParseLine(line, sink); });
    }
    case TraceFormat::kSelftest: break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(name, ":1: a self-test file holds sequences, each judged by itself, not one run; "
                         "give it to 'ordeal lockdep --format=selftest'"));
}

absl::Status ReadTraceFile(const std::string& path, TraceFormat format, TraceSymbols* symbols, EventSink sink) {
  if (path == "-") return ReadTrace(std::cin, "<stdin>", format, symbols, sink);
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened; give the path of a readable trace"));
  return ReadTrace(in, path, format, symbols, sink);
}

absl::StatusOr<Trace> ParseTrace(absl::string_view text, TraceFormat format, absl::string_view name) {
  Trace trace;
  std::istringstream in{std::string(text)};
  RETURN_IF_ERROR(ReadTrace(in, name, format, &trace.symbols,
                            [&](const LockEvent& event) { trace.events.push_back(event); }));
  return trace;
}

std::string FormatTrace(const Trace& trace) {
  std::string text;
  OwnFormatWriter writer(&trace.symbols, &text);
  for (const LockEvent& event : trace.events) writer.Append(event);
  return text;
}

}  // namespace ordeal::lockdep
