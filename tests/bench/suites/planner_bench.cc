// ebla-planner-bench: how long one pass of the planner takes on large clusters, in how much memory, and in how
// many moves it evens out a random placement with Zipf's load, against the least possible (random_cluster.h says how
// that is counted).
#include <gflags/gflags.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <sstream>

#include "master/balancer/planner/testing/random_cluster.h"
#include "master/balancer/planner/view_json.h"

DEFINE_string(sizes, "1000x100000,10000x1000000",
              "Clusters to plan for: servers x tablets of each, separated by commas.");
DEFINE_uint64(passes, 12,
              "How many passes the planner makes over each cluster; enough of them that it acts on lasting load.");
DEFINE_string(converge, "1000x100000",
              "Cluster to be balanced from a random placement: servers x tablets. Empty: none.");
DEFINE_uint64(seed, 1, "Seed of the random placement.");

namespace ebla::master {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

double PeakGiB() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1 << 20);
}

testing::RandomCluster Parse(const std::string& size) {
  testing::RandomCluster cluster;
  if (std::sscanf(size.c_str(), "%zux%zu", &cluster.servers, &cluster.tablets) != 2) {
    std::fprintf(stderr, "\"%s\" is not servers x tablets, as in 1000x100000\n", size.c_str());
    std::exit(2);
  }
  cluster.seed = FLAGS_seed;
  return cluster;
}

// Actions under way end before the next pass.
void Passes(const std::string& size) {
  ClusterView view = testing::MakeCluster(Parse(size));
  // Everything that a rule can look at: thresholds that nothing reaches, and merges.
  view.tables[0].split_operations = 1e9;
  view.tables[0].split_bytes = int64_t{1} << 60;
  view.tables[0].merge_part = 0.25;
  PlannerMemory memory;
  double longest = 0, sum = 0;
  size_t actions = 0;
  for (size_t pass = 0; pass < FLAGS_passes; ++pass) {
    const auto begin = Clock::now();
    Plan plan = MakePlan(view, std::move(memory));
    const double seconds = Seconds(begin);
    longest = std::max(longest, seconds);
    sum += seconds;
    actions += plan.actions.size();
    memory = std::move(plan.memory);
    view.now = view.now + std::chrono::seconds(5);
  }
  std::printf("%-18s one pass %.3f s, the longest of %lu %.3f s; %zu actions; %.2f GiB at most\n", size.c_str(),
              sum / static_cast<double>(FLAGS_passes), FLAGS_passes, longest, actions, PeakGiB());
}

void Converge(const std::string& size) {
  ClusterView view = testing::MakeCluster(Parse(size));
  const size_t least = testing::LeastMoves(view, 1.1);
  const double worst = testing::WorstOverMean(view, 0.1);
  PlannerMemory memory;
  size_t transfers = 0, moves = 0;
  const MonotonicTime begin = view.now;
  MonotonicTime acted = begin;
  while (view.now - acted < std::chrono::minutes(15) && view.now - begin < std::chrono::hours(24)) {
    Plan plan = MakePlan(view, std::move(memory));
    for (const Action& action : plan.actions) ++(action.kind == ActionKind::kTransfer ? transfers : moves);
    if (!plan.actions.empty()) acted = view.now;
    testing::ApplyPlan(plan, view);
    memory = std::move(plan.memory);
    view.now = view.now + std::chrono::seconds(5);
  }
  std::printf("%-18s from %.2f to %.2f times the mean in %zu transfers and %zu moves, at least %zu of either; %s\n",
              size.c_str(), worst, testing::WorstOverMean(view, 0.1), transfers, moves, least,
              Amount(acted - begin).c_str());
}

}  // namespace
}  // namespace ebla::master

int main(int argc, char** argv) {
  gflags::SetUsageMessage(
      "what a pass of the planner costs on large clusters, and how well it evens out a random placement");
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  std::stringstream sizes(FLAGS_sizes);
  for (std::string size; std::getline(sizes, size, ',');) ebla::master::Passes(size);
  if (!FLAGS_converge.empty()) ebla::master::Converge(FLAGS_converge);
  return 0;
}
