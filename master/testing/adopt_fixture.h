// master/testing/adopt_fixture.h
// For tests of a coordinator that is restored from an older state, and of what an operator has the master adopt.
// Threads: one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {

class MasterAdoptTest : public RigFixture {
 protected:
  void Create(const std::string& name, std::vector<std::string> points = {"f", "m"}) {
    const auto reply = cluster().Create(name, std::move(points));
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    cluster().scheduler().RunFor(3s);
  }
  void Restore(coordination::ZnodeTree::Snapshot snapshot) {
    cluster().coordination().Restore(std::move(snapshot));
    cluster().scheduler().RunFor(15s);
  }
  idl::AdoptReply Adopt(bool confirm, std::vector<std::string> without = {}) {
    idl::AdoptRequest request;
    request.confirm = confirm;
    request.without = std::move(without);
    return cluster().Call(&idl::MasterServiceCobSvIf::adopt, request).value();
  }
  idl::SplitTabletReply Split(const std::string& key, int32_t deadline_ms = 0) {
    return cluster().Split("carts", key, deadline_ms);
  }
  // The child's id.
  int64_t MustSplit(const std::string& key) {
    const auto reply = Split(key);
    EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    WaitServing("carts");
    cluster().scheduler().RunFor(2s);
    return reply.child.tabletId;
  }
  idl::TabletNode Node(int64_t tablet) {
    const auto node = RigFixture::Node(tablet);
    EXPECT_TRUE(node) << tablet;
    return node.value_or(idl::TabletNode());
  }
  std::string Ranges() {
    std::string text;
    for (const auto& [id, info] : cluster().Tablets()) {
      text += std::to_string(id) + "[" + info.range.startKey + "," + info.range.endKey + ") ";
    }
    return text;
  }
  void MustAdopt() {
    const auto done = Adopt(true);
    ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
    WaitServing("carts");
  }
  void RestartServers() {
    for (auto& server : cluster().servers()) server->Stop();
    for (auto& server : cluster().servers()) server->Start();
    cluster().scheduler().RunFor(15s);
  }
};

}  // namespace ebla::master::testing
