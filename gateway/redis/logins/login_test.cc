// Connections without a login may send little, in whatever form, and requests behind a login count as its user's. Over
// real connections, because the tests depend on when input is read.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "common/base/mutex.h"
#include "common/testing/eventually.h"
#include "gateway/redis/logins/logins.h"
#include "gateway/redis/testing/memory_client.h"
#include "gateway/server/server.h"
#include "gateway/testing/socket_client.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;
using ::ebla::testing::Eventually;

// Each login waits for the test.
class HeldLogins final : public Logins {
 public:
  explicit HeldLogins(std::shared_ptr<Databases> databases) : databases_(std::move(databases)) {}
  void LogIn(std::string, std::string, std::string, Callback<Result<std::shared_ptr<Databases>>> done) override {
    MutexLock lock(mutex_);
    held_ = std::move(done);
  }
  bool held() {
    MutexLock lock(mutex_);
    return static_cast<bool>(held_);
  }
  void Answer(bool right) {
    Callback<Result<std::shared_ptr<Databases>>> done;
    {
      MutexLock lock(mutex_);
      done = std::exchange(held_, nullptr);
    }
    if (right) return done(databases_);
    done(Error(Code::kPermissionDenied, "wrong"));
  }

 private:
  const std::shared_ptr<Databases> databases_;
  Mutex mutex_;
  Callback<Result<std::shared_ptr<Databases>>> held_ EBLA_GUARDED_BY(mutex_);
};

class LoginTest : public ::testing::Test {
 protected:
  LoginTest() {
    loop_.Start();
    shared_->logins = logins_;
    Serve();
  }
  ~LoginTest() override {
    if (logins_->held()) logins_->Answer(false);
    server_.reset();
    loop_.Stop();
  }
  void Serve(ServerOptions options = {}) {
    server_.emplace(
        std::move(options),
        [this](rpc::EventLoop& loop, const std::string& peer, std::weak_ptr<Sink> sink) {
          return std::make_unique<RedisProtocol>(shared_, loop, peer, std::move(sink));
        },
        std::vector<rpc::EventLoop*>{&loop_}, statistics_);
    EXPECT_TRUE(server_->Start().ok());
  }
  SocketClient Connect() { return SocketClient(server_->address()); }
  bool AwaitLogin() {
    return Eventually([this] { return logins_->held(); });
  }
  // False: its connection is ended.
  bool TryLogIn(SocketClient& client, const std::string& auth) {
    client.Send(auth);
    EXPECT_TRUE(AwaitLogin());
    logins_->Answer(true);
    return client.Read(5) == "+OK\r\n";
  }
  void LogIn(SocketClient& client) { EXPECT_TRUE(TryLogIn(client, kAuth)); }
  static void ExpectServed(SocketClient& client) {
    client.Send(Encode({"PING"}));
    EXPECT_EQ(client.Read(7), "+PONG\r\n");
  }

  const std::string kAuth = Encode({"AUTH", "ada", "secret"});
  rpc::EventLoop loop_{"logins"};
  const std::shared_ptr<HeldLogins> logins_ = std::make_shared<HeldLogins>(std::make_shared<MemoryDatabases>());
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Statistics statistics_{CommandNames(), 1};
  std::optional<Server> server_;
};

// Lines that a web page can send, each with what an attacker wants to run behind it.
const std::string kWebRequests[] = {
    "POST / HTTP/1.1\r\nHost: cache\r\n\r\n", "Host: cache\r\n",          "hOST: cache\r\n",
    "GET / HTTP/1.1\r\nHost: cache\r\n\r\n",  "OPTIONS / HTTP/1.1\r\n",   "PUT /a HTTP/1.1\r\n",
    "SET /web HTTP/1.1\r\nHost: cache\r\n",   Encode({"POST", "/", "x"}), Encode({"Host:", "cache"}),
};
const std::string kWanted = "SET web 1\r\n" + Encode({"SET", "web", "1"}) + "FLUSHALL\r\n";

