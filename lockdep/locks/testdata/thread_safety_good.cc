// Compiles with clang -Wthread-safety -Werror: every guarded access is under its lock.
#include "lockdep/locks/locks.h"

using namespace ordeal::lockdep;

class Account {
 public:
  void Deposit(int amount) {
    const MutexLock lock(mutex_);
    balance_ += amount;
  }
  int Balance() {
    const ReaderLock lock(shared_);
    return copy_;
  }
  void Publish(int amount) {
    const WriterLock lock(shared_);
    copy_ = amount;
  }
  void WaitUntilRich() {
    const MutexLock lock(mutex_);
    while (balance_ < 100) changed_.Wait(mutex_);
  }
  bool TryDeposit(int amount) {
    if (!mutex_.TryLock()) return false;
    balance_ += amount;
    mutex_.Unlock();
    return true;
  }
  void DepositLocked(int amount) ORDEAL_REQUIRES(mutex_) { balance_ += amount; }
  void DepositTwice(int amount) {
    mutex_.lock();
    DepositLocked(amount);
    DepositLocked(amount);
    mutex_.unlock();
  }

 private:
  Mutex mutex_{"Account::mutex"};
  ConditionVariable changed_{"Account::changed"};
  SharedMutex shared_{"Account::shared"};
  int balance_ ORDEAL_GUARDED_BY(mutex_) = 0;
  int copy_ ORDEAL_GUARDED_BY(shared_) = 0;
};

int main() {
  Account account;
  account.Deposit(1);
  return account.TryDeposit(2) ? account.Balance() : 1;
}
