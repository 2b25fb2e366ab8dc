// The server and the channel over TLS: admission, permissions, and the fate of connections meanwhile.
#include <gmock/gmock.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TSSLSocket.h>

#include <filesystem>

#include "common/rpc/idl_convert.h"
#include "common/rpc/rpc_test_util.h"
#include "common/security/certificates.h"
#include "common/testing/temporary_directory.h"

namespace ebla::rpc {
namespace {

using security::Identity;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class TlsServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(security::CreateAuthority(Path("ca"), 10).ok());
    Make("server", {.kind = Identity::Kind::kServer, .name = "ts-1", .hosts = {"127.0.0.1"}});
    Make("peer", {.kind = Identity::Kind::kServer, .name = "ts-2", .hosts = {"127.0.0.1"}});
    Make("user", {.name = "ada"});
    Make("operator", {.kind = Identity::Kind::kOperator, .name = "olga"});
    tls_ = Credentials("server", "server");
    server_.emplace(ServerOptions{.half_frame_timeout = 300ms, .tls = tls_});
  }

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  void Make(const std::string& into, const security::CertificateOptions& options) {
    const Status made = security::CreateCertificate(Path("ca"), Path(into), options);
    ASSERT_TRUE(made.ok()) << made;
  }
  std::shared_ptr<security::TlsCredentials> Credentials(const std::string& in, const std::string& name = "client") {
    auto credentials = security::TlsCredentials::Load(Path(in), name);
    EXPECT_TRUE(credentials.has_value()) << credentials.error();
    return *credentials;
  }
  std::unique_ptr<TestClient> Connect(const std::string& in, const std::string& name = "client") {
    return std::make_unique<TestClient>(server_->address(), ChannelOptions{.tls = Credentials(in, name)});
  }
  Status TryEcho(const ChannelOptions& options) {
    TestClient client(server_->address(), options);
    const idl::EchoReply reply = client.Echo("hello");
    return {FromIdl(reply.header.code), reply.header.message};
  }

  testing::TemporaryDirectory directory_;
  std::shared_ptr<security::TlsCredentials> tls_;
  std::optional<TestServer> server_;
};

TEST_F(TlsServerTest, CallsOfEverySizeGoThrough) {
  const auto client = Connect("user");
  for (const int bytes : {0, 1, 1000, 16 * 1024, 16 * 1024 + 1, 1'000'000, 10'000'000}) {
    const std::string payload(static_cast<size_t>(bytes), 'p');
    ASSERT_EQ(client->Echo(payload).payload, payload) << bytes;
  }
  EXPECT_EQ(server_->server->Stats().connections, 1u);
  EXPECT_EQ(server_->server->Stats().connections_broken, 0u);
}

TEST_F(TlsServerTest, ManyCallsAreInFlightOnOneConnection) {
  const auto client = Connect("user");
  std::vector<std::future<idl::GetReply>> replies;
  for (int i = 0; i < 5'000; ++i) replies.push_back(client->Get("k" + std::to_string(i)));
  for (int i = 0; i < 5'000; ++i)
    ASSERT_EQ(replies[static_cast<size_t>(i)].get().record.value, "value of k" + std::to_string(i));
  EXPECT_EQ(server_->server->Stats().connections_accepted, 1u);
}

TEST_F(TlsServerTest, AUserMayNotCallWhatIsAnOperatorsOrAServers) {
  const auto call_checksum = [](TestClient& client) {
    std::promise<idl::ChecksumReply> promise;
    client.tablet->checksum([&](const idl::ChecksumReply& reply) { promise.set_value(reply); }, {});
    const idl::ReplyHeader header = promise.get_future().get().header;
    return Status(FromIdl(header.code), header.message);
  };
  const Status refused = call_checksum(*Connect("user"));
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("\"ada\""), HasSubstr("checksum"), HasSubstr("an operator")));
  EXPECT_EQ(server_->dispatcher.refusals(), 1u);
  EXPECT_NE(call_checksum(*Connect("operator")).code(), Code::kPermissionDenied);
  EXPECT_NE(call_checksum(*Connect("peer", "server")).code(), Code::kPermissionDenied) << "servers ask each other";
  EXPECT_EQ(server_->dispatcher.refusals(), 1u);
  const auto list_kept = [](TestClient& client) {
    std::promise<Code> promise;
    client.tablet->listKept([&](const idl::ListKeptReply& reply) { promise.set_value(FromIdl(reply.header.code)); },
                            {});
    return promise.get_future().get();
  };
  EXPECT_NE(list_kept(*Connect("operator")), Code::kPermissionDenied);
  EXPECT_EQ(list_kept(*Connect("peer", "server")), Code::kPermissionDenied) << "another server's";
  EXPECT_EQ(list_kept(*Connect("server", "server")), Code::kPermissionDenied) << "its own, which may be stolen";
  EXPECT_EQ(server_->dispatcher.refusals(), 3u);
  const auto of_one_that_calls_itself = Credentials("server", "server");
  of_one_that_calls_itself->TrustItself();
  server_.emplace(ServerOptions{.tls = of_one_that_calls_itself});
  EXPECT_NE(list_kept(*Connect("server", "server")), Code::kPermissionDenied);
}

