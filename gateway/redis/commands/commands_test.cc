// Commands that cannot be compared with a redis-server: cursors over many keys, races, faults of the store, floods.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "functions/redis/record_function.h"
#include "gateway/redis/connections/slow_log.h"
#include "gateway/redis/testing/memory_client.h"
#include "gateway/redis/wire/glob.h"

namespace ebla::gateway::redis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> BulksOf(std::string_view reply) {
  std::vector<std::string> bulks;
  while (!reply.empty()) {
    const size_t line = reply.find("\r\n");
    const size_t length = reply.front() == '$' ? ReplyLength(reply).value() : line + 2;
    if (reply.front() == '$') bulks.emplace_back(reply.substr(line + 2, length - line - 4));
    reply.remove_prefix(length);
  }
  return bulks;
}

class CommandsTest : public ::testing::Test {
 protected:
  MemoryStore& store() { return client_.databases().store("0"); }

  // By many pages; `between` is called after each.
  std::multiset<std::string> ScanAll(Words more, const std::function<void(const std::string& cursor)>& between = {}) {
    std::multiset<std::string> keys;
    std::string cursor = "0";
    do {
      Words words = {"SCAN", cursor};
      words.insert(words.end(), more.begin(), more.end());
      std::vector<std::string> bulks = BulksOf(client_.Answer(words));
      EXPECT_FALSE(bulks.empty());
      cursor = bulks.at(0);
      keys.insert(bulks.begin() + 1, bulks.end());
      if (between) between(cursor);
    } while (cursor != "0");
    return keys;
  }

  MemoryClient client_;
};

