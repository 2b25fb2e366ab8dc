// Logins by name and password, over real sockets.
#include <gmock/gmock.h>

#include "common/rpc/idl_convert.h"
#include "common/rpc/rpc_test_util.h"
#include "common/security/certificates.h"
#include "common/testing/temporary_directory.h"

namespace ebla::rpc {
namespace {

using security::AccessControl;
using security::AccessList;
using security::Identity;
using ::testing::HasSubstr;

class LoginTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(security::CreateAuthority(Path("ca"), 10).ok());
    for (const auto& [name, kind] : {std::pair{"server", Identity::Kind::kServer}, {"client", Identity::Kind::kUser}}) {
      const Status made = security::CreateCertificate(Path("ca"), Path(name),
                                                      {.kind = kind, .name = name, .hosts = {"127.0.0.1"}, .days = 1});
      ASSERT_TRUE(made.ok()) << made;
    }
    std::filesystem::create_directory(Path("bare"));
    std::filesystem::copy(Path("client") + "/ca.crt", Path("bare") + "/ca.crt");
    dispatcher_.Register(tablet_);
    loop_.Start();
    Publish("ada", "sesame");
  }

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  void Publish(const std::string& user, const std::string& password) {
    idl::AccessNode node;
    node.users.emplace_back();
    node.users[0].name = user;
    node.users[0].__set_secret(*security::MakeSecret(password, security::kScramIterationsMin));
    access_.Publish(std::make_shared<AccessList>(node));
  }
  void Serve(bool password_logins) {
    server_ =
        std::make_unique<RpcServer>(ServerOptions{.half_frame_timeout = 500ms,
                                                  .tls = *security::TlsCredentials::Load(Path("server"), "server"),
                                                  .password_logins = password_logins},
                                    dispatcher_, std::vector<EventLoop*>{&loop_});
    ASSERT_TRUE(server_->Start().ok());
  }
  ChannelOptions Options(const std::string& user, const std::string& password) {
    ChannelOptions options;
    options.tls = *security::TlsCredentials::Load(Path("bare"), "client", security::TlsCredentials::Own::kOptional);
    if (!user.empty()) options.login = std::make_shared<security::ScramCredentials>(user, password);
    return options;
  }
  Status TryEcho(const ChannelOptions& options) {
    TestClient client(server_->address(), options);
    const idl::EchoReply reply = client.Echo("hello");
    return {FromIdl(reply.header.code), reply.header.message};
  }

  testing::TemporaryDirectory directory_;
  AccessControl access_;
  std::shared_ptr<FakeTablet> tablet_ = std::make_shared<FakeTablet>();
  Dispatcher dispatcher_{{.access = &access_}};
  EventLoop loop_{"server"};
  std::unique_ptr<RpcServer> server_;
};

TEST_F(LoginTest, ManyCallsFollowOneLogin) {
  Serve(true);
  TestClient client(server_->address(), Options("ada", "sesame"));
  std::vector<std::future<idl::GetReply>> replies;
  for (int i = 0; i < 1'000; ++i) replies.push_back(client.Get("k" + std::to_string(i)));
  for (int i = 0; i < 1'000; ++i)
    ASSERT_EQ(replies[static_cast<size_t>(i)].get().record.value, "value of k" + std::to_string(i));
  EXPECT_EQ(server_->Stats().connections_accepted, 1u);
  EXPECT_EQ(dispatcher_.refusals(), 0u);
}

TEST_F(LoginTest, AWrongPasswordOrNameIsSaidAndCounted) {
  Serve(true);
  for (const auto& [user, password] : {std::pair{"ada", "Sesame"}, {"bob", "sesame"}}) {
    const Status refused = TryEcho(Options(user, password));
    EXPECT_EQ(refused.code(), Code::kPermissionDenied);
    EXPECT_THAT(refused.message(), HasSubstr("wrong user or password"));
  }
  EXPECT_EQ(dispatcher_.refusals(), 2u);
  EXPECT_TRUE(TryEcho(Options("ada", "sesame")).ok());
}

TEST_F(LoginTest, NobodyLogsInBeforeGrantsCount) {
  const auto features = std::make_shared<Features>();
  features->Learn(kGrants.level - 1);
  access_.GoBy(features);
  Serve(true);
  const Status refused = TryEcho(Options("ada", "sesame"));
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("once every process of the cluster speaks"));
  features->Learn(kGrants.level);
  EXPECT_TRUE(TryEcho(Options("ada", "sesame")).ok());
}

TEST_F(LoginTest, WhoIsNobodyMayLogInAndNothingElse) {
  Serve(true);
  const Status refused = TryEcho(Options("", ""));
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.message(), HasSubstr("log in first"));
  TestClient idle(server_->address(), Options("", ""));
  idle.Echo("connects");
  EXPECT_TRUE(WaitFor([&] { return server_->Stats().connections_broken > 0; })) << "and has to do so soon";
}

TEST_F(LoginTest, WithoutPasswordLoginsItTakesACertificate) {
  Serve(false);
  EXPECT_EQ(TryEcho(Options("ada", "sesame")).code(), Code::kUnavailable);
  ChannelOptions certified;
  certified.tls = *security::TlsCredentials::Load(Path("client"), "client");
  EXPECT_TRUE(TryEcho(certified).ok());
}

TEST_F(LoginTest, FromOneAddressTenLoginsFailAMinute) {
  Serve(true);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(TryEcho(Options("ada", "wrong")).code(), Code::kPermissionDenied);
  const Status refused = TryEcho(Options("ada", "sesame"));
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("wait a minute"));
}

}  // namespace
}  // namespace ebla::rpc