TEST_F(LoginTest, NothingRunsBehindALineOfHttp) {
  const auto databases = std::make_shared<MemoryDatabases>();
  shared_->databases = databases;
  struct Prelude {
    std::string said, answered;
  };
  const Prelude preludes[] = {
      {"", ""},
      {Encode({"SET", "kept", "1"}), "+OK\r\n"},
      {"PING\r\n" + Encode({"MULTI"}) + Encode({"SET", "kept", "2"}), "+PONG\r\n+OK\r\n+QUEUED\r\n"},
      {Encode({"SUBSCRIBE", "news"}), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"},
  };
  uint64_t ended = 0;
  for (const std::string& request : kWebRequests) {
    for (const Prelude& prelude : preludes) {
      SCOPED_TRACE(prelude.said + request);
      SocketClient client = Connect();
      client.Send(prelude.said + request + kWanted + Encode({"EXEC"}));
      EXPECT_EQ(client.Read(1'000), prelude.answered);
      EXPECT_TRUE(Eventually([&] { return statistics_.Sum().connections_broken == ended + 1; }));
      ended = statistics_.Sum().connections_broken;
    }
  }
  EXPECT_EQ(databases->store("0").Read("web"), std::nullopt);
  EXPECT_EQ(databases->store("0").Read("/web"), std::nullopt);
  ASSERT_TRUE(databases->store("0").Read("kept").has_value());
  EXPECT_EQ(databases->store("0").Read("kept")->value, "1");
}

TEST_F(LoginTest, AConnectionThatBreaksTheProtocolCountsAsBroken) {
  shared_->databases = std::make_shared<MemoryDatabases>();
  uint64_t broken = 0;
  for (const char* request : {"*x\r\n", "*1\r\n+PING\r\n", "*1\r\n$-1\r\n", "'PING\r\n"}) {
    SocketClient client = Connect();
    client.Send(request);
    EXPECT_TRUE(client.Read(1'000).starts_with("-ERR Protocol error: ")) << request;
    EXPECT_TRUE(Eventually([&] { return statistics_.Sum().connections_broken == broken + 1; })) << request;
    broken = statistics_.Sum().connections_broken;
  }
  SocketClient good = Connect();
  good.Send("PING\r\nNOSUCH\r\nQUIT\r\n");
  EXPECT_TRUE(good.Read(1'000).ends_with("+OK\r\n"));
  EXPECT_EQ(statistics_.Sum().connections_broken, broken) << "an unknown command is no such fault";
}

TEST_F(LoginTest, ALineOfHttpIsFoundHoweverItIsCutUp) {
  const auto databases = std::make_shared<MemoryDatabases>();
  shared_->databases = databases;
  const std::string said = "PING\r\nPOST / HTTP/1.1\r\n";
  for (size_t cut = 1; cut < said.size(); ++cut) {
    SocketClient client = Connect();
    client.Send(said.substr(0, cut));
    // The server has read the first part once it answers a later connection.
    SocketClient other = Connect();
    ExpectServed(other);
    client.Send(said.substr(cut) + kWanted);
    EXPECT_EQ(client.Read(1'000), "+PONG\r\n") << "cut at " << cut;
  }
  EXPECT_EQ(databases->store("0").Read("web"), std::nullopt);
}

TEST_F(LoginTest, WhoSpeaksHttpIsEndedBeforeAndAfterItsLogin) {
  for (const std::string& request : kWebRequests) {
    SocketClient stranger = Connect(), known = Connect();
    stranger.Send(request + kWanted);
    EXPECT_EQ(stranger.Read(1'000), "") << request;
    LogIn(known);
    known.Send(request + Encode({"PING"}));
    EXPECT_EQ(known.Read(1'000), "") << request;
    SocketClient behind = Connect();
    behind.Send(kAuth + request + Encode({"PING"}));
    ASSERT_TRUE(AwaitLogin());
    logins_->Answer(true);
    EXPECT_EQ(behind.Read(1'000), "+OK\r\n") << request;
  }
}

constexpr char kTooMany[] = "-ERR Protocol error: unauthenticated multibulk length\r\n";
const std::string kWrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
constexpr char kTooLong[] = "-ERR Protocol error: unauthenticated bulk length\r\n";

TEST_F(LoginTest, LittleIsReadOfNobody) {
  SocketClient many = Connect(), large = Connect(), little = Connect();
  many.Send(Encode(Words(11, "x")));
  EXPECT_EQ(many.Read(1'000), kTooMany);
  large.Send("*2\r\n$3\r\nGET\r\n$16385\r\n");
  EXPECT_EQ(large.Read(1'000), kTooLong);
  little.Send(Encode({"GET", std::string(16'384, 'x')}) + Encode({"QUIT"}));
  EXPECT_EQ(little.Read(1'000), "-NOAUTH Authentication required.\r\n+OK\r\n");
}

TEST_F(LoginTest, WhatIsBehindALoginIsJudgedAfterIt) {
  SocketClient client = Connect();
  std::string behind = Encode({"MULTI"});
  std::string expected = "+OK\r\n+OK\r\n";
  for (int i = 0; i < 40; ++i) {
    behind += Encode({"SET", "{a}" + std::to_string(i), std::string(100'000, 'x')});
    expected += "+QUEUED\r\n";
  }
  behind += Encode({"EXEC"}) + Encode(Words(12, "EXISTS"));
  expected += "*40\r\n";
  for (int i = 0; i < 40; ++i) expected += "+OK\r\n";
  expected += ":0\r\n";
  std::thread sender([&] { client.Send(kAuth + behind); });
  EXPECT_TRUE(AwaitLogin());
  logins_->Answer(true);
  EXPECT_EQ(client.Read(expected.size()), expected);
  sender.join();
}

TEST_F(LoginTest, BehindALoginThatFailsIsNobody) {
  for (const std::string& login : {kAuth, Encode({"HELLO", "2", "AUTH", "ada", "secret"})}) {
    SocketClient client = Connect();
    client.Send(login + Encode({"MULTI"}) + Encode({"EXEC"}) + Encode({"SET", "a", std::string(20'000, 'x')}));
    ASSERT_TRUE(AwaitLogin());
    logins_->Answer(false);
    const std::string nobody = "-NOAUTH Authentication required.\r\n";
    EXPECT_EQ(client.Read(1'000), kWrong + nobody + nobody + kTooLong);
  }
}

TEST_F(LoginTest, WhoBeginsAnewIsNobody) {
  SocketClient client = Connect();
  LogIn(client);
  client.Send(Encode(Words(12, "EXISTS")) + Encode({"RESET"}) + Encode(Words(12, "EXISTS")));
  EXPECT_EQ(client.Read(1'000), ":0\r\n+RESET\r\n" + std::string(kTooMany));
}

TEST_F(LoginTest, WhoIsInStaysSoWhileAnotherLoginFails) {
  SocketClient client = Connect();
  LogIn(client);
  client.Send(kAuth + Encode(Words(12, "EXISTS")));
  ASSERT_TRUE(AwaitLogin());
  logins_->Answer(false);
  EXPECT_EQ(client.Read(kWrong.size()), kWrong);
  EXPECT_EQ(client.Read(4), ":0\r\n");
}

TEST_F(LoginTest, WhoDoesNotLogInIsCutOffHoweverMuchItSays) {
  Serve({.half_command_timeout = 300ms});
  SocketClient known = Connect(), idle = Connect(), busy = Connect(), out = Connect();
  LogIn(known);
  LogIn(out);
  out.Send(Encode({"RESET"}));
  EXPECT_EQ(out.Read(8), "+RESET\r\n");
  EXPECT_TRUE(Eventually([&] {
    busy.Send(Encode({"PING"}));
    return statistics_.Sum().connections_broken == 3;
  }));
  EXPECT_TRUE(idle.Ended());
  EXPECT_TRUE(out.Ended());
  ExpectServed(known);
}

TEST_F(LoginTest, WhoHasNotLoggedInHasAQuarterOfThePlaces) {
  Serve({.connections_max = 100});
  SocketClient known = Connect();
  LogIn(known);
  std::deque<SocketClient> strangers;
  for (int i = 0; i < 120; ++i) strangers.emplace_back(server_->address());
  EXPECT_TRUE(strangers.front().Ended());
  SocketClient another = Connect();
  LogIn(another);
  ExpectServed(known);
  EXPECT_LE(statistics_.Sum().connections, 27u);
}

TEST_F(LoginTest, OneUserHasHalfOfThePlaces) {
  Serve({.connections_max = 40});
  const auto got_in = [this](const std::string& user, int tries, std::deque<SocketClient>& clients) {
    int in = 0;
    for (int i = 0; i < tries; ++i) {
      clients.emplace_back(server_->address());
      in += TryLogIn(clients.back(), Encode({"AUTH", user, "secret"})) ? 1 : 0;
    }
    return in;
  };
  std::deque<SocketClient> clients;
  EXPECT_EQ(got_in("ada", 25, clients), 20);
  EXPECT_EQ(got_in("bob", 5, clients), 5);
  ExpectServed(clients.front());
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return statistics_.Sum().connections == 0; }));
  EXPECT_EQ(got_in("ada", 20, clients), 20) << "whoever goes leaves its place";
}

TEST_F(LoginTest, WhoMayComeAsTheyAreAreNotBound) {
  shared_->databases = std::make_shared<MemoryDatabases>();
  SocketClient client = Connect();
  client.Send(Encode({"SET", "a", std::string(20'000, 'x')}) + Encode(Words(12, "EXISTS")));
  EXPECT_EQ(client.Read(9), "+OK\r\n:0\r\n");
}

}  // namespace
}  // namespace ebla::gateway::redis
