#include "tests/bench/compare/memcached_peer.h"

#include <glog/logging.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <thread>

#include "common/rpc/socket.h"
#include "common/zookeeper/zookeeper_command.h"
#include "tests/bench/compare/keys.h"
#include "tests/bench/harness/socket_load.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/memcached";
constexpr std::chrono::seconds kStartTimeMax{20};
constexpr std::string_view kStored = "STORED\r\n";

const std::string& Value() {
  static const std::string value(kValueBytes, 'v');
  return value;
}

constexpr std::string_view kEndOfHits = "END\r\n";
constexpr int kMultiGetKeys = 16;

// "VALUE <key> <flags> <bytes>\r\n<value>\r\n": as long for each key, as keys are.
size_t HitBytes() {
  return ("VALUE " + RecordKey(0) + " 0 " + std::to_string(kValueBytes) + "\r\n\r\n").size() + kValueBytes;
}

std::string SetOf(const std::string& key) {
  return "set " + key + " 0 0 " + std::to_string(kValueBytes) + "\r\n" + Value() + "\r\n";
}

// All replies are equally long, and told from any other one by how they begin.
class TextConversation : public Conversation {
 public:
  explicit TextConversation(MemcachedPeer::Operation operation)
      : set_(operation == MemcachedPeer::Operation::kSet),
        keys_(operation == MemcachedPeer::Operation::kMultiGet ? kMultiGetKeys : 1),
        reply_bytes_(set_ ? kStored.size() : keys_ * HitBytes() + kEndOfHits.size()) {}

  void AppendCall(std::string& out) override {
    if (set_) {
      out += SetOf(RandomRecordKey());
      return;
    }
    out += "get";
    for (size_t i = 0; i < keys_; ++i) out += " " + RandomRecordKey();
    out += "\r\n";
  }

  size_t CountReplies(std::string_view received) override {
    size_t replies = 0;
    while (!received.empty()) {
      if (left_ == 0) {
        CHECK_EQ(received.front(), set_ ? 'S' : 'V') << "Memcached says " << received.substr(0, 40);
        left_ = reply_bytes_;
      }
      const size_t step = std::min(left_, received.size());
      received.remove_prefix(step);
      left_ -= step;
      replies += left_ == 0;
    }
    return replies;
  }

 private:
  const bool set_;
  const size_t keys_;
  const size_t reply_bytes_;
  size_t left_ = 0;  // of the reply that has begun
};

Result<int> Connect(uint16_t port) {
  const auto address = rpc::SocketAddress::FromNumeric({"127.0.0.1", port});
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, address->get(), address->size) == 0) return fd;
  ::close(fd);
  return Error(Code::kUnavailable, "nobody listens yet");
}

}  // namespace

Result<MemcachedPeer> MemcachedPeer::Start(const std::string& directory) {
  EBLA_ASSIGN(const uint16_t port, zookeeper::PickPort());
  // As many threads as cores, as its manual says; root is to name a user, others are not asked.
  EBLA_ASSIGN(MeasuredProcess process,
              MeasuredProcess::Start(
                  {kServer, "--listen=127.0.0.1", "--port=" + std::to_string(port), "--user=nobody",
                   "--memory-limit=1024", "--threads=" + std::to_string(std::thread::hardware_concurrency())},
                  directory));
  MemcachedPeer peer(port, std::move(process));
  EBLA_TRY(peer.Fill());
  return peer;
}

// Each set is answered before the next, which takes a second or two for all.
Status MemcachedPeer::Fill() {
  Result<int> connected = Connect(port_);
  for (const auto limit = std::chrono::steady_clock::now() + kStartTimeMax; !connected; connected = Connect(port_)) {
    if (!process_.alive() || std::chrono::steady_clock::now() > limit)
      return Status(Code::kInternal, "Memcached does not start: " + cluster::LastLines(process_.output_file(), 3));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  empty_bytes_ = ResidentBytes(process_.servers());
  const int fd = *connected;
  std::string reply(kStored.size(), '\0');
  for (int n = 0; n < kRecords; ++n) {
    const std::string set = SetOf(RecordKey(n));
    PCHECK(::write(fd, set.data(), set.size()) == static_cast<ssize_t>(set.size()));
    PCHECK(::read(fd, reply.data(), reply.size()) > 0);
    CHECK_EQ(reply, kStored);
  }
  ::close(fd);
  return {};
}

Figure MemcachedPeer::Measure(Operation operation, int pipeline, Duration each) const {
  return MeasureWithCost(process_.servers(), [&] {
    const LoadResult result =
        MeasureLoad({.server = {"127.0.0.1", port_},
                     .conversation = [operation] { return std::make_unique<TextConversation>(operation); },
                     .connections = kConnections,
                     .in_flight = static_cast<size_t>(pipeline),
                     .together = true},
                    each);
    return Counted{.timings = result.timings, .operations = static_cast<double>(result.replies)};
  });
}

Figure MemcachedPeer::Room() const {
  return {.memory_bytes = (ResidentBytes(process_.servers()) - empty_bytes_) / kRecords};
}

}  // namespace ebla::bench
