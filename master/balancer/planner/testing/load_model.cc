#include "master/balancer/planner/testing/load_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ebla::master::testing {
namespace {

using std::chrono::seconds;

constexpr seconds kBucket{30};
constexpr size_t kBuckets = 10;
constexpr double kBytesPerSecond = 100e6;  // of a copy

std::string Key(size_t cell) {
  char text[24];
  std::snprintf(text, sizeof text, "%06zu", cell);
  return text;
}

}  // namespace

LoadModel::LoadModel(const Options& options, Load load) : options_(options), load_(std::move(load)) {
  for (size_t i = 0; i < options.servers; ++i) {
    PlannedServer server;
    server.name = "ts-" + std::to_string(i);
    server.live = true;
    servers.push_back(std::move(server));
  }
  for (size_t i = 0; i < options.tablets; ++i) {
    Tablet tablet;
    tablet.id = TabletId{next_id_++};
    tablet.first = options.cells * i / options.tablets;
    tablet.last = options.cells * (i + 1) / options.tablets;
    for (size_t r = 0; r < options.replicas; ++r) {
      tablet.voters.Add(static_cast<ServerIndex>((i + r) % options.servers));
    }
    Meter(tablet);
    tablets_.push_back(tablet);
  }
}

void LoadModel::Run(Duration time, const std::function<void(const Action&)>& on_action) {
  for (const MonotonicTime end = now_ + time; now_ < end;) {
    Advance();
    const ClusterView view = View();
    ASSERT_TRUE(CheckView(view).ok()) << CheckView(view);
    Plan plan = MakePlan(view, std::move(memory), planner);
    memory = std::move(plan.memory);
    for (const Action& action : plan.actions) {
      if (on_action) on_action(action);
      Begin(action);
    }
  }
}

void LoadModel::Advance() {
  now_ = now_ + options_.step;
  for (size_t i = 0; i < tablets_.size(); ++i) {
    if (tablets_[i].until != MonotonicTime{} && now_ >= tablets_[i].until) Finish(i);
  }
  for (Tablet& tablet : tablets_) Measure(tablet);
}

void LoadModel::Measure(Tablet& tablet) {
  const double step = std::chrono::duration<double>(options_.step).count();
  tablet.rate += (LoadOf(tablet) - tablet.rate) * (1 - std::exp(-step / 5));
  if (now_ - tablet.bucket >= kBucket) {
    tablet.maxima.push_back(0);
    tablet.bucket = now_;
    if (tablet.maxima.size() > kBuckets + 1) tablet.maxima.pop_front();
  }
  tablet.maxima.back() = std::max(tablet.maxima.back(), tablet.rate);
}

void LoadModel::Meter(Tablet& tablet) {
  tablet.rate = 0;
  tablet.maxima = {0};
  tablet.metered = tablet.bucket = now_;
}

void LoadModel::Begin(const Action& action) {
  if (!action.tablet) return;
  Tablet& tablet = Find(action.tablet);
  tablet.action = action;
  tablet.until = now_ + seconds(1);
  if (action.kind == ActionKind::kMove) {
    tablet.learners.Add(Server(action.to));
    const double bytes = static_cast<double>(options_.cell_bytes) * static_cast<double>(tablet.last - tablet.first);
    tablet.until = now_ + seconds(10 + static_cast<int>(bytes / kBytesPerSecond));
  }
  if (action.kind == ActionKind::kMerge) Find(action.neighbour).until = MonotonicTime::Max();
}

