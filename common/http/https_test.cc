// The HTTP server over TLS, asked by curl: the pages for each kind of client, and changes of flags.
#include <gflags/gflags.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include "common/base/descriptor.h"
#include "common/http/http_server.h"
#include "common/rpc/socket.h"
#include "common/security/certificates.h"
#include "common/testing/eventually.h"
#include "common/testing/temporary_directory.h"

DEFINE_int32(https_test_settable, 1, "changed by a test");

namespace ebla::http {
namespace {

using security::Identity;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(security::CreateAuthority(Path("ca"), 10).ok());
    Make("server", {.kind = Identity::Kind::kServer, .name = "ts-1", .hosts = {"127.0.0.1"}});
    Make("user", {.name = "ada"});
    Make("prometheus", {.name = "prometheus"});
    Make("operator", {.kind = Identity::Kind::kOperator, .name = "olga"});
    auto tls = security::TlsCredentials::Load(Path("server"), "server");
    ASSERT_TRUE(tls.has_value()) << tls.error();
    tls_ = *tls;
    auto registry = std::make_shared<prometheus::Registry>();
    prometheus::BuildCounter().Name("tests_total").Register(*registry).Add({}).Increment(3);
    server_ = std::make_unique<HttpServer>(HttpOptions{.tls = *tls,
                                                       .timeout = std::chrono::seconds(1),
                                                       .connections_max = 4,
                                                       .metrics = registry,
                                                       .ready = [this] { return ready_; },
                                                       .settable_flags = {"https_test_settable"}});
    const Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  void Make(const std::string& into, const security::CertificateOptions& options, const std::string& ca = "ca") {
    const Status made = security::CreateCertificate(Path(ca), Path(into), options);
    ASSERT_TRUE(made.ok()) << made;
  }
  // What curl prints: "200 body", or "000" and the error.
  std::string Curl(const std::string& who, const std::string& path, const std::string& options = "",
                   const std::string& scheme = "https") {
    std::string command = "curl -sS --max-time 20 --cacert " + Path("server") + "/ca.crt " + options;
    if (!who.empty()) command += " --cert " + Path(who) + "/client.crt --key " + Path(who) + "/client.key";
    command += " -o " + Path("body") + " -w '%{http_code} ' '" + scheme + "://" + server_->address().ToString() + path +
               "' 2>&1; cat " + Path("body") + " 2>/dev/null; rm -f " + Path("body");
    std::string printed;
    FILE* pipe = popen(command.c_str(), "r");
    char bytes[4096];
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, pipe)) > 0;) printed.append(bytes, got);
    pclose(pipe);
    return printed;
  }

  testing::TemporaryDirectory directory_;
  Status ready_;
  std::shared_ptr<security::TlsCredentials> tls_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpsTest, WhoHasACertificateReads) {
  for (const char* who : {"user", "prometheus", "operator"}) {
    EXPECT_THAT(Curl(who, "/metrics"), StartsWith("200 # TYPE tests_total")) << who;
    EXPECT_THAT(Curl(who, "/metrics"), HasSubstr("\nebla_certificate_not_after_seconds " +
                                                 std::to_string(tls_->NotAfter().value_or(0)) + "\n"))
        << who;
    EXPECT_THAT(Curl(who, "/flags"), HasSubstr("--https_test_settable=1"));
    EXPECT_THAT(Curl(who, "/"), StartsWith("200 <!doctype html>"));
  }
  ready_ = Status(Code::kUnavailable, "no master yet");
  EXPECT_THAT(Curl("user", "/readyz"), StartsWith("503 not ready: no master yet"));
}

TEST_F(HttpsTest, ProbesWithoutACertificateAreToldWhetherAndNothingElse) {
  EXPECT_THAT(Curl("", "/healthz"), StartsWith("200 ok"));
  EXPECT_THAT(Curl("", "/readyz"), StartsWith("200 ready"));
  ready_ = Status(Code::kUnavailable, "no master yet");
  EXPECT_THAT(Curl("", "/readyz"), StartsWith("503 not ready"));
  EXPECT_THAT(Curl("", "/readyz"), Not(HasSubstr("no master yet")));
  for (const char* path : {"/", "/metrics", "/flags", "/no-such-page"})
    EXPECT_THAT(Curl("", path), StartsWith("403 show a certificate")) << path;
  for (const char* path : {"/flags?https_test_settable=5", "/healthz", "/readyz"})
    EXPECT_THAT(Curl("", path, "-X POST"), StartsWith("403 ")) << path;
  EXPECT_EQ(FLAGS_https_test_settable, 1);
}

TEST_F(HttpsTest, AnOperatorAloneChangesFlags) {
  EXPECT_THAT(Curl("user", "/flags?https_test_settable=5", "-X POST"),
              StartsWith("403 flags can be changed with an op"));
  EXPECT_EQ(FLAGS_https_test_settable, 1) << "being on this machine is not enough";
  EXPECT_THAT(Curl("operator", "/flags?https_test_settable=7", "-X POST"), StartsWith("200 https_test_settable=7"));
  EXPECT_EQ(FLAGS_https_test_settable, 7);
  FLAGS_https_test_settable = 1;
}

TEST_F(HttpsTest, NothingIsToldInTheClearOrByAnOlderTlsOrToAnothersCertificate) {
  EXPECT_THAT(Curl("", "/healthz", "", "http"), StartsWith("curl: "));
  EXPECT_THAT(Curl("user", "/healthz", "--tls-max 1.2"), StartsWith("curl: "));
  ASSERT_TRUE(security::CreateAuthority(Path("ca2"), 10).ok());
  Make("eve", {.kind = Identity::Kind::kOperator, .name = "eve"}, "ca2");
  EXPECT_THAT(Curl("eve", "/healthz"), StartsWith("curl: "));
  EXPECT_THAT(Curl("user", "/healthz"), StartsWith("200 ok"));
}

TEST_F(HttpsTest, CertificatesAreReadAgainAsConnectionsCome) {
  ASSERT_TRUE(security::Revoke(Path("ca"), Path("user") + "/client.crt").ok());
  std::filesystem::copy(Path("ca") + "/ca.crl", Path("server") + "/ca.crl");
  EXPECT_TRUE(testing::Eventually([&] { return Curl("user", "/metrics").starts_with("curl: "); }));
  EXPECT_THAT(Curl("operator", "/metrics"), StartsWith("200 "));
}

TEST_F(HttpsTest, WhoConnectsAndSaysNothingIsLetGo) {
  const auto address = rpc::SocketAddress::FromNumeric(server_->address());
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(fd, address->get(), address->size), 0);
  const timeval limit{.tv_sec = 20, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char byte;
  EXPECT_EQ(recv(fd, &byte, 1, 0), 0) << "it is closed, in the middle of a handshake";
  close(fd);
}

TEST_F(HttpsTest, AHandshakeThatIsNotFinishedCountsAsAConnection) {
  const auto address = rpc::SocketAddress::FromNumeric(server_->address());
  std::vector<std::unique_ptr<Descriptor>> silent;
  for (int i = 0; i < 4; ++i) {
    silent.push_back(std::make_unique<Descriptor>(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    ASSERT_EQ(connect(silent.back()->get(), address->get(), address->size), 0);
  }
  EXPECT_THAT(Curl("", "/healthz"), StartsWith("200 ok"));
  const auto is_closed = [](const auto& one) {
    char byte;
    return recv(one->get(), &byte, 1, MSG_DONTWAIT) == 0;
  };
  EXPECT_TRUE(std::ranges::any_of(silent, is_closed)) << "it was served beside all of them";
}

}  // namespace
}  // namespace ebla::http