TEST_F(TlsServerTest, AServerSpeaksForItselfAlone) {
  const auto write_as = [](TestClient& client, bool stamped) {
    idl::WriteRequest request;
    request.writes.resize(1);
    if (stamped) request.writes[0].__set_writer("ts-9");
    std::promise<idl::WriteReply> promise;
    client.tablet->write([&](const idl::WriteReply& reply) { promise.set_value(reply); }, request);
    return FromIdl(promise.get_future().get().header.code);
  };
  EXPECT_EQ(write_as(*Connect("user"), true), Code::kPermissionDenied);
  EXPECT_NE(write_as(*Connect("user"), false), Code::kPermissionDenied);
  EXPECT_NE(write_as(*Connect("peer", "server"), true), Code::kPermissionDenied);
  // It delivers other clients' writes; and a master has nothing to write.
  EXPECT_EQ(write_as(*Connect("peer", "server"), false), Code::kPermissionDenied);
  Make("master", {.kind = Identity::Kind::kMaster, .name = "m-1", .hosts = {"127.0.0.1"}});
  for (const bool stamped : {false, true})
    EXPECT_EQ(write_as(*Connect("master", "server"), stamped), Code::kPermissionDenied) << stamped;
}

TEST_F(TlsServerTest, AGatewaysCertificateIsNobodysOnBothSides) {
  Make("gateway", {.kind = Identity::Kind::kGateway, .name = "gateway-1", .hosts = {"127.0.0.1"}});
  const auto gateway = Credentials("gateway", "server");
  const Status refused = TryEcho({.tls = gateway});
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.message(), HasSubstr("the gateway \"gateway-1\""));
  EXPECT_EQ(server_->dispatcher.refusals(), 1u);
  TestClient idle(server_->address(), ChannelOptions{.tls = gateway});
  idle.Echo("connects");
  EXPECT_TRUE(WaitFor([&] { return server_->server->Stats().connections_broken > 0; })) << "as who has none";
  server_.emplace(ServerOptions{.tls = gateway});
  const Status posed = TryEcho({.tls = Credentials("user")});
  EXPECT_EQ(posed.code(), Code::kUnavailable);
  EXPECT_THAT(posed.message(), HasSubstr("is a gateway"));
}

TEST_F(TlsServerTest, NoUserHasAllConnections) {
  server_.emplace(ServerOptions{.connections_max = 64, .tls = tls_}, 1);
  Make("other", {.name = "bob"});
  std::vector<std::unique_ptr<TestClient>> clients;
  const auto got_in = [&](const char* who, int tries) {
    int in = 0;
    for (int i = 0; i < tries; ++i) {
      clients.push_back(Connect(who));
      if (clients.back()->Echo("hello").payload == "hello") ++in;
    }
    return in;
  };
  EXPECT_EQ(got_in("user", 24), 20);
  EXPECT_EQ(got_in("other", 24), 20);
  Make("third", {.name = "eve"});
  EXPECT_EQ(got_in("third", 2), 0) << "all users have theirs";
  clients.push_back(Connect("peer", "server"));
  EXPECT_EQ(clients.back()->Echo("peers").payload, "peers");
  clients.push_back(Connect("operator"));
  EXPECT_EQ(clients.back()->Echo("operators").payload, "operators");
  clients.erase(clients.begin(), clients.begin() + 24);
  EXPECT_TRUE(WaitFor([&] { return got_in("third", 1) == 1; }));
}

