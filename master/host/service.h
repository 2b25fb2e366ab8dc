// master/host/service.h
// The Thrift edge of a master: checks requests, asks the present leader term, fills in replies. A standby answers NOT_PRIMARY
// with the leader's endpoint; a leader that is still reading the catalog answers COME_AGAIN.
// Place:      master_host.h makes it; a dispatcher calls it. Routing look-ups are answered from the image, without any
//             call to anybody.
// Invariants: each call is answered exactly once, also when the master has gone (UNAVAILABLE).
// Threads:    calls from any thread: they are carried out on the master's executor, at once when made there. Detach on
//             the executor.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "common/base/callback_guard.h"
#include "idl/MasterService.h"
#include "master/host/master_host.h"

namespace ebla::master {

class MasterService final : public idl::MasterServiceCobSvIf {
 public:
  template <class Reply>
  using Cob = std::function<void(const Reply&)>;

  explicit MasterService(Master& master) : master_(&master), executor_(master.executor()) {}
  // The master is about to go: nothing reaches it any more.
  void Detach() { master_ = nullptr; }

  void createTable(Cob<idl::CreateTableReply> cob, const idl::CreateTableRequest& request) override;
  void alterTable(Cob<idl::AlterTableReply> cob, const idl::AlterTableRequest& request) override;
  void dropTable(Cob<idl::DropTableByNameReply> cob, const idl::DropTableByNameRequest& request) override;
  void listTables(Cob<idl::ListTablesReply> cob, const idl::ListTablesRequest& request) override;
  void describeTable(Cob<idl::DescribeTableReply> cob, const idl::DescribeTableRequest& request) override;
  void locate(Cob<idl::LocateReply> cob, const idl::LocateRequest& request) override;
  void heartbeat(Cob<idl::HeartbeatReply> cob, const idl::HeartbeatRequest& request) override;
  void listServers(Cob<idl::ListServersReply> cob, const idl::ListServersRequest& request) override;
  void listTablets(Cob<idl::ListTabletsReply> cob, const idl::ListTabletsRequest& request) override;
  void transferTablet(Cob<idl::TransferTabletReply> cob, const idl::TransferTabletRequest& request) override;
  void splitTablet(Cob<idl::SplitTabletReply> cob, const idl::SplitTabletRequest& request) override;
  void mergeTablets(Cob<idl::MergeTabletsReply> cob, const idl::MergeTabletsRequest& request) override;
  void recoverTablet(Cob<idl::RecoverTabletReply> cob, const idl::RecoverTabletRequest& request) override;
  void moveTablet(Cob<idl::MoveTabletReply> cob, const idl::MoveTabletRequest& request) override;
  void balance(Cob<idl::BalanceReply> cob, const idl::BalanceRequest& request) override;
  void setServer(Cob<idl::SetServerReply> cob, const idl::SetServerRequest& request) override;
  void adopt(Cob<idl::AdoptReply> cob, const idl::AdoptRequest& request) override;
  void removeServer(Cob<idl::RemoveServerReply> cob, const idl::RemoveServerRequest& request) override;
  void listProcedures(Cob<idl::ListProceduresReply> cob, const idl::ListProceduresRequest& request) override;
  void cancelProcedure(Cob<idl::CancelProcedureReply> cob, const idl::CancelProcedureRequest& request) override;
  void compactTable(Cob<idl::CompactTableReply> cob, const idl::CompactTableRequest& request) override;
  void clusterInfo(Cob<idl::ClusterInfoReply> cob, const idl::ClusterInfoRequest& request) override;

 private:
  // On the executor: hands (leader_term, cob, request) to `handle` where this master leads, else answers why not.
  template <class Reply, class Request, class Handle>
  void Lead(Cob<Reply> cob, const Request& request, Handle handle);
  template <class Reply, class Request, class Handle>
  void LeadHere(const Cob<Reply>& cob, const Request& request, const Handle& handle);
  void NotLeading(idl::MasterReplyHeader& header) const;
  Duration Patience(int32_t deadline_ms) const;

  Master* master_;  // the executor's; null once detached
  Executor& executor_;
};

}  // namespace ebla::master
