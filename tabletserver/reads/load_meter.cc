#include "tabletserver/reads/load_meter.h"

#include <cmath>

#include "common/base/mutex.h"

namespace ebla::tabletserver {
namespace {

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
  totals.cache_misses = cache_misses_.load(std::memory_order_relaxed);
  return totals;
}

// SplitMix64's finish: neighbours come out unlike each other.
uint64_t LoadMeter::Mix(uint64_t number) {
  number = (number + 0x9E3779B97F4A7C15u) * 0xBF58476D1CE4E5B9u;
  number = (number ^ (number >> 27)) * 0x94D049BB133111EBu;
  return number ^ (number >> 31);
}

void LoadMeter::Add(std::string_view key, bool write) {
  if (key.empty() || keys_.size() >= kKeysMax) return;
  keys_.push_back({std::string(key.substr(0, kKeyBytesMax)), write});
  if (keys_.size() >= kKeysMax) full_.store(true, std::memory_order_relaxed);
}

std::vector<TouchedKey> LoadMeter::TakeKeys(MonotonicTime now) {
  uint64_t operations = 0;
  for (const Slot& slot : slots_) {
    operations += slot.reads.load(std::memory_order_relaxed) + slot.offered.load(std::memory_order_relaxed);
  }
  const double seconds = std::chrono::duration<double>(now - taken_).count();
  if (taken_ != MonotonicTime{} && seconds >= 0.01) {
    const double rate = static_cast<double>(operations - taken_operations_) / seconds;
    const uint64_t gap = std::max<uint64_t>(1, static_cast<uint64_t>(rate / kKeysPerSecond));
    gap_.store(gap, std::memory_order_relaxed);
    for (Slot& slot : slots_) {
      // After a load has ended, a sample that was due many operations later is taken at once. A race costs one key.
      const auto hasten = [gap](const std::atomic<uint64_t>& count, std::atomic<uint64_t>& next) {
        if (next.load(std::memory_order_relaxed) > count.load(std::memory_order_relaxed) + 2 * gap) next.store(0);
      };
      hasten(slot.reads, slot.next_read);
      hasten(slot.offered, slot.next_write);
    }
  }
  if (taken_ == MonotonicTime{} || seconds >= 0.01) {
    taken_ = now;
    taken_operations_ = operations;
  }
  std::vector<TouchedKey> keys;
  {
    MutexLock lock(mutex_);
    keys.swap(keys_);
    full_.store(false, std::memory_order_relaxed);
  }
  return keys;
}

void LoadRates::Update(const LoadTotals& totals, MonotonicTime now) {
  const double seconds = std::chrono::duration<double>(now - sampled_).count();
  // Smaller totals are another meter's, because the replica was dropped and made again since.
  const bool anew = totals.reads < last_.reads || totals.writes < last_.writes;
  if (sampled_ == MonotonicTime{} || anew) {
    sampled_ = now;
    last_ = totals;
    return;
  }
  if (seconds < 0.01) return;  // too short to say anything
  const double weight = 1 - std::exp(-seconds / std::chrono::duration<double>(kTimeConstant).count());
  Decay(reads, totals.reads, last_.reads, seconds, weight);
  Decay(writes, totals.writes, last_.writes, seconds, weight);
  Decay(read_bytes, totals.read_bytes, last_.read_bytes, seconds, weight);
  Decay(write_bytes, totals.write_bytes, last_.write_bytes, seconds, weight);
  Decay(cache_misses, totals.cache_misses, last_.cache_misses, seconds, weight);
  double busy_ns = busy_micros * 1000;
  Decay(busy_ns, totals.busy_ns, last_.busy_ns, seconds, weight);
  busy_micros = busy_ns / 1000;
  sampled_ = now;
  last_ = totals;
}

void LoadPeaks::Begin(MonotonicTime from) {
  from_ = from;
  buckets_ = {};
}

void LoadPeaks::Note(const LoadRates& rates, MonotonicTime now) {
  if (now < from_) return;
  const int64_t number = now.since_boot / kBucket;
  Bucket& bucket = buckets_[static_cast<size_t>(number) % buckets_.size()];
  if (bucket.number != number) bucket = {.number = number};
  bucket.operations = std::max(bucket.operations, rates.reads + rates.writes);
  bucket.busy_micros = std::max(bucket.busy_micros, rates.busy_micros);
}

double LoadPeaks::Most(MonotonicTime now, double Bucket::* rate) const {
  const int64_t oldest = std::max(now.since_boot - last_, Duration{0}) / kBucket;
  double most = 0;
  for (const Bucket& bucket : buckets_) {
    if (bucket.number >= oldest) most = std::max(most, bucket.*rate);
  }
  return most;
}

}  // namespace ebla::tabletserver