TEST_F(TlsServerTest, WhoHasNoCertificateOfTheAuthorityGetsNothing) {
  EXPECT_EQ(TryEcho({}).code(), Code::kUnknownOutcome) << "it does not speak TLS, and was hung up on";
  ASSERT_TRUE(security::CreateAuthority(Path("ca2"), 10).ok());
  ASSERT_TRUE(security::CreateCertificate(Path("ca2"), Path("eve"), {.name = "eve"}).ok());
  const Status unknown = TryEcho({.tls = Credentials("eve")});
  EXPECT_EQ(unknown.code(), Code::kUnavailable);
  EXPECT_THAT(unknown.message(), HasSubstr("certificate is refused"));
  std::filesystem::copy_file(Path("ca/ca.crt"), Path("eve/ca.crt"), std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(TryEcho({.tls = Credentials("eve")}).ok());
  Make("late", {.name = "old", .days = -1});
  auto late = security::TlsCredentials::Load(Path("late"), "client", security::TlsCredentials::Own::kOfAnyTime);
  ASSERT_TRUE(late.has_value()) << late.error();
  EXPECT_FALSE(TryEcho({.tls = *late}).ok());
  ASSERT_TRUE(WaitFor([&] { return server_->server->Stats().connections_broken >= 3; }));
  EXPECT_EQ(server_->server->Stats().requests, 0u);
  EXPECT_EQ(Connect("user")->Echo("x").payload, "x") << "others are not disturbed";
}

TEST_F(TlsServerTest, WhoNeverFinishesTheHandshakeIsClosed) {
  RawSocket silent(server_->address()), half(server_->address());
  ASSERT_TRUE(half.Send("\x16\x03\x01"));
  EXPECT_TRUE(silent.ClosedByServer());
  EXPECT_TRUE(half.ClosedByServer());
}

// All on one loop: what one user has sent takes a second.
TEST_F(TlsServerTest, AUserWithOneCallDoesNotWaitForAllOfAnothers) {
  server_.emplace(ServerOptions{.tls = tls_}, 1);
  const auto busy = Connect("user"), other = Connect("operator");
  other->Echo("connects");
  constexpr size_t kCalls = 1'000;
  std::atomic<size_t> answered{0};
  std::vector<std::future<idl::GetReply>> replies;
  for (size_t i = 0; i < kCalls; ++i) {
    auto promise = std::make_shared<std::promise<idl::GetReply>>();
    replies.push_back(promise->get_future());
    idl::GetRequest request;
    request.__set_key("slow " + std::to_string(i));
    busy->tablet->get(
        [promise, &answered](const idl::GetReply& reply) {
          ++answered;
          promise->set_value(reply);
        },
        request);
  }
  ASSERT_TRUE(WaitFor([&] { return answered > 0; }));
  EXPECT_EQ(other->Echo("between").payload, "between");
  EXPECT_LT(answered, kCalls / 2);
  for (size_t i = 0; i < kCalls; ++i) EXPECT_EQ(replies[i].get().record.value, "value of slow " + std::to_string(i));
}

// The process seems to use all of its processors, and Bob, a light user, to be active all the time.
class TlsServerBusyTest : public TlsServerTest {
 protected:
  void SetUp() override {
    TlsServerTest::SetUp();
    window_->Join(kBob);
    window_->Join(kBob + 1);  // a user without competitors is not measured
    auto at = std::chrono::steady_clock::now();
    for (int round = 0; round < 20; ++round) BobCalls(at += CallWindow::kRound);
    BobCalls(at + 1h);
    server_.emplace(ServerOptions{.tls = tls_, .user_calls = window_}, 1);
  }
  void BobCalls(CallWindow::Time at) {
    used_ += CallWindow::kRound;
    window_->End(&bob_, window_->Begin(kBob, bob_, at));
  }

  static constexpr size_t kBob = 1;
  Duration used_{};
  CallWindow::Caller bob_;
  std::shared_ptr<CallWindow> window_ = std::make_shared<CallWindow>(CallWindow::kLeast, [this] { return used_; }, 1);
};

TEST_F(TlsServerBusyTest, AUserHasFewCallsUnderWay) {
  constexpr size_t kClients = 10, kCalls = 5;
  std::vector<std::unique_ptr<TestClient>> clients;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(Connect("user"));
  for (const auto& client : clients) client->Echo("connects");
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::future<idl::GetReply>> replies;
  for (size_t i = 0; i < kClients * kCalls; ++i)
    replies.push_back(clients[i % kClients]->Get("hold " + std::to_string(i)));
  // Calls of a finished round no longer count, and delay nothing.
  for (size_t held = 0; held < replies.size();) {
    held = server_->tablet->held.size();
    const auto rounds = static_cast<size_t>((std::chrono::steady_clock::now() - begun) / CallWindow::kRound) + 2;
    ASSERT_LE(held, rounds * CallWindow::kLeast);
    ASSERT_LT(rounds, 2'000u) << "of " << replies.size() << " only " << held << " were handled";
  }
  for (const auto& answer : server_->tablet->held.Take()) answer();
  for (auto& reply : replies) EXPECT_TRUE(reply.get().record.value.starts_with("value of hold "));
}

TEST_F(TlsServerBusyTest, AUserWhoGivesWayIsServedAllTheSame) {
  window_->Begin(kBob, bob_, CallWindow::Time(std::chrono::steady_clock::now() + 2h));
  const auto one = Connect("user"), another = Connect("user");
  std::vector<std::future<idl::GetReply>> replies;
  for (int i = 0; i < 1'000; ++i) replies.push_back((i % 2 == 0 ? one : another)->Get("k" + std::to_string(i)));
  for (int i = 0; i < 1'000; ++i)
    ASSERT_EQ(replies[static_cast<size_t>(i)].get().record.value, "value of k" + std::to_string(i));
  EXPECT_EQ(one->Echo("large", 1'000'000).payload.size(), 1'000'000u);
}

TEST_F(TlsServerTest, ACertificateIsReplacedWhileConnectionsLast) {
  const auto before = Connect("user");
  EXPECT_EQ(before->Echo("1").payload, "1");
  Make("next", {.kind = Identity::Kind::kServer, .name = "ts-2", .hosts = {"127.0.0.1"}});
  for (const char* file : {"server.crt", "server.key"})
    std::filesystem::copy_file(Path(std::string("next/") + file), Path(std::string("server/") + file),
                               std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(*tls_->Refresh(), true);
  EXPECT_EQ(before->Echo("2").payload, "2");
  EXPECT_EQ(Connect("user")->Echo("3").payload, "3");
}

TEST_F(TlsServerTest, ARevokedUserIsNotLetInAgain) {
  EXPECT_EQ(Connect("user")->Echo("1").payload, "1");
  ASSERT_TRUE(security::Revoke(Path("ca"), Path("user/client.crt")).ok());
  std::filesystem::copy_file(Path("ca/ca.crl"), Path("server/ca.crl"));
  EXPECT_EQ(*tls_->Refresh(), true);
  EXPECT_FALSE(TryEcho({.tls = Credentials("user")}).ok());
  EXPECT_EQ(Connect("operator")->Echo("2").payload, "2");
}

TEST_F(TlsServerTest, AServerThatDoesNotSpeakTlsIsToldSoInItsLogAndTheClientFails) {
  TestServer plain;
  TestClient client(plain.address(), {.tls = Credentials("user")});
  EXPECT_EQ(client.Echo("x").header.code, idl::Code::UNAVAILABLE);
}

TEST_F(TlsServerTest, ThriftsOwnClientConnects) {
  using namespace apache::thrift;
  transport::TSSLSocketFactory factory;
  factory.ciphers("HIGH");
  factory.loadTrustedCertificates(Path("user/ca.crt").c_str());
  factory.loadCertificate(Path("user/client.crt").c_str());
  factory.loadPrivateKey(Path("user/client.key").c_str());
  factory.authenticate(true);
  const auto socket = factory.createSocket("127.0.0.1", server_->address().port);
  const auto transport = std::make_shared<transport::TFramedTransport>(socket);
  idl::TabletServiceClient client(std::make_shared<protocol::TBinaryProtocol>(transport));
  transport->open();
  idl::EchoRequest request;
  request.__set_payload("hello");
  idl::EchoReply reply;
  client.echo(reply, request);
  EXPECT_EQ(reply.payload, "hello");
  transport->close();
}

}  // namespace
}  // namespace ebla::rpc
