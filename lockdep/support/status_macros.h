// Early return on a failed absl::Status.
//
// Example:
//   RETURN_IF_ERROR(stream.Flush());
//   ASSIGN_OR_RETURN(const CorpusEntry entry, ReadCorpusEntry(path));
#ifndef ORDEAL_LOCKDEP_SUPPORT_STATUS_MACROS_H_
#define ORDEAL_LOCKDEP_SUPPORT_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expression)                  \
  do {                                               \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define ORDEAL_CONCAT_INNER(a, b) a##b
#define ORDEAL_CONCAT(a, b) ORDEAL_CONCAT_INNER(a, b)
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_IMPL(ORDEAL_CONCAT(status_or_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                  \
  if (!result.ok()) return result.status();                    \
  declaration = *std::move(result)

#endif  // ORDEAL_LOCKDEP_SUPPORT_STATUS_MACROS_H_
