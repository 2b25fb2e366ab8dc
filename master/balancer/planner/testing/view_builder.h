// master/balancer/planner/testing/view_builder.h
// Small views for tests, written as one reads them: servers by letters, tablets by what is peculiar about them.
//   ViewBuilder cluster("abc");
//   cluster.Tablet(1, "a", "m", "ab").led.reads = 3'000;   // ["a", "m"), primary a, follower b
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "master/balancer/planner/planner.h"

namespace ebla::master::testing {

inline constexpr int64_t kGiB = int64_t{1} << 30;

class ViewBuilder {
 public:
  explicit ViewBuilder(const std::string& servers) {
    view.now = {std::chrono::hours(100)};
    for (const char name : servers) {
      PlannedServer server;
      server.name = std::string(1, name);
      server.live = true;
      view.servers.push_back(std::move(server));
    }
    TableView table;
    table.id = TableId{1};
    table.name = "carts";
    table.replicas = 1;
    view.tables.push_back(std::move(table));
  }

  PlannedServer& Server(char name) { return view.servers[Index(name)]; }
  TableView& Table() { return view.tables[0]; }
  // Tablets come in the order of their ranges. A tablet that was never split, with a long and quiet history.
  TabletView& Tablet(uint64_t id, std::string start, std::string end, const std::string& voters,
                     const std::string& learners = "") {
    TabletView& tablet = view.tablets.emplace_back();
    tablet.id = TabletId{id};
    tablet.range = {std::move(start), std::move(end)};
    tablet.history = std::chrono::minutes(5);
    tablet.last_split = view.now - std::chrono::hours(50);
    for (const char name : voters) tablet.voters.Add(Index(name));
    for (const char name : learners) tablet.learners.Add(Index(name));
    return tablet;
  }
  TabletView& At(size_t index) { return view.tablets[index]; }

  // The plan of one pass; what it remembers is there for the next.
  Plan Pass() {
    EXPECT_TRUE(CheckView(view).ok()) << CheckView(view);
    Plan plan = MakePlan(view, std::move(memory), options);
    memory = plan.memory;
    return plan;
  }
  // Passes until something is planned or `time` has gone by, the last at its end: "split tablet 1 at "m"; "
  std::string Run(Duration time, Duration every = std::chrono::seconds(5)) {
    const MonotonicTime end = view.now + time;
    while (true) {
      last = Pass();
      if (!last.actions.empty() || view.now >= end) break;
      view.now = view.now + every;
    }
    std::string text;
    for (const Action& action : last.actions) text += ToString(action) + "; ";
    return text;
  }
  // The causes that the last pass gave for the tablet.
  std::string Causes(uint64_t tablet) const {
    std::string text;
    for (const Rejection& rejection : last.rejected) {
      if (rejection.tablet.value == tablet) text += std::string(Name(rejection.cause)) + "; ";
    }
    return text;
  }
  std::string Details(uint64_t tablet) const {
    std::string text;
    for (const Rejection& rejection : last.rejected) {
      if (rejection.tablet.value == tablet) text += rejection.detail + "; ";
    }
    return text;
  }

  ServerIndex Index(char name) const {
    for (ServerIndex i = 0; i < view.servers.size(); ++i) {
      if (view.servers[i].name[0] == name) return i;
    }
    ADD_FAILURE() << "no server " << name;
    return 0;
  }

  ClusterView view;
  PlannerMemory memory;
  PlannerOptions options;
  Plan last;
};

}  // namespace ebla::master::testing
