// `mytrial`: the whole command line of `ordeal`, with a file system, a bug and three scenarios of our own.
#include "harness/catalogue/catalogue.h"
#include "harness/cli/cli.h"
#include "ledger.h"
#include "scenarios.h"

int main(int argc, char** argv) {
  ordeal::Registry registry = ordeal::BuiltIn();  // or an empty one, without what ships
  registry.Add(mytrial::LedgerType());
  registry.Add(mytrial::ReadLocksFirstPageOnly());
  registry.Add(mytrial::LedgerReadVsWrite());
  registry.Add(mytrial::LedgerMix());
  registry.Add(mytrial::RangeLockTransfers());
  return ordeal::Main(argc, argv, registry);
}
