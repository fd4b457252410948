// Must not compile with clang -Wthread-safety -Werror. BAD_USE chooses what is wrong.
#include "lockdep/locks/locks.h"

using namespace ordeal::lockdep;

struct Account {
  Mutex mutex{"Account::mutex"};
  SharedMutex shared{"Account::shared"};
  RecursiveMutex recursive{"Account::recursive"};
  SpinLock spin{"Account::spin"};
  ConditionVariable changed{"Account::changed"};
  int balance ORDEAL_GUARDED_BY(mutex) = 0;
  int copy ORDEAL_GUARDED_BY(shared) = 0;
  int twice ORDEAL_GUARDED_BY(recursive) = 0;
  int spun ORDEAL_GUARDED_BY(spin) = 0;
};

void Use(Account& account) {
#if BAD_USE == 1  // no lock
  account.balance = 1;
#elif BAD_USE == 2  // written under a reader's lock
  const ReaderLock lock(account.shared);
  account.copy = 1;
#elif BAD_USE == 3  // never unlocked
  account.mutex.Lock();
#elif BAD_USE == 4  // unlocked twice
  account.mutex.Lock();
  account.mutex.Unlock();
  account.mutex.Unlock();
#elif BAD_USE == 5  // waits without the mutex
  account.changed.Wait(account.mutex);
#elif BAD_USE == 6  // the answer of the trial is ignored
  account.mutex.TryLock();
  account.balance = 1;
  account.mutex.Unlock();
#elif BAD_USE == 7  // another lock
  const MutexLock lock(account.recursive);
  account.spun = account.twice;
#endif
}