TEST_F(CommandsTest, AScanShowsEveryKeyOnce) {
  for (int i = 0; i < 1'000; ++i) store().Write("key" + std::to_string(i), "v");
  for (const char* const count : {"1", "7", "10", "999", "1000", "100000"}) {
    const auto keys = ScanAll({"COUNT", count});
    EXPECT_EQ(keys.size(), 1'000u) << count;
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 1'000u) << count;
  }
  EXPECT_EQ(ScanAll({"MATCH", "key99*", "COUNT", "3"}).size(), 11u);
  EXPECT_EQ(ScanAll({"TYPE", "hash"}).size(), 0u);
}

TEST_F(CommandsTest, AScanMissesNoKeyThatStaysWhileOthersGo) {
  std::set<std::string> stay;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key" + std::to_string(i);
    store().Write(key, "v");
    if (i % 2 == 0) stay.insert(key);
  }
  int at = 1;
  const auto keys = ScanAll({"COUNT", "5"}, [&](const std::string&) {
    for (int i = 0; i < 4; ++i, at = (at + 2) % 500) client_.Answer({"DEL", "key" + std::to_string(at)});
  });
  for (const std::string& key : stay) EXPECT_TRUE(keys.contains(key)) << key;
}

TEST_F(CommandsTest, ACursorOfAnotherGatewayGoesOnWhereItStood) {
  std::set<std::string> all;
  for (int i = 0; i < 300; ++i) {
    all.insert("key" + std::to_string(i));
    store().Write("key" + std::to_string(i), "v");
  }
  std::set<std::string> seen;
  std::string cursor = "0";
  do {
    // Each page by a gateway that knows nothing of the earlier pages.
    MemoryClient other;
    for (const std::string& key : all) other.databases().store("0").Write(key, "v");
    const std::vector<std::string> bulks = BulksOf(other.Answer({"SCAN", cursor, "COUNT", "20"}));
    cursor = bulks.at(0);
    for (size_t i = 1; i < bulks.size(); ++i) EXPECT_TRUE(seen.insert(bulks[i]).second) << bulks[i] << " came twice";
  } while (cursor != "0");
  EXPECT_EQ(seen, all);
}

TEST_F(CommandsTest, WhoLosesARaceChangesWhatTheOtherWrote) {
  store().SetFunctions(nullptr);
  store().Write("a", "x");
  int races = 0;
  store().SetFault([&](const std::string& operation, const std::string& key) {
    if (operation == "put" && races++ < 3) store().Write(key, "y" + std::to_string(races));
    return Status();
  });
  EXPECT_EQ(client_.Answer({"APPEND", "a", "!"}), ":3\r\n");
  EXPECT_EQ(store().Read("a")->value, "y3!");
}

TEST_F(CommandsTest, ACommandOfOneKeyAsksTheStoreOnce) {
  const std::vector<Words> commands = {{"SET", "a", "12"},
                                       {"SET", "a", "13", "XX"},
                                       {"SETNX", "a", "x"},
                                       {"INCR", "a"},
                                       {"APPEND", "a", "0"},
                                       {"SETRANGE", "a", "1", "7"},
                                       {"SETBIT", "a", "7", "1"},
                                       {"BITFIELD", "a", "SET", "u8", "0", "49"},
                                       {"INCRBYFLOAT", "a", "0.5"},
                                       {"EXPIRE", "a", "100"},
                                       {"PEXPIREAT", "a", "1", "GT"},
                                       {"PERSIST", "a"},
                                       {"GETEX", "a", "EX", "10"},
                                       {"GETEX", "a"},
                                       {"SET", "a", "5", "KEEPTTL"},
                                       {"SET", "a", "6", "GET"},
                                       {"SET", "b", "6", "NX", "EX", "9"},
                                       {"GETSET", "a", "8"},
                                       {"GETDEL", "a"},
                                       {"GETDEL", "a"},
                                       {"EXPIRE", "a", "1"},
                                       {"TTL", "b"},
                                       {"GET", "b"}};
  MemoryClient by_steps;  // whose servers have no functions
  by_steps.databases().store("0").SetFunctions(nullptr);
  int calls = 0;
  store().SetFault([&](const std::string&, const std::string&) {
    ++calls;
    return Status();
  });
  for (const Words& words : commands) {
    calls = 0;
    EXPECT_EQ(client_.Answer(words), by_steps.Answer(words)) << words[0];
    EXPECT_EQ(calls, 1) << words[0];
    const auto here = store().Read("a"), there = by_steps.databases().store("0").Read("a");
    ASSERT_EQ(here.has_value(), there.has_value()) << words[0];
    if (here) {
      EXPECT_EQ(DecodeItem(here->value)->value, DecodeItem(there->value)->value) << words[0];
      EXPECT_EQ(here->expires, there->expires) << words[0];
    }
  }
}

TEST_F(CommandsTest, TheTableSaysHowEachCommandIsRun) {
  const std::set<std::string_view> by_connections = {"select", "exec", "multi", "watch"};
  for (const CommandInfo& command : AllCommands()) {
    const bool has_runner = command.runner.update != nullptr || command.runner.run != nullptr;
    EXPECT_NE(has_runner, command.Is(kOwn) || by_connections.contains(command.name)) << command.name;
  }
}

TEST_F(CommandsTest, TheFunctionsOfServersTakeTheWordsThatCommandsTake) {
  int functions = 0;
  for (const CommandInfo& command : AllCommands()) {
    const CommandFunction* const function = FunctionOf(command.name);
    if (function == nullptr) continue;
    ++functions;
    EXPECT_EQ(function->arity, command.arity) << command.name;
    EXPECT_EQ(function->update, command.runner.update) << command.name;
  }
  EXPECT_EQ(functions, 20);
}

TEST_F(CommandsTest, FaultsOfTheStoreAreErrorsAndNoMisses) {
  store().SetFault(
      [](const std::string&, const std::string&) { return Status(Code::kUnavailable, "nobody\r\nleads"); });
  for (const Words& words : std::vector<Words>{{"GET", "a"},
                                               {"SET", "a", "1"},
                                               {"SET", "a", "1", "NX"},
                                               {"INCR", "a"},
                                               {"MGET", "a", "b"},
                                               {"DEL", "a", "b"},
                                               {"MSET", "a", "1", "b", "2"},
                                               {"SCAN", "0"},
                                               {"KEYS", "*"},
                                               {"DBSIZE"},
                                               {"FLUSHDB"},
                                               {"RANDOMKEY"},
                                               {"RENAME", "a", "b"},
                                               {"BITOP", "AND", "a", "b"},
                                               {"EXISTS", "a"},
                                               {"OBJECT", "ENCODING", "a"},
                                               {"COPY", "a", "b"},
                                               {"GETDEL", "a"}}) {
    const std::string answer = client_.Answer(words);
    EXPECT_THAT(answer, StartsWith("-CLUSTERDOWN nobody")) << words[0];
    EXPECT_EQ(answer.find("\r\n"), answer.size() - 2) << words[0];
  }
}

TEST_F(CommandsTest, AValueThatWouldBeTooLongIsRefused) {
  EXPECT_THAT(client_.Answer({"SET", "a", std::string(kStringBytesMax + 1, 'x')}),
              HasSubstr("exceeds maximum allowed size"));
  EXPECT_EQ(client_.Answer({"SET", "a", std::string(kStringBytesMax - 1, '\0'), "EX", "100"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"APPEND", "a", "x"}), ":1048569\r\n");
  EXPECT_EQ(client_.Answer({"RENAME", "a", "c"}), "+OK\r\n") << "with all that is remembered beside it";
  EXPECT_EQ(client_.Answer({"RENAME", "c", "a"}), "+OK\r\n");
  EXPECT_THAT(client_.Answer({"APPEND", "a", "x"}), HasSubstr("exceeds maximum allowed size"));
  EXPECT_THAT(client_.Answer({"SETRANGE", "b", "1048576", "x"}), HasSubstr("exceeds maximum allowed size"));
  EXPECT_THAT(client_.Answer({"SETBIT", "b", "8388608", "1"}),
              HasSubstr("bit offset is not an integer or out of range"));
}

TEST_F(CommandsTest, WhatRedisHasAndEblaHasNotSaysSo) {
  EXPECT_EQ(client_.Answer({"HSET", "a", "b", "c"}), "-ERR HSET is not served by Ebla yet\r\n");
  EXPECT_EQ(client_.Answer({"Shutdown"}), "-ERR SHUTDOWN is not served by Ebla: SIGTERM ends the process\r\n");
  EXPECT_THAT(client_.Answer({"NOSUCH", "a"}), StartsWith("-ERR unknown command 'NOSUCH'"));
  for (const std::string_view name : NamesNotServed()) EXPECT_EQ(FindCommand(name), nullptr) << name;
}

TEST_F(CommandsTest, DatabasesAreApart) {
  EXPECT_EQ(client_.Answer({"SET", "a", "1"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"SELECT", "3"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"GET", "a"}), "$-1\r\n");
  EXPECT_EQ(client_.Answer({"SET", "a", "3"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"COPY", "a", "a", "DB", "0"}), ":0\r\n");
  EXPECT_EQ(client_.Answer({"COPY", "a", "a", "DB", "0", "REPLACE"}), ":1\r\n");
  EXPECT_EQ(client_.Answer({"SELECT", "0"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"GET", "a"}), "$1\r\n3\r\n");
  EXPECT_THAT(client_.Answer({"SELECT", "nosuch"}), StartsWith("-ERR there is no table"));
}

TEST_F(CommandsTest, CursorsAreNumbersThatJavaScriptHas) {
  for (int i = 0; i < 1'000; ++i) EXPECT_LT(ScanCursors::Of("key" + std::to_string(i)), uint64_t{1} << 53);
}

TEST_F(CommandsTest, ManyKeysOfOneCommandAreAllDone) {
  Words set = {"MSET"}, del = {"DEL"}, exists = {"EXISTS"};
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "key" + std::to_string(i);
    set.insert(set.end(), {key, "v"});
    del.push_back(key);
    exists.insert(exists.end(), {key, key});
  }
  EXPECT_EQ(client_.Answer(set), "+OK\r\n");
  EXPECT_EQ(client_.Answer(exists), ":40000\r\n");
  del.push_back("key1");
  del.push_back("nope");
  EXPECT_EQ(client_.Answer(del), ":20000\r\n");
  EXPECT_EQ(client_.Answer({"DBSIZE"}), ":0\r\n");
}

TEST_F(CommandsTest, WritesOfOneCommandAreBegunSomeAtATimeAndNoneAfterAFault) {
  int deletes = 0;
  store().SetFault([&](const std::string& operation, const std::string&) {
    return operation == "delete" && ++deletes == 10 ? Status(Code::kUnavailable, "nobody leads") : Status();
  });
  Words del = {"DEL"};
  for (int i = 0; i < 1'000; ++i) del.push_back("key" + std::to_string(i));
  EXPECT_THAT(client_.Answer(del), StartsWith("-CLUSTERDOWN nobody leads"));
  EXPECT_EQ(deletes, 10) << "each ends within its start here";
}

TEST_F(CommandsTest, AnAnswerThatWouldBeTooLargeIsRefused) {
  EXPECT_EQ(client_.Answer({"SET", "a", std::string(1'000'000, 'x')}), "+OK\r\n");
  Words mget = {"MGET"}, exists = {"EXISTS"};
  for (int i = 0; i < 100; ++i) {
    mget.push_back("a");
    exists.push_back("a");
  }
  EXPECT_THAT(client_.Answer(mget), HasSubstr("more than 64 MiB"));
  EXPECT_EQ(client_.Answer(exists), ":100\r\n");
  EXPECT_THAT(client_.Answer(Words(2'000, "PING")), HasSubstr("too many arguments for 'ping'"));
  EXPECT_THAT(client_.Answer({"KEYS", std::string(5'000, 'a')}), HasSubstr("pattern is longer than 4096 bytes"));
  EXPECT_EQ(client_.Answer({"KEYS", std::string(4096, 'a')}), "*0\r\n");
}

TEST_F(CommandsTest, FlushesThatComeMeanwhileAreOneMore) {
  int scans = 0, answers = 0;
  for (const char* const database : {"0", "1"}) {
    client_.databases().store(database).SetFault([&](const std::string& operation, const std::string&) {
      scans += operation == "scan" ? 1 : 0;
      return Status();
    });
    client_.databases().store(database).Hold();
  }
  const auto caller = std::make_shared<const Caller>(Caller{.shared = std::make_shared<const Shared>()});
  const Words words{"FLUSHDB"};
  const auto flush = [&](const std::string& database) {
    client_.databases().Open(database, Read(), Ack::kDefault, [&](Result<std::shared_ptr<Store>> opened) {
      StoreCall call{{.store = *opened, .caller = caller}, *FindCommand("flushdb"), words};
      call.done = [&](const std::string& reply) { answers += reply == "+OK\r\n" ? 1 : 0; };
      RunStoreCommand(std::move(call));
    });
  };
  for (int i = 0; i < 20; ++i) flush("0");
  flush("1");
  EXPECT_EQ(store().held(), 1u);
  EXPECT_EQ(client_.databases().store("1").held(), 1u) << "another table's goes by itself";
  for (const char* const database : {"0", "1"}) {
    while (client_.databases().store(database).Release() > 0) continue;
  }
  EXPECT_EQ(answers, 21);
  EXPECT_EQ(scans, 3);
  flush("0");
  while (store().Release() > 0) continue;
  EXPECT_EQ(answers, 22);
}

TEST_F(CommandsTest, LevelsAreSetAndShown) {
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "ebla.read", "eventual"}), "+OK\r\n");
  EXPECT_EQ(BulksOf(client_.Answer({"CONFIG", "GET", "ebla.read"})),
            (std::vector<std::string>{"ebla.read", "eventual"}));
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "ebla.read", "bounded=2s"}), "+OK\r\n");
  EXPECT_THAT(client_.Answer({"CONFIG", "SET", "ebla.read", "bounded=2h"}), StartsWith("-ERR CONFIG SET failed"));
  EXPECT_EQ(client_.Answer({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(BulksOf(client_.Answer({"CONFIG", "GET", "ebla.read"})),
            (std::vector<std::string>{"ebla.read", "default"}));
}

TEST_F(CommandsTest, OptionsAreSetAllOrNone) {
  const auto shown = [this] { return BulksOf(client_.Answer({"CONFIG", "GET", "slowlog-max-len", "ebla.read"})); };
  const auto before = shown();
  EXPECT_THAT(client_.Answer({"CONFIG", "SET", "slowlog-max-len", "7", "ebla.read", "nonsense"}),
              StartsWith("-ERR CONFIG SET failed"));
  EXPECT_THAT(client_.Answer({"CONFIG", "SET", "ebla.read", "eventual", "slowlog-max-len", "-7"}),
              StartsWith("-ERR CONFIG SET failed"));
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "slowlog-max-len", "7", "Slowlog-Max-Len", "8"}),
            "-ERR CONFIG SET failed (possibly related to argument 'Slowlog-Max-Len') - duplicate parameter\r\n");
  EXPECT_EQ(shown(), before);
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "slowlog-max-len", "7", "ebla.read", "eventual"}), "+OK\r\n");
  EXPECT_EQ(shown(), (std::vector<std::string>{"ebla.read", "eventual", "slowlog-max-len", "7"}));
}

