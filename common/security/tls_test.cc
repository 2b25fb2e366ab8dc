#include "common/security/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/base/read_all.h"
#include "common/security/certificates.h"
#include "common/testing/temporary_directory.h"

namespace ebla::security {
namespace {

using ::testing::HasSubstr;

// Two sessions that hand each other their bytes.
struct Pair {
  std::unique_ptr<TlsSession> client, server;
  std::string to_server, to_client;     // on their way
  std::string at_server, at_client;     // what was said
  Status client_status, server_status;  // the first errors

  void Exchange() {
    while ((!to_server.empty() && server_status.ok()) || (!to_client.empty() && client_status.ok())) {
      const std::string for_server = std::exchange(to_server, {}), for_client = std::exchange(to_client, {});
      if (server_status.ok()) server_status = server->Receive(for_server, at_server, to_client);
      if (client_status.ok()) client_status = client->Receive(for_client, at_client, to_server);
    }
  }
};

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CreateAuthority(Path("ca"), 10).ok());
    ASSERT_TRUE(MakeServer("server", "ts-1").ok());
    ASSERT_TRUE(MakeUser("client", "ada").ok());
  }

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  Status MakeServer(const std::string& into, const std::string& name, int days = 10,
                    std::vector<std::string> hosts = {"127.0.0.1", "::1", "ebla.test"}) {
    return CreateCertificate(Path("ca"), Path(into),
                             {.kind = Identity::Kind::kServer, .name = name, .hosts = std::move(hosts), .days = days});
  }
  Status MakeUser(const std::string& into, const std::string& name, int days = 10) {
    return CreateCertificate(Path("ca"), Path(into), {.name = name, .days = days});
  }
  std::shared_ptr<TlsCredentials> Credentials(const std::string& in, const std::string& name) {
    auto credentials = TlsCredentials::Load(Path(in), name);
    EXPECT_TRUE(credentials.has_value()) << credentials.error();
    return *credentials;
  }
  Pair Meet(TlsCredentials& client, TlsCredentials& server, const std::string& host = "127.0.0.1") {
    Pair pair;
    pair.client = client.Connect(host);
    pair.server = server.Accept();
    pair.client_status = pair.client->Start(pair.to_server);
    pair.Exchange();
    return pair;
  }
  Pair Meet(const std::string& host = "127.0.0.1") {
    return Meet(*Credentials("client", "client"), *Credentials("server", "server"), host);
  }

  std::string Text(const std::string& file) const {
    std::ifstream in(Path(file));
    return ReadAll(in);
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(TlsTest, BothSidesKnowEachOtherAndReadWhatTheOtherWrites) {
  for (const char* host : {"127.0.0.1", "::1", "ebla.test"}) {
    Pair pair = Meet(host);
    ASSERT_TRUE(pair.client->established() && pair.server->established()) << pair.client_status << pair.server_status;
    EXPECT_EQ(pair.server->peer().kind, Identity::Kind::kUser);
    EXPECT_EQ(pair.server->peer().name, "ada");
    EXPECT_EQ(pair.client->peer().kind, Identity::Kind::kServer);
    EXPECT_EQ(pair.client->peer().name, "ts-1");
    const std::string large(100'000, 'x');
    ASSERT_TRUE(pair.client->Send(large, pair.to_server).ok());
    ASSERT_TRUE(pair.client->Send("y", pair.to_server).ok());
    EXPECT_THAT(pair.to_server, ::testing::Not(HasSubstr("xxxxxxxx")));
    pair.Exchange();
    EXPECT_EQ(pair.at_server, large + "y");
    ASSERT_TRUE(pair.server->Send("z", pair.to_client).ok());
    pair.Exchange();
    EXPECT_EQ(pair.at_client, "z");
  }
}

// How many certificates a client sends, its own not counted.
int CertificatesBesideItsOwn(TlsCredentials& client, TlsCredentials& server) {
  const std::unique_ptr<SSL, decltype(&SSL_free)> accepted(server.AcceptAnonymous(), &SSL_free);
  BIO *const in = BIO_new(BIO_s_mem()), *const out = BIO_new(BIO_s_mem());
  SSL_set_bio(accepted.get(), in, out);
  SSL_set_accept_state(accepted.get());
  const auto session = client.Connect("127.0.0.1");
  std::string to_server, said;
  EXPECT_TRUE(session->Start(to_server).ok());
  while (!to_server.empty()) {
    BIO_write(in, to_server.data(), static_cast<int>(to_server.size()));
    to_server.clear();
    SSL_do_handshake(accepted.get());
    char* bytes = nullptr;
    const auto size = static_cast<size_t>(BIO_get_mem_data(out, &bytes));
    EXPECT_TRUE(session->Receive({bytes, size}, said, to_server).ok());
    BIO_reset(out);
  }
  EXPECT_TRUE(TlsCredentials::PeerOf(accepted.get()).has_value());
  return sk_X509_num(SSL_get_peer_cert_chain(accepted.get()));
}

TEST_F(TlsTest, TheAuthorityIsNotSent) {
  EXPECT_EQ(CertificatesBesideItsOwn(*Credentials("client", "client"), *Credentials("server", "server")), 0);
}

// The other side knows the authority alone.
TEST_F(TlsTest, WhatLiesBetweenTheAuthorityAndACertificateIsSent) {
  std::filesystem::create_directory(Path("between"));
  const std::string commands =
      "cd " + Path("between") + " && echo basicConstraints=critical,CA:TRUE > is" +
      " && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=between -keyout ca.key" +
      " -out asks" +
      " && openssl x509 -req -in asks -extfile is -days 10 -CA ../ca/ca.crt -CAkey ../ca/ca.key -out ca.crt";
  ASSERT_EQ(std::system(("{ " + commands + "; } 2> " + Path("said")).c_str()), 0) << Text("said");
  ASSERT_TRUE(CreateCertificate(Path("between"), Path("of-between"), {.name = "bob", .days = 10}).ok());
  const std::string between = Text("between/ca.crt"), authority = Text("ca/ca.crt");
  std::ofstream(Path("of-between/ca.crt")) << between << authority;
  const auto server = Credentials("server", "server");
  EXPECT_EQ(CertificatesBesideItsOwn(*Credentials("of-between", "client"), *server), 1);
  // The same if its own file has it.
  std::ofstream(Path("of-between/client.crt"), std::ios::app) << between;
  std::ofstream(Path("of-between/ca.crt")) << authority;
  EXPECT_EQ(CertificatesBesideItsOwn(*Credentials("of-between", "client"), *server), 1);
}

TEST_F(TlsTest, BytesMayComeOneByOne) {
  Pair pair = Meet();
  ASSERT_TRUE(pair.client->Send("hello", pair.to_server).ok());
  for (const char byte : std::exchange(pair.to_server, {}))
    ASSERT_TRUE(pair.server->Receive({&byte, 1}, pair.at_server, pair.to_client).ok());
  EXPECT_EQ(pair.at_server, "hello");
}

TEST_F(TlsTest, AServerOfAnotherNameIsRefused) {
  const Pair pair = Meet("10.0.0.1");
  EXPECT_THAT(pair.client_status.message(), HasSubstr("IP address mismatch"));
  EXPECT_THAT(Meet("other.test").client_status.message(), HasSubstr("hostname mismatch"));
}

TEST_F(TlsTest, AUserCannotPoseAsAServer) {
  std::filesystem::copy_file(Path("client/client.crt"), Path("client/server.crt"));
  std::filesystem::copy_file(Path("client/client.key"), Path("client/server.key"));
  const Pair pair = Meet(*Credentials("client", "client"), *Credentials("client", "server"));
  EXPECT_FALSE(pair.client->established());
  EXPECT_THAT(pair.client_status.message(), HasSubstr("certificate is refused"));
}

TEST_F(TlsTest, AnotherAuthoritysPeopleAreRefusedByBoth) {
  ASSERT_TRUE(CreateAuthority(Path("ca2"), 10).ok());
  ASSERT_TRUE(CreateCertificate(Path("ca2"), Path("foreign"), {.name = "eve"}).ok());
  Pair pair = Meet(*Credentials("foreign", "client"), *Credentials("server", "server"));
  EXPECT_THAT(pair.client_status.message(), HasSubstr("certificate is refused"));
  // A client that trusts the right authority, but has a certificate of the wrong one.
  std::filesystem::remove(Path("foreign/ca.crt"));
  std::filesystem::copy_file(Path("ca/ca.crt"), Path("foreign/ca.crt"));
  pair = Meet(*Credentials("foreign", "client"), *Credentials("server", "server"));
  EXPECT_FALSE(pair.server->established());
  EXPECT_THAT(pair.server_status.message(), HasSubstr("certificate is refused"));
}

TEST_F(TlsTest, AnExpiredCertificateIsRefused) {
  ASSERT_TRUE(MakeUser("late", "old", -1).ok());
  const auto late = TlsCredentials::Load(Path("late"), "client", TlsCredentials::Own::kOfAnyTime);
  ASSERT_TRUE(late.has_value()) << late.error();
  const Pair pair = Meet(**late, *Credentials("server", "server"));
  EXPECT_FALSE(pair.server->established());
  EXPECT_THAT(pair.server_status.message(), HasSubstr("certificate has expired"));
}

TEST_F(TlsTest, NobodyBeginsWithAnExpiredCertificateOfItsOwn) {
  ASSERT_TRUE(MakeServer("late", "ts-1", -1).ok());
  ASSERT_TRUE(MakeUser("late", "ada", -1).ok());
  for (const char* name : {"server", "client"})
    EXPECT_THAT(TlsCredentials::Load(Path("late"), name).error().message(),
                ::testing::AllOf(HasSubstr("late/" + std::string(name) + ".crt has expired at 2"),
                                 HasSubstr("put a new certificate in its place")));
}

TEST_F(TlsTest, AnExpiredCertificateTakesNobodysPlace) {
  const auto server = Credentials("server", "server"), client = Credentials("client", "client");
  const int64_t end = *server->NotAfter();
  EXPECT_NEAR(static_cast<double>(end), static_cast<double>(time(nullptr) + 10 * 86'400), 60);
  ASSERT_TRUE(MakeServer("late", "ts-1", -1).ok());
  for (const std::string file : {"server.crt", "server.key"})
    std::filesystem::copy_file(Path("late/" + file), Path("server/" + file),
                               std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(server->Refresh().error().message(), HasSubstr("server/server.crt has expired"));
  EXPECT_TRUE(Meet(*client, *server).client->established());
  EXPECT_EQ(server->NotAfter(), end);
}

TEST_F(TlsTest, HowToMakeAFileIsSaidOnlyWhereItIsNotThere) {
  std::ofstream(Path("server/ca.crt")) << "nonsense";
  EXPECT_THAT(TlsCredentials::Load(Path("server"), "server").error().message(),
              ::testing::AllOf(HasSubstr("server/ca.crt"), ::testing::Not(HasSubstr("create-ca"))));
}

TEST_F(TlsTest, ARevokedCertificateIsRefusedOnceTheListIsThere) {
  const auto server = Credentials("server", "server"), client = Credentials("client", "client");
  ASSERT_TRUE(MakeUser("other", "bob").ok());
  ASSERT_TRUE(Revoke(Path("ca"), Path("other/client.crt")).ok());
  ASSERT_TRUE(Revoke(Path("ca"), Path("client/client.crt")).ok());
  EXPECT_EQ(*server->Refresh(), false);
  EXPECT_TRUE(Meet(*client, *server).server->established());
  std::filesystem::copy_file(Path("ca/ca.crl"), Path("server/ca.crl"));
  EXPECT_EQ(*server->Refresh(), true);
  for (const char* revoked : {"client", "other"})
    EXPECT_THAT(Meet(*Credentials(revoked, "client"), *server).server_status.message(), HasSubstr("revoked"))
        << revoked;
  ASSERT_TRUE(MakeUser("third", "eve").ok());
  EXPECT_TRUE(Meet(*Credentials("third", "client"), *server).server->established());
}

// While an authority takes another's place, each has its list, and certificates that are good and that are revoked.
TEST_F(TlsTest, TwoAuthoritiesRevokeEachTheirOwn) {
  ASSERT_TRUE(CreateAuthority(Path("ca2"), 10).ok());
  std::string trusted, lists;
  for (const std::string authority : {"ca", "ca2"}) {
    for (const std::string made : {"good", "bad"})
      ASSERT_TRUE(CreateCertificate(Path(authority), Path(made + "-" + authority), {.name = "ada"}).ok());
    ASSERT_TRUE(Revoke(Path(authority), Path("bad-" + authority) + "/client.crt").ok());
    trusted += Text(authority + "/ca.crt");
    lists += Text(authority + "/ca.crl");
  }
  for (const char* whose : {"server", "good-ca", "good-ca2", "bad-ca", "bad-ca2"})
    std::ofstream(Path(whose) + "/ca.crt") << trusted;
  std::ofstream(Path("server/ca.crl")) << lists;
  const auto server = Credentials("server", "server");
  for (const std::string authority : {"ca", "ca2"}) {
    Pair good = Meet(*Credentials("good-" + authority, "client"), *server);
    EXPECT_TRUE(good.server->established()) << authority << ": " << good.server_status;
    EXPECT_THAT(Meet(*Credentials("bad-" + authority, "client"), *server).server_status.message(), HasSubstr("revoked"))
        << authority;
  }
  ASSERT_TRUE(CreateAuthority(Path("ca3"), 10).ok());  // it has revoked nothing
  ASSERT_TRUE(CreateCertificate(Path("ca3"), Path("good-ca3"), {.name = "ada"}).ok());
  std::ofstream(Path("server/ca.crt")) << trusted << Text("ca3/ca.crt");
  std::ofstream(Path("server/ca.crl")) << lists << Text("ca3/ca.crl");
  std::ofstream(Path("good-ca3/ca.crt")) << trusted;
  Pair good = Meet(*Credentials("good-ca3", "client"), *Credentials("server", "server"));
  EXPECT_TRUE(good.server->established()) << good.server_status;
}

TEST_F(TlsTest, WhatWasRevokedStaysSoWithoutTheList) {
  ASSERT_TRUE(Revoke(Path("ca"), Path("client/client.crt")).ok());
  std::filesystem::copy_file(Path("ca/ca.crl"), Path("server/ca.crl"));
  const auto server = Credentials("server", "server"), client = Credentials("client", "client");
  const auto expect_refused = [&] {
    EXPECT_THAT(Meet(*client, *server).server_status.message(), HasSubstr("revoked"));
  };
  expect_refused();
  std::filesystem::remove(Path("server/ca.crl"));
  EXPECT_THAT(server->Refresh().error().message(), HasSubstr("ca.crl is gone"));
  expect_refused();
  ASSERT_TRUE(MakeUser("other", "bob").ok());
  EXPECT_TRUE(Meet(*Credentials("other", "client"), *server).server->established());
  ASSERT_TRUE(Revoke(Path("ca"), Path("other/client.crt")).ok());
  std::filesystem::copy_file(Path("ca/ca.crl"), Path("server/ca.crl"));
  EXPECT_EQ(*server->Refresh(), true);
  expect_refused();
  EXPECT_THAT(Meet(*Credentials("other", "client"), *server).server_status.message(), HasSubstr("revoked"));
}

TEST_F(TlsTest, NewFilesAreReadAndBrokenOnesChangeNothing) {
  const auto server = Credentials("server", "server"), client = Credentials("client", "client");
  EXPECT_EQ(*server->Refresh(), false);
  ASSERT_TRUE(MakeServer("next", "ts-2").ok());
  const auto replace = [&](const std::string& file) {
    std::filesystem::copy_file(Path("next/" + file), Path("server/" + file),
                               std::filesystem::copy_options::overwrite_existing);
  };
  replace("server.crt");
  EXPECT_THAT(server->Refresh().error().message(), HasSubstr("server.key"));
  EXPECT_EQ(Meet(*client, *server).client->peer().name, "ts-1");
  replace("server.key");
  EXPECT_EQ(*server->Refresh(), true);
  EXPECT_EQ(Meet(*client, *server).client->peer().name, "ts-2");
}

TEST_F(TlsTest, WhoDoesNotSpeakTlsIsRefused) {
  const auto server = Credentials("server", "server");
  for (const std::string& said :
       {std::string("\0\0\0\x10hello", 9), std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'),
        std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'a')}) {
    const auto session = server->Accept();
    std::string plain, out;
    EXPECT_FALSE(session->Receive(said, plain, out).ok());
    EXPECT_EQ(plain, "");
  }
}

TEST_F(TlsTest, AKeyThatOthersCanReadIsRefused) {
  std::filesystem::permissions(Path("server/server.key"), std::filesystem::perms(0644));
  EXPECT_THAT(TlsCredentials::Load(Path("server"), "server").error().message(), HasSubstr("chmod 600"));
}

TEST_F(TlsTest, AMissingFileIsNamedWithHowToMakeIt) {
  EXPECT_THAT(TlsCredentials::Load(Path("none"), "server").error().message(),
              ::testing::AllOf(HasSubstr("none/ca.crt"), HasSubstr("ebla cert create-ca")));
  EXPECT_THAT(TlsCredentials::Load(Path("ca"), "client").error().message(),
              ::testing::AllOf(HasSubstr("ca/client.crt"), HasSubstr("ebla cert create-client")));
}

}  // namespace
}  // namespace ebla::security
