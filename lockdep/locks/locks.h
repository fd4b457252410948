// All of lockdep/locks: checked locks and events for real threads. Start here: docs/using-lockdep.md.
#ifndef ORDEAL_LOCKDEP_LOCKS_LOCKS_H_
#define ORDEAL_LOCKDEP_LOCKS_LOCKS_H_

#include "lockdep/locks/barrier.h"
#include "lockdep/locks/completion.h"
#include "lockdep/locks/condition_variable.h"
#include "lockdep/locks/mutex.h"
#include "lockdep/locks/semaphore.h"
#include "lockdep/locks/spin_lock.h"
#include "lockdep/locks/thread.h"
#include "lockdep/locks/thread_annotations.h"
#include "lockdep/locks/validation.h"

#endif  // ORDEAL_LOCKDEP_LOCKS_LOCKS_H_