TEST_F(CommandsTest, RepliesAreLeftOutAsAsked) {
  EXPECT_EQ(client_.Answer({"CLIENT", "REPLY", "OFF"}), "");
  EXPECT_EQ(client_.Answer({"SET", "a", "1"}), "");
  EXPECT_EQ(client_.Answer({"PING"}), "");
  EXPECT_EQ(client_.Answer({"CLIENT", "ID"}), "");
  EXPECT_EQ(client_.Answer({"NOSUCH"}), "");
  EXPECT_EQ(client_.Answer({"GET"}), "");
  EXPECT_EQ(client_.Answer({"CLIENT", "REPLY", "ON"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"GET", "a"}), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Answer({"CLIENT", "REPLY", "SKIP"}), "");
  EXPECT_EQ(client_.Answer({"NOSUCH"}), "");
  EXPECT_EQ(client_.Answer({"GET", "a"}), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Answer({"CLIENT", "REPLY", "OFF"}), "");
  EXPECT_EQ(client_.Answer({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(client_.Answer({"CLIENT", "REPLY", "SKIP"}), "");
  EXPECT_EQ(client_.Answer({"GET", "a"}), "");
  EXPECT_EQ(client_.Answer({"GET", "a"}), "$1\r\n1\r\n");
}

TEST_F(CommandsTest, ATimeThatStaysDoesNotDriftHoweverOftenAValueIsChanged) {
  EXPECT_EQ(client_.Answer({"SET", "a", "", "EX", "100"}), "+OK\r\n");
  const std::string expires = client_.Answer({"PEXPIRETIME", "a"});
  for (int i = 0; i < 50; ++i) {
    store().Advance(std::chrono::milliseconds(7));
    client_.Answer({"APPEND", "a", "x"});
  }
  EXPECT_EQ(client_.Answer({"PEXPIRETIME", "a"}), expires);
  store().Advance(std::chrono::seconds(100));
  EXPECT_EQ(client_.Answer({"EXISTS", "a"}), ":0\r\n");
}

TEST(CountedNames, AreThoseOfRedisAlsoOfWhatIsRefused) {
  testing::SimScheduler scheduler{1};
  testing::SimExecutor executor{scheduler};
  const auto shared = std::make_shared<const Shared>(Shared{.databases = std::make_shared<MemoryDatabases>()});
  RedisProtocol protocol(shared, executor, "127.0.0.1:1", {});
  const auto counted_as = [&](const Words& words) {
    return CommandNames().at(protocol.Take(Encode(words)).command->kind());
  };
  EXPECT_EQ(counted_as({"Get", "a"}), "get");
  EXPECT_EQ(counted_as({"GET"}), "get") << "it takes a key";
  EXPECT_EQ(counted_as({"HSet", "a", "b", "c"}), "hset");
  EXPECT_EQ(counted_as({"ZUNIONSTORE"}), "zunionstore");
  EXPECT_EQ(counted_as({"NOSUCH", "a"}), "unknown");
  EXPECT_EQ(CommandNames().at(protocol.Take("*x\r\n").command->kind()), "unknown");
}

std::string IdOf(MemoryClient& client) {
  const std::string reply = client.Answer({"CLIENT", "ID"});
  return reply.substr(1, reply.size() - 3);
}

TEST_F(CommandsTest, KillEndsOthersAtOnceAndItselfOnceItHasItsReply) {
  MemoryClient other(&client_), third(&client_);
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "ID", IdOf(other)}), ":1\r\n");
  EXPECT_EQ(other.ended(), "at once");
  EXPECT_EQ(third.ended() + client_.ended(), "");
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "ID", IdOf(client_)}), ":0\r\n");
  EXPECT_EQ(client_.ended(), "");
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "ID", IdOf(client_), "SKIPME", "no"}), ":1\r\n");
  EXPECT_EQ(client_.ended(), "once it has its reply");
}

