#include "tests/bench/compare/large_load.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "tools/load/pacer.h"

namespace ebla::bench {
namespace {

// The most room that the files below a directory take, from its construction to End().
class RoomWatch {
 public:
  explicit RoomWatch(std::string directory) : directory_(std::move(directory)) {}
  ~RoomWatch() { stop_.Stop(); }
  RoomWatch(const RoomWatch&) = delete;
  RoomWatch& operator=(const RoomWatch&) = delete;

  double End() {
    stop_.Stop();
    thread_.join();
    return most_bytes_;
  }

 private:
  void Watch() {
    do most_bytes_ = std::max(most_bytes_, DiskBytes(directory_));
    while (stop_.WaitFor(std::chrono::seconds(1)));
  }

  const std::string directory_;
  load::StopSignal stop_;
  double most_bytes_ = 0;  // the thread's, until it ends
  std::jthread thread_{[this] { Watch(); }};
};

}  // namespace

double Slowdown(const std::vector<double>& millions) {
  if (millions.size() < 3) return 0;
  const double last = millions.back() - millions[millions.size() - 2];
  return last / (millions[1] - millions[0]);
}

Figure MeasureLargeLoad(const Servers& servers, int64_t records, size_t record_bytes,
                        const std::function<Pace()>& load) {
  const auto count = static_cast<double>(records);
  const double data_bytes = count * static_cast<double>(record_bytes);
  Pace pace;
  RoomWatch watch(servers.directory);
  Figure figure = MeasureWithCost(servers, [&] {
    pace = load();
    return Counted{.timings = {.per_second = count / pace.seconds}, .operations = count};
  });
  const double end_bytes = DiskBytes(servers.directory);
  figure.peak_share = std::max(watch.End(), end_bytes) / data_bytes;
  figure.disk_share = end_bytes / data_bytes;
  figure.written_share = figure.written_bytes / static_cast<double>(record_bytes);
  figure.slowdown = pace.slowdown;
  return figure;
}

}  // namespace ebla::bench
