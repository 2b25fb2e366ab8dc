// A secret for ZooKeeper: the contents of its file, and, on a real server, the access to nodes.
#include "common/coordination/zookeeper_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "common/coordination/zookeeper_coordinator.h"
#include "common/testing/temporary_directory.h"
#include "common/testing/waiting_executor.h"
#include "common/testing/zookeeper_process.h"
#include "common/testing/zookeeper_stranger.h"

namespace ebla::coordination {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ZooKeeperAuthTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text, mode_t mode = 0600) {
    const std::string file = directory_.path() + "/secret";
    std::ofstream(file, std::ios::trunc) << text;
    chmod(file.c_str(), mode);
    return file;
  }
  testing::TemporaryDirectory directory_;
};

TEST_F(ZooKeeperAuthTest, AFileHoldsSecretsAndWhetherOthersAreAdmittedYet) {
  auto auth = LoadZooKeeperAuth(Write("# of the cluster\n\nebla:old:er\r\nebla:new\n"));
  ASSERT_TRUE(auth.has_value()) << auth.error();
  EXPECT_THAT(auth->secrets, ElementsAre("ebla:old:er", "ebla:new"));
  EXPECT_FALSE(auth->anyone);
  auth = LoadZooKeeperAuth(Write("ebla:new\nworld:anyone", 0640));
  ASSERT_TRUE(auth.has_value()) << auth.error();
  EXPECT_THAT(auth->secrets, ElementsAre("ebla:new"));
  EXPECT_TRUE(auth->anyone);
}

