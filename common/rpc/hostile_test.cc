// Bytes that are no well-formed call: each kind closes its own connection and disturbs no other.
#include <random>

#include "common/rpc/message_codec.h"
#include "common/rpc/rpc_test_util.h"

namespace ebla::rpc {
namespace {

std::string BinaryCall(const std::string& method, const std::string& body) {
  std::string message("\x80\x01\x00\x01\x00\x00\x00", 7);
  message.push_back(static_cast<char>(method.size()));
  return message + method + std::string("\x00\x00\x00\x05", 4) + body;
}

std::string CompactCall(const std::string& method, const std::string& body) {
  return std::string("\x82\x21\x05", 3) + static_cast<char>(method.size()) + method + body;
}

std::string GoodGet(Protocol protocol) {
  idl::GetRequest request;
  request.__set_key("k");
  return std::string(codec::Write(protocol, "get", MessageType::kCall, 9, 1, request));
}

struct Attack {
  std::string name;
  std::string bytes;  // as sent, frame and all
};

// Structs within structs, or lists within lists, that never end.
std::string NestedStructs() {
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += std::string("\x0c\x00\x63", 3);  // field 99, a struct
  return body;
}
std::string NestedLists() {
  std::string body("\x0f\x00\x63", 3);  // field 99, a list
  for (int i = 0; i < 100'000; ++i) body += std::string("\x0f\x00\x00\x00\x01", 5);
  return body;
}

std::vector<Attack> Attacks() {
  const auto frame = &RawSocket::Frame;
  const std::string request("\x0c\x00\x01", 3);  // field 1, a struct: the request
  const std::string good = GoodGet(Protocol::kBinary);
  const std::string call = BinaryCall("multiGet", request);
  std::vector<Attack> attacks = {
      {"an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
      {"1 GiB announced", std::string("\x40\x00\x00\x00", 4)},
      {"one byte over the bound announced", std::string("\x01\x00\x00\x01", 4)},
      {"a negative length", std::string("\xff\xff\xff\xff", 4)},
      {"the lowest length", std::string("\x80\x00\x00\x00", 4)},
      {"an empty frame", std::string("\x00\x00\x00\x00", 4)},
      {"a frame of garbage", frame("what is this?")},
      {"one byte", frame("\x80")},
      {"a head cut short", frame(good.substr(0, 9))},
      {"another version", frame("\x80\x02" + good.substr(2))},
      {"an unknown message type", frame(std::string("\x80\x01\x00\x09", 4) + good.substr(4))},
      {"a reply", frame(std::string("\x80\x01\x00\x02", 4) + good.substr(4))},
      {"a method name of 2 GiB", frame(std::string("\x80\x01\x00\x01\x7f\xff\xff\xff", 8) + good.substr(8))},
      {"a negative method name", frame(std::string("\x80\x01\x00\x01\xff\xff\xff\xff", 8) + good.substr(8))},
      {"a body cut short", frame(good.substr(0, good.size() - 4))},
      {"no body", frame(BinaryCall("get", ""))},
      {"bytes after the body", frame(good + "more")},
      {"nested structs", frame(BinaryCall("get", NestedStructs()))},
      {"nested lists", frame(BinaryCall("get", NestedLists()))},
      {"structs nested in the request", frame(BinaryCall("get", request + NestedStructs()))},
      {"a key of 2 GiB", frame(BinaryCall("get", request + std::string("\x0b\x00\x02\x7f\xff\xff\xff", 7)))},
      {"a key of negative length", frame(BinaryCall("get", request + std::string("\x0b\x00\x02\xff\xff\xff\xff", 7)))},
      {"2 G keys", frame(call + std::string("\x0f\x00\x02\x0b\x7f\xff\xff\xff", 8))},
      {"-1 keys", frame(call + std::string("\x0f\x00\x02\x0b\xff\xff\xff\xff", 8))},
      {"keys of an unknown type", frame(call + std::string("\x0f\x00\x02\x63\x00\x00\x00\x01", 8))},
      {"10 M writes of one byte each",
       frame(BinaryCall("write", request + std::string("\x0f\x00\x06\x0c\x00\x98\x96\x80", 8) +
                                     std::string(size_t{10'000'000}, '\0')))},
      {"compact: 2 G keys", frame(CompactCall("multiGet", std::string("\x1c\x29\xf8\xff\xff\xff\xff\x07", 8)))},
      {"compact: a key of 2 GiB", frame(CompactCall("get", std::string("\x1c\x28\xff\xff\xff\xff\x07", 7)))},
      {"compact: an unknown key of 2 GiB", frame(CompactCall("get", std::string("\x1c\x98\xff\xff\xff\xff\x07", 7)))},
      {"compact: nested structs", frame(CompactCall("get", std::string(100'000, '\x1c')))},
      {"compact: an endless varint", frame(std::string("\x82\x21", 2) + std::string(1000, '\xff'))},
      {"compact: a field of an unknown type", frame(CompactCall("get", std::string("\x1c\x1f\x01", 3)))},
      {"a change of protocol", frame(good) + frame(GoodGet(Protocol::kCompact))},
      {"a good call, then garbage", frame(good) + "garbage garbage"},
  };
  return attacks;
}

TEST(HostileTest, EachAttackClosesItsConnectionAndNoOther) {
  TestServer server({}, 1);
  TestClient bystander(server.address());
  RawSocket raw_bystander(server.address());
  uint64_t broken = 0;
  for (const Attack& attack : Attacks()) {
    RawSocket socket(server.address());
    socket.Send(attack.bytes);
    EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections_broken == broken + 1; })) << attack.name;
    broken = server.server->Stats().connections_broken;
    EXPECT_EQ(bystander.Echo("still here").payload, "still here") << attack.name;
  }
  ASSERT_TRUE(raw_bystander.Send(RawSocket::Frame(GoodGet(Protocol::kCompact))));
  EXPECT_GT(raw_bystander.ReceiveFrame().size(), 10u);
}

TEST(HostileTest, AnUnknownMethodIsAnsweredAndHarmless) {
  TestServer server;
  RawSocket socket(server.address());
  ASSERT_TRUE(socket.Send(RawSocket::Frame(BinaryCall("nonesuch", std::string(1, '\0')))));
  const std::string message = socket.ReceiveFrame();
  const auto head = ParseMessageHead(message);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->type, MessageType::kException);
  EXPECT_EQ(head->sequence, 5);
  codec::thrift::TApplicationException exception;
  ASSERT_TRUE(codec::Read(head->protocol, std::string_view(message).substr(head->body_offset), 0, exception));
  EXPECT_EQ(exception.getType(), codec::thrift::TApplicationException::UNKNOWN_METHOD);
  EXPECT_NE(std::string(exception.what()).find("nonesuch"), std::string::npos);
  ASSERT_TRUE(socket.Send(RawSocket::Frame(GoodGet(Protocol::kBinary))));
  EXPECT_GT(socket.ReceiveFrame().size(), 10u);
}

TEST(HostileTest, UnknownFieldsArePassedOver) {
  TestServer server;
  RawSocket socket(server.address());
  // Fields that no version knows yet, of every type, then the key.
  const std::string extra = std::string("\x02\x00\x63\x01", 4) + std::string("\x0a\x00\x64\0\0\0\0\0\0\0\7", 11) +
                            std::string("\x0b\x00\x65\x00\x00\x00\x02hi", 9) +
                            std::string("\x0f\x00\x66\x08\x00\x00\x00\x01\0\0\0\1", 12) +
                            std::string("\x0d\x00\x67\x0b\x0c\x00\x00\x00\x01\x00\x00\x00\x01k\x00", 15);
  const std::string body =
      extra + std::string("\x0c\x00\x01", 3) + extra + std::string("\x0b\x00\x02\x00\x00\x00\x01z\x00\x00", 10);
  ASSERT_TRUE(socket.Send(RawSocket::Frame(BinaryCall("get", body))));
  EXPECT_NE(socket.ReceiveFrame().find("value of z"), std::string::npos);
}

TEST(HostileTest, AHalfSentFrameTimesOut) {
  TestServer server({.half_frame_timeout = 200ms});
  TestClient bystander(server.address());
  RawSocket header(server.address()), body(server.address()), trickle(server.address()), idle(server.address());
  ASSERT_TRUE(header.Send(std::string("\x00\x00", 2)));
  ASSERT_TRUE(body.Send(RawSocket::Frame(GoodGet(Protocol::kBinary)).substr(0, 20)));
  // One byte now and then does not help.
  EXPECT_TRUE(WaitFor([&] {
    trickle.Send(std::string(1, '\0'));
    usleep(20'000);
    return server.server->Stats().connections_broken >= 3;
  }));
  EXPECT_TRUE(header.ClosedByServer());
  EXPECT_TRUE(body.ClosedByServer());
  ASSERT_TRUE(idle.Send(RawSocket::Frame(GoodGet(Protocol::kBinary)))) << "idle connections may idle";
  EXPECT_GT(idle.ReceiveFrame().size(), 10u);
  EXPECT_EQ(bystander.Echo("still here").payload, "still here");
}

TEST(HostileTest, AHalfSentFrameThatIsAbandonedIsForgotten) {
  TestServer server;
  {
    RawSocket socket(server.address());
    ASSERT_TRUE(socket.Send(RawSocket::Frame(std::string(1 << 20, 'x')).substr(0, 1000)));
    ASSERT_TRUE(WaitFor([&] { return server.server->Stats().bytes_in == 1000; }));
  }
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections == 0; }));
}

TEST(HostileTest, HalfSentFramesTogetherAreBounded) {
  TestServer server({.buffered_bytes_max = 6 << 20}, 1);
  TestClient bystander(server.address());
  const std::string part = RawSocket::Frame(std::string(5 << 20, 'x')).substr(0, 4 << 20);
  RawSocket first(server.address());
  ASSERT_TRUE(first.Send(part));
  ASSERT_TRUE(WaitFor([&] { return server.server->Stats().bytes_in == part.size(); }));
  RawSocket second(server.address());
  second.Send(part);
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections_broken == 1; }));
  EXPECT_EQ(bystander.Echo("still here").payload, "still here");
  EXPECT_TRUE(first.ClosedByServer()) << "it holds most";
  EXPECT_TRUE(WaitFor([&] { return server.server->Stats().connections == 2; })) << "the second may go on";
}

