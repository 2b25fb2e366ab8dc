// Many writes in one call, each for itself, over a pretended cluster in virtual time.
#include "client/core/operations/multi_write.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using testing::ClientCoreTest;
using testing::kTs1;
using testing::kTs2;
using testing::LinkState;

TEST_F(ClientCoreTest, MultiWriteAnswersEachPartFromItsTablet) {
  const TablePtr table = Open();
  for (const char* key : {"a", "k", "q"}) Put(table, key, "0");  // their places are known
  const size_t before = cluster_.write_log().size();
  const auto done = MultiWrite(
      table,
      std::move(Batch().Put("q", "1").Increment("k", 5).Put("", "x").Put("a", "1").Put("b", "1").Increment("l", -2).Put(
          "a", "2")));
  ASSERT_EQ(done.size(), 7u);
  EXPECT_EQ(cluster_.write_log().size(), before + 3);
  EXPECT_TRUE(done[0] && done[3] && done[4]);
  EXPECT_EQ(done[1]->counter, 5);
  EXPECT_EQ(done[2].error().code(), Code::kInvalidArgument);
  EXPECT_EQ(done[5]->counter, -2);
  EXPECT_EQ(done[6].error().code(), Code::kInvalidArgument) << "its key is named twice";
  EXPECT_EQ(Get(table, "a")->version, done[3]->version);
  EXPECT_EQ(Value(table, "a") + Value(table, "b") + Value(table, "k") + Value(table, "l"), "115-2");
  EXPECT_TRUE(MultiWrite(table, Batch()).empty());
}

