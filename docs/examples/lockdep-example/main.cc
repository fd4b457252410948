// bank [buggy]: two threads, one after the other, so that nothing can hang. With "buggy" they take two locks in opposite
// orders: the exit status is 1, and the report is on stderr.
#include <cstdio>
#include <cstring>

#include "bank.h"
#include "lockdep/locks/thread.h"

int main(int argc, char** argv) {
  const bool buggy = argc > 1 && std::strcmp(argv[1], "buggy") == 0;
  Bank bank;
  ordeal::lockdep::Thread teller("teller", [&] { bank.Deposit(100); });
  teller.Join();
  ordeal::lockdep::Thread clerk("clerk", [&] { buggy ? bank.Rotate() : bank.RotateInOrder(); });
  clerk.Join();
  std::printf("balance %d\n", bank.balance());
  return Violations() == 0 ? 0 : 1;
}
