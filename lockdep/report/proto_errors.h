// The first error of protobuf's text parser, with its line: what a file's one clear error is made of.
//
// Thread-safety: none.
// Example:
//   FirstProtoError error;
//   google::protobuf::TextFormat::Parser parser;
//   parser.RecordErrorsTo(&error);
//   if (!parser.ParseFromString(text, &file)) return Refuse(name, error.line(), error.message());
#ifndef ORDEAL_LOCKDEP_REPORT_PROTO_ERRORS_H_
#define ORDEAL_LOCKDEP_REPORT_PROTO_ERRORS_H_

#include <string>

#include "google/protobuf/io/tokenizer.h"

namespace ordeal::lockdep {

class FirstProtoError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (line_ != 0) return;
    line_ = line + 1;
    message_ = message.empty() ? "syntax error" : message;
  }
  int line() const { return line_ == 0 ? 1 : line_; }  // from 1
  const std::string& message() const { return message_; }

 private:
  int line_ = 0;
  std::string message_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_PROTO_ERRORS_H_
