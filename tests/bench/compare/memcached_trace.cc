#include "tests/bench/compare/memcached_trace.h"

#include <glog/logging.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "tests/bench/compare/keys.h"
#include "tests/bench/compare/memcached_load.h"
#include "tools/ycsb/generators.h"

namespace ebla::bench {
namespace {

constexpr size_t kKeysAtOnce = 64;  // of one get, and as many sets after it
constexpr std::string_view kEndOfGet = "END\r\n";

class TraceClient {
 public:
  TraceClient(uint16_t port, size_t value_bytes) : value_(value_bytes, 'v') {
    const Result<int> fd = ConnectMemcached(port);
    CHECK(fd.has_value()) << fd.error();
    fd_ = *fd;
  }
  ~TraceClient() { ::close(fd_); }
  TraceClient(const TraceClient&) = delete;

  // Returns how many of these it has, and puts the rest.
  size_t Read(const std::vector<std::string>& keys) {
    std::string get = "get";
    for (const std::string& key : keys) get += " " + key;
    Send(get + "\r\n");
    const std::unordered_set<std::string> found = Found();
    std::string sets;
    size_t missing = 0;
    for (const std::string& key : keys) {
      if (found.contains(key)) continue;
      ++missing;
      sets += "set " + key + " 0 0 " + std::to_string(value_.size()) + "\r\n" + value_ + "\r\n";
    }
    if (missing > 0) Send(sets);
    // A put that was refused because the cache was full is a miss next time.
    for (size_t i = 0; i < missing; ++i) (void)Line();
    return keys.size() - missing;
  }

 private:
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::write(fd_, bytes.data(), bytes.size());
      PCHECK(sent > 0);
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void Receive() {
    char bytes[65'536];
    const ssize_t count = ::read(fd_, bytes, sizeof bytes);
    PCHECK(count > 0) << "the server has closed the connection";
    received_.erase(0, std::exchange(taken_, 0));
    received_.append(bytes, static_cast<size_t>(count));
  }
  std::string Line() {
    size_t end = 0;
    while ((end = received_.find("\r\n", taken_)) == std::string::npos) Receive();
    std::string line = received_.substr(taken_, end - taken_);
    taken_ = end + 2;
    return line;
  }
  // "VALUE <key> <flags> <bytes>\r\n<value>\r\n" for each that is there, and END.
  std::unordered_set<std::string> Found() {
    std::unordered_set<std::string> found;
    while (true) {
      const std::string line = Line();
      if (line + "\r\n" == kEndOfGet) return found;
      CHECK(line.starts_with("VALUE ")) << line;
      found.insert(line.substr(6, line.find(' ', 6) - 6));
      while (received_.size() - taken_ < value_.size() + 2) Receive();
      taken_ += value_.size() + 2;
    }
  }

  const std::string value_;
  int fd_ = -1;
  std::string received_;
  size_t taken_ = 0;  // of it
};

}  // namespace

int64_t TraceShape::DataBytes() const { return keys * static_cast<int64_t>(RecordKey(0).size() + value_bytes); }

Figure MeasureHits(uint16_t port, const TraceShape& shape) {
  TraceClient client(port, shape.value_bytes);
  ycsb::Random random(7);  // the same for all
  ycsb::ZipfianGenerator popular(0, static_cast<uint64_t>(shape.keys) - 1, shape.theta);
  int64_t read = 0, counted = 0, hits = 0;
  const auto begun = std::chrono::steady_clock::now();
  while (read < shape.reads) {
    std::vector<std::string> keys;
    while (keys.size() < kKeysAtOnce) {
      // Scattered, so that popular keys are not neighbours.
      const auto rank = static_cast<int64_t>(popular.Next(random));
      std::string key = RecordKey((rank * 7'368'787) % shape.keys);
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(std::move(key));
    }
    const auto found = static_cast<int64_t>(client.Read(keys));
    read += std::ssize(keys);
    if (read <= shape.reads / 2) continue;
    counted += std::ssize(keys);
    hits += found;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  return {.timings = {.per_second = static_cast<double>(read) / took.count()},
          .hit_percent = 100 * static_cast<double>(hits) / static_cast<double>(counted)};
}

}  // namespace ebla::bench
