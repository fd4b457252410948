#include "harness/pagecache/result.h"

namespace ordeal::pagecache {

const char* ErrorName(Error error) {
  switch (error) {
    case Error::kOk: return "ok";
    case Error::kIo: return "EIO";
    case Error::kNoMemory: return "ENOMEM";
    case Error::kFault: return "EFAULT";
    case Error::kSigBus: return "SIGBUS";
    case Error::kInvalid: return "EINVAL";
    case Error::kNoEntry: return "ENOENT";
    case Error::kDiffers: return "EBADE";
    case Error::kAgain: return "EAGAIN";
    case Error::kNoSpace: return "ENOSPC";
    case Error::kInterrupted: return "EINTR";
    case Error::kTruncatedPage: return "AOP_TRUNCATED_PAGE";
  }
  return "unknown";
}

}  // namespace ordeal::pagecache
