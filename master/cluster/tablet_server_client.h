// master/cluster/tablet_server_client.h
// The master's orders to tablet servers: fills in each request's header (term, cluster, clock, the incarnation that
// lives), finds the server's address, and turns replies into results by tablet.
// Errors:  UNAVAILABLE the server does not live or was not reached; STALE_EPOCH it has seen a later term; COME_AGAIN it
//          is another incarnation by now; UNKNOWN_OUTCOME, DEADLINE_EXCEEDED the order may have been carried out. All
//          orders are idempotent: ask again.
// Threads: thread-compatible; the master's executor. `done` never runs inside the call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/callback_guard.h"
#include "common/coordination/coordinator.h"
#include "common/rpc/channel.h"
#include "idl/ControlService.h"
#include "master/cluster/servers.h"

namespace ebla::master {

// Gives the control service at an address: rpc::MakeControlStub over a Connector (master_host.h).
using ControlConnect = std::function<std::shared_ptr<idl::ControlServiceCobSvIf>(const rpc::Endpoint&)>;

class TabletServerClient {
 public:
  template <class T>
  using Done = coordination::Callback<Result<std::map<TabletId, T>>>;
  using StatusDone = coordination::Callback<Status>;

  // The master, as each request's header names it.
  struct Sender {
    std::string cluster_id;
    uint64_t term = 0;
    std::string boot;  // of its machine
  };

  // `servers` and `executor` outlive this.
  TabletServerClient(Executor& executor, const Servers& servers, ControlConnect connect, Sender sender);

  void Configure(const ServerName& server, std::vector<idl::ConfigureTablet> tablets, Done<idl::ConfigureResult> done);
  void Fence(const ServerName& server, std::vector<idl::FenceTablet> tablets, Done<idl::FenceResult> done);
  void Drop(const ServerName& server, std::vector<idl::DropTablet> tablets, Done<idl::ConfigureResult> done);
  void Transfer(const ServerName& server, std::vector<idl::TransferTablet> tablets, Done<idl::FenceResult> done);
  void Split(const ServerName& server, std::vector<idl::SplitTablet> tablets, Done<idl::SplitResult> done);
  void Freeze(const ServerName& server, std::vector<idl::FreezeTablet> tablets, Done<idl::FreezeResult> done);
  void Alter(const ServerName& server, const idl::TableSchema& schema, StatusDone done);
  void DropTableData(const ServerName& server, TableId table, StatusDone done);
  void Compact(const ServerName& server, idl::CompactRequest request, coordination::Callback<idl::CompactReply> done);
  void Scrub(const ServerName& server, StatusDone done);
  void AcceptClock(const ServerName& server, StatusDone done);

 private:
  struct Peer {
    rpc::Endpoint endpoint;
    std::shared_ptr<idl::ControlServiceCobSvIf> stub;
  };
  template <class Request>
  idl::ControlServiceCobSvIf* Prepare(const ServerName& server, Request& request);
  // Sends through `method` and gives the reply's status or, with `results`, what it holds by tablet.
  template <class Reply, class Request, class Handle>
  void Send(const ServerName& server, Request request,
            void (idl::ControlServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
            Handle handle);

  Executor& executor_;
  const Servers& servers_;
  const ControlConnect connect_;
  const Sender sender_;
  std::map<ServerName, Peer> peers_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
