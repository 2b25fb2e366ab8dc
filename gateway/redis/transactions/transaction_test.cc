// Races and faults of transactions. redis_conformance_test compares their replies without races.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/redis/databases/key_codec.h"
#include "gateway/redis/testing/memory_client.h"

namespace ebla::gateway::redis {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TransactionTest : public ::testing::Test {
 protected:
  MemoryStore& store() { return client_.databases().store("0"); }
  std::string ValueOf(const std::string& key) {
    const auto record = store().Read(RecordKey(key));
    return record ? record->value : "(none)";
  }
  // Queues them; the reply of EXEC.
  std::string Exec(const std::vector<Words>& commands) {
    EXPECT_EQ(client_.Answer({"MULTI"}), "+OK\r\n");
    for (const Words& words : commands) EXPECT_EQ(client_.Answer(words), "+QUEUED\r\n") << words.front();
    return client_.Answer({"EXEC"});
  }
  // Another client writes a key just before the next such operation of the store.
  void WriteBefore(const std::string& operation, const std::string& key) {
    writes_ = 1;
    store().SetFault([this, operation, record = RecordKey(key)](const std::string& now, const std::string&) {
      if (now == operation && writes_-- == 1) store().Write(record, "other");
      return Status();
    });
  }

  MemoryClient client_;
  int writes_ = 0;
};

TEST_F(TransactionTest, WhoLosesARaceRunsAgainOnWhatTheOtherWrote) {
  client_.Answer({"SET", "{a}1", "x"});
  WriteBefore("commit", "{a}1");
  EXPECT_EQ(Exec({{"APPEND", "{a}1", "!"}, {"SET", "{a}2", "y"}}), "*2\r\n:6\r\n+OK\r\n");
  EXPECT_EQ(ValueOf("{a}1"), "other!");
  EXPECT_EQ(ValueOf("{a}2"), "y");
}

TEST_F(TransactionTest, ABlindWriteLosesNoRace) {
  WriteBefore("commit", "{a}1");
  EXPECT_EQ(Exec({{"SET", "{a}1", "x"}, {"SET", "{a}2", "y"}}), "*2\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(ValueOf("{a}1"), "x");
}

TEST_F(TransactionTest, WhatItOnlyReadMustBeTheSameToo) {
  client_.Answer({"SET", "{a}1", "x"});
  WriteBefore("commit", "{a}1");
  EXPECT_EQ(Exec({{"GET", "{a}1"}, {"SET", "{a}2", "y"}}), "*2\r\n$5\r\nother\r\n+OK\r\n");
}

TEST_F(TransactionTest, AWatchedKeyThatChangesEndsIt) {
  client_.Answer({"SET", "{a}1", "x"});
  EXPECT_EQ(client_.Answer({"WATCH", "{a}1"}), "+OK\r\n");
  store().Write(RecordKey("{a}1"), "other");
  EXPECT_EQ(Exec({{"SET", "{a}2", "y"}}), "*-1\r\n");
  EXPECT_EQ(ValueOf("{a}2"), "(none)");
  EXPECT_EQ(Exec({{"SET", "{a}2", "y"}}), "*1\r\n+OK\r\n") << "it is watched no more";
}

// A GET that showed less than WATCH saw would have EXEC overwrite what it did not know.
TEST_F(TransactionTest, WhoWatchesReadsTheNewest) {
  const auto level = [this] {
    client_.Answer({"GET", "{a}1"});
    return client_.databases().read().level();
  };
  client_.Answer({"CONFIG", "SET", "ebla.read", "eventual"});
  EXPECT_EQ(level(), Read::Level::kEventual);
  client_.Answer({"WATCH", "{a}1"});
  EXPECT_EQ(level(), Read::Level::kStrong);
  EXPECT_EQ(Exec({{"SET", "{a}1", "x"}}), "*1\r\n+OK\r\n");
  EXPECT_EQ(level(), Read::Level::kEventual);
  client_.Answer({"WATCH", "{a}1"});
  client_.Answer({"UNWATCH"});
  EXPECT_EQ(level(), Read::Level::kEventual);
}

TEST_F(TransactionTest, AWatchedKeyThatChangesInTheLastMomentEndsIt) {
  EXPECT_EQ(client_.Answer({"WATCH", "{a}1"}), "+OK\r\n");
  WriteBefore("commit", "{a}1");
  EXPECT_EQ(Exec({{"SET", "{a}2", "y"}}), "*-1\r\n");
  EXPECT_EQ(ValueOf("{a}2"), "(none)");
}

TEST_F(TransactionTest, AKeyThatWasDeletedAndMadeAnewHasChanged) {
  client_.Answer({"SET", "{a}1", "x"});
  client_.Answer({"WATCH", "{a}1"});
  client_.Answer({"DEL", "{a}1"});
  client_.Answer({"SET", "{a}1", "x"});
  EXPECT_EQ(Exec({{"GET", "{a}1"}}), "*-1\r\n");
}

TEST_F(TransactionTest, AKeyWhoseTimeIsOverHasChanged) {
  client_.Answer({"SET", "{a}1", "x", "PX", "100"});
  client_.Answer({"WATCH", "{a}1"});
  store().Advance(std::chrono::milliseconds(200));
  EXPECT_EQ(Exec({{"GET", "{a}1"}}), "*-1\r\n");
}

TEST_F(TransactionTest, TimesStayWhatTheyWere) {
  client_.Answer({"SET", "{a}1", "x", "PX", "100000"});
  EXPECT_EQ(Exec({{"APPEND", "{a}1", "y"}, {"SET", "{a}2", "z", "PX", "5000"}, {"PTTL", "{a}2"}}),
            "*3\r\n:2\r\n+OK\r\n:5000\r\n");
  EXPECT_EQ(client_.Answer({"PTTL", "{a}1"}), ":100000\r\n");
  EXPECT_EQ(client_.Answer({"PTTL", "{a}2"}), ":5000\r\n");
}

// The gateway's clock is behind the servers'. A lifetime counts by theirs, wherever its value moves.
TEST_F(TransactionTest, TimesAreTheServersWhateverTheGatewaysClockShows) {
  store().SetSkew(std::chrono::milliseconds(50));
  Exec({{"SET", "{a}1", "x", "PX", "5000"}, {"RENAME", "{a}1", "{a}2"}, {"APPEND", "{a}2", "y"}});
  EXPECT_EQ(client_.Answer({"PTTL", "{a}2"}), ":5050\r\n");
  Exec({{"SET", "{a}3", "x", "PXAT", "1700000100000"}, {"COPY", "{a}3", "{a}4"}, {"PERSIST", "{a}2"}});
  EXPECT_EQ(client_.Answer({"PEXPIRETIME", "{a}4"}), ":1700000100000\r\n");
  EXPECT_EQ(client_.Answer({"PTTL", "{a}2"}), ":-1\r\n");
}

TEST_F(TransactionTest, KeysOfSeveralGroupsAreRefused) {
  EXPECT_THAT(Exec({{"SET", "a", "1"}, {"SET", "b", "2"}}), StartsWith("-CROSSSLOT"));
  EXPECT_EQ(ValueOf("a"), "(none)");
  EXPECT_THAT(client_.Answer({"MSETNX", "a", "1", "b", "2"}), StartsWith("-CROSSSLOT"));
  EXPECT_EQ(Exec({{"SET", "a", "1"}, {"GET", "a"}}), "*2\r\n+OK\r\n$1\r\n1\r\n") << "a key is a group of its own";
  client_.Answer({"WATCH", "b"});
  EXPECT_THAT(Exec({{"SET", "a", "1"}}), StartsWith("-CROSSSLOT"));
}

TEST_F(TransactionTest, EachGroupMayBeATransactionOfItsOwn) {
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "ebla.transactions", "each-group"}), "+OK\r\n");
  EXPECT_EQ(Exec({{"SET", "a", "1"}, {"MSET", "b", "2", "c", "3"}, {"INCR", "c"}, {"MGET", "a", "b", "c"}, {"PING"}}),
            "*5\r\n+OK\r\n+OK\r\n:4\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n4\r\n+PONG\r\n");
  WriteBefore("commit", "{x}1");
  EXPECT_EQ(Exec({{"APPEND", "{x}1", "!"}, {"APPEND", "{x}2", "!"}, {"SET", "{y}1", "1"}, {"SET", "{y}2", "1"}}),
            "*4\r\n:6\r\n:1\r\n+OK\r\n+OK\r\n");
  client_.Answer({"WATCH", "b"});
  EXPECT_THAT(Exec({{"SET", "a", "1"}}), StartsWith("-CROSSSLOT")) << "what is watched is for the whole";
}

