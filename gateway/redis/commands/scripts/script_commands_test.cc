// Races, limits and messages of scripts. redis_conformance_test and redis_scripts_test compare their replies without
// races.
#include "gateway/redis/commands/scripts/script_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/testing/eventually.h"
#include "common/testing/thread_executor.h"
#include "gateway/redis/databases/key_codec.h"
#include "gateway/redis/scripts/scripts.h"
#include "gateway/redis/testing/memory_client.h"
#include "gateway/testing/talk.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kCount[] = "return redis.call('set', KEYS[1], tonumber(redis.call('get', KEYS[1]) or '0') + 1)";
constexpr char kDeleteIf[] =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

// ---- on the caller's thread -----------------------------------------------------------------------------------------

class ScriptCommandsTest : public ::testing::Test {
 protected:
  MemoryStore& store() { return client_.databases().store("0"); }
  std::string ValueOf(const std::string& key) {
    const auto record = store().Read(RecordKey(key));
    return record ? record->value : "(none)";
  }
  // Another client writes the key just before each of the next commits.
  void LoseRaces(int times, const std::string& key) {
    races_ = times;
    store().SetFault([this, record = RecordKey(key)](const std::string& now, const std::string& at) {
      if (now == "commit" && at == record && races_-- > 0) store().Write(record, "other" + std::to_string(races_));
      return Status();
    });
  }

  MemoryClient client_;
  int races_ = 0;
};

TEST_F(ScriptCommandsTest, WhoLosesARaceRunsItsScriptAnew) {
  client_.Answer({"SET", "a", "first"});
  LoseRaces(3, "a");
  EXPECT_EQ(
      client_.Answer(
          {"EVAL", "local seen = redis.call('get', KEYS[1]) redis.call('append', KEYS[1], '!') return seen", "1", "a"}),
      "$6\r\nother0\r\n");
  EXPECT_EQ(ValueOf("a"), "other0!");
}

TEST_F(ScriptCommandsTest, ALockIsNotReleasedThatAnotherHasTakenMeanwhile) {
  client_.Answer({"SET", "lock", "me"});
  LoseRaces(1, "lock");
  EXPECT_EQ(client_.Answer({"EVAL", kDeleteIf, "1", "lock", "me"}), ":0\r\n");
  EXPECT_EQ(ValueOf("lock"), "other0");
}

