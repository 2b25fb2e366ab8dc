#include "tests/bench/compare/memcached_load.h"

#include <glog/logging.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "common/rpc/socket.h"
#include "tests/bench/compare/keys.h"
#include "tests/bench/harness/socket_load.h"

namespace ebla::bench {
namespace {

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
  explicit TextConversation(MemcachedOperation operation)
      : set_(operation == MemcachedOperation::kSet),
        keys_(operation == MemcachedOperation::kMultiGet ? kMultiGetKeys : 1),
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

}  // namespace

Result<int> ConnectMemcached(uint16_t port) {
  const auto address = rpc::SocketAddress::FromNumeric({"127.0.0.1", port});
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, address->get(), address->size) == 0) return fd;
  ::close(fd);
  return Error(Code::kUnavailable, "nobody listens yet");
}

// Each set is answered before the next, which takes a second or two for all.
Status FillMemcached(uint16_t port) {
  EBLA_ASSIGN(const int fd, ConnectMemcached(port));
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

Figure MeasureMemcached(const Servers& servers, uint16_t port, const MemcachedLoad& load, Duration each) {
  return MeasureWithCost(servers, [&] {
    const LoadResult result =
        MeasureLoad({.server = {"127.0.0.1", port},
                     .conversation = [&load] { return std::make_unique<TextConversation>(load.operation); },
                     .connections = static_cast<size_t>(load.connections),
                     .in_flight = static_cast<size_t>(load.pipeline),
                     .together = true},
                    each);
    return Counted{.timings = result.timings, .operations = static_cast<double>(result.replies)};
  });
}

}  // namespace ebla::bench
