#include "tests/bench/harness/open_loop.h"

#include <glog/logging.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace ebla::bench {
namespace {

using std::chrono::microseconds;

constexpr size_t kUnderWayMax = 100'000;  // beyond, the rate is not kept, and no figure says anything

}  // namespace

// Shared with the operations under way.
struct OpenLoop::State {
  void Begin(LoopClock::time_point due, const StartOperation& start, const std::shared_ptr<State>& self) {
    size_t at = 0;
    {
      const std::lock_guard lock(mutex);
      CHECK_LT(under_way, kUnderWayMax) << "the open loop's rate is more than the cluster serves";
      at = operations.size();
      operations.push_back({due, LoopClock::time_point::max()});
      ++under_way;
    }
    start(++number, [self, at](Status status) {
      CHECK(status.ok()) << status;
      const auto now = LoopClock::now();
      const std::lock_guard lock(self->mutex);
      self->operations[at].answered = now;
      if (--self->under_way == 0) self->none_left.notify_all();
    });
  }

  int64_t number = 0;  // the pacer's
  std::mutex mutex;    // guards what follows
  std::condition_variable none_left;
  // By when they were due; growing must not stop the clock, so nothing is ever moved.
  std::deque<Waits::Operation> operations;
  size_t under_way = 0;
};

OpenLoop::OpenLoop(double per_second, const StartOperation& start)
    : state_(std::make_shared<State>()), pacer_([state = state_, per_second, &start](const std::stop_token& stop) {
        prctl(PR_SET_TIMERSLACK, 1'000);  // ns: it is to wake when it said
        const auto between =
            std::chrono::duration_cast<LoopClock::duration>(std::chrono::duration<double>(1 / per_second));
        for (auto due = LoopClock::now(); !stop.stop_requested(); due += between) {
          std::this_thread::sleep_until(due);
          state->Begin(due, start, state);
        }
      }) {}

OpenLoop::~OpenLoop() { End(); }

Waits OpenLoop::End() {
  pacer_.request_stop();
  if (pacer_.joinable()) pacer_.join();
  std::unique_lock lock(state_->mutex);
  state_->none_left.wait(lock, [this] { return state_->under_way == 0; });
  return Waits(std::exchange(state_->operations, {}));
}

std::vector<microseconds> Waits::In(Window window) const {
  std::vector<microseconds> waits;
  for (const Operation& operation : operations_) {
    if (operation.due >= window.end) break;
    if (operation.answered <= window.begin) continue;
    waits.push_back(std::chrono::duration_cast<microseconds>(operation.answered - operation.due));
  }
  return waits;
}

microseconds Waits::Longest(Window window) const {
  const auto waits = In(window);
  return waits.empty() ? microseconds(0) : *std::ranges::max_element(waits);
}

}  // namespace ebla::bench
