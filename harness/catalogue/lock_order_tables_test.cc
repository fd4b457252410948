// S12 of the file systems whose locks are not all of one machine or one kind: GFS2, OCFS2 and bcachefs, in all their variants. What
// every scenario of the catalogue acquires climbs the declared order, except for the known holes; and the declared order is the one
// of the README.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "harness/catalogue/catalogue.h"
#include "harness/pagecache/lock_order.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::ElementsAreArray;

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSchedules = 20;
#else
constexpr uint64_t kSchedules = 50;
#endif

struct Variant {
  const char* filesystem;
  std::vector<std::string> holes;  // what is acquired against the order: B46, B33, ...; sorted
};
void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.filesystem; }

const Variant kVariants[] = {
    {"gfs2", {}},
    {"gfs2-5.16", {}},
    {"gfs2-5.15", {"mmap_lock is acquired with gl_inode held"}},
    {"gfs2-2006", {"gl_inode is acquired with folio_lock held", "i_rwsem is acquired with gl_inode held"}},
    {"ocfs2", {}},
    {"ocfs2-guard", {}},
    {"ocfs2-atp", {}},
    {"ocfs2-naive", {"folio_lock is acquired with ip_alloc_sem held", "folio_lock is acquired with ocfs2_inode_lock held"}},
    {"ocfs2-skip-locked", {}},
    {"ocfs2-fs-misc",
     {"folio_lock is acquired with ip_alloc_sem held", "folio_lock is acquired with ocfs2_data_lock held",
      "folio_lock is acquired with ocfs2_inode_lock held"}},
    {"bcachefs-repaired", {}},
    {"bcachefs-proposed", {"pagecache_lock is acquired with mmap_lock held"}},
    {"bcachefs", {"pagecache_lock is acquired with folio_lock held", "pagecache_lock is acquired with mmap_lock held"}},
};

class LockOrderTableTest : public ::testing::TestWithParam<Variant> {};

TEST_P(LockOrderTableTest, OnlyTheKnownHolesAreAgainstIt) {
  const Registry registry = BuiltIn();
  const auto order = registry.FindFileSystem(GetParam().filesystem)->make({})->lock_order();
  ASSERT_FALSE(order.empty());
  std::set<std::string> against;
  for (const ScenarioEntry& entry : registry.scenarios()) {
    const auto& on = entry.filesystems;
    if (std::find(on.begin(), on.end(), GetParam().filesystem) == on.end()) continue;
    const auto spec = registry.Resolve({.scenario = entry.name, .filesystem = GetParam().filesystem});
    ASSERT_TRUE(spec.ok()) << spec.status();
    Runner runner(entry, *spec);
    RandomWalk walk(3);
    for (uint64_t run = 0; run < kSchedules; ++run) runner.Run(walk, run);
    for (const auto& v : pagecache::CheckLockOrder(runner.sim().validator(), order)) {
      against.insert(v.message.substr(0, v.message.find(", against the declared order")));
    }
  }
  EXPECT_THAT(against, ElementsAreArray(GetParam().holes));
}

INSTANTIATE_TEST_SUITE_P(Variants, LockOrderTableTest, ::testing::ValuesIn(kVariants));

// Lines "NAME: `a > b > c`" of a README: the locks as they stand there.
std::vector<std::string> OrderOfReadme(const std::string& folder, const std::string& filesystem) {
  std::ifstream file(std::string(ORDEAL_SOURCE_DIR "/harness/filesystems/") + folder + "/README.md");
  const std::string start = filesystem + ": `";
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, start)) continue;
    return absl::StrSplit(line.substr(start.size(), line.rfind('`') - start.size()), " > ");
  }
  return {};
}

TEST(LockOrderTablesTest, AreThoseOfTheReadmes) {
  const std::pair<const char*, const char*> kReadmes[] = {
      {"gfs2", "gfs2"}, {"ocfs2", "ocfs2"}, {"ocfs2", "ocfs2-naive"}, {"ocfs2", "ocfs2-fs-misc"},
      {"bcachefs", "bcachefs-repaired"}};
  const Registry registry = BuiltIn();
  for (const auto& [folder, filesystem] : kReadmes) {
    const std::vector<std::string> readme = OrderOfReadme(folder, filesystem);
    EXPECT_GE(readme.size(), 6u) << filesystem << " declares no order";
    const auto order = registry.FindFileSystem(filesystem)->make({})->lock_order();
    auto at = order.begin();
    for (const std::string& lock : readme) {
      at = std::find(at, order.end(), lock);
      ASSERT_NE(at, order.end()) << filesystem << ": " << lock << " is not declared, or not there";
    }
  }
}

}  // namespace
}  // namespace ordeal
