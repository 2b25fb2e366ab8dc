// Deliveries to two connections of one gateway.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/redis/testing/memory_client.h"

namespace ebla::gateway::redis {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Resp2(const Words& words) { return Encode(words); }

class SubscriptionsTest : public ::testing::Test {
 protected:
  MemoryClient client_;
  MemoryClient other_{&client_};
};

TEST_F(SubscriptionsTest, AMessageComesByNameAndByEachPattern) {
  EXPECT_EQ(client_.Answer({"SUBSCRIBE", "news"}), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  client_.Answer({"PSUBSCRIBE", "n*", "x*"});
  EXPECT_EQ(other_.Answer({"PUBLISH", "news", "hello"}), ":2\r\n");
  EXPECT_EQ(client_.TakePushed(), Resp2({"message", "news", "hello"}) + Resp2({"pmessage", "n*", "news", "hello"}));
  EXPECT_EQ(other_.Answer({"PUBLISH", "new", "hello"}), ":1\r\n");
  EXPECT_EQ(client_.TakePushed(), Resp2({"pmessage", "n*", "new", "hello"}));
  client_.Answer({"PUNSUBSCRIBE"});
  EXPECT_EQ(other_.Answer({"PUBLISH", "new", "hello"}), ":0\r\n");
  EXPECT_EQ(other_.TakePushed(), "");
}

TEST_F(SubscriptionsTest, WhoSpeaksTheThirdVersionGetsPushesAndMayAskWhatItLikes) {
  client_.Answer({"HELLO", "3"});
  EXPECT_THAT(client_.Answer({"SUBSCRIBE", "news"}), StartsWith(">3\r\n"));
  EXPECT_EQ(client_.Answer({"SET", "a", "1"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"PUBLISH", "news", "mine"}), ":1\r\n");
  EXPECT_EQ(client_.TakePushed(), ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$4\r\nmine\r\n");
}

TEST_F(SubscriptionsTest, WhoSpeaksTheSecondOnlyListens) {
  client_.Answer({"SUBSCRIBE", "news"});
  EXPECT_THAT(client_.Answer({"GET", "a"}), HasSubstr("only (P|S)SUBSCRIBE"));
  EXPECT_EQ(client_.Answer({"PING"}), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  EXPECT_EQ(client_.Answer({"PING", "x"}), "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  client_.Answer({"UNSUBSCRIBE"});
  EXPECT_EQ(client_.Answer({"GET", "a"}), "$-1\r\n");
}

TEST_F(SubscriptionsTest, ShardChannelsAreOthers) {
  client_.Answer({"SSUBSCRIBE", "news"});
  EXPECT_EQ(other_.Answer({"PUBLISH", "news", "x"}), ":0\r\n");
  EXPECT_EQ(other_.Answer({"SPUBLISH", "news", "x"}), ":1\r\n");
  EXPECT_EQ(client_.TakePushed(), Resp2({"smessage", "news", "x"}));
}

TEST_F(SubscriptionsTest, AMessageOfATransactionComesOnceItHasHappened) {
  client_.Answer({"SUBSCRIBE", "news"});
  other_.Answer({"WATCH", "a"});
  other_.databases().store("0").Write("a", "other");
  for (const Words& words : std::vector<Words>{{"MULTI"}, {"SET", "a", "1"}, {"PUBLISH", "news", "set"}})
    other_.Answer(words);
  EXPECT_EQ(other_.Answer({"EXEC"}), "*-1\r\n");
  EXPECT_EQ(client_.TakePushed(), "");
  for (const Words& words : std::vector<Words>{{"MULTI"}, {"SET", "a", "1"}, {"PUBLISH", "news", "set"}})
    other_.Answer(words);
  EXPECT_EQ(other_.Answer({"EXEC"}), "*2\r\n+OK\r\n:1\r\n");
  EXPECT_EQ(client_.TakePushed(), Resp2({"message", "news", "set"}));
}

TEST_F(SubscriptionsTest, WhoIsGoneOrBeginsAnewHearsNothing) {
  {
    MemoryClient gone(&client_);
    gone.Answer({"SUBSCRIBE", "news"});
    EXPECT_EQ(other_.Answer({"PUBSUB", "NUMSUB", "news"}), "*2\r\n$4\r\nnews\r\n:1\r\n");
  }
  EXPECT_EQ(other_.Answer({"PUBSUB", "CHANNELS"}), "*0\r\n");
  client_.Answer({"SUBSCRIBE", "news"});
  EXPECT_THAT(other_.Answer({"CLIENT", "LIST", "TYPE", "PUBSUB"}), HasSubstr("flags=P db=0 sub=1"));
  client_.Answer({"RESET"});
  EXPECT_EQ(other_.Answer({"PUBLISH", "news", "x"}), ":0\r\n");
}

TEST_F(SubscriptionsTest, OneConnectionListensToSoMuchAndNoMore) {
  const std::string long_name(4'000, 'x');
  EXPECT_THAT(client_.Answer({"PSUBSCRIBE", long_name + long_name}), HasSubstr("at most 4096 bytes"));
  std::string answer;
  int taken = 0;
  for (; taken < 10'000; ++taken) {
    answer = client_.Answer({"SUBSCRIBE", long_name + std::to_string(taken)});
    if (answer.starts_with('-')) break;
  }
  EXPECT_THAT(answer, StartsWith("-ERR this connection listens to too many"));
  EXPECT_GT(taken, 3'000);
  EXPECT_EQ(other_.Answer({"PUBLISH", long_name + "0", "x"}), ":1\r\n") << "the others stay";
  Words patterns{"PSUBSCRIBE"};
  for (int i = 0; i < 1'000; ++i) patterns.push_back(std::to_string(i));
  EXPECT_THAT(other_.Answer(patterns), StartsWith("*3"));
  for (std::string& pattern : patterns) pattern += pattern == "PSUBSCRIBE" ? "" : "*";
  EXPECT_THAT(other_.Answer(patterns), StartsWith("*3"));
  EXPECT_THAT(other_.Answer({"PSUBSCRIBE", "more"}), StartsWith("-ERR this connection listens to too many"));
}

}  // namespace
}  // namespace ebla::gateway::redis