TEST_F(TransactionTest, WhatCannotBeQueuedBreaksIt) {
  for (const Words& words :
       std::vector<Words>{{"NOSUCH"}, {"GET"}, {"SELECT", "1"}, {"FLUSHALL"}, {"LPUSH", "a", "b"}}) {
    EXPECT_EQ(client_.Answer({"MULTI"}), "+OK\r\n");
    EXPECT_EQ(client_.Answer({"SET", "a", "1"}), "+QUEUED\r\n");
    EXPECT_THAT(client_.Answer(words), StartsWith("-ERR")) << words.front();
    EXPECT_THAT(client_.Answer({"EXEC"}), StartsWith("-EXECABORT")) << words.front();
    EXPECT_EQ(ValueOf("a"), "(none)");
  }
}

TEST_F(TransactionTest, AFaultOfTheStoreIsTheAnswer) {
  store().SetFault([](const std::string& operation, const std::string&) {
    return operation == "commit" ? Status(Code::kUnknownOutcome, "the server went away") : Status();
  });
  EXPECT_EQ(Exec({{"SET", "{a}1", "x"}, {"INCR", "{a}2"}}), "-UNKNOWNOUTCOME the server went away\r\n");
  store().SetFault([](const std::string&, const std::string&) { return Status(Code::kUnavailable, "nobody leads"); });
  EXPECT_EQ(Exec({{"GET", "{a}1"}, {"INCR", "{a}2"}}), "-CLUSTERDOWN nobody leads\r\n");
  EXPECT_EQ(Exec({{"GET", "{a}1"}}), "-CLUSTERDOWN nobody leads\r\n") << "however many commands it has";
  EXPECT_THAT(client_.Answer({"WATCH", "a"}), StartsWith("-CLUSTERDOWN"));
}

