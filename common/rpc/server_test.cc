// The server: order of replies, bounds, back-pressure, draining. Hostile bytes stand in hostile_test.cc, stock clients
// in stock_client_test.cc.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <iostream>
#include <thread>

#include "common/rpc/message_codec.h"
#include "common/rpc/rpc_test_util.h"

namespace ebla::rpc {
namespace {

std::string GetFrame(int32_t sequence, const std::string& key) {
  idl::GetRequest request;
  request.__set_key(key);
  return RawSocket::Frame(codec::Write<codec::Binary>("get", MessageType::kCall, sequence, 1, request));
}

std::string EchoFrame(int32_t sequence, int32_t reply_bytes) {
  idl::EchoRequest request;
  request.__set_replyBytes(reply_bytes);
  return RawSocket::Frame(codec::Write<codec::Binary>("echo", MessageType::kCall, sequence, 1, request));
}

bool Accepts(const Endpoint& endpoint) {
  const auto address = SocketAddress::FromNumeric(endpoint);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool accepts = connect(fd, address->get(), address->size) == 0;
  close(fd);
  return accepts;
}

// "sequence:value" of the next reply.
std::string NextGetReply(RawSocket& socket) {
  const std::string message = socket.ReceiveFrame();
  const auto head = ParseMessageHead(message);
  if (!head.has_value()) return "no reply";
  idl::GetReply reply;
  const auto read = codec::Read(head->protocol, std::string_view(message).substr(head->body_offset), 0, reply);
  return std::to_string(head->sequence) + ":" + (read.has_value() ? reply.record.value : read.error().message());
}

// Has the loop of a server with one go round: what was sent, posted or answered before this call is settled after it.
// Two calls, because the first one's bytes may arrive in the same turn as earlier ones, and be handled first.
void GoRound(RawSocket& other) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(other.Send(GetFrame(i, "k")));
    ASSERT_EQ(NextGetReply(other), std::to_string(i) + ":value of k");
  }
}

TEST(ServerTest, RepliesInAnyOrderByTheirIds) {
  TestServer server;
  RawSocket socket(server.address());
  ASSERT_TRUE(socket.Send(GetFrame(1, "hold a") + GetFrame(2, "b") + GetFrame(3, "c")));
  EXPECT_EQ(NextGetReply(socket), "2:value of b");
  EXPECT_EQ(NextGetReply(socket), "3:value of c");
  for (auto& answer : server.tablet->held.Take()) answer();
  EXPECT_EQ(NextGetReply(socket), "1:value of hold a");
}

TEST(ServerTest, EqualIdsAreAnsweredInOrderOfArrival) {
  TestServer server({}, 1);
  RawSocket socket(server.address()), other(server.address());
  ASSERT_TRUE(socket.Send(GetFrame(0, "hold 1") + GetFrame(0, "2") + GetFrame(0, "hold 3") + GetFrame(0, "4") +
                          GetFrame(64, "other")));
  EXPECT_EQ(NextGetReply(socket), "64:value of other") << "other ids do not wait, not even in the same bucket";
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 2; }));
  auto answers = server.tablet->held.Take();
  answers[1]();
  GoRound(other);
  EXPECT_EQ(socket.Waiting(), 0u) << "the third is answered, and waits for the first";
  answers[0]();
  for (const char* want : {"0:value of hold 1", "0:value of 2", "0:value of hold 3", "0:value of 4"}) {
    EXPECT_EQ(NextGetReply(socket), want);
  }
}

TEST(ServerTest, AnsweringFromAnyThread) {
  TestServer server;
  TestClient client(server.address());
  std::vector<std::future<idl::GetReply>> replies;
  for (int i = 0; i < 500; ++i) replies.push_back(client.Get("hold" + std::to_string(i)));
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 500; }));
  const auto answers = server.tablet->held.Take();
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < answers.size(); i += 4) answers[i]();
    });
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < 500; ++i) EXPECT_EQ(replies[i].get().record.value, "value of hold" + std::to_string(i));
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().in_flight == 0; }));
}

