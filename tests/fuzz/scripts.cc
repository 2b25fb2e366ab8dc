#include <glog/logging.h>

#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include "gateway/redis/scripts/engine/script_engine.h"
#include "gateway/redis/testing/reply_length.h"
#include "tests/fuzz/targets.h"

namespace ebla::fuzz {
namespace {

using gateway::redis::ScriptLimits;

constexpr size_t kMostBytes = 4'096;
const ScriptLimits kLimits{.time = std::chrono::milliseconds(50), .memory_bytes = 4 << 20, .reply_bytes = 1 << 20};

// Answers each command with the same bytes.
class RawHost final : public gateway::redis::ScriptHost {
 public:
  explicit RawHost(std::string_view bytes) : bytes_(bytes) {}
  std::string Call(const gateway::redis::Words&, int) override { return bytes_; }
  void Log(int, std::string_view) override {}

 private:
  const std::string bytes_;
};

void RunWhole(std::string_view body, std::string_view host_bytes, int protocol) {
  RawHost host(host_bytes);
  const std::vector<std::string> keys = {"key"}, arguments = {"7", "a\0b"};
  const std::clock_t begin = std::clock();
  const std::string reply = gateway::redis::RunScript(body, keys, arguments, protocol, kLimits, host).reply;
  const auto length = gateway::redis::ReplyLength(reply);
  CHECK(length && *length == reply.size()) << "no whole reply: " << reply;
  // Processor time, because other processes may take the clock's.
  CHECK_LT(std::clock() - begin, 10 * CLOCKS_PER_SEC) << "it does not end";
}

}  // namespace

void Scripts(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > kMostBytes) return;
  RunWhole(bytes.substr(1), "*2\r\n$1\r\na\r\n:1\r\n", bytes[0] % 2 == 0 ? 2 : 3);
}

void ScriptReplies(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > kMostBytes) return;
  const int kind = static_cast<unsigned char>(bytes[0]);
  const std::string body = std::string(kind % 2 == 0 ? "" : "redis.setresp(3) ") + "local r = redis.pcall('x') " +
                           (kind / 2 % 2 == 0 ? "return r" : "return cjson.encode(r)");
  RunWhole(body, bytes.substr(1), kind / 4 % 2 == 0 ? 2 : 3);
}

}  // namespace ebla::fuzz
