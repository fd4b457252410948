#include "lockdep/runtime/event.h"

#include <gtest/gtest.h>
