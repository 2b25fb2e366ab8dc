#include "master/cluster/tablet_server_client.h"

#include "common/rpc/idl_convert.h"

namespace ebla::master {
namespace {

template <class T>
Result<std::map<TabletId, T>> ByTablet(const std::vector<T>& results) {
  std::map<TabletId, T> by_tablet;
  for (const T& result : results) by_tablet[TabletId{static_cast<uint64_t>(result.tabletId)}] = result;
  return by_tablet;
}

}  // namespace

TabletServerClient::TabletServerClient(Executor& executor, const Servers& servers, ControlConnect connect,
                                       Sender sender)
    : executor_(executor), servers_(servers), connect_(std::move(connect)), sender_(std::move(sender)) {}

template <class Request>
idl::ControlServiceCobSvIf* TabletServerClient::Prepare(const ServerName& name, Request& request) {
  const Server* server = servers_.Find(name);
  if (server == nullptr || !server->live) return nullptr;
  Result<rpc::Endpoint> endpoint = rpc::FromIdl(server->live->endpoint);
  if (!endpoint) return nullptr;
  request.header.clusterId = sender_.cluster_id;
  request.header.masterTerm = static_cast<int64_t>(sender_.term);
  request.header.timeOfDayMs = executor_.TimeOfDayMs();
  request.header.boot = sender_.boot;
  request.header.toServer = name;
  request.header.toIncarnation = server->live->incarnation;
  Peer& peer = peers_[name];
  if (!peer.stub || peer.endpoint != *endpoint) peer = {*endpoint, connect_(*endpoint)};
  return peer.stub.get();
}

template <class Reply, class Request, class Handle>
void TabletServerClient::Send(const ServerName& server, Request request,
                              void (idl::ControlServiceCobSvIf::*method)(std::function<void(const Reply&)>,
                                                                         const Request&),
                              Handle handle) {
  // Thrift's callbacks are copied: what they do is held once, behind a shared pointer.
  auto shared = std::make_shared<Handle>(std::move(handle));
  auto reply = if_alive_([shared](const Reply& reply) { (*shared)(reply); });
  if (idl::ControlServiceCobSvIf* stub = Prepare(server, request)) {
    (stub->*method)(std::move(reply), request);
    return;
  }
  executor_.Post([reply = std::move(reply), server]() mutable {
    Reply failed;
    failed.status = rpc::ToIdl(Status(Code::kUnavailable, "server " + server + " is not live"));
    reply(failed);
  });
}

void TabletServerClient::Configure(const ServerName& server, std::vector<idl::ConfigureTablet> tablets,
                                   Done<idl::ConfigureResult> done) {
  idl::ConfigureRequest request;
  request.tablets = std::move(tablets);
  Send<idl::ConfigureReply>(server, std::move(request), &idl::ControlServiceCobSvIf::configure,
                            [done = std::move(done)](const idl::ConfigureReply& reply) mutable {
                              Status status = rpc::FromIdl(reply.status);
                              status.ok() ? done(ByTablet(reply.results)) : done(std::unexpected(status));
                            });
}

void TabletServerClient::Fence(const ServerName& server, std::vector<idl::FenceTablet> tablets,
                               Done<idl::FenceResult> done) {
  idl::FenceRequest request;
  request.tablets = std::move(tablets);
  Send<idl::FenceReply>(server, std::move(request), &idl::ControlServiceCobSvIf::fence,
                        [done = std::move(done)](const idl::FenceReply& reply) mutable {
                          Status status = rpc::FromIdl(reply.status);
                          status.ok() ? done(ByTablet(reply.results)) : done(std::unexpected(status));
                        });
}

void TabletServerClient::Drop(const ServerName& server, std::vector<idl::DropTablet> tablets,
                              Done<idl::ConfigureResult> done) {
  idl::DropRequest request;
  request.tablets = std::move(tablets);
  Send<idl::DropReply>(server, std::move(request), &idl::ControlServiceCobSvIf::drop,
                       [done = std::move(done)](const idl::DropReply& reply) mutable {
                         Status status = rpc::FromIdl(reply.status);
                         status.ok() ? done(ByTablet(reply.results)) : done(std::unexpected(status));
                       });
}

void TabletServerClient::Transfer(const ServerName& server, std::vector<idl::TransferTablet> tablets,
                                  Done<idl::FenceResult> done) {
  idl::TransferRequest request;
  request.tablets = std::move(tablets);
  Send<idl::TransferReply>(server, std::move(request), &idl::ControlServiceCobSvIf::transfer,
                           [done = std::move(done)](const idl::TransferReply& reply) mutable {
                             Status status = rpc::FromIdl(reply.status);
                             status.ok() ? done(ByTablet(reply.results)) : done(std::unexpected(status));
                           });
}

void TabletServerClient::Split(const ServerName& server, std::vector<idl::SplitTablet> tablets,
                               Done<idl::SplitResult> done) {
  idl::SplitRequest request;
  request.tablets = std::move(tablets);
  Send<idl::SplitReply>(server, std::move(request), &idl::ControlServiceCobSvIf::split,
                        [done = std::move(done)](const idl::SplitReply& reply) mutable {
                          Status status = rpc::FromIdl(reply.status);
                          status.ok() ? done(ByTablet(reply.results)) : done(std::unexpected(status));
                        });
}

void TabletServerClient::Freeze(const ServerName& server, std::vector<idl::FreezeTablet> tablets,
                                Done<idl::FreezeResult> done) {
  idl::FreezeRequest request;
  request.tablets = std::move(tablets);
  Send<idl::FreezeReply>(server, std::move(request), &idl::ControlServiceCobSvIf::freeze,
                         [done = std::move(done)](const idl::FreezeReply& reply) mutable {
                           Status status = rpc::FromIdl(reply.status);
                           status.ok() ? done(ByTablet(reply.results)) : done(std::unexpected(status));
                         });
}

void TabletServerClient::Alter(const ServerName& server, const idl::TableSchema& schema, StatusDone done) {
  idl::AlterRequest request;
  request.schema = schema;
  Send<idl::AlterReply>(
      server, std::move(request), &idl::ControlServiceCobSvIf::alter,
      [done = std::move(done)](const idl::AlterReply& reply) mutable { done(rpc::FromIdl(reply.status)); });
}

void TabletServerClient::DropTableData(const ServerName& server, TableId table, StatusDone done) {
  idl::DropTableRequest request;
  request.tableId = static_cast<int64_t>(table.value);
  Send<idl::DropTableReply>(
      server, std::move(request), &idl::ControlServiceCobSvIf::dropTableData,
      [done = std::move(done)](const idl::DropTableReply& reply) mutable { done(rpc::FromIdl(reply.status)); });
}

void TabletServerClient::Compact(const ServerName& server, idl::CompactRequest request,
                                 coordination::Callback<idl::CompactReply> done) {
  Send<idl::CompactReply>(server, std::move(request), &idl::ControlServiceCobSvIf::compactTableData,
                          [done = std::move(done)](const idl::CompactReply& reply) mutable { done(reply); });
}

void TabletServerClient::Scrub(const ServerName& server, StatusDone done) {
  Send<idl::ScrubReply>(
      server, idl::ScrubRequest(), &idl::ControlServiceCobSvIf::scrub,
      [done = std::move(done)](const idl::ScrubReply& reply) mutable { done(rpc::FromIdl(reply.status)); });
}

void TabletServerClient::AcceptClock(const ServerName& server, StatusDone done) {
  Send<idl::AcceptClockReply>(
      server, idl::AcceptClockRequest(), &idl::ControlServiceCobSvIf::acceptClock,
      [done = std::move(done)](const idl::AcceptClockReply& reply) mutable { done(rpc::FromIdl(reply.status)); });
}

}  // namespace ebla::master
