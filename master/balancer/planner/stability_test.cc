// The planner over hours and days of a pretended cluster's load: it settles what it must, and leaves alone what is
// well.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "master/balancer/planner/testing/load_model.h"

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using testing::LoadModel;

// Something between 0 and 1 that is always the same for the same numbers.
double Noise(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9E3779B97F4A7C15u ^ (b + 1) * 0xBF58476D1CE4E5B9u;
  x ^= x >> 29;
  x *= 0x94D049BB133111EBu;
  x ^= x >> 32;
  return static_cast<double>(x % 1'000'000) / 1e6;
}

double Seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

// Skewed over the cells: from 10 to some thousand operations/s.
double Skewed(size_t cell) { return 10 + 2'000 * std::pow(Noise(cell, 0), 12); }

std::string Text(const Action& action) { return ToString(action) + ": " + action.reason + "\n"; }

TEST(StabilityTest, ASteadyLoadIsLeftAlone) {
  LoadModel model({}, [](size_t cell, Duration) { return 100 + 20 * Noise(cell, 0); });
  std::string plan;
  model.Run(30min, [&](const Action& action) { plan += Text(action); });
  EXPECT_EQ(plan, "");
}

TEST(StabilityTest, ASkewedLoadIsSettledAndThenLeftAlone) {
  LoadModel model({}, [](size_t cell, Duration since) {
    return Skewed(cell) * (0.95 + 0.1 * Noise(cell, static_cast<uint64_t>(Seconds(since) / 10)));
  });
  std::map<ActionKind, size_t> actions;
  model.Run(4h, [&](const Action& action) { ++actions[action.kind]; });
  EXPECT_GT(actions[ActionKind::kSplit], 0u);
  EXPECT_GT(actions[ActionKind::kTransfer] + actions[ActionKind::kMove], 0u);
  EXPECT_LE(model.WorstOverMean(), 1.2);
  std::string plan;
  model.Run(30min, [&](const Action& action) { plan += Text(action); });
  EXPECT_EQ(plan, "");
}

// Splits and merges of each boundary: none is made and unmade within the hour.
class Boundaries {
 public:
  explicit Boundaries(const LoadModel& model) : model_(model) {}

  void See(const Action& action) {
    if (action.kind != ActionKind::kSplit && action.kind != ActionKind::kMerge) return;
    const size_t boundary = model_.Boundary(action);
    if (action.kind == ActionKind::kSplit) {
      ++splits;
      split_[boundary] = model_.since();
      return;
    }
    ++merges;
    const auto split = split_.find(boundary);
    EXPECT_FALSE(split != split_.end() && model_.since() - split->second < 1h)
        << ToString(action) << " at " << boundary << ", which was split " << Amount(model_.since() - split->second)
        << " ago";
  }

  size_t splits = 0, merges = 0;

 private:
  const LoadModel& model_;
  std::map<size_t, Duration> split_;
};

TEST(StabilityTest, ASwingingLoadIsNotSplitAndMergedInTurn) {
  for (const auto half : {120s, 20s, 600s}) {
    LoadModel model({.tablets = 12}, [half](size_t, Duration since) {
      return static_cast<int>(Seconds(since) / Seconds(half)) % 2 == 0 ? 240 : 5;
    });
    Boundaries boundaries(model);
    model.Run(4h, [&](const Action& action) { boundaries.See(action); });
    EXPECT_LE(boundaries.splits, 4 * 12u) << "each tablet once an hour";
    if (half < 300s) {
      EXPECT_EQ(boundaries.merges, 0u) << "five minutes remember the last swing";
      EXPECT_LE(boundaries.splits, 12u);
    }
  }
}

TEST(StabilityTest, ASimulatedDayBringsFewActions) {
  // Noon is ten times midnight; each hour another part is hot; every ten seconds each cell differs by a fifth.
  LoadModel model({.step = 10s}, [](size_t cell, Duration since) {
    const double day = Seconds(since) / 86'400;
    const double noon = 1 - 0.8 * std::cos(2 * M_PI * day);
    const auto hour = static_cast<size_t>(day * 24);
    const bool hot = cell / 24 == hour * 7 % 10;
    const double noise = 0.9 + 0.2 * Noise(cell, static_cast<uint64_t>(Seconds(since) / 10));
    return (20 + 80 * Noise(cell, 1)) * noon * noise * (hot ? 4 : 1);
  });
  Boundaries boundaries(model);
  std::map<TabletId, size_t> of_tablet;
  std::map<ActionKind, size_t> of_kind;
  std::map<TabletId, std::string> told;
  model.Run(24h, [&](const Action& action) {
    boundaries.See(action);
    ++of_kind[action.kind];
    ++of_tablet[action.tablet];
    if (action.neighbour) ++of_tablet[action.neighbour];
    told[action.tablet] += Amount(model.since()) + " " + Text(action);
  });
  size_t most = 0;
  for (const auto& [tablet, actions] : of_tablet) {
    most = std::max(most, actions);
    EXPECT_LE(actions, 10u) << "tablet " << tablet << "\n" << told[tablet];
  }
  EXPECT_GT(of_kind[ActionKind::kSplit], 0u);
  for (const auto& [kind, count] : of_kind) std::cout << Name(kind) << " " << count << "  ";
  std::cout << "at most " << most << " of one tablet; " << model.tablets() << " tablets\n";
}

TEST(StabilityTest, AMasterThatForgetsHarmsNothing) {
  LoadModel model({}, [](size_t cell, Duration) { return Skewed(cell); });
  Boundaries boundaries(model);
  model.Run(3h, [&](const Action& action) { boundaries.See(action); });
  for (int i = 0; i < 4; ++i) {
    model.memory = {};
    std::string plan;
    model.Run(10min, [&](const Action& action) { plan += Text(action); });
    EXPECT_EQ(plan, "");
  }
}

}  // namespace
}  // namespace ebla::master
