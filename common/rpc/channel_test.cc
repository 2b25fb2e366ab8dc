// The pipelined channel against a real server, and against sockets that misbehave.
#include <atomic>
#include <thread>

#include "common/rpc/rpc_test_util.h"

namespace ebla::rpc {
namespace {

// An address that refuses connections: a socket that was bound and closed.
Endpoint DeadEndpoint() {
  const int fd = *Listen({"127.0.0.1", 0});
  const Endpoint endpoint = *LocalAddress(fd);
  close(fd);
  return endpoint;
}

// A server that accepts by hand.
class Listener {
 public:
  Listener() : fd_(*Listen({"127.0.0.1", 0})), address_(*LocalAddress(fd_)) {}
  ~Listener() { close(fd_); }
  int Accept() {
    pollfd poll_fd{fd_, POLLIN, 0};
    return poll(&poll_fd, 1, 20'000) == 1 ? accept(fd_, nullptr, nullptr) : -1;
  }
  const Endpoint& address() const { return address_; }

 private:
  int fd_;
  Endpoint address_;
};

TEST(ChannelTest, CallsGoBothWays) {
  TestServer server;
  TestClient client(server.address());
  const idl::EchoReply reply = client.Echo("hello");
  EXPECT_EQ(reply.header.code, idl::Code::OK);
  EXPECT_EQ(reply.payload, "hello");
  EXPECT_EQ(client.Echo("", 3'000'000).payload.size(), 3'000'000u);
  EXPECT_EQ(client.Echo(std::string(3'000'000, 'q')).payload, std::string(3'000'000, 'q'));
}

TEST(ChannelTest, EveryTabletMethodCarriesItsRequestAndReply) {
  TestServer server;
  TestClient client(server.address());
  EXPECT_EQ(client.Get("k").get().record.value, "value of k");

  idl::MultiGetRequest multi;
  multi.keys = {"a", "", "c"};
  std::promise<idl::MultiGetReply> multi_reply;
  client.tablet->multiGet([&](const auto& reply) { multi_reply.set_value(reply); }, multi);
  const auto results = multi_reply.get_future().get().results;
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[1].code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(results[2].code, idl::Code::NOT_FOUND);

  idl::WriteRequest write;
  write.__set_sequence(77);
  write.writes.resize(3);
  for (int i = 0; i < 3; ++i) write.writes[i].__set_delta(i - 1);
  std::promise<idl::WriteReply> write_reply;
  client.tablet->write([&](const auto& reply) { write_reply.set_value(reply); }, write);
  const auto written = write_reply.get_future().get();
  EXPECT_EQ(written.version.lsn, 77);
  EXPECT_EQ(written.counters, (std::vector<int64_t>{-1, 0, 1}));

  idl::ScanRequest scan;
  scan.range.__set_startKey("s");
  scan.__set_limit(2000);
  std::promise<idl::ScanReply> scan_reply;
  client.tablet->scan([&](const auto& reply) { scan_reply.set_value(reply); }, scan);
  const auto page = scan_reply.get_future().get();
  ASSERT_EQ(page.records.size(), 2000u);
  EXPECT_EQ(page.records[1999].key, "s1999");
}

TEST(ChannelTest, ManyThreadsPipelineOverOneConnection) {
  TestServer server;
  TestClient client(server.address());
  constexpr int kThreads = 4, kCalls = 3000;
  std::atomic<int> right{0}, done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        idl::EchoRequest request;
        request.__set_payload(std::to_string(t) + ":" + std::to_string(i));
        client.tablet->echo(
            [&, want = request.payload](const idl::EchoReply& reply) {
              right += reply.payload == want;
              ++done;
            },
            request);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(WaitFor([&] { return done == kThreads * kCalls; }));
  EXPECT_EQ(right, kThreads * kCalls);
  EXPECT_EQ(server.server->Stats().connections, 1u);
}

TEST(ChannelTest, RepliesMatchWhateverTheirOrder) {
  TestServer server;
  TestClient client(server.address());
  std::vector<std::future<idl::GetReply>> replies;
  for (int i = 0; i < 20; ++i) replies.push_back(client.Get("hold" + std::to_string(i)));
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 20; }));
  EXPECT_EQ(client.Get("fast").get().record.value, "value of fast") << "the held ones do not stand in its way";
  auto answers = server.tablet->held.Take();
  for (size_t i = answers.size(); i-- > 0;) answers[i]();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(replies[i].get().record.value, "value of hold" + std::to_string(i));
}

TEST(ChannelTest, SharesOneChannelPerEndpointAndExecutor) {
  TestServer server;
  TestClient client(server.address());
  EventLoop other("other");
  EXPECT_EQ(client.connector.Connect(server.address(), client.loop), client.channel);
  EXPECT_NE(client.connector.Connect(server.address(), other), client.channel);
}

