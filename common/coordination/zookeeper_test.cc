// Cases of ZooKeeper alone: it is absent, it is restarted, it is restored from an older state, it holds foreign trees
// beside ours.
#include <dlfcn.h>
#include <gtest/gtest.h>

#ifndef THREADED
#define THREADED  // the C client's header
#endif
#include <zookeeper/zookeeper.h>

#include <atomic>
#include <filesystem>
#include <optional>

#include "common/coordination/election.h"
#include "common/coordination/zookeeper_coordinator.h"
#include "common/testing/waiting_executor.h"
#include "common/testing/zookeeper_process.h"

namespace {

// How many secrets the C client does not take, as between a lost connection and the next one.
std::atomic<int> secrets_refused = 0;

}  // namespace

// Before the C client's own.
extern "C" int zoo_add_auth(zhandle_t* zoo, const char* scheme, const char* secret, int bytes, void_completion_t done,
                            const void* data) {
  if (secrets_refused > 0) {
    --secrets_refused;
    return ZINVALIDSTATE;
  }
  static const auto next = reinterpret_cast<decltype(&zoo_add_auth)>(dlsym(RTLD_NEXT, "zoo_add_auth"));
  return next(zoo, scheme, secret, bytes, done, data);
}

namespace ebla::coordination {
namespace {

class ZooKeeperTest : public ::testing::Test {
 protected:
  std::unique_ptr<ZooKeeperCoordinator> Open(const std::string& chroot = "") {
    ZooKeeperOptions options = options_;
    options.servers = server_.address() + chroot;
    auto opened = ZooKeeperCoordinator::Open(options, executor_);
    EXPECT_TRUE(opened.has_value()) << opened.error();
    return *std::move(opened);
  }
  bool RunUntil(const std::function<bool()>& done) { return executor_.RunUntil(done, std::chrono::seconds(30)); }
  Status Do(Coordinator& client, Op op) {
    std::optional<Status> outcome;
    client.Multi({std::move(op)}, [&](const std::expected<MultiResult, MultiError>& done) {
      outcome = done.has_value() ? Status::Ok() : done.error().status;
    });
    EXPECT_TRUE(RunUntil([&] { return outcome.has_value(); }));
    return *outcome;
  }
  Result<bool> Exists(Coordinator& client, const std::string& path) {
    std::optional<Result<bool>> there;
    client.Exists(path, [&](Result<bool> result) { there = std::move(result); });
    EXPECT_TRUE(RunUntil([&] { return there.has_value(); }));
    return *there;
  }
  void StartServer() {
    const Status started = server_.Start();
    ASSERT_TRUE(started.ok()) << started;
  }

  ZooKeeperOptions options_{.servers = "", .session_timeout = std::chrono::milliseconds(1500)};
  testing::ZooKeeperProcess server_;
  testing::WaitingExecutor executor_;
};

TEST_F(ZooKeeperTest, AbsentAtStartItIsWaitedFor) {
  options_.operation_timeout = std::chrono::milliseconds(300);
  const auto client = Open();
  EXPECT_EQ(client->state(), SessionState::kConnecting);
  EXPECT_EQ(client->session(), 0);
  const Result<bool> in_vain = Exists(*client, "/");
  EXPECT_EQ(in_vain.error().code(), Code::kUnavailable);
  EXPECT_EQ(Do(*client, Op::Create("/early", "")).code(), Code::kUnavailable);
  StartServer();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnected; }));
  EXPECT_EQ(Exists(*client, "/early"), false) << "what was answered UNAVAILABLE did not happen";
  EXPECT_EQ(Do(*client, Op::Create("/later", "")), Status::Ok());
}

TEST_F(ZooKeeperTest, ARestartKeepsTheSessionItsNodesAndItsWatches) {
  StartServer();
  const auto client = Open();
  EXPECT_EQ(Do(*client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
  const int64_t session = client->session();
  bool woken = false;
  client->Exists("/later", [](const Result<bool>& there) { EXPECT_EQ(there, false); }, [&] { woken = true; });
  (void)Exists(*client, "/");
  server_.Kill();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnecting; }));
  EXPECT_EQ(client->session(), session);
  StartServer();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnected; }));
  EXPECT_EQ(client->session(), session);
  EXPECT_EQ(Exists(*client, "/live"), true);
  EXPECT_FALSE(woken);
  EXPECT_EQ(Do(*client, Op::Create("/later", "")), Status::Ok());
  EXPECT_TRUE(RunUntil([&] { return woken; }));
}

TEST_F(ZooKeeperTest, ALeaderOutlivesARestartOfTheServer) {
  StartServer();
  const auto client = Open("/cluster");
  std::optional<uint64_t> led;
  int changes = 0;
  LeaderElection election(*client, executor_, {"master-1", {"127.0.0.1", 7400}}, [&](const Role& role) {
    ++changes;
    if (const auto* leading = std::get_if<Leading>(&role)) led = leading->term;
  });
  ASSERT_TRUE(RunUntil([&] { return led.has_value(); }));
  server_.Stop();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnecting; }));
  StartServer();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnected; }));
  EXPECT_EQ(Exists(*client, "/masters/term"), true);
  EXPECT_EQ(led, 1u);
  EXPECT_EQ(changes, 1);
}