TEST_F(ZooKeeperAuthTest, WhatIsNoSecretIsRefusedWithoutBeingSaid) {
  for (const char* text : {"", "\n# none\n", "world:anyone\n"}) {
    const auto auth = LoadZooKeeperAuth(Write(text));
    ASSERT_FALSE(auth.has_value()) << text;
    EXPECT_EQ(auth.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(auth.error().message(), AllOf(HasSubstr("/secret"), HasSubstr("write a line user:password")));
  }
  for (const char* text : {"ebla:good\nhunter2\n", "ebla:good\n:hunter2\n", "ebla:good\nhunter2:\n",
                           "ebla:good\nebla:hunter2 \n", "ebla:good\nebla:hunter2\xc3\xa4\n"}) {
    const auto auth = LoadZooKeeperAuth(Write(text));
    ASSERT_FALSE(auth.has_value()) << text;
    EXPECT_THAT(auth.error().message(), AllOf(HasSubstr("/secret"), HasSubstr("line 2 is not user:password")));
    EXPECT_FALSE(auth.error().message().contains("hunter2"));
  }
  EXPECT_THAT(LoadZooKeeperAuth(Write("ebla:good\n", 0604)).error().message(), HasSubstr("chmod 600"));
  EXPECT_THAT(LoadZooKeeperAuth(directory_.path() + "/none").error().message(),
              AllOf(HasSubstr("/none"), HasSubstr("No such file")));
}

class ZooKeeperSecretTest : public ZooKeeperAuthTest {
 protected:
  void SetUp() override {
    const Status started = server_.Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  std::unique_ptr<ZooKeeperCoordinator> Open(const std::string& secrets, const std::string& chroot = "/ebla") {
    ZooKeeperOptions options{.servers = server_.address() + chroot,
                             .session_timeout = std::chrono::milliseconds(1500),
                             .session_give_up = std::chrono::seconds(1)};
    if (!secrets.empty()) options.auth = *LoadZooKeeperAuth(Write(secrets));
    auto opened = ZooKeeperCoordinator::Open(options, executor_);
    EXPECT_TRUE(opened.has_value()) << opened.error();
    return *std::move(opened);
  }
  template <class T>
  T Await(const std::function<void(Callback<T>)>& call) {
    std::optional<T> outcome;
    call([&](T result) { outcome = std::move(result); });
    EXPECT_TRUE(executor_.RunUntil([&] { return outcome.has_value(); }, std::chrono::seconds(30)));
    return *std::move(outcome);
  }
  Status Make(Coordinator& client, const std::string& path, CreateMode mode = CreateMode::kPersistent) {
    const auto made = Await<std::expected<MultiResult, MultiError>>(
        [&](auto done) { client.Multi({Op::Create(path, "", mode)}, std::move(done)); });
    return made.has_value() ? Status::Ok() : made.error().status;
  }
  Status Read(Coordinator& client, const std::string& path) {
    const auto read = Await<Result<Node>>([&](auto done) { client.Get(path, std::move(done)); });
    return read.has_value() ? Status::Ok() : read.error();
  }
  Result<size_t> Guard(Coordinator& client) {
    return Await<Result<size_t>>([&](auto done) { client.Guard(std::move(done)); });
  }
  void ExpectClosed(const std::string& ours, const std::string& theirs) {
    testing::ZooKeeperStranger friendly(server_.address(), ours), stranger(server_.address(), theirs);
    testing::ExpectClosed(friendly, stranger, "/ebla");
  }

  testing::ZooKeeperProcess server_;
  testing::WaitingExecutor executor_;
};

TEST_F(ZooKeeperSecretTest, NodesAdmitWhoHasItAndNobodyElse) {
  const auto client = Open("ebla:secret\n");
  EXPECT_EQ(Make(*client, "/a"), Status::Ok());
  EXPECT_EQ(Make(*client, "/a/b"), Status::Ok());
  EXPECT_EQ(Make(*client, "/a/live", CreateMode::kEphemeral), Status::Ok());
  EXPECT_EQ(Make(*client, "/a/n-", CreateMode::kPersistentSequential), Status::Ok());
  testing::ZooKeeperStranger friendly(server_.address(), "ebla:secret");
  EXPECT_EQ(friendly.Tree("/ebla").size(), 5u);
  for (const char* secret : {"", "ebla:other", "other:secret"}) {
    SCOPED_TRACE(secret);
    ExpectClosed("ebla:secret", secret);
  }
  EXPECT_EQ(Read(*Open("ebla:secret\n"), "/a/b"), Status::Ok());
  EXPECT_EQ(client->Refusal(), "");
}

TEST_F(ZooKeeperSecretTest, ItIsShownAgainAfterARestartAndInTheNextSession) {
  const auto client = Open("ebla:secret\n");
  EXPECT_EQ(Make(*client, "/a"), Status::Ok());
  const int64_t session = client->session();
  server_.Kill();
  ASSERT_TRUE(server_.Start().ok());
  EXPECT_EQ(Read(*client, "/a"), Status::Ok());
  EXPECT_EQ(client->session(), session);
  const auto ended = [&] { return client->session() != session && client->state() == SessionState::kConnected; };
  // A server that lost everything knows no session.
  server_.Kill();
  ASSERT_TRUE(std::filesystem::remove_all(server_.directory() + "/data") > 0);
  ASSERT_TRUE(server_.Start().ok());
  ASSERT_TRUE(executor_.RunUntil(ended, std::chrono::seconds(60)));
  EXPECT_EQ(Make(*client, "/a"), Status::Ok());
  ExpectClosed("ebla:secret", "");
}

TEST_F(ZooKeeperSecretTest, WhoHasNoneOrAnotherIsToldWhatToDo) {
  const auto client = Open("ebla:secret\n");
  EXPECT_EQ(Make(*client, "/a"), Status::Ok());
  const auto without = Open("");
  const auto with_another = Open("ebla:other\n");
  for (const auto& [refused, advice] : {std::pair(without.get(), "--zookeeper_auth_file"),
                                        std::pair(with_another.get(), "/secret is the one that the cluster's nodes")}) {
    const Status read = Read(*refused, "/a");
    EXPECT_EQ(read.code(), Code::kPermissionDenied);
    EXPECT_THAT(read.message(), AllOf(HasSubstr("NOAUTH"), HasSubstr(advice)));
    EXPECT_EQ(Make(*refused, "/b").code(), Code::kPermissionDenied);
    EXPECT_THAT(refused->Refusal(), AllOf(HasSubstr("NOAUTH"), HasSubstr(advice)));
  }
  EXPECT_EQ(Guard(*without), 0u) << "nothing to close them with";
  EXPECT_EQ(Guard(*with_another).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(Read(*client, "/a"), Status::Ok());
}

TEST_F(ZooKeeperSecretTest, NodesOfBeforeAreClosedWhileTheyAreUsed) {
  const auto before = Open("");
  for (int i = 0; i < 300; ++i) EXPECT_EQ(Make(*before, "/t-" + std::to_string(i)), Status::Ok());
  EXPECT_EQ(Make(*before, "/t-1/deeper"), Status::Ok());
  EXPECT_EQ(Make(*before, "/live", CreateMode::kEphemeral), Status::Ok());

  // First everybody gets the secret, one after another: nothing is closed.
  const auto first = Open("ebla:secret\nworld:anyone\n");
  EXPECT_EQ(Guard(*first), 302u);
  EXPECT_EQ(Make(*first, "/of-first"), Status::Ok());
  EXPECT_EQ(Read(*before, "/of-first"), Status::Ok());
  EXPECT_EQ(Make(*before, "/t-2/of-before"), Status::Ok());

  // Then everybody forgets the world.
  const auto second = Open("ebla:secret\n");
  EXPECT_EQ(Make(*second, "/of-second"), Status::Ok());
  EXPECT_EQ(Read(*first, "/of-second"), Status::Ok());
  EXPECT_EQ(Guard(*second), 304u);
  EXPECT_EQ(Guard(*second), 0u) << "a second walk writes nothing";
  EXPECT_EQ(Read(*first, "/t-1/deeper"), Status::Ok());
  ExpectClosed("ebla:secret", "");
  EXPECT_EQ(Read(*before, "/t-1").code(), Code::kPermissionDenied);
}

TEST_F(ZooKeeperSecretTest, AWalkThatIsCutOffSaysSoAndTheNextOneFinishesIt) {
  const auto before = Open("");
  for (int i = 0; i < 200; ++i) EXPECT_EQ(Make(*before, "/t-" + std::to_string(i)), Status::Ok());
  const auto client = Open("ebla:secret\n");
  EXPECT_EQ(Read(*client, "/t-1"), Status::Ok());
  server_.Kill();
  EXPECT_EQ(Guard(*client).error().code(), Code::kUnavailable);
  ASSERT_TRUE(server_.Start().ok());
  EXPECT_EQ(Read(*client, "/t-1"), Status::Ok());
  EXPECT_EQ(Guard(*client), 200u);
  ExpectClosed("ebla:secret", "");
}

TEST_F(ZooKeeperSecretTest, ASecretIsReplacedWhileNodesAreUsed) {
  const auto old = Open("ebla:old\n");
  EXPECT_EQ(Make(*old, "/a"), Status::Ok());
  const auto both = Open("ebla:old\nebla:new\n");
  EXPECT_EQ(Guard(*both), 1u);
  EXPECT_EQ(Make(*both, "/of-both"), Status::Ok());
  EXPECT_EQ(Read(*old, "/of-both"), Status::Ok());
  const auto present = Open("ebla:new\n");
  EXPECT_EQ(Guard(*present), 2u);
  EXPECT_EQ(Make(*present, "/of-new"), Status::Ok());
  EXPECT_EQ(Read(*both, "/of-new"), Status::Ok());
  ExpectClosed("ebla:new", "ebla:old");
}

TEST_F(ZooKeeperSecretTest, WithoutAPathOfItsOwnTheWholeTreeIsClosed) {
  const auto client = Open("ebla:secret\n", "");
  EXPECT_EQ(Make(*client, "/cluster"), Status::Ok());
  EXPECT_EQ(Guard(*client), 0u);
  testing::ZooKeeperStranger stranger(server_.address(), "");
  EXPECT_EQ(stranger.Delete("/cluster"), ZNOAUTH);
  EXPECT_EQ(stranger.Create("/theirs"), ZNOAUTH);
  EXPECT_EQ(stranger.List("/zookeeper"), ZOK) << "ZooKeeper's own nodes are left alone";
}

}  // namespace
}  // namespace ebla::coordination