TEST(ServerTest, StopsReadingAtTheBoundOfCallsInFlight) {
  TestServer server({.in_flight_max = 4}, 1);
  RawSocket socket(server.address()), other(server.address());
  std::string frames;
  for (int i = 0; i < 10; ++i) frames += GetFrame(i, "hold" + std::to_string(i));
  ASSERT_TRUE(socket.Send(frames));
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 4; }));
  GoRound(other);
  EXPECT_EQ(server.tablet->held.size(), 4u);
  EXPECT_EQ(server.server->Stats().in_flight, 4u);
  size_t answered = 0;
  while (answered < 10) {
    ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() > 0; }));
    auto answers = server.tablet->held.Take();
    EXPECT_LE(answers.size(), 4u);
    answered += answers.size();
    for (auto& answer : answers) answer();
  }
  std::vector<std::string> replies;
  for (int i = 0; i < 10; ++i) replies.push_back(NextGetReply(socket));
  std::ranges::sort(replies);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(replies[i], std::to_string(i) + ":value of hold" + std::to_string(i));
}

TEST(ServerTest, StopsReadingWhileRepliesWaitAndGoesOnWhenTheyAreTaken) {
  TestServer server({.unsent_bytes_max = 1 << 20}, 1);
  RawSocket socket(server.address()), other(server.address());
  constexpr int kCalls = 100;
  for (int i = 0; i < kCalls; ++i) ASSERT_TRUE(socket.Send(EchoFrame(i, 512 * 1024)));
  const auto read = [&] { return server.server->Stats().requests; };
  ASSERT_TRUE(WaitFor([&] {
    const uint64_t before = read();
    GoRound(other);  // no other connection is disturbed
    return before > 2 && read() == before + 2;
  }));
  EXPECT_LT(read(), 60u) << "sockets hold a few MiB; the server may hold little more";
  for (int i = 0; i < kCalls; ++i) EXPECT_GT(socket.ReceiveFrame().size(), 512u * 1024);
}

TEST(ServerTest, ClosesAClientThatNeverReads) {
  TestServer server({.unread_timeout = 200ms});
  RawSocket socket(server.address());
  for (int i = 0; i < 64; ++i) socket.Send(EchoFrame(i, 1 << 20));
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections_broken == 1; }));
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections == 0; }));
}

// Reads 1 MiB replies slowly, for three times the time-out, and returns the longest time between two: a machine that
// kept this thread or the server's from running made it look as if it did not read.
Duration ReadSlowly(TestServer& server, Duration pause, int replies) {
  RawSocket socket(server.address());
  Duration longest{0};
  auto last = std::chrono::steady_clock::now();
  for (int i = 0; i < replies; ++i) EXPECT_TRUE(socket.Send(EchoFrame(i, 1 << 20)));
  for (int i = 0; i < replies && socket.ReceiveFrame().size() > 1u << 20; ++i) {
    std::this_thread::sleep_for(pause);
    const auto now = std::chrono::steady_clock::now();
    longest = std::max<Duration>(longest, now - std::exchange(last, now));
  }
  return longest;
}

TEST(ServerTest, ASlowReaderIsNotClosed) {
  constexpr auto kTimeout = 1s;
  for (int round = 0; round < 20; ++round) {  // again, where this machine kept the reader itself waiting
    TestServer server({.unread_timeout = kTimeout});
    const Duration longest = ReadSlowly(server, kTimeout / 13, 40);
    if (server.server->Stats().connections_broken == 0) return;
    // The server sees that it reads when a few MiB have gone out of the socket's buffers.
    ASSERT_GT(longest, kTimeout / 4) << "closed although it read all the time";
  }
  FAIL() << "this machine kept the reader waiting for a quarter of a second, twenty times in a row";
}

