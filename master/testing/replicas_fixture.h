// master/testing/replicas_fixture.h
// For tests of masters: a table of five tablets with several replicas, and their primaries.
// Threads: one.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {

class MasterReplicasTest : public RigFixture {
 protected:
  // "carts", of five tablets.
  void MakeTable(std::optional<int> replicas) {
    const auto reply =
        cluster().Create("carts", {"b", "d", "f", "h"}, replicas ? WithReplicas(*replicas) : idl::TableOptions());
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    WaitServing();
  }
  void WaitServing() { RigFixture::WaitServing("carts", 60s); }
  idl::TabletInfo Tablet() { return cluster().Tablets().begin()->second; }
  FakeServer& Primary() { return ServerOf(Tablet().primary); }
  bool AllLed() {
    return std::ranges::all_of(cluster().Tablets(), [&](const auto& item) {
      return ServerOf(item.second.primary).Leads(item.first, item.second.epoch);
    });
  }
  // From now until every tablet is led.
  Duration TimeToLead(Duration limit = 60s) {
    const MonotonicTime before = cluster().scheduler().Now();
    EXPECT_TRUE(cluster().RunUntil([&] { return AllLed(); }, limit));
    return cluster().scheduler().Now() - before;
  }
};

}  // namespace ebla::master::testing
