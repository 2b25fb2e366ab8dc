#include "gateway/store/batching_store.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <limits>
#include <set>
#include <sstream>

#include "gateway/testing/memory_store.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

class BatchingStoreTest : public ::testing::Test {
 protected:
  BatchingStoreTest() { loop_.Start(); }
  ~BatchingStoreTest() override { loop_.Stop(); }

  // Within one turn of the loop; returns after its end.
  void InOneTurn(const std::function<void()>& work) {
    std::promise<void> done;
    loop_.Post([&] {
      work();
      loop_.Post([&done] { done.set_value(); });
    });
    done.get_future().wait();
  }
  void Get(const std::string& key, Freshness freshness = Freshness::kAsConfigured) {
    store_.Get(key, freshness, until_,
               [this](const Result<Record>& got) { Note(got ? got->value : got.error().ToString()); });
  }
  void Put(const std::string& key, const std::string& value, Condition condition = Condition::None()) {
    store_.Put(key, value, Lifetime::Forever(), condition, until_,
               [this](const Result<Version>& put) { Note(put ? "stored" : put.error().ToString()); });
  }
  void Add(const std::string& key, int64_t delta, IfNone if_none = IfNone::kMake) {
    store_.Increment(key, delta, if_none, until_, [this](const Result<int64_t>& sum) {
      Note(sum ? std::to_string(*sum) : std::string(CodeName(sum.error().code())));
    });
  }
  void Apply(const std::string& key, const std::string& more) {
    store_.Apply(key, "append", more, until_,
                 [this](const Result<PartResult>& old) { Note(old ? "was:" + old->answer : old.error().ToString()); });
  }
  void Note(const std::string& answer) { answers_ += answer + " "; }
  // The number of calls that the table got meanwhile.
  size_t CallsOf(const std::function<void()>& work) {
    table_->Hold();
    InOneTurn(work);
    return table_->Release();
  }

  rpc::EventLoop loop_{"batching"};
  const std::shared_ptr<MemoryStore> table_ = std::make_shared<MemoryStore>();
  BatchingStore store_{table_, {&loop_}};
  Until until_ = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::string answers_;
};

TEST_F(BatchingStoreTest, GetsOfATurnAreOneCallWithAnAnswerEach) {
  table_->Write("a", "1");
  table_->Write("c", "3");
  EXPECT_EQ(CallsOf([&] {
              Get("a");
              Get("b");
              Get("c");
              Get("a");
            }),
            1u);
  EXPECT_EQ(answers_, "1 NOT_FOUND: no such key 3 1 ");
  EXPECT_EQ(CallsOf([&] {
              Get("a");
              Get("a", Freshness::kLatest);
            }),
            2u);
}

TEST_F(BatchingStoreTest, FunctionsGoWithTheOtherWritesOfATurn) {
  const auto functions = std::make_shared<Functions>();
  functions->Add("append", [](const FunctionInput& input) -> Result<FunctionResult> {
    const std::string old(input.record ? input.record->value : "");
    return FunctionResult{FunctionResult::Change::kPut, old + std::string(input.arguments), std::nullopt, old};
  });
  table_->SetFunctions(functions);
  table_->Write("a", "1");
  EXPECT_EQ(CallsOf([&] {
              Apply("a", "2");
              Put("b", "y");
              Apply("c", "3");
            }),
            1u);
  EXPECT_EQ(answers_, "was:1 stored was: ");
  answers_.clear();
  // A write that cannot join is sent alone.
  EXPECT_EQ(CallsOf([&] {
              Apply("a", "3");
              Apply("a", "4");
              Put("a", "y");
              Add("a", 1);
            }),
            4u);
  EXPECT_EQ(answers_.find("was:12 "), answers_.rfind("was:12 ")) << answers_;
  table_->SetFunctions(nullptr);
  InOneTurn([&] { Apply("a", "5"); });
  EXPECT_TRUE(answers_.contains("INVALID_ARGUMENT")) << answers_;
  EXPECT_EQ(CallsOf([&] {
              Apply("a", "2");
              Put("b", "y");
              Put("c", "y");
            }),
            1u)
      << "a refusal before changes nothing";
}

TEST_F(BatchingStoreTest, ManyGetsAreSeveralCallsAndThoseOfOneKeyOne) {
  table_->Write("same", "1");
  size_t released = 0;
  table_->Hold();
  InOneTurn([&] {
    for (int i = 0; i < 200; ++i) Get("same");
    for (int i = 0; i < 300; ++i) Get("key" + std::to_string(i));
  });
  // The 200 are in one call, so that no write lands between two of them.
  for (size_t call = 0; table_->held() > 0; ++call, ++released) {
    table_->Release(1);
    table_->Write("same", std::to_string(call + 2));
  }
  EXPECT_LE(released, 5u);
  std::istringstream in(answers_);
  std::set<std::string> seen;
  for (std::string word; in >> word;) {
    if (word.find_first_not_of("0123456789") == std::string::npos) seen.insert(word);
  }
  EXPECT_EQ(seen.size(), 1u);
}

