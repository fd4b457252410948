#include "lockdep/graph/site.h"

#include <string>

#include "gtest/gtest.h"

namespace ordeal::lockdep {
namespace {

TEST(SiteTest, PrintsThePathFromTheRepositorysTop) {
  EXPECT_EQ((Site{__FILE__, 7}).ToString(), "lockdep/graph/site_test.cc:7");
  EXPECT_EQ((Site{"/elsewhere/a.c", 7}).ToString(), "/elsewhere/a.c:7");
  EXPECT_EQ(Site{}.ToString(), "an unknown place");
}

TEST(SiteTest, PrintsAnAddressThroughTheNamerOnly) {
  const Site site = Site::FromAddress(reinterpret_cast<const void*>(0x1234));
  EXPECT_EQ(site.ToString(), "0x1234");
  SetSiteNamer([](const void*) { return std::string("here"); });
  EXPECT_EQ(site.ToString(), "here");
  EXPECT_EQ((Site{"a.c", 1}).ToString(), "a.c:1");
  SetSiteNamer(nullptr);
  EXPECT_EQ(site.ToString(), "0x1234");
}

TEST(SiteTest, ComparesPlacesAndNotPointers) {
  const std::string one = "a.c", two = "a.c";
  EXPECT_EQ((Site{one.c_str(), 1}), (Site{two.c_str(), 1}));
  EXPECT_FALSE((Site{one.c_str(), 1}) == (Site{two.c_str(), 2}));
  EXPECT_EQ(Site::FromText("a.c:1 (F)").ToString(), "a.c:1 (F)");
  EXPECT_FALSE(Site::FromAddress(one.c_str()) == Site::FromAddress(two.c_str()));
}

}  // namespace
}  // namespace ordeal::lockdep
