#include "tests/bench/compare/plain_file.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <unistd.h>

#include <chrono>
#include <vector>

namespace ebla::bench {

Figure MeasureAppends(const std::string& file, Duration each) {
  using Clock = std::chrono::steady_clock;
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  CHECK_GE(fd, 0) << file;
  const std::string bytes(kValueBytes, 'v');
  std::vector<double> micros;
  const auto begun = Clock::now();
  for (auto now = begun; now - begun < each;) {
    CHECK_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    CHECK_EQ(::fdatasync(fd), 0);
    const auto end = Clock::now();
    micros.push_back(std::chrono::duration<double, std::micro>(end - now).count());
    now = end;
  }
  ::close(fd);
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  return {.timings = {.per_second = static_cast<double>(micros.size()) / seconds, .p50_us = Median(micros)}};
}

}  // namespace ebla::bench