TEST_F(ZooKeeperTest, AServerPutBackToAnOlderStateRefusesTheSessionWhichIsGivenUp) {
  StartServer();
  options_.session_give_up = std::chrono::seconds(1);
  const auto client = Open();
  EXPECT_EQ(Do(*client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
  const int64_t session = client->session();
  const std::string data = server_.directory() + "/data", older = server_.directory() + "/older";
  server_.Stop();
  std::filesystem::copy(data, older, std::filesystem::copy_options::recursive);
  StartServer();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnected; }));
  EXPECT_EQ(client->session(), session) << "what it had is there";
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Do(*client, Op::Create("/later-" + std::to_string(i), "")), Status::Ok());
  bool woken = false;
  bool expired = false;
  client->Listen([&](SessionState state) { expired |= state == SessionState::kExpired; });
  client->Exists("/later-0", [](const Result<bool>& there) { EXPECT_EQ(there, true); }, [&] { woken = true; });
  (void)Exists(*client, "/");
  server_.Kill();
  std::filesystem::remove_all(data);
  std::filesystem::rename(older, data);
  StartServer();
  ASSERT_TRUE(RunUntil([&] { return expired && client->state() == SessionState::kConnected; }));
  EXPECT_TRUE(woken);
  EXPECT_NE(client->session(), session);
  EXPECT_EQ(Exists(*client, "/later-0"), false);
  // The older state knows the session, which no client has any more.
  EXPECT_TRUE(RunUntil([&] { return Exists(*client, "/live") == false; }));
  EXPECT_EQ(Do(*client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
}

TEST_F(ZooKeeperTest, AServerThatLostEverythingHasTheChrootMadeAgain) {
  StartServer();
  options_.session_give_up = std::chrono::seconds(1);
  const auto client = Open("/ebla/test");
  EXPECT_EQ(Do(*client, Op::Create("/a", "")), Status::Ok());
  const int64_t session = client->session();
  server_.Kill();
  std::filesystem::remove_all(server_.directory() + "/data");
  StartServer();
  ASSERT_TRUE(RunUntil([&] { return client->session() != session && client->state() == SessionState::kConnected; }));
  EXPECT_EQ(Exists(*client, "/a"), false);
  EXPECT_EQ(Do(*client, Op::Create("/a", "")), Status::Ok());
}

TEST_F(ZooKeeperTest, AServerThatIsAwayForLongCostsNoSession) {
  StartServer();
  options_.session_give_up = std::chrono::milliseconds(500);
  const auto client = Open();
  EXPECT_EQ(Do(*client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
  const int64_t session = client->session();
  server_.Kill();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnecting; }));
  const auto given_up = [&] { return client->state() == SessionState::kExpired; };
  EXPECT_FALSE(executor_.RunUntil(given_up, options_.session_give_up + 2 * options_.session_timeout));
  StartServer();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnected; }));
  EXPECT_EQ(client->session(), session);
  EXPECT_EQ(Exists(*client, "/live"), true);
}

TEST_F(ZooKeeperTest, AHungServerIsNoticedAndInFlightMultisAreOfUnknownOutcome) {
  StartServer();
  const auto client = Open();
  EXPECT_EQ(Exists(*client, "/"), true);
  server_.Pause();
  const Status outcome = Do(*client, Op::Create("/maybe", ""));
  EXPECT_EQ(outcome.code(), Code::kUnknownOutcome);
  server_.Resume();
  ASSERT_TRUE(RunUntil([&] { return client->state() == SessionState::kConnected; }));
  EXPECT_TRUE(Exists(*client, "/maybe").has_value());
}

// The first connection is lost at once: the server is still starting.
TEST_F(ZooKeeperTest, ASecretThatIsNotTakenIsShownOnceMore) {
  StartServer();
  options_.auth.secrets = {"ebla:correct-horse"};
  secrets_refused = 1;
  const auto client = Open("/closed");
  ASSERT_TRUE(RunUntil([] { return secrets_refused == 0; }));
  EXPECT_EQ(client->state(), SessionState::kConnecting) << "nothing is asked without the secret";
  EXPECT_EQ(Do(*client, Op::Create("/a", "")), Status::Ok());
  EXPECT_EQ(client->Refusal(), "");
}

TEST_F(ZooKeeperTest, TheChrootIsMadeAndHidesTheRest) {
  StartServer();
  const auto root = Open();
  const auto inside = Open("/ebla/test");
  EXPECT_EQ(Do(*inside, Op::Create("/a", "")), Status::Ok());
  EXPECT_EQ(Exists(*root, "/ebla/test/a"), true);
  EXPECT_EQ(Exists(*inside, "/ebla"), false);
  EXPECT_EQ(Exists(*inside, "/"), true);
  std::string created;
  inside->Multi({Op::Create("/a/n-", "", CreateMode::kPersistentSequential)},
                [&](const std::expected<MultiResult, MultiError>& made) {
                  created = made.has_value() ? made->items.at(0).path : made.error().status.ToString();
                });
  ASSERT_TRUE(RunUntil([&] { return !created.empty(); }));
  EXPECT_EQ(created, "/a/n-0000000000");
}

TEST_F(ZooKeeperTest, AMalformedAddressIsRefused) {
  for (const char* servers :
       {"", "localhost", "localhost:", ":2181", "a:1,b", "a:70000", "a:1/x/", "a:1/x//y", "/only"}) {
    const auto opened = ZooKeeperCoordinator::Open({.servers = servers}, executor_);
    ASSERT_FALSE(opened.has_value()) << servers;
    EXPECT_EQ(opened.error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(opened.error().message().contains("host:port[,host:port...][/path]")) << opened.error();
  }
}

TEST_F(ZooKeeperTest, AHostThatCannotBeFoundIsTriedAgain) {
  ZooKeeperOptions options;
  options.servers = "no-such-host.invalid:2181";
  options.operation_timeout = std::chrono::milliseconds(100);
  const auto opened = ZooKeeperCoordinator::Open(options, executor_);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(Exists(**opened, "/").error().code(), Code::kUnavailable);
  EXPECT_EQ((*opened)->state(), SessionState::kConnecting);
}

}  // namespace
}  // namespace ebla::coordination