TEST_F(BatchingStoreTest, PlainWritesOfATurnAreOneCall) {
  EXPECT_EQ(CallsOf([&] {
              Put("a", "x");
              Put("b", "y");
              Add("n", 5);
            }),
            1u);
  EXPECT_EQ(answers_, "stored stored 5 ");
  EXPECT_EQ(table_->Read("a")->value + table_->Read("b")->value + table_->Read("n")->value, "xy5");
}

TEST_F(BatchingStoreTest, OfSeveralPutsOfAKeyTheLastIsDone) {
  std::vector<Version> versions;
  const auto put = [&](const std::string& value) {
    store_.Put("a", value, Lifetime::Forever(), Condition::None(), until_,
               [&](const Result<Version>& done) { versions.push_back(done.value()); });
  };
  EXPECT_EQ(CallsOf([&] {
              put("1");
              Put("b", "x");
              put("22");
              put("333");
            }),
            1u);
  EXPECT_EQ(table_->Read("a")->value, "333");
  ASSERT_EQ(versions.size(), 3u);
  EXPECT_LT(versions[0], versions[2]);
  EXPECT_LT(versions[1], versions[2]);
  EXPECT_EQ(versions[2], table_->Read("a")->version);
}

TEST_F(BatchingStoreTest, PutsOfAKeyFailTogether) {
  table_->SetFault([](const std::string&, const std::string&) { return Status(Code::kUnknownOutcome, "cut"); });
  EXPECT_EQ(CallsOf([&] {
              Put("a", "1");
              Put("a", "2");
            }),
            1u);
  EXPECT_EQ(answers_, "UNKNOWN_OUTCOME: cut UNKNOWN_OUTCOME: cut ");
}

TEST_F(BatchingStoreTest, APutAndAnIncrementOfAKeyGoByThemselves) {
  EXPECT_EQ(CallsOf([&] {
              Put("a", "1");
              Add("a", 1);
            }),
            2u);
}

TEST_F(BatchingStoreTest, WhatHasAConditionGoesByItself) {
  table_->Write("a", "1");
  EXPECT_EQ(CallsOf([&] {
              Put("a", "x", Condition::Absent());
              Put("b", "x");
              Put("c", "x");
            }),
            2u);
  EXPECT_EQ(table_->Read("a")->value, "1");
}

TEST_F(BatchingStoreTest, IncrementsOfAKeyAreSummedUpAndEachLearnsItsOwn) {
  table_->Write("n", "10");
  EXPECT_EQ(CallsOf([&] {
              Add("n", 1);
              Add("m", 7);
              Add("n", 2);
              Add("n", 3);
            }),
            1u);
  EXPECT_EQ(answers_, "11 13 16 7 ");
}

TEST_F(BatchingStoreTest, WhatWouldMakeARecordIsNotSummedUpWithWhatRefusesTo) {
  CallsOf([&] {
    Add("n", 1, IfNone::kRefuse);
    Add("n", 1, IfNone::kMake);
  });
  EXPECT_NE(answers_.find("1 "), std::string::npos) << answers_;
  answers_.clear();
  CallsOf([&] {
    Add("m", 1, IfNone::kRefuse);
    Add("m", 1, IfNone::kRefuse);
  });
  EXPECT_EQ(answers_, "CONDITION_FAILED CONDITION_FAILED ");
}

// The sum of all would overflow; the first alone does not.
TEST_F(BatchingStoreTest, ARefusedSumIsTriedOneByOne) {
  table_->Write("n", std::to_string(std::numeric_limits<int64_t>::max() - 5));
  InOneTurn([&] {
    Add("n", 4);
    Add("n", 3);
    Add("n", 1);
  });
  EXPECT_EQ(answers_, std::to_string(std::numeric_limits<int64_t>::max() - 1) + " INVALID_ARGUMENT " +
                          std::to_string(std::numeric_limits<int64_t>::max()) + " ");
}

TEST_F(BatchingStoreTest, UpAndDownAreNotSummedUp) {
  table_->Write("n", std::to_string(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(CallsOf([&] {
              Add("n", -1);
              Add("n", 1);
            }),
            2u);
}

TEST_F(BatchingStoreTest, AnotherDeadlineGoesByItself) {
  EXPECT_EQ(CallsOf([&] {
              Get("a");
              until_ += std::chrono::seconds(1);
              Get("b");
            }),
            2u);
}

TEST_F(BatchingStoreTest, OtherThreadsDoNotWaitForATurn) {
  table_->Write("a", "1");
  Get("a");
  EXPECT_EQ(answers_, "1 ");
}

}  // namespace
}  // namespace ebla::gateway
