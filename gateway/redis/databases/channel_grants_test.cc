#include "gateway/redis/databases/channel_grants.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "gateway/testing/memory_store.h"

namespace ebla::gateway::redis {
namespace {

using Kind = ChannelUse::Kind;

class ChannelGrantsTest : public ::testing::Test {
 protected:
  // Makes the store that of a user with these grants of keys that begin with "open".
  void Grant(bool reads, bool writes) {
    records_->SetFault([this, reads, writes](const std::string& operation, const std::string& key) {
      ++asked_;
      if (down_) return Status(Code::kUnavailable, "nobody is there");
      const bool may = (operation == "delete" ? writes : reads) && key.starts_with("open");
      return may ? Status() : Status(Code::kPermissionDenied, "lacks a grant");
    });
  }
  Code Ask(Kind kind, const std::string& name) {
    Status known;
    if (grants_->Knows({kind, name}, known)) return known.code();
    std::optional<Status> answer;
    grants_->Ask(records_, {kind, name}, std::chrono::steady_clock::now() + std::chrono::seconds(1),
                 [&](Status status) { answer = std::move(status); });
    return answer ? answer->code() : Code::kInternal;
  }

  const std::shared_ptr<MemoryStore> records_ = std::make_shared<MemoryStore>();
  const std::shared_ptr<ChannelGrants> grants_ = std::make_shared<ChannelGrants>();
  int asked_ = 0;
  bool down_ = false;
};

TEST_F(ChannelGrantsTest, ReadingIsListeningAndWritingIsPublishing) {
  Grant(true, false);
  EXPECT_EQ(Ask(Kind::kListen, "open.news"), Code::kOk);
  EXPECT_EQ(Ask(Kind::kPublish, "open.news"), Code::kPermissionDenied);
  EXPECT_EQ(Ask(Kind::kListen, "closed"), Code::kPermissionDenied);
  Grant(false, true);
  EXPECT_EQ(Ask(Kind::kPublish, "open.sport"), Code::kOk);
  EXPECT_EQ(Ask(Kind::kListen, "open.sport"), Code::kPermissionDenied);
}

TEST_F(ChannelGrantsTest, PublishingChangesNothing) {
  Grant(true, true);
  records_->Write("open.news", "a key of that name");
  EXPECT_EQ(Ask(Kind::kPublish, "open.news"), Code::kOk);
  EXPECT_EQ(records_->Read("open.news")->value, "a key of that name");
}

TEST_F(ChannelGrantsTest, AnAnswerIsAskedForOnce) {
  Grant(true, false);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Ask(Kind::kListen, "open.news"), Code::kOk);
    EXPECT_EQ(Ask(Kind::kListen, "closed"), Code::kPermissionDenied);
  }
  EXPECT_EQ(asked_, 2);
}

TEST_F(ChannelGrantsTest, WhatWasAnsweredLastHoldsWhileNobodyCanBeAsked) {
  Grant(true, true);
  down_ = true;
  EXPECT_EQ(Ask(Kind::kListen, "open.news"), Code::kUnavailable);
  down_ = false;
  EXPECT_EQ(Ask(Kind::kListen, "open.news"), Code::kOk);
  down_ = true;
  std::optional<Status> answer;
  grants_->Ask(records_, {Kind::kListen, "open.news"}, std::chrono::steady_clock::now(),
               [&](Status status) { answer = std::move(status); });
  EXPECT_TRUE(answer && answer->ok());
}

TEST_F(ChannelGrantsTest, APatternWantsEveryRecordThatBeginsAsItDoes) {
  Grant(true, false);
  EXPECT_EQ(Ask(Kind::kListenToPattern, "open.*"), Code::kOk);
  EXPECT_EQ(Ask(Kind::kListenToPattern, "op*"), Code::kPermissionDenied);
  EXPECT_EQ(Ask(Kind::kListenToPattern, "*"), Code::kPermissionDenied);
}

TEST_F(ChannelGrantsTest, ATagChangesNothing) {
  Grant(true, true);
  EXPECT_EQ(Ask(Kind::kListen, "open.{a}"), Code::kOk);
  EXPECT_EQ(Ask(Kind::kPublish, "open.{a}"), Code::kOk);
  EXPECT_EQ(Ask(Kind::kListen, "{open}"), Code::kPermissionDenied);
}

}  // namespace
}  // namespace ebla::gateway::redis
