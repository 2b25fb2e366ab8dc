// master/testing/rig_fixture.h
// For tests of masters over a MasterRig: how one begins, what has to hold when it ends, and what most of them ask of
// it.
// Threads: one.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {

class RigFixture : public ::testing::Test {
 protected:
  void Begin(MasterRig::Shape shape) {
    cluster_ = std::make_unique<MasterRig>(std::move(shape));
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
    cluster_->scheduler().RunFor(2s);  // until each has reported, which creations wait for
  }
  void TearDown() override { EXPECT_THAT(cluster_->ledger().violations(), ::testing::IsEmpty()); }
  MasterRig& cluster() { return *cluster_; }

  void WaitServing(const std::string& table = "carts", Duration limit = 120s) {
    EXPECT_TRUE(cluster().RunUntil([&] { return cluster().WhyNotServing(table).empty(); }, limit))
        << cluster().WhyNotServing(table);
  }
  FakeServer& ServerOf(const std::string& name) {
    for (auto& server : cluster().servers()) {
      if (server->name() == name) return *server;
    }
    ADD_FAILURE() << name;
    return cluster().server(0);
  }
  // The tablet's znode in the coordinator.
  std::optional<idl::TabletNode> Node(int64_t tablet) {
    const auto node =
        cluster().coordination().tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(tablet)}));
    if (!node) return std::nullopt;
    return *coordination::DecodeNode<idl::TabletNode>(node->data);
  }
  // An empty reply if no master answers; deadline_ms 0: the master's own.
  idl::MergeTabletsReply Merge(const std::string& key, int32_t deadline_ms = 0, const std::string& table = "carts") {
    idl::MergeTabletsRequest request;
    request.table = table;
    request.key = key;
    request.deadlineMs = deadline_ms;
    return cluster().Call(&idl::MasterServiceCobSvIf::mergeTablets, request, 120s).value_or(idl::MergeTabletsReply());
  }
  // Without waiting for the answer.
  void AskToMerge(const std::string& key = "m", const std::string& table = "carts") {
    TestMaster& leader = cluster().master(cluster().Leader().value());
    leader.executor->Post([service = leader.master->service(), key, table] {
      idl::MergeTabletsRequest request;
      request.table = table;
      request.key = key;
      service->mergeTablets([](const idl::MergeTabletsReply&) {}, request);
    });
  }
  idl::TransferTabletReply Transfer(const std::string& key, const std::string& to, int32_t deadline_ms = 0,
                                    const std::string& table = "carts") {
    idl::TransferTabletRequest request;
    request.table = table;
    request.key = key;
    request.toServer = to;
    request.deadlineMs = deadline_ms;
    return cluster().Call(&idl::MasterServiceCobSvIf::transferTablet, request).value();
  }
  // Why the master keeps its hands off the cluster; empty: it does not.
  std::string SafeMode() {
    return cluster().Call(&idl::MasterServiceCobSvIf::clusterInfo, idl::ClusterInfoRequest())->safeMode;
  }

  std::unique_ptr<MasterRig> cluster_;
};

}  // namespace ebla::master::testing
