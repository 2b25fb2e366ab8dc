// tabletserver/testing/fixture_parts.h
// Parts shared by host_fixture.h and group_fixture.h: the catalog that servers find, and the shape of a master's
// orders.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/features.h"
#include "common/coordination/coordinator.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/channel.h"
#include "idl/ControlService.h"
#include "idl/master_types.h"

namespace ebla::tabletserver {

// A cluster in the first term of a master, at this feature level.
inline std::vector<coordination::Op> FirstNodes(const std::string& cluster_id, const rpc::Endpoint& master,
                                                int level = kFeatureLevel) {
  using coordination::Op;
  idl::ClusterNode cluster;
  cluster.clusterId = cluster_id;
  cluster.__set_featureLevel(level);
  idl::TermNode term;
  term.term = 1;
  term.leader = "master-1";
  term.endpoint.host = master.host;
  term.endpoint.port = master.port;
  std::vector<Op> ops;
  ops.push_back(Op::Create(coordination::layout::kCluster, coordination::EncodeNode(cluster)));
  ops.push_back(Op::Create("/masters", ""));
  ops.push_back(Op::Create(coordination::layout::kTerm, coordination::EncodeNode(term)));
  return ops;
}

// An order about one tablet; the caller fills in the rest.
template <class Request>
Request OrderOf(idl::ControlHeader header, int64_t tablet, int64_t epoch) {
  Request request;
  request.header = std::move(header);
  request.tablets.resize(1);
  request.tablets[0].tabletId = tablet;
  request.tablets[0].epoch = epoch;
  return request;
}

}  // namespace ebla::tabletserver
