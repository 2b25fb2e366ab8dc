#include "gateway/store/change_item.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/testing/thread_executor.h"
#include "gateway/store/flush_table.h"
#include "gateway/testing/memory_store.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class ChangeItemTest : public ::testing::Test {
 protected:
  // Adds "+" to the value, or makes "new".
  Result<Version> Mark(Lifetime lifetime = Lifetime::Kept(), milliseconds deadline = milliseconds(10'000)) {
    std::optional<Result<Version>> outcome;
    ChangeItem(
        store_, executor_, "k", steady_clock::now() + deadline,
        [&](std::optional<FoundItem> found) {
          ++decided_;
          if (!found) return ItemStep::Put({.value = "new"}, lifetime);
          found->item.value += "+";
          return ItemStep::Put(std::move(found->item), lifetime);
        },
        [&](Result<Version> version) {
          outcome = std::move(version);
          finished_ = true;
        });
    const auto limit = steady_clock::now() + std::chrono::seconds(30);
    while (!finished_ && steady_clock::now() < limit) std::this_thread::yield();
    EXPECT_TRUE(finished_);
    finished_ = false;
    return *std::move(outcome);
  }
  std::string Value() const { return store_.Read("k").value_or(Record{}).value; }

  MemoryStore store_;
  testing::ThreadExecutor executor_;
  std::atomic<bool> finished_{false};
  std::atomic<int> decided_{0};
};

TEST_F(ChangeItemTest, DecidesOnWhatIsThere) {
  EXPECT_TRUE(Mark().has_value());
  EXPECT_EQ(Value(), "new");
  const Result<Version> version = Mark();
  ASSERT_TRUE(version.has_value());
  EXPECT_EQ(Value(), "new+");
  EXPECT_EQ(*version, store_.Read("k")->version);
}

TEST_F(ChangeItemTest, DecidesAgainWhenSomebodyWasFaster) {
  store_.Write("k", "a");
  int others = 5;
  store_.SetFault([&](const std::string& operation, const std::string&) {
    if (operation == "put" && others-- > 0) store_.Write("k", "b" + std::to_string(others));
    return Status();
  });
  EXPECT_TRUE(Mark().has_value());
  EXPECT_EQ(Value(), "b0+");
  EXPECT_EQ(decided_, 6);
}

TEST_F(ChangeItemTest, GivesUpAtTheDeadline) {
  store_.Write("k", "a");
  store_.SetFault([&](const std::string& operation, const std::string&) {
    if (operation == "put") store_.Write("k", "other");
    return Status();
  });
  const Result<Version> version = Mark(Lifetime::Kept(), milliseconds(30));
  ASSERT_FALSE(version.has_value());
  EXPECT_EQ(version.error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(Value(), "other");
}

TEST_F(ChangeItemTest, HandsOnWhatTheStoreSays) {
  for (const char* faulty : {"get", "put"}) {
    store_.SetFault([faulty](const std::string& operation, const std::string&) {
      return operation == faulty ? Status(Code::kUnknownOutcome, "lost") : Status();
    });
    const Result<Version> version = Mark();
    ASSERT_FALSE(version.has_value()) << faulty;
    EXPECT_EQ(version.error().code(), Code::kUnknownOutcome);
  }
}

// However often it is changed, and however the clocks differ, it ends when it was to end.
TEST_F(ChangeItemTest, AKeptLifetimeDoesNotDrift) {
  store_.SetSkew(milliseconds(50));
  ASSERT_TRUE(Mark(Lifetime::For(milliseconds(60'000))).has_value());
  const int64_t end = store_.Read("k")->expires->time_since_epoch().count();
  for (int i = 0; i < 50; ++i) {
    store_.Advance(milliseconds(100));
    ASSERT_TRUE(Mark().has_value());
    EXPECT_EQ(store_.Read("k")->expires->time_since_epoch().count(), end);
  }
  ASSERT_TRUE(Mark(Lifetime::Until(end + 7)).has_value());
  EXPECT_EQ(store_.Read("k")->expires->time_since_epoch().count(), end + 7) << "by the servers' clock";
  ASSERT_TRUE(Mark(Lifetime::Forever()).has_value());
  EXPECT_FALSE(store_.Read("k")->expires.has_value());
}

TEST_F(ChangeItemTest, WhatIsToBeGoneIsDeleted) {
  store_.Write("k", "a");
  EXPECT_TRUE(Mark(Lifetime::Gone()).has_value());
  EXPECT_FALSE(store_.Read("k").has_value());
  EXPECT_TRUE(Mark(Lifetime::Gone()).has_value());
  EXPECT_FALSE(store_.Read("k").has_value());
}

TEST(FlushTable, LeavesWhatIsWrittenMeanwhile) {
  MemoryStore store;
  for (int i = 0; i < 1000; ++i) store.Write("key" + std::to_string(i), "old");
  store.SetFault([&](const std::string& operation, const std::string& key) {
    if (operation == "delete" && key == "key500") store.Write("key500", "new");
    return Status();
  });
  std::optional<Status> outcome;
  FlushTable(store, milliseconds(1000), [&](Status status) { outcome = std::move(status); });
  EXPECT_EQ(outcome, Status());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(store.Read("key" + std::to_string(i)).has_value(), i == 500) << i;
}

TEST(FlushTable, TellsOfAFault) {
  MemoryStore store;
  for (int i = 0; i < 1000; ++i) store.Write("key" + std::to_string(i), "old");
  store.SetFault([&](const std::string& operation, const std::string& key) {
    return operation == "delete" && key == "key777" ? Status(Code::kUnavailable, "away") : Status();
  });
  std::optional<Status> outcome;
  FlushTable(store, milliseconds(1000), [&](Status status) { outcome = std::move(status); });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->code(), Code::kUnavailable);
  EXPECT_TRUE(store.Read("key777").has_value());
}

}  // namespace
}  // namespace ebla::gateway