TEST(ChannelTest, RunsRepliesOnTheExecutorAskedFor) {
  TestServer server;
  TestClient client(server.address());
  EventLoop other("other");
  other.Start();
  auto stub = MakeTabletStub(client.connector.Connect(server.address(), other), 20s);
  std::promise<bool> in_thread;
  stub->echo([&](const idl::EchoReply&) { in_thread.set_value(other.InThread()); }, {});
  EXPECT_TRUE(in_thread.get_future().get());
}

TEST(ChannelTest, NothingIsDeliveredInsideACall) {
  TestServer server;
  TestClient client(server.address());
  auto dead = MakeTabletStub(client.connector.Connect(DeadEndpoint(), client.loop), 20s);
  std::promise<std::string> order;
  client.loop.Post([&, dead] {
    auto text = std::make_shared<std::string>();
    const auto done = [&, text](const idl::EchoReply&) {
      *text += "reply ";
      if (*text == "returned reply reply ") order.set_value(*text);
    };
    dead->echo(done, {});
    client.tablet->echo(done, {});
    *text += "returned ";
  });
  EXPECT_EQ(order.get_future().get(), "returned reply reply ");
}

TEST(ChannelTest, TimesOutAndIgnoresTheLateReply) {
  TestServer server;
  TestClient client(server.address());
  auto late = client.Get("hold late", 1);
  const idl::GetReply reply = late.get();
  EXPECT_EQ(reply.header.code, idl::Code::DEADLINE_EXCEEDED);
  EXPECT_NE(reply.header.message.find(server.address().ToString()), std::string::npos) << reply.header.message;
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 1; }));
  for (auto& answer : server.tablet->held.Take()) answer();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.Get("k").get().record.value, "value of k");
  EXPECT_EQ(server.server->Stats().connections_accepted, 1u) << "a time-out does not break the connection";
}

TEST(ChannelTest, UnavailableWhenNothingListens) {
  TestClient client(DeadEndpoint());
  const idl::EchoReply reply = client.Echo("x");
  EXPECT_EQ(reply.header.code, idl::Code::UNAVAILABLE);
  EXPECT_NE(reply.header.message.find("refused"), std::string::npos) << reply.header.message;
}

TEST(ChannelTest, BacksOffAfterAFailedAttemptAndThenConnects) {
  const Endpoint endpoint = DeadEndpoint();
  TestClient client(endpoint);
  int failures = 0;
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < 50ms) {
    failures += client.Echo("x").header.code == idl::Code::UNAVAILABLE;
  }
  EXPECT_GT(failures, 1);
  TestServer server({.listen = endpoint});
  EXPECT_TRUE(WaitFor([&] { return client.Echo("x").header.code == idl::Code::OK; }));
}