TEST_F(ScriptCommandsTest, AMessageOfAScriptThatLosesRacesIsPublishedOnce) {
  MemoryClient subscriber(&client_);
  subscriber.Answer({"SUBSCRIBE", "news"});
  subscriber.Answer({"PSUBSCRIBE", "n*"});
  subscriber.TakePushed();
  LoseRaces(2, "a");
  EXPECT_EQ(client_.Answer(
                {"EVAL", "redis.call('set', KEYS[1], 'x') return redis.call('publish', 'news', 'hello')", "1", "a"}),
            ":2\r\n");
  EXPECT_EQ(subscriber.TakePushed(),
            "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
            "*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
}

TEST_F(ScriptCommandsTest, NothingIsPublishedOfAScriptThatWasNotCommitted) {
  MemoryClient subscriber(&client_);
  subscriber.Answer({"SUBSCRIBE", "news"});
  subscriber.TakePushed();
  store().SetFault([](const std::string& operation, const std::string&) {
    return operation == "commit" ? Status(Code::kUnavailable, "nobody leads") : Status();
  });
  EXPECT_EQ(
      client_.Answer({"EVAL", "redis.call('publish', 'news', 'x') return redis.call('set', KEYS[1], 'x')", "1", "a"}),
      "-CLUSTERDOWN nobody leads\r\n");
  EXPECT_EQ(subscriber.TakePushed(), "");
}

TEST_F(ScriptCommandsTest, AKeyThatWasNotDeclaredIsRefused) {
  client_.Answer({"SET", "b", "x"});
  for (const char* const command : {"'get', 'b'", "'set', 'b', '1'", "'del', KEYS[1], 'b'", "'memory', 'usage', 'b'",
                                    "'object', 'encoding', 'b'", "'mget', KEYS[1], 'b'"}) {
    const std::string reply = client_.Answer({"EVAL", "return redis.call(" + std::string(command) + ")", "1", "a"});
    EXPECT_THAT(reply, StartsWith("-ERR Script attempted to access a key that was not declared")) << command;
  }
  EXPECT_EQ(ValueOf("b"), "x");
  EXPECT_EQ(client_.Answer({"EVAL", "return redis.pcall('get', 'b').err ~= nil", "0"}), ":1\r\n");
}

TEST_F(ScriptCommandsTest, KeysOfSeveralGroupsAreRefused) {
  EXPECT_THAT(client_.Answer({"EVAL", "return 1", "2", "a", "b"}), StartsWith("-CROSSSLOT"));
  EXPECT_EQ(client_.Answer({"EVAL", "return #KEYS", "2", "{a}1", "{a}2"}), ":2\r\n");
  EXPECT_EQ(client_.Answer({"EVAL", "return #KEYS", "2", "a", "a"}), ":2\r\n");
}

TEST_F(ScriptCommandsTest, WhatIsNoPartOfATransactionIsRefused) {
  for (const char* const command : {"'keys', '*'", "'scan', '0'", "'dbsize'", "'randomkey'", "'flushall'", "'flushdb'",
                                    "'select', '1'", "'info'", "'copy', KEYS[1], KEYS[1], 'DB', '1'"}) {
    EXPECT_THAT(client_.Answer({"EVAL", "return redis.call(" + std::string(command) + ")", "1", "a"}),
                HasSubstr("within a script is not served by Ebla"))
        << command;
  }
  EXPECT_THAT(client_.Answer({"EVAL", "return redis.call('lpush', KEYS[1], 'x')", "1", "a"}),
              StartsWith("-ERR LPUSH is not served by Ebla yet"));
  EXPECT_EQ(client_.Answer({"SCRIPT", "DEBUG", "YES"}), "-ERR SCRIPT DEBUG is not served by Ebla\r\n");
}

TEST_F(ScriptCommandsTest, AValueThatIsTooLargeIsRefusedWhereItIsWritten) {
  EXPECT_THAT(client_.Answer({"EVAL", "return redis.call('set', KEYS[1], string.rep('x', 1048570))", "1", "a"}),
              StartsWith("-ERR string exceeds maximum allowed size"));
  EXPECT_THAT(client_.Answer({"EVAL",
                              "redis.call('set', KEYS[1], string.rep('x', 1048569)) "
                              "return redis.call('append', KEYS[1], 'y')",
                              "1", "a"}),
              StartsWith("-ERR string exceeds maximum allowed size"));
  EXPECT_EQ(ValueOf("a").size(), 1'048'569u) << "what it did before its error stays";
}

TEST_F(ScriptCommandsTest, AScriptThatIsOutOfMemoryHasDoneNothing) {
  constexpr char kHungry[] = "redis.call('set', KEYS[1], 'x') local t = {} while true do t[#t + 1] = {} end";
  EXPECT_EQ(client_.Answer({"EVAL", kHungry, "1", "a"}), "-ERR Error running script: not enough memory\r\n");
  EXPECT_EQ(ValueOf("a"), "(none)");
  client_.Answer({"MULTI"});
  client_.Answer({"SET", "{a}1", "x"});
  client_.Answer({"EVAL", kHungry, "1", "{a}2"});
  EXPECT_EQ(client_.Answer({"EXEC"}), "-ERR Error running script: not enough memory\r\n");
  EXPECT_EQ(ValueOf("{a}1"), "(none)");
}

TEST_F(ScriptCommandsTest, AScriptWithinATransactionIsAPartOfIt) {
  client_.Answer({"SET", "{a}n", "5"});
  LoseRaces(1, "{a}m");
  client_.Answer({"MULTI"});
  client_.Answer({"INCR", "{a}n"});
  EXPECT_EQ(client_.Answer({"EVAL", kCount, "1", "{a}n"}), "+QUEUED\r\n");
  client_.Answer({"EVAL", "return redis.call('append', KEYS[1], '!')", "1", "{a}m"});
  client_.Answer({"GET", "{a}m"});
  EXPECT_EQ(client_.Answer({"EXEC"}), "*4\r\n:6\r\n+OK\r\n:7\r\n$7\r\nother0!\r\n");
  EXPECT_EQ(ValueOf("{a}n"), "7");
  EXPECT_EQ(ValueOf("{a}m"), "other0!");
}

TEST_F(ScriptCommandsTest, AWatchedKeyThatChangesEndsATransactionWithAScript) {
  client_.Answer({"WATCH", "{a}n"});
  store().Write(RecordKey("{a}n"), "1");
  client_.Answer({"MULTI"});
  client_.Answer({"EVAL", kCount, "1", "{a}m"});
  EXPECT_EQ(client_.Answer({"EXEC"}), "*-1\r\n");
  EXPECT_EQ(ValueOf("{a}m"), "(none)");
}

TEST_F(ScriptCommandsTest, ScriptsOfEachGroupMayBeATransactionOfTheirOwn) {
  client_.Answer({"CONFIG", "SET", "ebla.transactions", "each-group"});
  client_.Answer({"MULTI"});
  client_.Answer({"EVAL", kCount, "1", "a"});
  client_.Answer({"EVAL", kCount, "1", "b"});
  client_.Answer({"EVAL", "return 1", "2", "a", "b"});
  client_.Answer({"EVAL", "return 'none'", "0"});
  EXPECT_THAT(client_.Answer({"EXEC"}), StartsWith("*4\r\n+OK\r\n+OK\r\n-CROSSSLOT"));
  EXPECT_EQ(ValueOf("a") + ValueOf("b"), "11");
}

TEST_F(ScriptCommandsTest, AScriptThatOnlyReadsOneKeyCommitsNothing) {
  client_.Answer({"SET", "a", "x"});
  store().SetFault([](const std::string& operation, const std::string&) {
    return operation == "get" ? Status() : Status(Code::kInternal, operation);
  });
  EXPECT_EQ(client_.Answer({"EVAL_RO", "return redis.call('get', KEYS[1])", "1", "a"}), "$1\r\nx\r\n");
}

TEST_F(ScriptCommandsTest, OtherConnectionsKnowAScriptByItsName) {
  MemoryClient other(&client_);
  const std::string sha = ScriptSha(kCount);
  EXPECT_THAT(other.Answer({"EVALSHA", sha, "1", "a"}), StartsWith("-NOSCRIPT"));
  EXPECT_EQ(client_.Answer({"SCRIPT", "LOAD", kCount}), "$40\r\n" + sha + "\r\n");
  EXPECT_EQ(other.Answer({"EVALSHA", sha, "1", "a"}), "+OK\r\n");
}

// ---- on threads -----------------------------------------------------------------------------------------------------

// Clients beside each other, and threads for their scripts.
class ScriptThreadsTest : public ::testing::Test {
 protected:
  class Connection {
   public:
    explicit Connection(const ScriptThreadsTest& test) : protocol_(test.shared_, executor_, "127.0.0.1:1", {}) {}
    std::string Answer(const Words& words) { return talk_.Say(Encode(words)); }

   private:
    ebla::testing::ThreadExecutor executor_;
    Statistics statistics_{CommandNames(), 1};
    RedisProtocol protocol_;
    Talk talk_{protocol_, statistics_.loop(0)};
  };

  ~ScriptThreadsTest() override { scripts_->Stop(); }
  void Start(size_t threads, std::chrono::milliseconds deadline = 20s) {
    shared_ =
        std::make_shared<const Shared>(Shared{.databases = databases_, .scripts = scripts_, .deadline = deadline});
    databases_->store("0");
    scripts_->Start(threads);
  }
  // Answers once it has ended.
  std::jthread InBackground(Words words, std::string& reply) {
    return std::jthread([this, words = std::move(words), &reply] { reply = Connection(*this).Answer(words); });
  }
  // Until one of them runs, and will not end by itself soon.
  void ExpectKilledSoon(Connection& connection) {
    EXPECT_TRUE(ebla::testing::Eventually([&] { return connection.Answer({"SCRIPT", "KILL"}) == "+OK\r\n"; }, 20s));
  }

  static constexpr char kEndless[] = "while true do redis.pcall('set', KEYS[1], 'x') end";

  const std::shared_ptr<MemoryDatabases> databases_ = std::make_shared<MemoryDatabases>();
  std::shared_ptr<Scripts> scripts_ =
      std::make_shared<Scripts>(Scripts::Options{.waiting_max = 100, .limits = {.time = 15s}});
  std::shared_ptr<const Shared> shared_;
};

TEST_F(ScriptThreadsTest, ManyCountWithOneKeyAndLoseNothing) {
  Start(3);
  {
    std::vector<std::jthread> clients;
    for (int client = 0; client < 6; ++client) {
      clients.emplace_back([this] {
        Connection connection(*this);
        for (int i = 0; i < 100; ++i) EXPECT_EQ(connection.Answer({"EVAL", kCount, "1", "n"}), "+OK\r\n");
      });
    }
  }
  EXPECT_EQ(Connection(*this).Answer({"GET", "n"}), "$3\r\n600\r\n");
}

TEST_F(ScriptThreadsTest, ALockHasOneHolder) {
  Start(2);
  std::atomic<int> holders = 0, taken = 0;
  {
    std::vector<std::jthread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&, me = std::to_string(client)] {
        Connection connection(*this);
        while (taken < 200) {
          if (connection.Answer({"SET", "lock", me, "NX"}) != "+OK\r\n") continue;
          EXPECT_EQ(++holders, 1);
          ++taken;
          --holders;
          EXPECT_EQ(connection.Answer({"EVAL", kDeleteIf, "1", "lock", me + "?"}), ":0\r\n");
          EXPECT_EQ(connection.Answer({"EVAL", kDeleteIf, "1", "lock", me}), ":1\r\n");
        }
      });
    }
  }
  EXPECT_GE(taken, 200);
}

