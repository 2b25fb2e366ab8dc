// client/testing/fake_handlers.h
// The Thrift handlers of a FakeCluster: each takes its lock, asks its state, answers.
// Threads: any.
#pragma once

#include <functional>
#include <memory>

#include "client/testing/fake_cluster.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"

namespace ebla::client::testing {

// A handler's callback for its answer, as Thrift generates it.
template <class Reply>
using Cob = std::function<void(const Reply&)>;

// The cluster outlives them.
std::shared_ptr<idl::MasterServiceCobSvIf> MakeFakeMaster(FakeCluster& cluster, int index);
std::shared_ptr<idl::TabletServiceCobSvIf> MakeFakeTabletServer(FakeCluster& cluster, ServerName name);

}  // namespace ebla::client::testing
