#include "gateway/server/statistics.h"

#include <algorithm>
#include <utility>

namespace ebla::gateway {

void LoopStatistics::Count(size_t kind, const Reply& reply, Duration took) {
  Kind& of = kinds_.at(kind);
  of.commands.Add(1);
  if (reply.error) of.errors.Add(1);
  if (reply.hits > 0) of.hits.Add(reply.hits);
  if (reply.misses > 0) of.misses.Add(reply.misses);
  const auto nanos = static_cast<uint64_t>(took.count() < 0 ? 0 : took.count());
  of.nanos.Add(nanos);
  for (size_t i = 0; i < kLatencyMicros.size(); ++i) {
    if (nanos > kLatencyMicros[i] * 1000) continue;
    of.buckets[i].Add(1);
    return;
  }
}

void LoopStatistics::AddTo(Totals& totals) const {
  totals.connections += connections.value();
  totals.connections_accepted += accepted.value();
  totals.connections_refused += refused.value();
  totals.connections_broken += broken.value();
  totals.bytes_in += bytes_in.value();
  totals.bytes_out += bytes_out.value();
  totals.in_flight += in_flight.value();
  for (size_t kind = 0; kind < kinds_.size(); ++kind) {
    const Kind& of = kinds_[kind];
    CommandTotals& sum = totals.kinds[kind];
    sum.commands += of.commands.value();
    sum.errors += of.errors.value();
    sum.hits += of.hits.value();
    sum.misses += of.misses.value();
    sum.seconds += static_cast<double>(of.nanos.value()) / 1e9;
    for (size_t i = 0; i < sum.buckets.size(); ++i) sum.buckets[i] += of.buckets[i].value();
  }
}

Statistics::Statistics(std::vector<std::string> names, size_t loops) : names_(std::move(names)) {
  for (size_t i = 0; i < loops; ++i) loops_.push_back(std::make_unique<LoopStatistics>(names_.size()));
}

Totals Statistics::Sum() const {
  Totals totals;
  totals.kinds.resize(names_.size());
  for (const auto& loop : loops_) loop->AddTo(totals);
  return totals;
}

void CountsSinceReset::Reset(Totals totals) {
  MutexLock lock(mutex_);
  before_ = std::move(totals);
}

// A loop may have counted less than the snapshot of another reader, so a difference is at least 0.
Totals CountsSinceReset::Of(Totals totals) const {
  const auto subtract = [](auto& count, auto before) { count -= std::min(count, before); };
  MutexLock lock(mutex_);
  subtract(totals.connections_accepted, before_.connections_accepted);
  subtract(totals.connections_refused, before_.connections_refused);
  subtract(totals.bytes_in, before_.bytes_in);
  subtract(totals.bytes_out, before_.bytes_out);
  for (size_t kind = 0; kind < before_.kinds.size(); ++kind) {
    CommandTotals& one = totals.kinds[kind];
    const CommandTotals& before = before_.kinds[kind];
    subtract(one.commands, before.commands);
    subtract(one.errors, before.errors);
    subtract(one.hits, before.hits);
    subtract(one.misses, before.misses);
    subtract(one.seconds, before.seconds);
  }
  return totals;
}

}  // namespace ebla::gateway