TEST(HostileTest, FramesInOneByteSteps) {
  TestServer server;
  RawSocket socket(server.address());
  for (const char byte : RawSocket::Frame(GoodGet(Protocol::kBinary))) ASSERT_TRUE(socket.Send({&byte, 1}));
  EXPECT_NE(socket.ReceiveFrame().find("value of k"), std::string::npos);
}

// Good messages with bytes changed, cut and added: the dispatcher always answers once and throws nothing.
TEST(HostileTest, MutatedMessagesNeverHarmTheDispatcher) {
  Dispatcher dispatcher;
  dispatcher.Register(std::make_shared<FakeTablet>());
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  idl::WriteRequest write;
  write.writes.resize(3);
  for (auto& one : write.writes) one.__set_value("some value");
  int malformed = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Protocol protocol = i % 2 == 0 ? Protocol::kBinary : Protocol::kCompact;
    std::string message =
        i % 3 == 0 ? GoodGet(protocol) : std::string(codec::Write(protocol, "write", MessageType::kCall, 1, 1, write));
    for (uint64_t changes = random() % 4 + 1; changes > 0; --changes) {
      const size_t at = random() % message.size();
      switch (random() % 3) {
        case 0: message[at] = static_cast<char>(random()); break;
        case 1: message.resize(std::max<size_t>(1, at)); break;
        case 2: message.insert(at, 1, static_cast<char>(random())); break;
      }
    }
    int replies = 0;
    dispatcher.Dispatch(message, [&](Result<std::string_view> reply) {
      ++replies;
      malformed += !reply.has_value();
    });
    ASSERT_EQ(replies, 1);
  }
  EXPECT_GT(malformed, 5000);
}

}  // namespace
}  // namespace ebla::rpc