TEST_F(CommandsTest, ATransactionThatKillsItsConnectionHasItsReply) {
  EXPECT_EQ(client_.Answer({"MULTI"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"}), "+QUEUED\r\n");
  EXPECT_EQ(client_.Answer({"SET", "a", "1"}), "+QUEUED\r\n");
  EXPECT_EQ(client_.ended(), "");
  EXPECT_EQ(client_.Answer({"EXEC"}), "*2\r\n:1\r\n+OK\r\n");
  EXPECT_EQ(client_.ended(), "once it has its reply");
}

TEST_F(CommandsTest, KillTakesWhatAllOptionsName) {
  MemoryClient subscriber(&client_), other(&client_);
  subscriber.Answer({"SUBSCRIBE", "news"});
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "TYPE", "pubsub", "LADDR", "127.0.0.1:1"}), ":0\r\n");
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "TYPE", "pubsub", "LADDR", "127.0.0.1:6379"}), ":1\r\n");
  EXPECT_EQ(subscriber.ended(), "at once");
  EXPECT_EQ(other.ended(), "");
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "USER", "default", "TYPE", "normal"}), ":1\r\n");
  EXPECT_EQ(other.ended(), "at once");
  EXPECT_EQ(client_.Answer({"CLIENT", "KILL", "127.0.0.1:1"}), "+OK\r\n");  // all have that address here
  EXPECT_NE(client_.ended(), "");
}

