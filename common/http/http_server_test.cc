#include "common/http/http_server.h"

#include <gflags/gflags.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "common/base/descriptor.h"
#include "common/rpc/socket.h"
#include "common/testing/temporary_directory.h"

DEFINE_int32(http_test_settable, 1, "changed by a test");
DEFINE_int32(http_test_fixed, 1, "not changed by a test");

namespace ebla::http {
namespace {

// A connection that is closed with its owner.
class Connection {
 public:
  explicit Connection(const rpc::Endpoint& server) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = rpc::SocketAddress::FromNumeric(server);
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(connect(fd_.get(), address->get(), address->size), 0);
  }
  void Ask() {
    const std::string_view request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_EQ(send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL), std::ssize(request));
  }
  // The bytes received within 20 s.
  std::string Answer(int flags = 0) {
    char bytes[4096];
    const ssize_t got = recv(fd_.get(), bytes, sizeof bytes, flags);
    return got < 0 ? "" : std::string(bytes, static_cast<size_t>(got));
  }
  void Close() { fd_.Close(); }

 private:
  Descriptor fd_;
};

// Sends one request on a connection of its own; returns the whole response.
std::string Fetch(const rpc::Endpoint& server, const std::string& request_line, const std::string& body = "",
                  const std::string& headers = "") {
  const auto address = rpc::SocketAddress::FromNumeric(server);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(fd, address->get(), address->size), 0);
  const std::string request = request_line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers +
                              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
  std::string reply;
  char bytes[4096];
  for (ssize_t got; (got = recv(fd, bytes, sizeof(bytes), 0)) > 0;) reply.append(bytes, static_cast<size_t>(got));
  close(fd);
  return reply;
}

class HttpTest : public ::testing::Test {
 protected:
  HttpTest() {
    registry_ = std::make_shared<prometheus::Registry>();
    prometheus::BuildCounter().Name("tests_total").Register(*registry_).Add({{"kind", "http"}}).Increment(3);
    server_ = std::make_unique<HttpServer>(HttpOptions{.title = "server & test",
                                                       .metrics = registry_,
                                                       .ready = [this] { return ready_; },
                                                       .settable_flags = {"http_test_settable"}});
    server_->AddPage("/hello", [](const std::string& query) { return Page{.body = "hello " + query}; });
    const Status started = server_->Start();
    EXPECT_TRUE(started.ok()) << started;
  }
  std::string Get(const std::string& path) { return Fetch(server_->address(), "GET " + path); }

  Status ready_;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTest, ServesMetricsHealthAndReadiness) {
  EXPECT_TRUE(Get("/healthz").starts_with("HTTP/1.1 200"));
  EXPECT_NE(Get("/metrics").find("tests_total{kind=\"http\"} 3"), std::string::npos);
  EXPECT_NE(Get("/metrics").find("ebla_certificate_not_after_seconds 0\n"), std::string::npos);
  EXPECT_TRUE(Get("/readyz").starts_with("HTTP/1.1 200"));
  ready_ = Status(Code::kUnavailable, "no master yet");
  const std::string reply = Get("/readyz");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 503")) << reply;
  EXPECT_NE(reply.find("no master yet"), std::string::npos) << reply;
}

TEST_F(HttpTest, ShowsPeopleWhatTheProcessIs) {
  ready_ = Status(Code::kUnavailable, "no master <yet>");
  const std::string reply = Get("/");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200")) << reply;
  EXPECT_NE(reply.find("<h1>server &amp; test</h1>"), std::string::npos) << reply;
  EXPECT_NE(reply.find("Not ready: no master &lt;yet>"), std::string::npos) << reply;
  EXPECT_NE(reply.find("<li><a href=\"/metrics\">/metrics</a> all figures"), std::string::npos) << reply;
}