TEST(ServerTest, AReplyLargerThanAFrameIsRefusedNotSent) {
  TestServer server({.frame_bytes_max = 1 << 20});
  TestClient client(server.address());
  const idl::EchoReply reply = client.Echo("", 2 << 20);
  EXPECT_EQ(reply.header.code, idl::Code::INTERNAL);
  EXPECT_NE(reply.header.message.find("larger than a frame"), std::string::npos) << reply.header.message;
  EXPECT_EQ(client.Echo("after").payload, "after");
}

TEST(ServerTest, ADroppedOrThrowingCallIsAnswered) {
  TestServer server;
  TestClient client(server.address());
  for (const char* key : {"drop", "throw"}) {
    const idl::GetReply reply = client.Get(key).get();
    EXPECT_EQ(reply.header.code, idl::Code::INTERNAL) << key;
    EXPECT_NE(reply.header.message.find("dropped"), std::string::npos) << reply.header.message;
  }
}

TEST(ServerTest, RefusesConnectionsOverItsBound) {
  TestServer server({.connections_max = 3});
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 3; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(server.address()));
    ASSERT_TRUE(sockets.back()->Send(GetFrame(1, "k")));
    EXPECT_EQ(NextGetReply(*sockets.back()), "1:value of k");
  }
  RawSocket surplus(server.address());
  EXPECT_TRUE(surplus.ClosedByServer());
  EXPECT_EQ(server.server->Stats().connections_refused, 1u);
  sockets.pop_back();
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections == 2; }));
  RawSocket next(server.address());
  ASSERT_TRUE(next.Send(GetFrame(1, "k")));
  EXPECT_EQ(NextGetReply(next), "1:value of k");
}

// A process of clients, so that their sockets do not count against this one's limit. Made before any thread is; it
// holds its connections until it is killed.
class IdleClients {
 public:
  explicit IdleClients(size_t count) {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_), 0);
    child_ = fork();
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Endpoint server{"127.0.0.1", 0};
    if (read(pair_[1], &server.port, sizeof server.port) != sizeof server.port) _exit(1);
    std::vector<std::unique_ptr<RawSocket>> sockets;
    for (size_t i = 0; i < count; ++i) {
      sockets.push_back(std::make_unique<RawSocket>(server));
      if (i % 2 == 0) sockets[i]->Send(GetFrame(1, "k"));
    }
    uint32_t answered = 0;
    for (size_t i = 0; i < count; i += 2) answered += NextGetReply(*sockets[i]) == "1:value of k";
    if (write(pair_[1], &answered, sizeof answered) != sizeof answered) _exit(1);
    while (true) pause();
  }
  ~IdleClients() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    close(pair_[0]);
    close(pair_[1]);
  }
  IdleClients(const IdleClients&) = delete;

  // Connects all, has every second one make a call, and returns how many were answered.
  uint32_t Connect(const Endpoint& server) {
    uint32_t answered = 0;
    EXPECT_EQ(write(pair_[0], &server.port, sizeof server.port), static_cast<ssize_t>(sizeof server.port));
    EXPECT_EQ(read(pair_[0], &answered, sizeof answered), static_cast<ssize_t>(sizeof answered));
    return answered;
  }

 private:
  int pair_[2] = {-1, -1};
  pid_t child_ = 0;
};

TEST(ServerTest, TenThousandIdleConnectionsChangeNothing) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const size_t count = std::min<size_t>(10'000, limit.rlim_cur - 200);
  if (count < 10'000) std::cout << "only " << count << " connections: files are limited to " << limit.rlim_max << "\n";
  IdleClients idle(count);
  TestServer server({.connections_max = 10'001});
  EXPECT_EQ(idle.Connect(server.address()), count / 2);
  ASSERT_TRUE(WaitFor([&] { return server.server->Stats().connections == count; }));
  TestClient client(server.address());
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.Echo("x").payload, "x");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(ServerTest, StopFinishesWhatIsInFlight) {
  TestServer server;
  TestClient client(server.address());
  auto held = client.Get("hold");
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 1; }));
  std::thread stopper([&] { server.server->Stop(20s); });
  ASSERT_TRUE(WaitFor([&] { return !Accepts(server.address()); }));
  for (auto& answer : server.tablet->held.Take()) answer();
  EXPECT_EQ(held.get().record.value, "value of hold");
  stopper.join();
  EXPECT_EQ(server.server->Stats().connections, 0u);
}

