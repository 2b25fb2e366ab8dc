// The trust of a gateway in the addresses that the table's records name, because any user with a grant to write the
// table may have written them. The peers are sockets of the test.
#include "gateway/redis/pubsub/peers.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <future>
#include <optional>

#include "common/base/descriptor.h"
#include "common/rpc/socket.h"
#include "common/security/certificates.h"
#include "common/testing/eventually.h"
#include "common/testing/temporary_directory.h"
#include "gateway/redis/databases/key_codec.h"
#include "gateway/redis/testing/memory_client.h"
#include "gateway/testing/memory_store.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;
using ::ebla::testing::Eventually;

const std::string kOwn = "127.0.0.1:1";

// Something at an address.
class Listening {
 public:
  Listening() : fd_(*rpc::Listen({"127.0.0.1", 0})) {}
  std::string address() const { return rpc::LocalAddress(fd_.get())->ToString(); }
  uint16_t port() const { return rpc::LocalAddress(fd_.get())->port; }
  // Whether another connection arrives within this time.
  bool Accept(std::chrono::milliseconds within = 20s) {
    pollfd waits{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&waits, 1, static_cast<int>(within.count())) != 1) return false;
    connection_.emplace(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(connection_->get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return true;
  }
  // Up to so many bytes, or the end.
  std::string Read(size_t most) {
    std::string text(most, '\0');
    size_t got = 0;
    while (got < most) {
      const ssize_t more = recv(connection_->get(), text.data() + got, most - got, 0);
      if (more <= 0) break;
      got += static_cast<size_t>(more);
    }
    text.resize(got);
    return text;
  }
  void Say(std::string_view text) { send(connection_->get(), text.data(), text.size(), MSG_NOSIGNAL); }

 private:
  const Descriptor fd_;
  std::optional<Descriptor> connection_;
};

class PeersTest : public ::testing::Test {
 protected:
  ~PeersTest() override {
    if (peers_) peers_->Stop();
  }
  void Record(const std::string& address) {
    std::promise<void> done;
    records_->Put(std::string("\1\5gateway") + kGroupDelimiter + address, "", Lifetime::For(1h), Condition::None(),
                  std::chrono::steady_clock::now() + 10s, [&](const Result<Version>&) { done.set_value(); });
    done.get_future().wait();
  }
  void Start(std::shared_ptr<security::TlsCredentials> tls = nullptr) {
    peers_.emplace(std::make_shared<Channels>(), records_, std::move(tls), Credentials{"gateway", "correct-horse"});
    started_ = std::async(std::launch::async, [this] { peers_->Start(*rpc::Endpoint::Parse(kOwn)); });
  }
  void Greeted(Listening& other) {
    ASSERT_TRUE(other.Accept());
    EXPECT_EQ(other.Read(kGreeting.size()), kGreeting);
    other.Say("+OK\r\n");
  }
  std::future<int64_t> Publish(const std::string& message) {
    auto count = std::make_shared<std::promise<int64_t>>();
    std::future<int64_t> answer = count->get_future();
    peers_->Publish(ChannelKind::kChannel, "news", message,
                    [count](int64_t subscribers) { count->set_value(subscribers); });
    return answer;
  }

  const std::string kGreeting = Encode({"EBLA.PEER", kOwn});
  const std::shared_ptr<MemoryStore> records_ = std::make_shared<MemoryStore>();
  std::optional<Peers> peers_;
  std::future<void> started_;
};

TEST_F(PeersTest, NothingButAGreetingGoesToWhoHasNotAnsweredIt) {
  Listening other;
  Record(other.address());
  Start();
  ASSERT_TRUE(other.Accept());
  EXPECT_EQ(other.Read(kGreeting.size()), kGreeting) << "and no password before it";
  EXPECT_EQ(Publish("confidential").get(), 0);
  EXPECT_EQ(other.Read(100'000), "");
}

TEST_F(PeersTest, WhoHasAnsweredGetsMessages) {
  Listening other;
  Record(other.address());
  Start();
  Greeted(other);
  started_.wait();
  std::future<int64_t> answer = Publish("hello");
  const std::string expected = Encode({"EBLA.DELIVER", "CHANNEL", "news", "hello"});
  EXPECT_EQ(other.Read(expected.size()), expected);
  other.Say(":3\r\n");
  EXPECT_EQ(answer.get(), 3);
}

TEST_F(PeersTest, WhatShowsAnotherCertificateThanAGatewaysIsNotGreeted) {
  const testing::TemporaryDirectory directory;
  const std::string ca = directory.path() + "/ca", own = directory.path() + "/own", posed = directory.path() + "/posed";
  using Kind = security::Identity::Kind;
  ASSERT_TRUE(security::CreateAuthority(ca, 10).ok());
  for (const auto& [into, kind] : {std::pair{own, Kind::kGateway}, {posed, Kind::kServer}})
    ASSERT_TRUE(security::CreateCertificate(ca, into, {.kind = kind, .name = "x", .hosts = {"127.0.0.1"}}).ok());
  for (const auto& [shown, greets] : {std::pair{own, true}, {posed, false}}) {
    Listening other;
    Record(other.address());
    Start(*security::TlsCredentials::Load(own, "server"));
    ASSERT_TRUE(other.Accept());
    const auto tls = (*security::TlsCredentials::Load(shown, "server"))->Accept();
    std::string said;
    for (std::string bytes; !(bytes = other.Read(1)).empty() && !said.ends_with(kGreeting);) {
      std::string out;
      ASSERT_TRUE(tls->Receive(bytes, said, out).ok());
      other.Say(out);
    }
    EXPECT_EQ(said, greets ? Encode({"AUTH", "gateway", "correct-horse"}) + kGreeting : "");
    started_.wait();
    peers_->Stop();
    peers_.reset();
  }
}

TEST_F(PeersTest, OneAddressIsOneGatewayHoweverItIsWritten) {
  Listening other;
  const std::string port = ":" + std::to_string(other.port());
  Record("127.0.0.1" + port);
  Record(std::string("127.0.0.1\0x", 11) + port);
  Record("localhost" + port);
  Record("\n\1 no address");
  Start();
  Greeted(other);
  started_.wait();
  EXPECT_FALSE(other.Accept(0ms));
}

TEST_F(PeersTest, AllTogetherHoldNoMoreThanTheirBound) {
  Listening one, two;
  Record(one.address());
  Record(two.address());
  Start();
  Greeted(one);
  Greeted(two);
  started_.wait();
  const std::string message(40 << 20, 'x');
  const size_t whole = Encode({"EBLA.DELIVER", "CHANNEL", "news", message}).size();
  std::future<int64_t> answer = Publish(message);
  std::future<size_t> got = std::async(std::launch::async, [&] { return one.Read(whole).size(); });
  const size_t of_two = two.Read(whole).size(), of_one = got.get();
  EXPECT_EQ(std::max(of_one, of_two), whole);
  EXPECT_EQ(std::min(of_one, of_two), 0u) << "one of them was let go at once";
}

}  // namespace
}  // namespace ebla::gateway::redis