void LoadModel::Finish(size_t index) {
  Tablet& tablet = tablets_[index];
  tablet.until = {};
  switch (tablet.action.kind) {
    case ActionKind::kSplit: {
      Tablet right = tablet;
      right.id = TabletId{next_id_++};
      right.first = tablet.last = static_cast<size_t>(std::stoul(tablet.action.key));
      tablet.last_split = right.last_split = now_;
      Meter(right);
      tablets_.insert(tablets_.begin() + static_cast<std::ptrdiff_t>(index) + 1, right);
      break;
    }
    case ActionKind::kMerge: {
      tablet.last = tablets_[index + 1].last;
      tablet.id = TabletId{next_id_++};
      tablet.last_merge = now_;
      Meter(tablet);
      tablets_.erase(tablets_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
      break;
    }
    case ActionKind::kTransfer: {
      Members voters;
      voters.Add(Server(tablet.action.to));
      for (const ServerIndex voter : tablet.voters) {
        if (voter != voters.front()) voters.Add(voter);
      }
      tablet.voters = voters;
      Meter(tablet);
      break;
    }
    case ActionKind::kMove: {
      if (tablet.voters.front() == Server(tablet.action.from)) Meter(tablet);
      tablet.voters.Replace(Server(tablet.action.from), Server(tablet.action.to));
      tablet.learners = {};
      break;
    }
    default: break;
  }
}

double LoadModel::LoadOf(const Tablet& tablet) const {
  double sum = 0;
  for (size_t cell = tablet.first; cell < tablet.last; ++cell) sum += load_(cell, since());
  return sum;
}

// Cuts as a server does by its sample of keys: a cut is good if the halves differ by less than a quarter.
void LoadModel::FindKey(const Tablet& tablet, TabletView& view) const {
  const double all = LoadOf(tablet);
  if (all <= 0) return;
  view.finding = SplitFinding::kPopularKey;
  double left = 0, best = 0.25;
  for (size_t cell = tablet.first; cell + 1 < tablet.last; ++cell) {
    left += load_(cell, since());
    if (const double difference = std::abs(all - 2 * left) / all; difference < best) {
      best = difference;
      view.finding = SplitFinding::kKey;
      view.split_key = Key(cell + 1);
    }
  }
}

ClusterView LoadModel::View() const {
  ClusterView view;
  view.now = now_;
  view.servers = servers;
  view.tables.push_back({.id = TableId{1}, .name = "t", .replicas = options_.replicas});
  for (const Tablet& tablet : tablets_) {
    TabletView& seen = view.tablets.emplace_back();
    seen.id = tablet.id;
    seen.range = {tablet.first == 0 ? "" : Key(tablet.first), tablet.last == options_.cells ? "" : Key(tablet.last)};
    seen.voters = tablet.voters;
    seen.learners = tablet.learners;
    if (tablet.until != MonotonicTime{}) {
      seen.state = tablet.learners.empty() ? TabletState::kIntentOpen : TabletState::kCopying;
    }
    const auto rate = static_cast<float>(tablet.rate);
    seen.led = {.reads = rate * 0.7f, .writes = rate * 0.3f, .write_bytes = rate * 300, .cpu = rate / 50'000};
    seen.followed = {.write_bytes = rate * 300, .cpu = rate * 0.3f / 50'000};
    seen.peaks.operations = static_cast<float>(*std::ranges::max_element(tablet.maxima));
    seen.peaks.cpu = seen.peaks.operations / 50'000;
    seen.history = std::min<Duration>(now_ - tablet.metered, kBucket * kBuckets);
    seen.size_bytes = options_.cell_bytes * static_cast<int64_t>(tablet.last - tablet.first);
    seen.last_split = tablet.last_split;
    seen.last_merge = tablet.last_merge;
    FindKey(tablet, seen);
  }
  return view;
}

size_t LoadModel::Boundary(const Action& action) const {
  if (action.kind == ActionKind::kSplit) return static_cast<size_t>(std::stoul(action.key));
  return const_cast<LoadModel*>(this)->Find(action.neighbour).first;
}

double LoadModel::WorstOverMean() const {
  std::vector<double> led(servers.size());
  double sum = 0;
  for (const Tablet& tablet : tablets_) {
    led[tablet.voters.front()] += LoadOf(tablet);
    sum += LoadOf(tablet);
  }
  return *std::ranges::max_element(led) / (sum / static_cast<double>(servers.size()));
}

LoadModel::Tablet& LoadModel::Find(TabletId id) {
  const auto found = std::ranges::find(tablets_, id, &Tablet::id);
  EXPECT_NE(found, tablets_.end()) << "no tablet " << id;
  return *found;
}

ServerIndex LoadModel::Server(const ServerName& name) const {
  const auto found = std::ranges::find(servers, name, &PlannedServer::name);
  EXPECT_NE(found, servers.end()) << "no server " << name;
  return static_cast<ServerIndex>(found - servers.begin());
}

}  // namespace ebla::master::testing
