#include "bank.h"

#if !defined(ORDEAL_LOCKDEP_OFF)
#include "lockdep/runtime/validator.h"
#endif

using ordeal::lockdep::MutexLock;

void Bank::Deposit(int amount) {
  const MutexLock accounts(accounts_);
  balance_ += amount;
  const MutexLock journal(journal_);
  ++entries_;
}

void Bank::Rotate() {
  const MutexLock journal(journal_);
  entries_ = 0;
  const MutexLock accounts(accounts_);
  balance_ += 1;  // interest
}

void Bank::RotateInOrder() {
  const MutexLock accounts(accounts_);
  balance_ += 1;
  const MutexLock journal(journal_);
  entries_ = 0;
}

int Bank::balance() {
  const MutexLock accounts(accounts_);
  return balance_;
}

unsigned long Violations() {
#if defined(ORDEAL_LOCKDEP_OFF)
  return 0;
#else
  return ordeal::lockdep::ProcessValidator().stats().violations;
#endif
}
