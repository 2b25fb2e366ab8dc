#include "master/balancer/planner/testing/random_cluster.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <random>
#include <unordered_map>

namespace ebla::master::testing {
namespace {

std::string RandomKey(size_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "%010zu", number);
  return text;
}

// Operations of the tablets that each server leads, the largest first.
std::vector<std::vector<double>> Led(const ClusterView& view) {
  std::vector<std::vector<double>> led(view.servers.size());
  for (const TabletView& tablet : view.tablets) led[tablet.primary()].push_back(tablet.led.operations());
  for (auto& pieces : led) std::ranges::sort(pieces, std::greater());
  return led;
}

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

double Mean(const std::vector<std::vector<double>>& led) {
  double sum = 0;
  for (const auto& pieces : led) sum += Sum(pieces);
  return sum / static_cast<double>(led.size());
}

}  // namespace

ClusterView MakeCluster(const RandomCluster& options) {
  std::mt19937_64 random(options.seed);
  ClusterView view;
  view.now = {std::chrono::hours(100)};
  for (size_t i = 0; i < options.servers; ++i) {
    PlannedServer server;
    server.name = "ts-" + std::to_string(i);
    if (options.racks > 0) server.rack = "r" + std::to_string(i % options.racks);
    server.live = true;
    view.servers.push_back(std::move(server));
  }
  view.tables.push_back({.id = TableId{1},
                         .name = "t",
                         .replicas = options.replicas,
                         .split_bytes = 0,
                         .split_operations = 0,
                         .split_cores = 0,
                         .merge_part = 0});
  std::vector<double> weights(options.tablets);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = 1 / std::pow(static_cast<double>(i + 1), options.zipf);
  const double scale = options.operations_per_server * static_cast<double>(options.servers) / Sum(weights);
  std::ranges::shuffle(weights, random);
  std::uniform_int_distribution<ServerIndex> any(0, static_cast<ServerIndex>(options.servers - 1));
  std::uniform_real_distribution<double> around(0.5, 1.5);
  view.tablets.resize(options.tablets);
  for (size_t i = 0; i < options.tablets; ++i) {
    TabletView& tablet = view.tablets[i];
    tablet.id = TabletId{i + 10};
    tablet.range = {i == 0 ? "" : RandomKey(i), i + 1 == options.tablets ? "" : RandomKey(i + 1)};
    while (tablet.voters.size() < std::min(options.replicas, options.servers)) {
      if (const ServerIndex server = any(random); !tablet.voters.Contains(server)) tablet.voters.Add(server);
    }
    const auto operations = static_cast<float>(weights[i] * scale);
    tablet.led = {.reads = operations * 0.7f,
                  .writes = operations * 0.3f,
                  .write_bytes = operations * 300,
                  .cpu = operations / 50'000};
    tablet.followed = {.write_bytes = operations * 300, .cpu = operations * 0.3f / 50'000};
    tablet.size_bytes = static_cast<int64_t>(options.mean_bytes * around(random));
    tablet.history = std::chrono::minutes(5);
    tablet.last_split = view.now - std::chrono::hours(50);
  }
  return view;
}

void ApplyPlan(const Plan& plan, ClusterView& view) {
  std::unordered_map<TabletId, TabletView*> tablets;
  std::unordered_map<ServerName, ServerIndex> servers;
  for (TabletView& tablet : view.tablets) tablets[tablet.id] = &tablet;
  for (ServerIndex i = 0; i < view.servers.size(); ++i) servers[view.servers[i].name] = i;
  for (const Action& action : plan.actions) {
    const bool transfer = action.kind == ActionKind::kTransfer;
    if (!transfer && action.kind != ActionKind::kMove) continue;
    TabletView& tablet = *tablets.at(action.tablet);
    const ServerIndex from = servers.at(action.from), to = servers.at(action.to);
    Members voters;
    if (transfer) voters.Add(to);
    for (const ServerIndex voter : tablet.voters) {
      if (transfer && voter == to) continue;
      voters.Add(!transfer && voter == from ? to : voter);
    }
    tablet.voters = voters;
  }
}

size_t LeastMoves(const ClusterView& view, double level) {
  const auto led = Led(view);
  const double most = Mean(led) * level;
  size_t moves = 0;
  for (const auto& pieces : led) {
    // The largest may stay, whatever it takes.
    double surplus = Sum(pieces) - std::max(most, pieces.empty() ? 0 : pieces[0]);
    const size_t first = !pieces.empty() && pieces[0] > most ? 1 : 0;
    for (size_t i = first; i < pieces.size() && surplus > 0; ++i, ++moves) surplus -= pieces[i];
  }
  return moves;
}

double WorstOverMean(const ClusterView& view, double beside) {
  const auto led = Led(view);
  const double mean = Mean(led);
  double worst = 0;
  for (const auto& pieces : led) {
    if (pieces.empty()) continue;
    const bool alone = pieces[0] > mean && Sum(pieces) - pieces[0] <= beside * mean;
    if (!alone) worst = std::max(worst, Sum(pieces) / mean);
  }
  return worst;
}

}  // namespace ebla::master::testing
