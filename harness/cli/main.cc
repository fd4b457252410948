#include "harness/catalogue/catalogue.h"
#include "harness/cli/cli.h"

int main(int argc, char** argv) { return ordeal::Main(argc, argv, ordeal::BuiltIn()); }
