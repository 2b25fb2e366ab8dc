// master/testing/one_tablet_fixture.h
// For tests of masters whose cluster has one tablet.
// Threads: one.
#pragma once

#include <string>
#include <vector>

#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {

class OneTabletFixture : public RigFixture {
 protected:
  void Begin(int servers, int replicas) {
    cluster_.reset();
    ASSERT_NO_FATAL_FAILURE(RigFixture::Begin({.servers = static_cast<size_t>(servers)}));
    const auto reply = cluster().Create("carts", {}, WithReplicas(replicas));
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    WaitServing();
    Look();
  }
  // Notes the tablet as it is once the cluster rests.
  void Look() {
    cluster().scheduler().RunFor(2s);
    first_ = Tablet();
    followers_ = first_.voters;
    std::erase(followers_, first_.primary);
  }
  idl::TabletInfo Tablet() { return cluster().Tablets().begin()->second; }

  idl::TabletInfo first_;
  std::vector<std::string> followers_;
};

}  // namespace ebla::master::testing