TEST_F(ScriptThreadsTest, AKilledScriptHasDoneNothing) {
  Start(2);
  Connection other(*this);
  EXPECT_EQ(other.Answer({"SCRIPT", "KILL"}), "-NOTBUSY No scripts in execution right now.\r\n");
  std::string reply;
  {
    const std::jthread endless = InBackground({"EVAL", kEndless, "1", "a"}, reply);
    ExpectKilledSoon(other);
  }
  EXPECT_EQ(reply, "-ERR Error running script: Script killed by user with SCRIPT KILL...\r\n");
  EXPECT_EQ(other.Answer({"EXISTS", "a"}), ":0\r\n");
  EXPECT_EQ(other.Answer({"EVAL", "return 1", "0"}), ":1\r\n");
}

TEST_F(ScriptThreadsTest, AScriptEndsAtItsLimitAndHasDoneNothing) {
  scripts_ = std::make_shared<Scripts>(Scripts::Options{.limits = {.time = 100ms}});
  Start(1);
  Connection connection(*this);
  EXPECT_EQ(connection.Answer({"EVAL", kEndless, "1", "a"}),
            "-ERR Error running script: it took longer than 100 ms\r\n");
  EXPECT_EQ(connection.Answer({"EXISTS", "a"}), ":0\r\n");
}

