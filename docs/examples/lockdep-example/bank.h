#ifndef BANK_H_
#define BANK_H_

#include "lockdep/locks/locks.h"

class Bank {
 public:
  void Deposit(int amount);  // accounts, then journal
  void Rotate();             // journal, then accounts: the bug
  void RotateInOrder();
  int balance();

 private:
  ordeal::lockdep::Mutex accounts_{"Bank::accounts"};
  ordeal::lockdep::Mutex journal_{"Bank::journal"};
  int balance_ ORDEAL_GUARDED_BY(accounts_) = 0;
  int entries_ ORDEAL_GUARDED_BY(journal_) = 0;
};

// How many violations the process has seen.
unsigned long Violations();

#endif  // BANK_H_
