#include "client/core/routing/replica_choice.h"

#include <algorithm>
#include <cmath>

namespace ebla::client {

// ---- ServerGauge

double ServerGauge::Latency(MonotonicTime now) const {
  const auto latency = static_cast<double>(latency_ns_.load(std::memory_order_relaxed));
  const auto age = static_cast<double>(now.since_boot.count() - heard_ns_.load(std::memory_order_relaxed));
  return age <= 0 ? latency : latency * std::exp(-age / static_cast<double>(kLatencyMemory.count()));
}

void ServerGauge::Answered(MonotonicTime now, Duration took) {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  if (failures_.load(std::memory_order_relaxed) != 0) {
    failures_.store(0, std::memory_order_relaxed);
    avoided_until_.store(0, std::memory_order_relaxed);
  }
  const auto sample = static_cast<double>(took.count());
  const auto age = static_cast<double>(now.since_boot.count() - heard_ns_.load(std::memory_order_relaxed));
  const double kept = age <= 0 ? 1 : std::exp(-age / static_cast<double>(kLatencyMemory.count()));
  const auto known = static_cast<double>(latency_ns_.load(std::memory_order_relaxed));
  const double latency = sample > known ? sample : known * kept + sample * (1 - kept);
  latency_ns_.store(static_cast<int64_t>(latency), std::memory_order_relaxed);
  heard_ns_.store(now.since_boot.count(), std::memory_order_relaxed);
}

void ServerGauge::Leave(MonotonicTime now, int failures) {
  const Duration pause = std::min(kAwayMax, kAwayFirst * (int64_t{1} << std::min(failures - 1, 20)));
  avoided_until_.store((now + pause).since_boot.count(), std::memory_order_relaxed);
}

void ServerGauge::Silent(MonotonicTime now) {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  // Calls that were under way together fail together: they count once.
  const int failures = failures_.load(std::memory_order_relaxed);
  if (failures == 0 || !IsAvoided(now)) Leave(now, failures_.fetch_add(1, std::memory_order_relaxed) + 1);
}

void ServerGauge::Chosen(MonotonicTime now) {
  const int failures = failures_.load(std::memory_order_relaxed);
  if (failures == 0 || IsAvoided(now)) return;
  failures_.store(failures + 1, std::memory_order_relaxed);
  Leave(now, failures + 1);
}

double ServerGauge::Load(MonotonicTime now) const {
  // Calls in flight count even without recent answers, and more than differences of latency within a data centre.
  constexpr double kFloor = 1e6;  // a millisecond
  return (Latency(now) + kFloor) * (in_flight_.load(std::memory_order_relaxed) + 1);
}

// ---- the choice

uint8_t DistanceOf(const ClientLocation& location, const std::string& rack, const std::string& host) {
  if (!location.rack.empty() && rack == location.rack) return 0;
  const bool loopback = host == "localhost" || host == "::1" || host.starts_with("127.");
  return loopback || (!location.host.empty() && host == location.host) ? 1 : 2;
}

std::optional<size_t> ChooseReplica(std::span<const Replica> replicas, std::span<const rpc::Endpoint> asked,
                                    MonotonicTime now, uint64_t random) {
  // The best rank that there is, then two of it at random: (away, distance), the lower the better.
  const auto rank = [now](const Replica& replica) {
    const bool away = replica.gauge && replica.gauge->IsAvoided(now);
    return (away ? 256 : 0) + replica.distance;
  };
  std::vector<size_t> best;
  int best_rank = 0;
  for (size_t i = 0; i < replicas.size(); ++i) {
    const Replica& replica = replicas[i];
    if (!replica.voter || replica.endpoint.port == 0) continue;
    if (std::ranges::find(asked, replica.endpoint) != asked.end()) continue;
    const int its_rank = rank(replica);
    if (best.empty() || its_rank < best_rank) {
      best.clear();
      best_rank = its_rank;
    }
    if (its_rank == best_rank) best.push_back(i);
  }
  if (best.empty()) return std::nullopt;
  const size_t one = best[random % best.size()];
  if (best.size() == 1) return one;
  const size_t other = best[(random % best.size() + 1 + (random >> 32) % (best.size() - 1)) % best.size()];
  const auto load = [&](size_t i) { return replicas[i].gauge ? replicas[i].gauge->Load(now) : 0; };
  constexpr double kClearly = 0.8;  // else chance decides: a slightly quicker one would get everything
  return load(other) < kClearly * load(one) ? other : one;
}

}  // namespace ebla::client