TEST_F(HttpTest, ShowsPeopleFiguresWithoutAnExponent) {
  const auto figure = [&](const std::string& name, double value) {
    prometheus::BuildGauge().Name(name).Register(*registry_).Add({}).Set(value);
    return "<td>" + name + "<td align=right>";
  };
  const std::string bytes = figure("bytes", 58'801'381'380.0), part = figure("part", 0.25), none = figure("none", 0);
  const std::string reply = Get("/");
  EXPECT_NE(reply.find(bytes + "58801381380<td>"), std::string::npos) << reply;
  EXPECT_NE(reply.find(part + "0.250<td>"), std::string::npos) << reply;
  EXPECT_NE(reply.find(none + "0<td>"), std::string::npos) << reply;
}

TEST_F(HttpTest, ServesAddedPagesAndNamesThemWhenOneIsUnknown) {
  EXPECT_NE(Get("/hello?a=1").find("hello a=1"), std::string::npos);
  const std::string reply = Get("/nothing");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 404")) << reply;
  EXPECT_NE(reply.find("/hello"), std::string::npos) << reply;
}

TEST_F(HttpTest, ChangesChosenFlagsByPostOnly) {
  EXPECT_NE(Get("/flags?http_test_settable=5").find("--http_test_settable=1"), std::string::npos);
  const rpc::Endpoint& at = server_->address();
  EXPECT_TRUE(Fetch(at, "POST /flags?http_test_settable=7").starts_with("HTTP/1.1 200"));
  EXPECT_EQ(FLAGS_http_test_settable, 7);
  EXPECT_TRUE(Fetch(at, "POST /flags?http_test_settable=many").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(Fetch(at, "POST /flags?http_test_fixed=7").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(Fetch(at, "POST /flags").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(Fetch(at, "POST /healthz").starts_with("HTTP/1.1 405"));
  EXPECT_EQ(FLAGS_http_test_settable, 7);
  EXPECT_EQ(FLAGS_http_test_fixed, 1);
}

TEST_F(HttpTest, AWebPageChangesNoFlags) {
  FLAGS_http_test_settable = 1;
  for (const char* origin : {"Origin: http://evil.example\r\n", "origin: null\r\n"}) {
    const std::string reply = Fetch(server_->address(), "POST /flags?http_test_settable=7", "", origin);
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 403")) << reply;
  }
  EXPECT_EQ(FLAGS_http_test_settable, 1);
}

TEST_F(HttpTest, ChangesOfFlagsAreAudited) {
  const testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/audit.log";
  auto audit = security::AuditLog::Open({.file = file});
  ASSERT_TRUE(audit.has_value()) << audit.error();
  HttpServer server({.audit = audit->get(), .settable_flags = {"http_test_settable"}});
  ASSERT_TRUE(server.Start().ok());
  Fetch(server.address(), "POST /flags?http_test_settable=9");
  Fetch(server.address(), "POST /flags?http_test_fixed=9");
  Fetch(server.address(), "POST /flags?http_test_settable=3", "", "Origin: null\r\n");
  std::ifstream lines(file);
  for (const char* expected : {R"("action":"setFlag","of":"http_test_settable=9","code":"OK"})",
                               R"("of":"http_test_fixed=9","code":"INVALID_ARGUMENT")",
                               R"("of":"http_test_settable=3","code":"PERMISSION_DENIED")"}) {
    std::string line;
    std::getline(lines, line);
    EXPECT_NE(line.find(expected), std::string::npos) << line;
    EXPECT_NE(line.find(R"("from":"127.0.0.1:)"), std::string::npos) << line;
  }
}

TEST_F(HttpTest, RefusesWhatIsTooLargeOrNoRequest) {
  EXPECT_TRUE(Fetch(server_->address(), "POST /flags", std::string(100'000, 'x')).starts_with("HTTP/1.1 413"));
  Fetch(server_->address(), std::string(100'000, 'x'));
  Fetch(server_->address(), std::string("\0\xff garbage", 10));
  EXPECT_TRUE(Get("/healthz").starts_with("HTTP/1.1 200"));
}

TEST_F(HttpTest, AtTheMostConnectionsOthersWaitUntilOneEnds) {
  HttpServer server({.connections_max = 2});
  ASSERT_TRUE(server.Start().ok());
  Connection first(server.address()), second(server.address());
  for (Connection* one : {&first, &second}) {
    one->Ask();
    EXPECT_TRUE(one->Answer().starts_with("HTTP/1.1 200"));
  }
  Connection third(server.address());
  third.Ask();
  for (int turn = 0; turn < 50; ++turn) {
    first.Ask();
    EXPECT_TRUE(first.Answer().starts_with("HTTP/1.1 200"));
  }
  EXPECT_EQ(third.Answer(MSG_DONTWAIT), "");
  second.Close();
  EXPECT_TRUE(third.Answer().starts_with("HTTP/1.1 200"));
}

TEST_F(HttpTest, SaysWhereItCannotListen) {
  HttpServer second({.listen = server_->address()});
  const Status started = second.Start();
  EXPECT_EQ(started.code(), Code::kUnavailable);
  EXPECT_NE(started.message().find(server_->address().ToString()), std::string::npos) << started;
}

}  // namespace
}  // namespace ebla::http
