// Merges with real processes: an operator's, under load and over a crash of every server; and the planner's own, once
// the load that had a table split has stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/load_fixture.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::FieldsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kKeys = 520;

// Letters first, so that splits at letters part them.
std::string Key(int i) { return std::string(1, static_cast<char>('a' + i % 26)) + std::to_string(i / 26); }

class MergeTest : public LoadFixture {
 protected:
  MergeTest() : LoadFixture(kKeys, Key) {}

  size_t Tablets() {
    const auto list = client_->ListTablets("carts");
    return list ? list->size() : 0;
  }
  void ExpectAllThere() {
    const auto table = client_->OpenTable("carts");
    ASSERT_TRUE(table) << table.error();
    ASSERT_THAT(written_, ::testing::Not(IsEmpty()));
    for (const auto& [key, value] : written_) {
      const auto got = table->Get(key);
      ASSERT_TRUE(got) << key << ": " << got.error();
      EXPECT_EQ(got->value, value) << key;
    }
  }
};

TEST_F(MergeTest, SplitAndMergedUnderLoadWithNoFailedOperationAndAllThereAfterACrash) {
  Start({});
  CreateTableOptions options;
  options.table.replicas = 3;
  ASSERT_TRUE(client_->CreateTable("carts", options));
  BeginLoad(4);
  ASSERT_TRUE(GoesOn(200));
  for (const char* key : {"m", "f", "t"}) {
    const Shown said = cluster_->Ebla(std::string("tablet split carts --at ") + key);
    ASSERT_EQ(said.code, 0) << said;
    ASSERT_TRUE(GoesOn(200));
  }
  for (const char* key : {"t", "f"}) {
    EXPECT_THAT(cluster_->Ebla(std::string("tablet merge carts --at ") + key), FieldsAre(0, HasSubstr("OK  tablet")));
    ASSERT_TRUE(GoesOn(200));
  }
  EXPECT_EQ(Tablets(), 2u);
  const Shown small = cluster_->Ebla("table merge-small carts --below 1GiB");
  EXPECT_EQ(small.code, 0) << small;
  EXPECT_EQ(Tablets(), 1u);
  ASSERT_TRUE(GoesOn(500));
  EndLoad();
  EXPECT_THAT(failures(), IsEmpty());
  for (const char* name : {"ts-1", "ts-2", "ts-3"}) ASSERT_TRUE(cluster_->launcher().Kill(name, SIGKILL).ok());
  for (const char* name : {"ts-1", "ts-2", "ts-3"}) {
    const Status restarted = cluster_->launcher().Restart(name);
    ASSERT_TRUE(restarted.ok()) << restarted;
  }
  ExpectAllThere();
  Shown checked;
  EXPECT_TRUE(Eventually([&] {
    checked = cluster_->Ebla("check carts --tries 1");
    return checked.code == 0;
  })) << checked;
  // It behaves like any other tablet.
  const Shown again = cluster_->Ebla("tablet split carts --at k");
  EXPECT_EQ(again.code, 0) << again;
  EXPECT_EQ(Tablets(), 2u);
}

TEST_F(MergeTest, WhatTheLoadHadSplitIsMergedOnceItIsQuiet) {
  Start({.master_flags = {"--plan_every_ms=500", "--split_sustained_ms=1500", "--split_again_ms=3000",
                          "--merge_history_ms=5000", "--merge_after_split_ms=8000"}});
  CreateTableOptions options;
  options.table.replicas = 3;
  options.table.split_ops_per_second = 150;
  ASSERT_TRUE(client_->CreateTable("carts", options));
  BeginLoad(2);
  EXPECT_TRUE(Eventually([&] { return Tablets() >= 3 || !failures().empty(); }, 120s));
  EndLoad();
  EXPECT_THAT(failures(), IsEmpty());
  // Its peaks are known for five minutes, and are below what the table asks for now; or else they are forgotten by
  // then.
  const Shown altered = cluster_->Ebla("table alter carts --split-ops 1000000");
  EXPECT_EQ(altered.code, 0) << altered;
  EXPECT_TRUE(Eventually([&] { return Tablets() == 1; }, 420s)) << cluster_->Ebla("balance explain");
  ExpectAllThere();
}

}  // namespace
}  // namespace ebla::testing
