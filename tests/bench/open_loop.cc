#include "tests/bench/open_loop.h"

#include <glog/logging.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace ebla::bench {
namespace {

using std::chrono::microseconds;

constexpr size_t kUnderWayMax = 100'000;  // beyond, the rate is not kept, and no figure says anything

}  // namespace

// Shared with the operations under way.
struct OpenLoop::State {
  struct Operation {
    LoopClock::time_point due, answered;
  };

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
      --self->under_way;
      self->changed.notify_all();
    });
  }

  int64_t number = 0;  // the pacer's
  std::mutex mutex;    // guards what follows
  std::condition_variable changed;
  std::deque<Operation> operations;  // by when they were due; growing must not stop the clock, so nothing is ever moved
  size_t under_way = 0;
};

OpenLoop::OpenLoop(double per_second, const StartOperation& start)
    : state_(std::make_shared<State>()), pacer_([state = state_, per_second, &start](const std::stop_token& stop) {
        prctl(PR_SET_TIMERSLACK, 1'000);  // ns: it is to wake when it said
        const auto between = std::chrono::duration_cast<LoopClock::duration>(std::chrono::duration<double>(1 / per_second));
        for (auto due = LoopClock::now(); !stop.stop_requested(); due += between) {
          std::this_thread::sleep_until(due);
          state->Begin(due, start, state);
        }
      }) {}

OpenLoop::~OpenLoop() {
  pacer_.request_stop();
  pacer_.join();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->under_way == 0; });
}

std::vector<microseconds> OpenLoop::Waits(Window window) const {
  std::vector<microseconds> waits;
  std::unique_lock lock(state_->mutex);
  for (size_t i = 0; i < state_->operations.size() && state_->operations[i].due < window.end; ++i) {
    state_->changed.wait(lock, [&] { return state_->operations[i].answered != LoopClock::time_point::max(); });
    const State::Operation& operation = state_->operations[i];
    if (operation.answered <= window.begin) continue;
    waits.push_back(std::chrono::duration_cast<microseconds>(operation.answered - operation.due));
  }
  return waits;
}

microseconds OpenLoop::Longest(Window window) const {
  const auto waits = Waits(window);
  return waits.empty() ? microseconds(0) : *std::ranges::max_element(waits);
}

}  // namespace ebla::bench