TEST_F(TransactionTest, AnOutcomeThatIsUnknownIsTheAnswerHoweverManyCommandsThereAre) {
  store().SetFault([](const std::string& operation, const std::string&) {
    return operation == "get" ? Status() : Status(Code::kUnknownOutcome, "the server went away");
  });
  for (const std::vector<Words>& commands : std::vector<std::vector<Words>>{{{"SET", "a", "x"}},
                                                                            {{"INCR", "a"}},
                                                                            {{"APPEND", "a", "x"}},
                                                                            {{"SET", "a", "x"}, {"INCR", "a"}},
                                                                            {{"PING"}, {"SET", "a", "x"}}})
    EXPECT_EQ(Exec(commands), "-UNKNOWNOUTCOME the server went away\r\n") << commands.front().front();
  store().Write("a", "x");
  EXPECT_EQ(Exec({{"DEL", "a"}}), "-UNKNOWNOUTCOME the server went away\r\n");
  client_.Answer({"CONFIG", "SET", "ebla.transactions", "each-group"});
  EXPECT_EQ(Exec({{"SET", "a", "x"}}), "*1\r\n-UNKNOWNOUTCOME the server went away\r\n");
}

TEST_F(TransactionTest, ACommandsOwnErrorIsNotThatOfTheTransaction) {
  store().Write("a", "x");
  EXPECT_THAT(Exec({{"INCR", "a"}}), StartsWith("*1\r\n-ERR value is not an integer"));
  store().Write("b", std::string("\0\x07", 2));
  EXPECT_THAT(Exec({{"GET", "b"}}), StartsWith("*1\r\n-ERR"));
  EXPECT_THAT(Exec({{"GET", "b"}, {"GET", "b"}}), StartsWith("*2\r\n-ERR"));
}