// Databases that never answer which channels may be used.
class SilentDatabases final : public Databases {
 public:
  void Open(const std::string& name, const Read& read, Ack ack,
            Callback<Result<std::shared_ptr<Store>>> done) override {
    databases_.Open(name, read, ack, std::move(done));
  }
  bool guards_channels() const override { return true; }
  void MayUse(const ChannelUse&, Until, Callback<Status> done) override {
    MutexLock lock(mutex_);
    asked_.push_back(std::move(done));
  }
  size_t asked() {
    MutexLock lock(mutex_);
    return asked_.size();
  }

 private:
  MemoryDatabases databases_;
  Mutex mutex_;
  std::vector<Callback<Status>> asked_ EBLA_GUARDED_BY(mutex_);
};

TEST_F(ScriptThreadsTest, AScriptThatWaitsToPublishIsKilledAndEndsAtItsLimitAsAnyOther) {
  const auto silent = std::make_shared<SilentDatabases>();
  const Words publish = {"EVAL", "redis.call('set', KEYS[1], 'x') return redis.pcall('publish', 'c', 'x')", "1", "a"};
  const auto begin = std::chrono::steady_clock::now();
  std::string killed, limited;
  scripts_->Start(1);
  shared_ = std::make_shared<const Shared>(Shared{.databases = silent, .scripts = scripts_, .deadline = 60s});
  {
    const std::jthread waits = InBackground(publish, killed);
    EXPECT_TRUE(ebla::testing::Eventually([&] { return silent->asked() == 1; }, 20s));
    Connection other(*this);
    ExpectKilledSoon(other);
  }
  EXPECT_EQ(killed, "-ERR Error running script: Script killed by user with SCRIPT KILL...\r\n");
  scripts_->Stop();
  scripts_ = std::make_shared<Scripts>(Scripts::Options{.limits = {.time = 100ms}});
  scripts_->Start(1);
  shared_ = std::make_shared<const Shared>(Shared{.databases = silent, .scripts = scripts_, .deadline = 60s});
  {
    const std::jthread waits = InBackground(publish, limited);
  }
  EXPECT_EQ(limited, "-ERR Error running script: it took longer than 100 ms\r\n");
  EXPECT_EQ(Connection(*this).Answer({"EXISTS", "a"}), ":0\r\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s) << "the commands' deadline is a minute";
}

TEST_F(ScriptThreadsTest, WhoWaitedBeyondItsDeadlineIsToldSo) {
  Start(1);
  std::promise<Status> late, early;
  scripts_->Run(std::chrono::steady_clock::now() - 1s, 0, [&](const Status& may) { late.set_value(may); });
  scripts_->Run(std::chrono::steady_clock::now() + 20s, 0, [&](const Status& may) { early.set_value(may); });
  EXPECT_EQ(late.get_future().get().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(early.get_future().get(), Status());
}

TEST_F(ScriptThreadsTest, TooManyThatWaitAreRefused) {
  scripts_ = std::make_shared<Scripts>(Scripts::Options{.waiting_max = 1, .limits = {.time = 15s}});
  Start(1);
  std::string first, second;
  Connection other(*this);
  {
    const std::jthread one = InBackground({"EVAL", kEndless, "1", "a"}, first);
    EXPECT_TRUE(ebla::testing::Eventually([&] { return scripts_->running() == 1; }, 20s));
    const std::jthread two = InBackground({"EVAL", kEndless, "1", "a"}, second);
    EXPECT_TRUE(ebla::testing::Eventually([&] { return scripts_->waiting() == 1; }, 20s));
    EXPECT_EQ(other.Answer({"EVAL", kEndless, "1", "b"}), "-OOM too many scripts wait at this gateway\r\n");
    ExpectKilledSoon(other);
    EXPECT_TRUE(ebla::testing::Eventually([&] { return scripts_->waiting() == 0; }, 20s));
    ExpectKilledSoon(other);
  }
  EXPECT_THAT(first, HasSubstr("SCRIPT KILL"));
  EXPECT_THAT(second, HasSubstr("SCRIPT KILL"));
}

TEST_F(ScriptThreadsTest, WhatWaitsHoldsBoundedBytes) {
  scripts_ = std::make_shared<Scripts>(Scripts::Options{.waiting_bytes_max = 10});
  Start(1);
  std::promise<void> begun, go_on;
  const auto until = std::chrono::steady_clock::now() + 20s;
  scripts_->Run(until, 0, [&](const Status&) {
    begun.set_value();
    go_on.get_future().wait();
  });
  begun.get_future().wait();
  std::vector<Code> codes;
  Mutex mutex;
  const auto note = [&](const Status& may) {
    MutexLock lock(mutex);
    codes.push_back(may.code());
  };
  scripts_->Run(until, 100, note);  // one alone may be larger
  scripts_->Run(until, 1, note);
  go_on.set_value();
  EXPECT_TRUE(ebla::testing::Eventually([&] { return scripts_->waiting() == 0; }, 20s));
  scripts_->Run(until, 10, note);
  scripts_->Run(until, 0, note);
  const auto all = [&] {
    MutexLock lock(mutex);
    return codes.size() == 4;
  };
  EXPECT_TRUE(ebla::testing::Eventually(all, 20s));
  scripts_->Stop();
  EXPECT_EQ(codes, (std::vector{Code::kOverloaded, Code::kOk, Code::kOk, Code::kOk}));
}

TEST_F(ScriptThreadsTest, ScriptsLogSoManyLinesASecond) {
  scripts_ = std::make_shared<Scripts>(Scripts::Options{.log_lines_max = 5});
  int lines = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1'000; ++i) lines += scripts_->TakeLogLine() ? 1 : 0;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  EXPECT_GE(lines, 5);
  EXPECT_LE(lines, 5 * (2 + seconds.count()));
}

TEST_F(ScriptThreadsTest, WhatRunsAndWhatWaitsEndsWithTheGateway) {
  Start(1);
  std::string running, waiting;
  {
    const std::jthread one = InBackground({"EVAL", kEndless, "1", "a"}, running);
    EXPECT_TRUE(ebla::testing::Eventually([&] { return scripts_->running() == 1; }, 20s));
    const std::jthread two = InBackground({"EVAL", kEndless, "1", "a"}, waiting);
    EXPECT_TRUE(ebla::testing::Eventually([&] { return scripts_->waiting() == 1; }, 20s));
    scripts_->Stop();
  }
  EXPECT_THAT(running, StartsWith("-ERR Error running script"));
  EXPECT_EQ(waiting, "-CLUSTERDOWN the gateway stops\r\n");
  EXPECT_EQ(Connection(*this).Answer({"EVAL", "return 1", "0"}), "-CLUSTERDOWN the gateway stops\r\n");
}

TEST_F(ScriptThreadsTest, ConnectionsGoOnWhileScriptsRun) {
  Start(1);
  std::string reply;
  Connection other(*this);
  {
    const std::jthread endless = InBackground({"EVAL", kEndless, "1", "a"}, reply);
    EXPECT_TRUE(ebla::testing::Eventually([&] { return scripts_->running() == 1; }, 20s));
    EXPECT_EQ(other.Answer({"SET", "a", "y"}), "+OK\r\n");
    EXPECT_EQ(other.Answer({"GET", "a"}), "$1\r\ny\r\n");
    ExpectKilledSoon(other);
  }
  EXPECT_THAT(reply, HasSubstr("SCRIPT KILL"));
}

}  // namespace
}  // namespace ebla::gateway::redis