TEST_F(CommandsTest, ConnectionsAreListedAsTheyAre) {
  MemoryClient other(&client_);
  const std::string id = IdOf(other);
  const auto line = [&] { return BulksOf(client_.Answer({"CLIENT", "LIST", "ID", id})).at(0); };
  other.Answer({"MULTI"});
  other.Answer({"SET", "a", "1"});
  EXPECT_THAT(line(), HasSubstr(" laddr=127.0.0.1:6379 fd=5 "));
  EXPECT_THAT(line(), HasSubstr(" flags=x "));
  EXPECT_THAT(line(), HasSubstr(" multi=1 "));
  other.Answer({"EXEC"});
  other.Answer({"SSUBSCRIBE", "a", "b"});
  EXPECT_THAT(line(), HasSubstr(" flags=P "));
  EXPECT_THAT(line(), HasSubstr(" ssub=2 multi=-1 "));
}

TEST_F(CommandsTest, SlowCommandsAreShownByTheirKeys) {
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "slowlog-log-slower-than", "0"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"SLOWLOG", "RESET"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"sEt", "a", "secret"}), "+OK\r\n");
  client_.Answer({"AUTH", "default", "password"});
  client_.Answer({"KEYS", "a*"});
  const std::string all = client_.Answer({"SLOWLOG", "GET", "-1"});
  EXPECT_THAT(all, HasSubstr("*3\r\n$3\r\nsEt\r\n$1\r\na\r\n$22\r\n... (1 more arguments)\r\n"));
  EXPECT_THAT(all, HasSubstr("*2\r\n$4\r\nKEYS\r\n$2\r\na*\r\n"));
  EXPECT_THAT(all, HasSubstr("AUTH"));
  EXPECT_THAT(all, Not(HasSubstr("secret")));
  EXPECT_THAT(all, Not(HasSubstr("password")));
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "slowlog-max-len", "2"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"SLOWLOG", "LEN"}), ":2\r\n");
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "slowlog-log-slower-than", "-1"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"SLOWLOG", "RESET"}), "+OK\r\n");
  client_.Answer({"GET", "a"});
  EXPECT_EQ(client_.Answer({"SLOWLOG", "LEN"}), ":0\r\n");
}