TEST(ChannelTest, AServerThatDiesLeavesUnknownOutcomesAndIsReconnectedTo) {
  auto server = std::make_unique<TestServer>();
  const Endpoint endpoint = server->address();
  TestClient client(endpoint);
  auto held = client.Get("hold");
  ASSERT_TRUE(WaitFor([&] { return server->tablet->held.size() == 1; }));
  server.reset();
  EXPECT_EQ(held.get().header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_EQ(client.Echo("x").header.code, idl::Code::UNAVAILABLE);
  server = std::make_unique<TestServer>(ServerOptions{.listen = endpoint});
  EXPECT_TRUE(WaitFor([&] { return client.Echo("x").header.code == idl::Code::OK; }));
}

TEST(ChannelTest, WhatTheKernelHasNotTakenWasSurelyNotExecuted) {
  Listener listener;
  TestClient client(listener.address());
  // More than the sockets' buffers hold, to a peer that reads nothing: the first is sent, the last is not.
  auto first = client.Get("first");
  const int peer = listener.Accept();
  ASSERT_GE(peer, 0);
  std::vector<std::promise<idl::EchoReply>> replies(8);
  idl::EchoRequest large;
  large.__set_payload(std::string(4 << 20, 'x'));
  for (auto& promise : replies) {
    client.tablet->echo([&promise](const idl::EchoReply& reply) { promise.set_value(reply); }, large);
  }
  std::promise<void> added;
  client.loop.Post([&] { added.set_value(); });
  added.get_future().get();  // else some would come after the break, on a new connection
  std::string some(64, 0);
  ASSERT_EQ(recv(peer, some.data(), some.size(), MSG_WAITALL), 64);
  close(peer);
  EXPECT_EQ(first.get().header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_EQ(replies.back().get_future().get().header.code, idl::Code::UNAVAILABLE);
}

TEST(ChannelTest, ASilentServerIsReconnectedTo) {
  Listener listener;
  TestClient client(listener.address(), {.silence_max = 100ms});
  const auto first = client.Get("a", 200).get();
  EXPECT_EQ(first.header.code, idl::Code::DEADLINE_EXCEEDED);
  const int silent = listener.Accept();
  ASSERT_GE(silent, 0);
  char bytes[4096];
  while (recv(silent, bytes, sizeof(bytes), 0) > 0) {
  }
  close(silent);  // the channel has closed its side
  auto second = client.Get("b", 200);
  EXPECT_TRUE(WaitFor([&] {
    if (second.get().header.code == idl::Code::DEADLINE_EXCEEDED) return true;  // connected, that is
    second = client.Get("b", 200);
    return false;
  }));
  const int again = listener.Accept();
  EXPECT_GE(again, 0);
  close(again);
}

TEST(ChannelTest, GarbageFromTheServerBreaksTheConnectionOnly) {
  Listener listener;
  for (const std::string& garbage :
       {std::string("\xff\xff\xff\xff", 4), std::string("\x7f\xff\xff\xff", 4), RawSocket::Frame("nonsense"),
        RawSocket::Frame(std::string("\x80\x01\x00\x02\x00\x00\x00\x03get\x00\x00\x77\x77\x00", 16))}) {
    TestClient client(listener.address());
    auto reply = client.Get("k");
    const int peer = listener.Accept();
    ASSERT_GE(peer, 0);
    char bytes[16];
    ASSERT_EQ(recv(peer, bytes, sizeof(bytes), MSG_WAITALL), 16);
    ASSERT_EQ(send(peer, garbage.data(), garbage.size(), 0), static_cast<ssize_t>(garbage.size()));
    EXPECT_EQ(reply.get().header.code, idl::Code::UNKNOWN_OUTCOME);
    close(peer);
  }
}

TEST(ChannelTest, AReplyThatCannotBeReadIsAnUnknownOutcome) {
  Listener listener;
  TestClient client(listener.address());
  auto reply = client.Get("k");
  const int peer = listener.Accept();
  ASSERT_GE(peer, 0);
  std::string header(15, 0);
  ASSERT_EQ(recv(peer, header.data(), 4, MSG_WAITALL), 4);
  std::string message(static_cast<uint8_t>(header[3]), 0);
  ASSERT_EQ(recv(peer, message.data(), message.size(), MSG_WAITALL), static_cast<ssize_t>(message.size()));
  message[3] = 2;                 // a reply
  message.resize(8 + 3 + 4 + 5);  // cut within its body
  const std::string frame = RawSocket::Frame(message);
  ASSERT_EQ(send(peer, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  EXPECT_EQ(reply.get().header.code, idl::Code::UNKNOWN_OUTCOME);
  close(peer);
}

TEST(ChannelTest, RefusesMoreThanItsBound) {
  TestServer server;
  TestClient client(server.address(), {.in_flight_max = 8});
  std::vector<std::future<idl::GetReply>> replies;
  std::promise<void> added;
  client.loop.Post([&] {
    for (int i = 0; i < 12; ++i) replies.push_back(client.Get("hold"));
    added.set_value();
  });
  added.get_future().get();
  for (int i = 8; i < 12; ++i) EXPECT_EQ(replies[i].get().header.code, idl::Code::OVERLOADED);
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 8; }));
  for (auto& answer : server.tablet->held.Take()) answer();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(replies[i].get().header.code, idl::Code::OK);
}

TEST(ChannelTest, CallsInFlightOutliveTheirOwner) {
  TestServer server;
  TestClient client(server.address());
  auto reply = client.Get("hold");
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 1; }));
  client.tablet.reset();
  client.channel.reset();
  std::promise<void> turned;
  client.loop.Post([&] { turned.set_value(); });
  turned.get_future().get();
  for (auto& answer : server.tablet->held.Take()) answer();
  EXPECT_EQ(reply.get().header.code, idl::Code::OK);
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections == 0; })) << "then the connection closes";
}

TEST(ChannelTest, CallsInFlightGoWithTheLoop) {
  TestServer server;
  TestClient client(server.address());
  const auto token = std::make_shared<int>();
  idl::GetRequest request;
  request.key = "hold";
  client.tablet->get([token](const idl::GetReply&) { ADD_FAILURE() << "nobody answered"; }, request);
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 1; }));
  client.tablet.reset();
  client.channel.reset();
  std::promise<void> turned;
  client.loop.Post([&] { turned.set_value(); });
  turned.get_future().get();
  EXPECT_GT(token.use_count(), 1);
  client.loop.Stop();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(ChannelTest, ResolvesNamesWithoutBlocking) {
  TestServer server;
  TestClient client({"localhost", server.address().port});
  EXPECT_EQ(client.Echo("named").payload, "named");
  TestClient lost({"no-such-host.invalid", 1}, {.connect_timeout = 200ms});
  EXPECT_EQ(lost.Echo("x").header.code, idl::Code::UNAVAILABLE);
}

TEST(EndpointTest, ParsesAndPrints) {
  EXPECT_EQ(*Endpoint::Parse("ts-1:7410"), (Endpoint{"ts-1", 7410}));
  EXPECT_EQ(*Endpoint::Parse("[::1]:80"), (Endpoint{"::1", 80}));
  EXPECT_EQ((Endpoint{"::1", 80}).ToString(), "[::1]:80");
  for (const char* bad : {"", "host", "host:", ":80", "host:65536", "host:8a", "::1:80", "host:-1"}) {
    EXPECT_FALSE(Endpoint::Parse(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace ebla::rpc