TEST(ServerTest, StopDoesNotWaitForIdleClients) {
  TestServer server;
  RawSocket idle(server.address());
  ASSERT_TRUE(idle.Send(GetFrame(1, "k")));
  EXPECT_EQ(NextGetReply(idle), "1:value of k");
  const auto start = std::chrono::steady_clock::now();
  server.server->Stop(60s);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
  EXPECT_TRUE(idle.ClosedByServer());
}

TEST(ServerTest, StopWaitsNoLongerThanItsPatience) {
  TestServer server;
  TestClient client(server.address());
  auto held = client.Get("hold");
  ASSERT_TRUE(WaitFor([&] { return server.tablet->held.size() == 1; }));
  const auto start = std::chrono::steady_clock::now();
  server.server->Stop(100ms);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, 100ms);
  EXPECT_LT(took, 10s);
  EXPECT_EQ(held.get().header.code, idl::Code::UNKNOWN_OUTCOME);
}

// The server and its loops may be destroyed before the handlers answer: nothing is sent, nothing leaks (as a leak
// checker finds).
TEST(ServerTest, HandlersMayAnswerAfterTheServerHasStopped) {
  std::vector<std::function<void()>> answers;
  EventLoop loop("loop");
  loop.Start();
  Dispatcher dispatcher;
  const auto tablet = std::make_shared<FakeTablet>();
  dispatcher.Register(tablet);
  {
    RpcServer server({}, dispatcher, {&loop});
    ASSERT_TRUE(server.Start().ok());
    RawSocket socket(server.address());
    ASSERT_TRUE(socket.Send(GetFrame(0, "hold 1") + GetFrame(0, "hold 2") + GetFrame(0, "3") + GetFrame(7, "hold 4")));
    ASSERT_TRUE(WaitFor([&] { return tablet->held.size() == 3; }));
    answers = tablet->held.Take();
    answers[1]();  // held back for the first
  }
  answers[2]();  // its connection is closed
  loop.Stop();
  answers[0]();  // its loop has no thread any more
}

TEST(ServerTest, StopUnderLoadLosesNoReplyThatWasExecuted) {
  for (int round = 0; round < 5; ++round) {
    TestServer server;
    TestClient client(server.address());
    std::atomic<uint64_t> good{0}, ended{0}, begun{0};
    std::atomic<bool> stopped{false};
    std::function<void()> begin;
    const std::function<void()> next = [&] {
      client.tablet->echo(
          [&](const idl::EchoReply& reply) {
            good += reply.header.code == idl::Code::OK;
            if (!stopped) begin();
            ++ended;  // the last that touches anything here
          },
          {});
    };
    begin = [&] {
      ++begun;
      client.loop.Post(next);
    };
    for (int i = 0; i < 32; ++i) begin();
    ASSERT_TRUE(WaitFor([&] { return good > 1000; }));
    server.server->Stop(20s);
    stopped = true;
    ASSERT_TRUE(WaitFor([&] { return ended == begun; }));
    EXPECT_EQ(good, server.server->Stats().requests);
  }
}

TEST(ServerTest, SaysWhereItCannotListen) {
  TestServer first;
  Dispatcher dispatcher;
  EventLoop loop("loop");
  loop.Start();
  RpcServer second({.listen = first.address()}, dispatcher, {&loop});
  const Status taken = second.Start();
  EXPECT_EQ(taken.code(), Code::kUnavailable);
  EXPECT_NE(taken.message().find(first.address().ToString()), std::string::npos) << taken;
  RpcServer named({.listen = {"somewhere", 0}}, dispatcher, {&loop});
  EXPECT_EQ(named.Start().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::rpc
