#include "master/cluster/view_pages.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

constexpr MonotonicTime kPageTime{std::chrono::hours(1)};

TEST(ViewPagesTest, WhatFitsIsOnePageAndNotCached) {
  ViewPages pages(10);
  const auto page = pages.Begin(7, "0123456789", kPageTime);
  EXPECT_EQ(page.text, "0123456789");
  EXPECT_EQ(page.id, 0);
  EXPECT_EQ(pages.Next(7, 0, kPageTime).error().code(), Code::kConditionFailed);
}

TEST(ViewPagesTest, TheRestComesPageByPageAndIsThenForgotten) {
  ViewPages pages(4);
  auto page = pages.Begin(7, "0123456789", kPageTime);
  std::string all = page.text;
  EXPECT_EQ(page.bytes, 10u);
  while (all.size() < page.bytes) {
    const auto next = pages.Next(page.id, static_cast<int64_t>(all.size()), kPageTime);
    ASSERT_TRUE(next) << next.error();
    EXPECT_LE(next->text.size(), 4u);
    all += next->text;
  }
  EXPECT_EQ(all, "0123456789");
  EXPECT_FALSE(pages.Next(7, 4, kPageTime));
}

TEST(ViewPagesTest, FewAreCachedAndNotForLong) {
  ViewPages pages(4);
  pages.Begin(1, "0123456789", kPageTime);
  pages.Begin(2, "abcdefghij", kPageTime + std::chrono::seconds(1));
  EXPECT_TRUE(pages.Next(1, 4, kPageTime + std::chrono::seconds(2)));
  pages.Begin(3, "ABCDEFGHIJ", kPageTime + std::chrono::seconds(3));
  EXPECT_FALSE(pages.Next(2, 4, kPageTime + std::chrono::seconds(3))) << "the one that nobody asked for goes first";
  EXPECT_EQ(pages.Next(1, 4, kPageTime + std::chrono::seconds(3))->text, "4567");
  pages.Begin(4, "uvwxyzuvwxyz", kPageTime + std::chrono::minutes(2));
  EXPECT_FALSE(pages.Next(1, 4, kPageTime + std::chrono::minutes(2)));
  EXPECT_FALSE(pages.Next(4, 12, kPageTime + std::chrono::minutes(2)));
  EXPECT_FALSE(pages.Next(4, -1, kPageTime + std::chrono::minutes(2)));
}

}  // namespace
}  // namespace ebla::master
