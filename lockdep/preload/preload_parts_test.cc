// The interposer's containers against naive twins, the codec and the readers of foreign bytes.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lockdep/preload/address_table.h"
#include "lockdep/preload/elf_file.h"
#include "lockdep/preload/nesting_order.h"
#include "lockdep/preload/source_lookup.h"
#include "lockdep/preload/violation_codec.h"

namespace ordeal::lockdep {
namespace {

TEST(AddressTableTest, BehavesLikeAMapUnderInsertionsAndErasures) {
  AddressTable table;
  std::map<uintptr_t, std::unique_ptr<Addressed>> twin;
  std::mt19937 random(7);
  for (int step = 0; step < 200000; ++step) {
    const uintptr_t address = 0x7f0000000000u + random() % 4096 * 40;
    const auto* key = reinterpret_cast<const void*>(address);
    const auto found = twin.find(address);
    ASSERT_EQ(table.Find(key), found == twin.end() ? nullptr : found->second.get());
    if (found == twin.end() && random() % 2 == 0) {
      auto entry = std::make_unique<Addressed>();
      entry->address = key;
      table.Insert(entry.get());
      twin[address] = std::move(entry);
    } else if (found != twin.end()) {
      table.Erase(key);
      twin.erase(found);
    }
    ASSERT_EQ(table.size(), twin.size());
  }
}

TEST(NestingOrderTest, RefusesWhatContradictsAKnownOrder) {
  NestingOrder order;
  EXPECT_TRUE(order.Add(1, 2));
  EXPECT_TRUE(order.Add(2, 3));
  EXPECT_TRUE(order.Add(1, 3));
  EXPECT_FALSE(order.Add(2, 1));
  EXPECT_FALSE(order.Add(3, 1));
  EXPECT_FALSE(order.Add(4, 4));
  order.Remove(2);
  EXPECT_FALSE(order.Add(3, 1));  // 1 > 3 was seen itself
  EXPECT_TRUE(order.Add(5, 1));
}

TEST(NestingOrderTest, ForgetsShortLivedInstancesOfALongLivedOne) {
  NestingOrder order;
  for (uint64_t i = 2; i < 10000; ++i) {
    ASSERT_TRUE(order.Add(1, i));
    order.Remove(i);
  }
  EXPECT_EQ(order.size(), 1u);
}

Violation Example() {
  Violation violation;
  violation.kind = ViolationKind::kCircular;
  violation.task = "thread 1";
  violation.acquiring.node = "mutex@{/nowhere/x+0x12}<{/nowhere/x+0x34}";
  violation.acquiring.site = Site{"a.c", 3};
  violation.held.resize(2);
  violation.cycle.resize(2);
  violation.cycle[1].from = "{/nowhere/x@0x99}";
  violation.grade = Grade::kFeasible;
  violation.instances = {"1 x a", "2 x b"};
  violation.signature = "circular: a > b";
  return violation;
}

TEST(ViolationCodecTest, ReadsWhatItWroteAndRefusesEveryPrefix) {
  const std::string bytes = EncodeViolation(Example());
  Violation read;
  ASSERT_TRUE(DecodeViolation(bytes, &read));
  EXPECT_EQ(read.acquiring.node, Example().acquiring.node);
  EXPECT_EQ(read.acquiring.site.ToString(), "a.c:3");
  EXPECT_EQ(read.cycle.size(), 2u);
  EXPECT_EQ(read.grade, Grade::kFeasible);
  EXPECT_EQ(read.instances, Example().instances);
  EXPECT_EQ(EncodeViolation(read), bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    Violation ignored;
    EXPECT_FALSE(DecodeViolation(absl::string_view(bytes).substr(0, size), &ignored));
  }
}

TEST(ViolationCodecTest, SurvivesMutations) {
  const std::string bytes = EncodeViolation(Example());
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string mutated = bytes;
    for (int i = 0; i < 4; ++i) mutated[random() % mutated.size()] = static_cast<char>(random());
    Violation ignored;
    DecodeViolation(mutated, &ignored);
  }
}

TEST(SourceLookupTest, NamesPlacesWithoutTheirFileAndKeepsOtherTexts) {
  SourceLookup lookup(false);
  const std::string chain = "mutex@{/nowhere/x+0x12}<{/nowhere/x+0x34}";
  lookup.Collect(chain);
  lookup.Resolve();
  EXPECT_EQ(lookup.Rewrite(chain), "mutex@x+0x12");
  EXPECT_EQ(lookup.Rewrite("mutex@{/nowhere/x+0x12}/1"), "mutex@x+0x12#2/1") << "another chain, another class";
  EXPECT_EQ(lookup.Rewrite(chain), "mutex@x+0x12");
  EXPECT_EQ(lookup.Rewrite("at {/nowhere/x+0x12}"), "at x+0x12");
  EXPECT_EQ(lookup.Rewrite("a {brace} and {?+0x7}"), "a {brace} and 0x7");
  EXPECT_EQ(lookup.Rewrite("{/no@where/x@0x40}"), "x+0x40");
}

TEST(ElfFileTest, KnowsThisProgram) {
  const absl::StatusOr<ElfFile> file = ElfFile::Open("/proc/self/exe");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->is_this_machine());
  EXPECT_THAT(file->loader(), ::testing::HasSubstr("ld-linux"));
}

TEST(ElfFileTest, SurvivesMutationsAndTruncation) {
  std::ifstream stream("/proc/self/exe", std::ios::binary);
  std::string bytes(1 << 16, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::string mutated = bytes.substr(0, random() % bytes.size());
    for (int i = 0; i < 8 && !mutated.empty(); ++i) {
      mutated[random() % std::min<size_t>(mutated.size(), 4096)] = static_cast<char>(random());
    }
    (void)ElfFile::Parse(mutated).ok();
  }
  EXPECT_FALSE(ElfFile::Parse("").ok());
  EXPECT_FALSE(ElfFile::Parse("#!/bin/sh\n").ok());
}

}  // namespace
}  // namespace ordeal::lockdep
