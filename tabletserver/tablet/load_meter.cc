#include "tabletserver/tablet/load_meter.h"

#include <cmath>

namespace ebla::tabletserver {
namespace {

constexpr double kTimeConstantSeconds = 5;

void Decay(double& rate, uint64_t count, uint64_t before, double seconds, double weight) {
  rate += weight * (static_cast<double>(count - before) / seconds - rate);
}

}  // namespace

LoadTotals LoadMeter::totals() const {
  LoadTotals totals;
  for (const Slot& slot : slots_) {
    totals.reads += slot.reads.load(std::memory_order_relaxed);
    totals.read_bytes += slot.read_bytes.load(std::memory_order_relaxed);
    totals.writes += slot.writes.load(std::memory_order_relaxed);
    totals.write_bytes += slot.write_bytes.load(std::memory_order_relaxed);
    totals.busy_ns += slot.busy_ns.load(std::memory_order_relaxed);
  }
  return totals;
}

void LoadRates::Update(const LoadTotals& totals, MonotonicTime now) {
  const double seconds = std::chrono::duration<double>(now - sampled_).count();
  if (sampled_ == MonotonicTime{}) {
    sampled_ = now;
    last_ = totals;
    return;
  }
  if (seconds < 0.01) return;  // too short to say anything
  const double weight = 1 - std::exp(-seconds / kTimeConstantSeconds);
  Decay(reads, totals.reads, last_.reads, seconds, weight);
  Decay(writes, totals.writes, last_.writes, seconds, weight);
  Decay(read_bytes, totals.read_bytes, last_.read_bytes, seconds, weight);
  Decay(write_bytes, totals.write_bytes, last_.write_bytes, seconds, weight);
  double busy_ns = busy_micros * 1000;
  Decay(busy_ns, totals.busy_ns, last_.busy_ns, seconds, weight);
  busy_micros = busy_ns / 1000;
  sampled_ = now;
  last_ = totals;
}

}  // namespace ebla::tabletserver
