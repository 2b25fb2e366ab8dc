// Logins by name and password, over real sockets.
#include <gmock/gmock.h>

#include "common/rpc/idl_convert.h"
#include "common/rpc/login_service.h"
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
    for (const auto& [name, kind] : {std::pair{"server", Identity::Kind::kServer},
                                     {"peer", Identity::Kind::kServer},
                                     {"client", Identity::Kind::kUser}}) {
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

TEST_F(LoginTest, WhoIsDroppedOrHasAnotherPasswordCallsNothingMore) {
  Serve(true);
  TestClient ada(server_->address(), Options("ada", "sesame"));
  EXPECT_EQ(ada.Echo("hello").payload, "hello");
  Publish("ada", "another");
  const idl::EchoReply refused = ada.Echo("hello");
  EXPECT_EQ(FromIdl(refused.header.code), Code::kPermissionDenied);
  EXPECT_THAT(refused.header.message, HasSubstr("another password since"));
  Publish("ada", "sesame");
  EXPECT_EQ(FromIdl(ada.Echo("hello").header.code), Code::kPermissionDenied) << "made anew, it is another";
}

TEST_F(LoginTest, NobodyLogsInBeforeGrantsCount) {
  const auto features = std::make_shared<Features>();
  features->Learn(kGrants.level - 1);
  access_.SetFeatures(features);
  Serve(true);
  const Status refused = TryEcho(Options("ada", "sesame"));
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("until all processes of the cluster speak"));
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

TEST_F(LoginTest, WhoIsNobodyIsCutOffHoweverMuchItSays) {
  Serve(true);
  TestClient busy(server_->address(), Options("", ""));
  EXPECT_TRUE(WaitFor([&] {
    busy.Echo("refused");
    return server_->Stats().connections_broken > 0;
  }));
}

TEST_F(LoginTest, WhoIsNobodySendsNoMoreThanALoginTakes) {
  Serve(true);
  TestClient client(server_->address(), Options("", ""));
  EXPECT_EQ(FromIdl(client.Echo(std::string(20'000, 'x')).header.code), Code::kUnknownOutcome);
  EXPECT_EQ(server_->Stats().connections_broken, 1u);
  TestClient known(server_->address(), Options("ada", "sesame"));
  EXPECT_EQ(FromIdl(known.Echo(std::string(20'000, 'x')).header.code), Code::kOk);
}

TEST_F(LoginTest, StrangersTakeNoMoreThanTheirPlaces) {
  ServerOptions options{.connections_max = 100, .half_frame_timeout = 30s, .password_logins = true};
  options.tls = *security::TlsCredentials::Load(Path("server"), "server");
  server_ = std::make_unique<RpcServer>(options, dispatcher_, std::vector<EventLoop*>{&loop_});
  ASSERT_TRUE(server_->Start().ok());
  TestClient known(server_->address(), Options("ada", "sesame"));
  EXPECT_EQ(known.Echo("1").payload, "1");
  std::vector<std::unique_ptr<RawSocket>> strangers;
  for (int i = 0; i < 200; ++i) strangers.push_back(std::make_unique<RawSocket>(server_->address()));
  EXPECT_TRUE(strangers.front()->ClosedByServer());
  TestClient another(server_->address(), Options("ada", "sesame"));
  EXPECT_EQ(another.Echo("2").payload, "2");
  EXPECT_EQ(known.Echo("3").payload, "3");
  EXPECT_LE(server_->Stats().connections, 28u);
}

TEST_F(LoginTest, WithoutPasswordLoginsACertificateStaysWhoItIs) {
  Serve(false);
  ChannelOptions options = Options("ada", "sesame");
  options.tls = *security::TlsCredentials::Load(Path("client"), "client");
  const Status refused = TryEcho(options);
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.message(), HasSubstr("--password_logins"));
}

TEST_F(LoginTest, AServersCertificateReadsNoRecords) {
  Serve(false);
  ChannelOptions options;
  options.tls = *security::TlsCredentials::Load(Path("peer"), "server");
  TestClient client(server_->address(), options);
  const idl::GetReply reply = client.Get("k").get();
  EXPECT_EQ(FromIdl(reply.header.code), Code::kPermissionDenied);
  EXPECT_THAT(reply.header.message, HasSubstr("no process of the cluster does"));
}

TEST_F(LoginTest, GuessesThatBeganSideBySideAreCountedLikeOthers) {
  int refused = 0;
  LoginService service(
      access_, [] { return MonotonicTime{1h}; },
      [&](const security::Session&, const std::string&, const Status&) { ++refused; });
  const auto step = [&](security::Session& session, const std::string& message) {
    const security::CallerScope scope(session, &access_);
    idl::LoginRequest request;
    request.message = message;
    idl::LoginReply reply;
    service.login([&](const idl::LoginReply& answer) { reply = answer; }, request);
    return reply;
  };
  const auto wrong = std::make_shared<security::ScramCredentials>("ada", "wrong");
  std::vector<security::Session> sessions(12);
  std::vector<std::string> finals;
  for (security::Session& session : sessions) {
    session.identity.kind = Identity::Kind::kAnonymous;
    session.peer = "10.0.0.1:5000";
    session.may_log_in = true;
    security::ScramClient client(wrong);
    finals.push_back(*client.Final(step(session, client.First()).message));
  }
  for (size_t i = 0; i < sessions.size(); ++i) {
    EXPECT_EQ(FromIdl(step(sessions[i], finals[i]).status.code), i < 10 ? Code::kPermissionDenied : Code::kOverloaded)
        << i;
  }
  EXPECT_EQ(refused, 12);
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
  EXPECT_EQ(refused.code(), Code::kOverloaded) << "and it is said as what it is";
  EXPECT_THAT(refused.message(), HasSubstr("under this name have failed: wait a minute"));
}

TEST_F(LoginTest, WhoGuessesAtOneNameDoesNotShutOutTheOthersOfTheAddress) {
  Serve(true);
  for (int i = 0; i < 12; ++i) EXPECT_FALSE(TryEcho(Options("eve", "wrong")).ok());
  EXPECT_TRUE(TryEcho(Options("ada", "sesame")).ok());
}

TEST_F(LoginTest, FromOneAddressAHundredLoginsFailAMinuteUnderWhateverNames) {
  Serve(true);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(TryEcho(Options("user" + std::to_string(i), "wrong")).code(), Code::kPermissionDenied);
  const Status refused = TryEcho(Options("ada", "sesame"));
  EXPECT_EQ(refused.code(), Code::kOverloaded);
  EXPECT_THAT(refused.message(), HasSubstr("127.0.0.1 have failed: wait a minute"));
}

}  // namespace
}  // namespace ebla::rpc
