// master/testing/merge_fixture.h
// For tests of merges by the master (PROTOCOL 14): a table of two tablets, and how far a merge of them has come.
// Threads: one.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "common/base/planted_bug.h"
#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {

class MasterMergeTest : public RigFixture {
 protected:
  // A table of two tablets, [, m) and [m, ).
  void Begin(int replicas = 3, size_t servers = 3, int feature_level = kFeatureLevel) {
    ASSERT_NO_FATAL_FAILURE(RigFixture::Begin({.servers = servers, .feature_level = feature_level}));
    ASSERT_EQ(cluster().Create("carts", {"m"}, WithReplicas(replicas)).header.code, idl::Code::OK);
    WaitServing();
    left_ = Tablet("");
    right_ = Tablet("m");
  }
  void TearDown() override {
    Plant(PlantedBug::none);
    if (!planted_) RigFixture::TearDown();
  }
  // The rest of the test must catch this bug.
  void PlantHere(PlantedBug bug) {
    planted_ = true;
    Plant(bug);
  }

  void WaitServing() {
    RigFixture::WaitServing();
    cluster().scheduler().RunFor(2s);  // and everybody has reported
  }
  idl::MergeTabletsReply Merge(const std::string& key = "m", int32_t deadline_ms = 0) {
    return RigFixture::Merge(key, deadline_ms);
  }
  void EachServer(const std::function<void(FakeServer&)>& act) {
    for (auto& server : cluster().servers()) act(*server);
  }
  FakeServer& OtherThan(const std::vector<std::string>& names) {
    for (auto& server : cluster().servers()) {
      if (std::ranges::count(names, server->name()) == 0) return *server;
    }
    ADD_FAILURE() << "no other server";
    return cluster().server(0);
  }
  idl::TabletInfo Tablet(const std::string& start) {
    for (const auto& [id, info] : cluster().Tablets()) {
      if (info.range.startKey == start) return info;
    }
    ADD_FAILURE() << "no tablet begins at " << start;
    return {};
  }
  bool Merged() { return cluster().Tablets().size() == 1; }
  bool IntentsOpen() {
    return std::ranges::any_of(cluster().Tablets(), [&](const auto& item) { return Node(item.first)->__isset.merge; });
  }
  bool GivenUp() {
    const auto left = Node(left_.tabletId), right = Node(right_.tabletId);
    return left && right && left->merge.givenUp && right->merge.givenUp;
  }
  bool MergeUnfinished() {
    return std::ranges::any_of(cluster().Tablets(), [&](const auto& item) { return Node(item.first)->__isset.merged; });
  }
  size_t Freezes() {
    size_t count = 0;
    EachServer([&](FakeServer& server) { count += server.freezes_ordered; });
    return count;
  }
  bool Frozen(const idl::TabletInfo& info) {
    const auto& replicas = ServerOf(info.primary).replicas();
    const auto found = replicas.find(info.tabletId);
    return found != replicas.end() && found->second.freeze.has_value();
  }
  // Both go on, in later epochs, and nothing of the merge is left.
  void ExpectGivenUp() {
    ASSERT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s));
    WaitServing();
    ASSERT_EQ(cluster().Tablets().size(), 2u);
    EXPECT_GT(Tablet("").epoch, left_.epoch);
    EXPECT_GT(Tablet("m").epoch, right_.epoch);
    EXPECT_FALSE(MergeUnfinished());
  }

  idl::TabletInfo left_, right_;
  bool planted_ = false;
};

}  // namespace ebla::master::testing