TEST_F(TransactionTest, CommandsOfSeveralKeysOfOneGroupAreOne) {
  client_.Answer({"SET", "{a}1", "x"});
  WriteBefore("commit", "{a}1");
  EXPECT_EQ(client_.Answer({"RENAME", "{a}1", "{a}2"}), "+OK\r\n");
  EXPECT_EQ(ValueOf("{a}1"), "(none)");
  EXPECT_EQ(ValueOf("{a}2"), "other");
  WriteBefore("commit", "{a}3");
  EXPECT_EQ(client_.Answer({"MSETNX", "{a}3", "1", "{a}4", "2"}), ":0\r\n");
  EXPECT_EQ(ValueOf("{a}4"), "(none)");
  int commits = 0;
  store().SetFault([&](const std::string& operation, const std::string&) {
    commits += operation == "commit" ? 1 : 0;
    return operation == "put" ? Status(Code::kInternal, "each for itself") : Status();
  });
  EXPECT_EQ(client_.Answer({"MSET", "{a}5", "1", "{a}6", "2"}), "+OK\r\n");
  EXPECT_EQ(commits, 2) << "of one commit, each key";
}

TEST_F(TransactionTest, ManyCommandsThatEndAtOnceDoNotNest) {
  std::string replies = "*50000\r\n";
  for (int i = 0; i < 50'000; ++i) replies += ":0\r\n";
  EXPECT_EQ(Exec(std::vector<Words>(50'000, {"PUBLISH", "c", "m"})), replies);
  client_.Answer({"CONFIG", "SET", "ebla.transactions", "each-group"});
  EXPECT_THAT(Exec(std::vector<Words>(20'000, {"MSET", "a", "1", "b"})), StartsWith("*20000\r\n-ERR wrong number"));
}

TEST_F(TransactionTest, OneCommandOfSeveralKeysIsOneToo) {
  WriteBefore("commit", "{a}1");
  EXPECT_EQ(Exec({{"MSETNX", "{a}1", "1", "{a}2", "1"}}), "*1\r\n:0\r\n") << "somebody else was faster";
  EXPECT_EQ(ValueOf("{a}2"), "(none)");
}

TEST_F(TransactionTest, RepliesThatAreTooLargeTogetherEndIt) {
  store().Write("a", std::string(1'000'000, 'x'));
  std::vector<Words> many(100, {"GET", "a"});
  many.push_back({"SET", "a", "1"});
  EXPECT_THAT(Exec(many), StartsWith("-OOM"));
  EXPECT_EQ(ValueOf("a").size(), 1'000'000u);
}

TEST_F(TransactionTest, RepliesOfManyGroupsThatAreTooLargeTogetherEndItSoon) {
  client_.Answer({"CONFIG", "SET", "ebla.transactions", "each-group"});
  std::vector<Words> one_each, many_each;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "{" + std::to_string(i) + "}";
    store().Write(RecordKey(key), std::string(1'000'000, 'x'));
    one_each.push_back({"GET", key});
    if (i < 8) many_each.insert(many_each.end(), 60, {"GET", key});
  }
  int reads = 0;
  store().SetFault([&](const std::string&, const std::string&) {
    ++reads;
    return Status();
  });
  EXPECT_THAT(Exec(one_each), StartsWith("-OOM the replies of this transaction"));
  EXPECT_LE(reads, 70) << "no more is begun";
  EXPECT_THAT(Exec(many_each), StartsWith("-OOM the replies of this transaction"));
  one_each.resize(60);
  EXPECT_THAT(Exec(one_each), StartsWith("*60\r\n$1000000\r\n"));
}

TEST_F(TransactionTest, WhatTheConnectionAnswersWaitsForTheTransaction) {
  client_.Answer({"WATCH", "n"});
  store().Write("n", "other");
  EXPECT_EQ(Exec({{"CLIENT", "SETNAME", "me"}}), "*-1\r\n");
  EXPECT_EQ(client_.Answer({"CLIENT", "GETNAME"}), "$-1\r\n");
  EXPECT_EQ(Exec({{"CLIENT", "SETNAME", "me"}, {"GET", "n"}, {"PUBSUB", "NUMPAT"}}),
            "*3\r\n+OK\r\n$5\r\nother\r\n:0\r\n");
  EXPECT_EQ(client_.Answer({"CLIENT", "GETNAME"}), "$2\r\nme\r\n");
}

TEST_F(TransactionTest, AGroupThatFailsFailsAloneWhereEachIsATransaction) {
  client_.Answer({"CONFIG", "SET", "ebla.transactions", "each-group"});
  store().SetFault([](const std::string& operation, const std::string& key) {
    return operation == "commit" && key.find("{b}") != key.npos ? Status(Code::kUnavailable, "nobody leads") : Status();
  });
  EXPECT_EQ(Exec({{"INCR", "{a}1"},
                  {"INCR", "{b}1"},
                  {"INCR", "{a}2"},
                  {"INCR", "{b}2"},
                  {"MSETNX", "{a}3", "1", "{b}3", "1"}}),
            "*5\r\n:1\r\n-CLUSTERDOWN nobody leads\r\n:1\r\n-CLUSTERDOWN nobody leads\r\n"
            "-CROSSSLOT Keys in request don't hash to the same slot: give them one {tag}\r\n");
}

TEST_F(TransactionTest, AConnectionWatchesSoManyKeys) {
  Words words{"WATCH"};
  for (int i = 0; i < 1'000; ++i) words.push_back("{a}" + std::to_string(i));
  EXPECT_EQ(client_.Answer(words), "+OK\r\n");
  EXPECT_THAT(client_.Answer({"WATCH", "{a}more"}), StartsWith("-ERR a connection watches"));
  client_.Answer({"UNWATCH"});
  EXPECT_EQ(client_.Answer({"WATCH", "{a}more"}), "+OK\r\n");
}

TEST_F(TransactionTest, ATimeThatIsOverBeforeItRunsIsADelete) {
  client_.Answer({"SET", "{t}b", "x"});
  client_.Answer({"SET", "{t}a", "x"});
  const std::string at = std::to_string(store().NowMs() + 20);
  writes_ = 1;
  store().SetFault([this](const std::string& operation, const std::string&) {
    if (operation == "commit" && writes_-- == 1) {
      store().Write(RecordKey("{t}a"), "other");
      store().Advance(std::chrono::milliseconds(30));
    }
    return Status();
  });
  EXPECT_EQ(Exec({{"GET", "{t}a"}, {"SET", "{t}b", "y", "PXAT", at}}), "*2\r\n$5\r\nother\r\n+OK\r\n");
  store().SetFault({});
  EXPECT_EQ(client_.Answer({"EXISTS", "{t}b"}), ":0\r\n");
}

TEST_F(TransactionTest, TooLargeATransactionIsRefusedWhole) {
  std::vector<Words> many;
  for (int i = 0; i < 1'001; ++i) many.push_back({"SET", "{a}" + std::to_string(i), "x"});
  EXPECT_THAT(Exec(many), HasSubstr("1,000 keys"));
  const std::string large(1'000'000, 'x');
  std::vector<Words> wide;
  for (int i = 0; i < 5; ++i) wide.push_back({"SET", "{a}" + std::to_string(i), large});
  EXPECT_THAT(Exec(wide), HasSubstr("4 MiB"));
  EXPECT_EQ(ValueOf("{a}0"), "(none)");
}

}  // namespace
}  // namespace ebla::gateway::redis
