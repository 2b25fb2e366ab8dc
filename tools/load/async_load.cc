#include "tools/load/async_load.h"

#include <glog/logging.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>

#include "common/base/mutex.h"
#include "tools/load/histogram.h"

namespace ebla::load {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr size_t kUnderWayMax = 100'000;  // beyond, the rate is not kept, so the figures mean nothing
constexpr size_t kOperationsMax = 20'000'000;

}  // namespace

// Shared with the operations under way, because the last of them still leaves it when the caller continues.
struct AsyncLoad::State : std::enable_shared_from_this<State> {
  State(bool closed, const StartOperation& start) : closed(closed), start(start) {}

  // Begins an operation that no earlier answer has begun.
  void Begin(SteadyTime due) {
    {
      MutexLock lock(mutex);
      CHECK_LT(under_way, kUnderWayMax) << "the open loop's rate exceeds what the cluster serves";
      ++under_way;
    }
    Call(due);
  }
  void Call(SteadyTime due) {
    start(number.fetch_add(1, std::memory_order_relaxed), [self = shared_from_this(), due](Status status) {
      CHECK(status.ok()) << status;
      if (const SteadyTime now = steady_clock::now(); self->Answered({due, now})) self->Call(now);
    });
  }
  // Whether another one follows it.
  bool Answered(Waits::Operation operation) {
    MutexLock lock(mutex);
    CHECK_LT(answered.size(), kOperationsMax) << "the load lasts too long to remember every operation";
    answered.push_back(operation);
    if (closed && !ending) return true;
    if (--under_way == 0) none_left.NotifyAll();
    return false;
  }
  std::vector<Waits::Operation> End() {
    MutexLock lock(mutex);
    ending = true;
    while (under_way > 0) none_left.Wait(mutex);
    std::vector<Waits::Operation> all(answered.begin(), answered.end());
    answered.clear();
    return all;
  }

  const bool closed;
  const StartOperation& start;
  std::atomic<int64_t> number{0};
  Mutex mutex;
  CondVar none_left;
  bool ending EBLA_GUARDED_BY(mutex) = false;
  size_t under_way EBLA_GUARDED_BY(mutex) = 0;
  // Growing must not stop the clock, so nothing is ever moved.
  std::deque<Waits::Operation> answered EBLA_GUARDED_BY(mutex);
};

AsyncLoad::AsyncLoad(Shape shape, const StartOperation& start)
    : state_(std::make_shared<State>(shape.clients > 0, start)) {
  CHECK((shape.clients > 0) != (shape.per_second > 0)) << "a load is either a closed loop or an open loop";
  for (int i = 0; i < shape.clients; ++i) state_->Begin(steady_clock::now());
  if (shape.clients > 0) return;
  const Pacer pacer(steady_clock::now(), nanoseconds(static_cast<int64_t>(1e9 / shape.per_second)));
  pacer_ = std::jthread([state = state_, pacer](const std::stop_token& stop) {
    prctl(PR_SET_TIMERSLACK, 1'000);  // ns: it is to wake when it said
    for (uint64_t i = 0; !stop.stop_requested(); ++i) {
      std::this_thread::sleep_until(pacer.Intended(i));
      state->Begin(pacer.Intended(i));
    }
  });
}

AsyncLoad::~AsyncLoad() { End(); }

Waits AsyncLoad::End() {
  pacer_.request_stop();
  if (pacer_.joinable()) pacer_.join();
  return Waits(state_->End());
}

Waits::Waits(std::vector<Operation> operations) : operations_(std::move(operations)) {
  std::ranges::sort(operations_, {}, &Operation::due);
}

std::vector<microseconds> Waits::In(Window window) const {
  std::vector<microseconds> waits;
  for (const Operation& operation : operations_) {
    if (operation.due >= window.end) break;
    if (operation.answered <= window.begin) continue;
    waits.push_back(duration_cast<microseconds>(operation.answered - operation.due));
  }
  return waits;
}

microseconds Waits::Longest(Window window) const {
  const auto waits = In(window);
  return waits.empty() ? microseconds(0) : *std::ranges::max_element(waits);
}

Timings MeasureOperations(int clients, nanoseconds duration, const StartOperation& start) {
  AsyncLoad load({.clients = clients}, start);
  const SteadyTime counted_from = steady_clock::now() + duration / 10;
  std::this_thread::sleep_until(counted_from + duration);
  const Waits waits = load.End();
  Histogram micros;
  SteadyTime last = counted_from + duration;
  for (const auto& [due, answered] : waits.operations()) {
    last = std::max(last, answered);
    if (due >= counted_from) micros.Record(static_cast<uint64_t>(duration_cast<microseconds>(answered - due).count()));
  }
  const double seconds = std::chrono::duration<double>(last - counted_from).count();
  return {.per_second = static_cast<double>(micros.Count()) / seconds,
          .p50_us = static_cast<double>(micros.Percentile(50)),
          .p99_us = static_cast<double>(micros.Percentile(99)),
          .p999_us = static_cast<double>(micros.Percentile(99.9))};
}

}  // namespace ebla::load
