#include "gateway/store/apply_function.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/testing/thread_executor.h"
#include "functions/items/item_function.h"
#include "gateway/testing/memory_store.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Adds "+" to the value, or makes "new". The answer is the value before.
class ApplyFunctionTest : public ::testing::Test {
 protected:
  Result<FunctionResult> Run(const FunctionInput& input, Lifetime lifetime) {
    ++runs_;
    std::string before;
    EBLA_ASSIGN(FunctionResult result, ChangeRecord(input, [&](std::optional<FoundItem> found) {
                  if (!found) return ItemStep::Put({.value = "new"}, lifetime);
                  before = found->item.value;
                  return ItemStep::Put({.value = before + "+"}, lifetime);
                }));
    result.answer = std::move(before);
    return result;
  }
  // From now on.
  void HaveServersRunTheFunction() {
    const auto functions = std::make_shared<Functions>();
    functions->Add("mark", [this](const FunctionInput& input) {
      ++runs_at_servers_;
      return Run(input, Lifetime::Kept());
    });
    store_.SetFunctions(functions);
  }

  Result<PartResult> Mark(Lifetime lifetime = Lifetime::Kept(), milliseconds deadline = milliseconds(10'000),
                          std::string arguments = "x") {
    std::optional<Result<PartResult>> outcome;
    ApplyFunction(store_, executor_, "k",
                  {.name = "mark",
                   .arguments = std::move(arguments),
                   .run = [this, lifetime](const FunctionInput& input) { return Run(input, lifetime); }},
                  steady_clock::now() + deadline, [&](Result<PartResult> result) {
                    outcome = std::move(result);
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
  std::atomic<int> runs_{0}, runs_at_servers_{0};
};

TEST_F(ApplyFunctionTest, IsOneCallWhereAServerHasTheFunction) {
  HaveServersRunTheFunction();
  store_.Write("k", "a");
  int calls = 0;
  store_.SetFault([&](const std::string& operation, const std::string&) {
    EXPECT_EQ(operation, "apply");
    ++calls;
    return Status();
  });
  const Result<PartResult> marked = Mark();
  ASSERT_TRUE(marked.has_value());
  EXPECT_EQ(Value(), "a+");
  EXPECT_EQ(marked->answer, "a");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(runs_at_servers_, 1);
}

TEST_F(ApplyFunctionTest, RunsHereWhereServersRefuse) {
  const Result<PartResult> made = Mark();
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(Value(), "new");
  EXPECT_EQ(made->answer, "");
  const Result<PartResult> marked = Mark();
  ASSERT_TRUE(marked.has_value());
  EXPECT_EQ(Value(), "new+");
  EXPECT_EQ(marked->answer, "new");
  EXPECT_EQ(marked->version, store_.Read("k")->version);
}

TEST_F(ApplyFunctionTest, ArgumentsThatNoRecordHoldsAreNotSent) {
  HaveServersRunTheFunction();
  EXPECT_TRUE(Mark(Lifetime::Kept(), milliseconds(10'000), std::string(kValueBytesMax + 1, 'x')).has_value());
  EXPECT_EQ(Value(), "new");
  EXPECT_EQ(runs_at_servers_, 0);
}

TEST_F(ApplyFunctionTest, RunsAgainAfterALostRace) {
  store_.Write("k", "a");
  int others = 5;
  store_.SetFault([&](const std::string& operation, const std::string&) {
    if (operation == "put" && others-- > 0) store_.Write("k", "b" + std::to_string(others));
    return Status();
  });
  EXPECT_TRUE(Mark().has_value());
  EXPECT_EQ(Value(), "b0+");
  EXPECT_EQ(runs_, 6);
}

TEST_F(ApplyFunctionTest, GivesUpAtTheDeadline) {
  store_.Write("k", "a");
  store_.SetFault([&](const std::string& operation, const std::string&) {
    if (operation == "put") store_.Write("k", "other");
    return Status();
  });
  const Result<PartResult> marked = Mark(Lifetime::Kept(), milliseconds(30));
  ASSERT_FALSE(marked.has_value());
  EXPECT_EQ(marked.error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(Value(), "other");
}

TEST_F(ApplyFunctionTest, ReturnsErrorsOfTheStore) {
  HaveServersRunTheFunction();
  for (const char* faulty : {"apply", "get", "put"}) {
    store_.SetFault([faulty](const std::string& operation, const std::string&) {
      return operation == faulty ? Status(Code::kUnknownOutcome, "lost") : Status();
    });
    const Result<PartResult> marked = Mark();
    ASSERT_FALSE(marked.has_value()) << faulty;
    EXPECT_EQ(marked.error().code(), Code::kUnknownOutcome);
    store_.SetFunctions(nullptr);
  }
}

// However often a client changes the item, and however the clocks differ, the item expires when it was to expire.
TEST_F(ApplyFunctionTest, AKeptLifetimeDoesNotDrift) {
  store_.SetSkew(milliseconds(50));
  const int64_t now_ms = store_.NowMs() + 50;
  ASSERT_TRUE(Mark(Lifetime::For(milliseconds(60'000))).has_value());
  const int64_t end = store_.Read("k")->expires->time_since_epoch().count();
  EXPECT_EQ(end, now_ms + 60'000) << "by the servers' clock";
  for (int i = 0; i < 50; ++i) {
    store_.Advance(milliseconds(100));
    ASSERT_TRUE(Mark().has_value());
    EXPECT_EQ(store_.Read("k")->expires->time_since_epoch().count(), end);
  }
  ASSERT_TRUE(Mark(Lifetime::Until(end + 7)).has_value());
  EXPECT_EQ(store_.Read("k")->expires->time_since_epoch().count(), end + 7);
  ASSERT_TRUE(Mark(Lifetime::Forever()).has_value());
  EXPECT_FALSE(store_.Read("k")->expires.has_value());
}

TEST_F(ApplyFunctionTest, WhatIsToBeGoneIsDeleted) {
  store_.Write("k", "a");
  EXPECT_TRUE(Mark(Lifetime::Gone()).has_value());
  EXPECT_FALSE(store_.Read("k").has_value());
  EXPECT_TRUE(Mark(Lifetime::Gone()).has_value());
  EXPECT_FALSE(store_.Read("k").has_value());
}

}  // namespace
}  // namespace ebla::gateway