TEST_F(ClientCoreTest, APartOfAMultiWriteThatIsRefusedHoldsUpNoOther) {
  const TablePtr table = Open();
  Put(table, "a", "text");
  const auto done = MultiWrite(
      table, std::move(Batch().Increment("a", 1).Put("b", "1").Put("c", "1", {.if_exists = true}).Increment("d", 3)));
  EXPECT_EQ(done[0].error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(done[1]) << done[1].error();
  EXPECT_EQ(done[2].error().code(), Code::kConditionFailed);
  EXPECT_EQ(done[3]->counter, 3);
  EXPECT_EQ(Value(table, "a") + Value(table, "b"), "text1");
}

TEST_F(ClientCoreTest, OneStuckTabletHoldsUpNoOthersPartOfOneCall) {
  const TablePtr table = Open();
  for (const char* key : {"a", "k", "q"}) ASSERT_TRUE(Put(table, key, "0"));
  network_.SetLinkState(kTs2, LinkState::kSilent);
  std::string order;
  core_.WriteEach(table, std::move(Batch().Put("k", "1").Put("a", "1").Put("q", "1")).TakeParts(), {},
                  [&](size_t place, const Result<PartResult>& part) {
                    EXPECT_TRUE(part) << part.error();
                    order += std::to_string(place);
                  });
  core_.GetEach(table, {"k", "a", "q"}, {},
                [&](size_t place, const Result<Record>&) { order += static_cast<char>('a' + place); });
  scheduler_.RunFor(std::chrono::milliseconds(100));
  std::ranges::sort(order);
  EXPECT_EQ(order, "12bc");
  network_.SetLinkState(kTs2, LinkState::kFair);
  scheduler_.RunFor(std::chrono::seconds(5));
  std::ranges::sort(order);
  EXPECT_EQ(order, "012abc");
  EXPECT_EQ(Value(table, "k"), "1");
}

TEST_F(ClientCoreTest, OneOfManyThatIsRefusedCostsFewCalls) {
  const TablePtr table = Open();
  Put(table, "a", "0");  // its place is known
  const auto calls = [&](int count, const std::set<int>& refused) {
    const size_t before = cluster_.write_log().size();
    Batch parts;
    for (int i = 0; i < count; ++i) parts.Apply("a" + std::to_string(i), refused.contains(i) ? "refuse" : "f", "1");
    const auto done = MultiWrite(table, std::move(parts));
    for (int i = 0; i < count; ++i) EXPECT_EQ(done[static_cast<size_t>(i)].has_value(), !refused.contains(i)) << i;
    return cluster_.write_log().size() - before;
  };
  EXPECT_EQ(calls(100, {}), 1u);
  EXPECT_EQ(calls(100, {0}), 4u);
  EXPECT_EQ(calls(100, {42}), 5u);
  EXPECT_EQ(calls(100, {99}), 3u);
  EXPECT_EQ(calls(2, {0, 1}), 3u);
  EXPECT_LE(calls(100, {17, 42, 90}), 13u);
  std::set<int> all;
  for (int i = 0; i < 100; ++i) all.insert(i);
  EXPECT_LE(calls(100, all), 200u);
}

TEST_F(ClientCoreTest, AFunctionThatIsRefusedOnARetryHoldsUpNoOther) {
  const TablePtr table = Open();
  network_.Next(kTs1, LinkState::kCutAfter);
  Batch parts;
  for (char c = 'a'; c < 'g'; ++c) parts.Apply(std::string(1, c), c == 'd' ? "refuse" : "f", "1");
  const auto done = MultiWrite(table, std::move(parts));
  ASSERT_EQ(done.size(), 6u);
  for (size_t i = 0; i < done.size(); ++i) {
    if (i == 3) {
      EXPECT_EQ(done[i].error().code(), Code::kInvalidArgument);
    } else {
      ASSERT_TRUE(done[i]) << done[i].error();
      EXPECT_EQ(done[i]->answer, "") << "it is applied once";
    }
  }
  EXPECT_EQ(Value(table, "a") + Value(table, "f"), "11");
}

TEST_F(ClientCoreTest, FunctionsWithLargeAnswersGoInBatchesThatServersTake) {
  const TablePtr table = Open();
  const auto key = [](int i) { return "a" + std::to_string(i); };
  for (int i = 0; i < 64; ++i) Put(table, key(i), std::string(2'100, 'x'));
  const auto calls = [&](const std::string& function_key, int count) {
    const size_t before = cluster_.write_log().size();
    Batch parts;
    for (int i = 0; i < count; ++i) parts.Apply(function_key + std::to_string(i), "f", "");
    for (const auto& one : MultiWrite(table, std::move(parts))) EXPECT_TRUE(one) << one.error();
    return cluster_.write_log().size() - before;
  };
  EXPECT_EQ(calls("a", 64), 5u) << "refused, and sent in pieces";
  EXPECT_EQ(calls("a", 64), 3u) << "none is refused any more";
  calls("b", 100);
  EXPECT_EQ(calls("b", 100), 1u) << "small ones go together again";
}

TEST_F(ClientCoreTest, AMultiWriteOfUnknownPlacesIsSpreadOnceTheyAreKnown) {
  const TablePtr table = Open();
  Batch parts;
  for (char c = 'a'; c <= 'z'; ++c) parts.Put(std::string(1, c), "1");
  const auto done = MultiWrite(table, std::move(parts));
  for (const auto& one : done) EXPECT_TRUE(one) << one.error();
  EXPECT_LE(cluster_.write_log().size(), 6u);
  EXPECT_EQ(Value(table, "a") + Value(table, "i") + Value(table, "z"), "111");
}

TEST_F(ClientCoreTest, AMultiWriteGoesOnWhereTabletsWereSplit) {
  const TablePtr table = Open();
  Put(table, "a", "0");
  cluster_.tables()->Split("t", "c");
  const auto done =
      MultiWrite(table, std::move(Batch().Put("a", "1").Increment("b", 1).Put("d", "1").Increment("e", 2)));
  for (const auto& one : done) EXPECT_TRUE(one) << one.error();
  EXPECT_EQ(done[3]->counter, 2);
  EXPECT_EQ(Value(table, "a") + Value(table, "b") + Value(table, "d") + Value(table, "e"), "1112");
}

}  // namespace
}  // namespace ebla::client