TEST(SlowLogTest, LongOnesAreCutAsRedisCutsThem) {
  const KeyViews many(40, "x");
  const Words shown = SlowLog::Shown(many, many.size());
  EXPECT_EQ(shown.size(), 32u);
  EXPECT_EQ(shown.back(), "... (9 more arguments)");
  EXPECT_EQ(SlowLog::Shown({std::string(130, 'y')}, 1).at(0), std::string(128, 'y') + "... (2 more bytes)");
  EXPECT_EQ(SlowLog::Shown({"PING"}, 1), Words{"PING"});
}

TEST_F(CommandsTest, InfoTellsOfScriptsAndClients) {
  client_.Answer({"EVAL", "return 1", "0"});
  client_.Answer({"SUBSCRIBE", "news"});
  MemoryClient other(&client_);
  const std::string info = other.Answer({"INFO"});
  for (const char* const line : {"connected_clients:2\r\n", "maxclients:10000\r\n", "number_of_cached_scripts:1\r\n",
                                 "scripts_running:0\r\n", "pubsub_channels:1\r\n"})
    EXPECT_THAT(info, HasSubstr(line));
}

TEST_F(CommandsTest, InfoCountsErrorsByTheirCodes) {
  for (const Words& words : std::vector<Words>{{"GET"},
                                               {"NOSUCH"},
                                               {"INCRBY", "a", "x"},
                                               {"EVALSHA", "0", "0"},
                                               {"MULTI"},
                                               {"SETRANGE", "a", "-1", "x"},
                                               {"EXEC"},
                                               {"EVAL", "return redis.error_reply('OWN text')", "0"},
                                               {"EVAL", "return redis.error_reply('-short')", "0"}})
    client_.Answer(words);
  const std::string info = client_.Answer({"INFO"});
  for (const char* const line : {"# Errorstats\r\n", "errorstat_ERR:count=5\r\n", "errorstat_NOSCRIPT:count=1\r\n",
                                 "errorstat_OWN:count=1\r\n", "total_error_replies:7\r\n"})
    EXPECT_THAT(info, HasSubstr(line));
  EXPECT_EQ(client_.Answer({"CONFIG", "RESETSTAT"}), "+OK\r\n");
  EXPECT_THAT(client_.Answer({"INFO", "errorstats", "stats"}),
              AllOf(Not(HasSubstr("errorstat_")), HasSubstr("replies:0")));
}

