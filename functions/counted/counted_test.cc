#include "functions/counted/counted.h"

#include <gtest/gtest.h>

#include <map>

namespace ebla::counted {
namespace {

// A group of records in memory.
class CountedTest : public ::testing::Test, private GroupRows {
 protected:
  CountedTest() { AddTo(functions_); }

  // The answer, or the error's text.
  std::string Apply(std::string_view function, const std::string& key, const std::string& arguments) {
    FunctionInput input{.arguments = arguments, .record = std::nullopt, .key = key, .rows = this};
    if (const auto found = records_.find(key); found != records_.end())
      input.record = {.value = found->second, .version = {}, .expires_ms = std::nullopt};
    const auto result = functions_.Find(function)->run(input);
    if (!result) return result.error().message();
    if (result->change == FunctionResult::Change::kPut) records_[key] = result->value;
    if (result->change == FunctionResult::Change::kDelete) records_.erase(key);
    for (const auto& other : result->others) records_[other.key] = other.value;
    return result->answer;
  }
  std::string Put(const std::string& key, const std::string& value) {
    return Apply(kPut, key, PutArguments("g:", value));
  }
  std::string Delete(const std::string& key) { return Apply(kDelete, key, DeleteArguments("g:")); }

  std::map<std::string, std::string> records_;

 private:
  const KeyRange& group() const override { return group_; }
  Result<std::optional<FunctionRow>> Get(std::string_view key) override {
    const auto found = records_.find(std::string(key));
    if (found == records_.end()) return std::nullopt;
    return FunctionRow{.key = found->first, .value = found->second, .version = {}, .expires_ms = std::nullopt};
  }
  Result<std::vector<FunctionRow>> Scan(const RowScan&) override { return std::vector<FunctionRow>(); }
  Result<size_t> Count(const KeyRange&) override { return 0; }

  const KeyRange group_ = KeyRange::Prefix("g:");
  Functions functions_;
};

TEST_F(CountedTest, TheCountFollowsTheRecords) {
  EXPECT_EQ(Put("g:a", "1"), "1");
  EXPECT_EQ(Put("g:b", "2"), "2");
  EXPECT_EQ(Put("g:a", "3"), "2") << "it was there";
  EXPECT_EQ(Delete("g:c"), "2") << "it was not there";
  EXPECT_EQ(Delete("g:a"), "1");
  EXPECT_EQ(Apply(kSize, "g:", ""), "1");
  EXPECT_EQ(Apply(kSize, "g:none", ""), "0");
  EXPECT_EQ(records_, (std::map<std::string, std::string>{{"g:", "1"}, {"g:b", "2"}}));
}

TEST_F(CountedTest, BadArgumentsChangeNothing) {
  records_ = {{"g:", "many"}};
  const auto before = records_;
  EXPECT_EQ(Put("g:a", "1"), "the record \"g:\" is no count");
  EXPECT_EQ(Put("g:", "1"), "the count needs a key of its own");
  EXPECT_EQ(Apply(kPut, "g:a", "x"), "counted.put takes the count's key and a value");
  EXPECT_EQ(Apply(kDelete, "g:a", PutArguments("g:", "x")), "counted.delete takes the count's key");
  EXPECT_EQ(records_, before);
}

}  // namespace
}  // namespace ebla::counted