TEST(ErrorCountsTest, CodesOfScriptsAreBounded) {
  ErrorCounts counts;
  for (int i = 0; i < 1'000; ++i) counts.Count("-CODE" + std::to_string(i) + " text\r\n");
  counts.Count("+OK\r\n");
  EXPECT_LE(counts.All().size(), ErrorCounts::kCodesMax + 1);
  EXPECT_EQ(counts.All().at("ERR"), 1'000u - ErrorCounts::kCodesMax);
}

TEST_F(CommandsTest, WhatAClientSaysOfItselfIsBounded) {
  EXPECT_THAT(client_.Answer({"CLIENT", "x\nid=4242 addr=10.9.9.9:1 name=forged"}), HasSubstr("-ERR"));
  EXPECT_THAT(client_.Answer({"CLIENT", "LIST"}), Not(HasSubstr("id=4242")));
  EXPECT_THAT(client_.Answer({"CLIENT", "SETNAME", std::string(1'025, 'n')}), HasSubstr("cannot be longer"));
  EXPECT_EQ(client_.Answer({"CLIENT", "SETNAME", std::string(1'024, 'n')}), "+OK\r\n");
}

TEST_F(CommandsTest, TheLongestThresholdOfTheSlowLogNotesNothing) {
  EXPECT_EQ(client_.Answer({"CONFIG", "SET", "slowlog-log-slower-than", "9223372036854775807"}), "+OK\r\n");
  EXPECT_EQ(client_.Answer({"SLOWLOG", "RESET"}), "+OK\r\n");
  client_.Answer({"PING"});
  EXPECT_EQ(client_.Answer({"SLOWLOG", "LEN"}), ":0\r\n");
}

TEST(GlobTest, AsRedisMatches) {
  EXPECT_TRUE(Matches("*", ""));
  EXPECT_TRUE(Matches("h?llo", "hello"));
  EXPECT_TRUE(Matches("h*llo", "heeeello"));
  EXPECT_TRUE(Matches("h[ae]llo", "hallo"));
  EXPECT_FALSE(Matches("h[^e]llo", "hello"));
  EXPECT_TRUE(Matches("h[a-c]llo", "hbllo"));
  EXPECT_TRUE(Matches("h[c-a]llo", "hbllo"));
  EXPECT_TRUE(Matches("a\\*b", "a*b"));
  EXPECT_FALSE(Matches("a\\*b", "axb"));
  EXPECT_TRUE(Matches("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(Matches("*a*b", "xxaxxbxx"));
  EXPECT_EQ(PrefixOf("user:\\*:*"), "user:*:");
  EXPECT_EQ(PrefixOf("user:[12]"), "user:");
}

TEST(GlobTest, TakesNoMoreStepsThanItMay) {
  const std::string as(4'000, 'a');
  for (const std::string& pattern : {"*" + as.substr(1'000) + "b", "*[" + as + "]b", "*" + as.substr(3'000) + "?b*"}) {
    size_t steps = 100'000;
    EXPECT_FALSE(Matches(pattern, as, steps));
    EXPECT_EQ(steps, 0u);
  }
  size_t steps = 10'000;
  EXPECT_TRUE(Matches("*a[ab]*", as, steps));
  EXPECT_GT(steps, 5'000u) << "a step for each byte, about";
}

TEST_F(CommandsTest, PatternsThatTakeLongAreToldSoOrTakeSeveralCalls) {
  const std::string as(4'000, 'a'), slow = "*[" + as + "]b";
  for (int i = 0; i < 10; ++i) client_.Answer({"SET", as + std::to_string(i), "x"});
  EXPECT_EQ(client_.Answer({"KEYS", slow}), "-" + std::string(kPatternTooSlow) + "\r\n");
  size_t calls = 0;
  std::string cursor = "0";
  do {
    const std::string reply = client_.Answer({"SCAN", cursor, "MATCH", slow, "COUNT", "1000"});
    const size_t at = reply.find("\r\n", 4) + 2;
    ASSERT_TRUE(reply.starts_with("*2\r\n$")) << reply;
    cursor = reply.substr(at, reply.find("\r\n", at) - at);
  } while (++calls < 100 && cursor != "0");
  EXPECT_GT(calls, 2u);
  EXPECT_LE(calls, 10u);
  const std::string too_long = "-" + std::string(kPatternTooLong) + "\r\n";
  EXPECT_EQ(client_.Answer({"CONFIG", "GET", as, as}), too_long);
  EXPECT_EQ(client_.Answer({"COMMAND", "LIST", "FILTERBY", "PATTERN", as + as}), too_long);
}

TEST(GlobTest, StarsDoNotTakeExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "a*";
  EXPECT_FALSE(Matches(pattern + "b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace ebla::gateway::redis
