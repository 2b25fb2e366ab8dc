// client/core/admin/admin.h
// What the master is asked by people: tables, tablets, servers, the cluster; and servers for what they keep beside
// their tables (unresolved_writes.cc). Thrift on one side, the types of client/include/ebla/admin.h on the other.
// Threads: any; callbacks as in client_core.h.
#pragma once

#include <string>
#include <vector>

#include "client/core/calls/once_callback.h"
#include "client/core/routing/master_client.h"
#include "ebla/admin.h"

namespace ebla::client {

class Admin {
 public:
  Admin(MasterClient& masters, Network& network, Duration deadline)
      : masters_(masters), network_(network), deadline_(deadline) {}

  void CreateTable(std::string name, CreateTableOptions options, OnceCallback<Result<TableInfo>> done);
  void AlterTable(std::string name, TableOptions changes, OnceCallback<Result<TableInfo>> done);
  void DropTable(std::string name, OnceCallback<Status> done);
  void ListTables(OnceCallback<Result<std::vector<TableInfo>>> done);
  void DescribeTable(std::string name, OnceCallback<Result<TableInfo>> done);
  void ListServers(OnceCallback<Result<std::vector<ServerSummary>>> done);
  void ListTablets(std::string table, std::string server, OnceCallback<Result<std::vector<TabletSummary>>> done);
  void ListReplicas(std::string table, OnceCallback<Result<std::vector<TabletSummary>>> done);
  void Checksum(std::string address, TableId table, TabletId tablet, std::string from,
                OnceCallback<Result<ChecksumPage>> done);
  void TransferTablet(std::string table, std::string key, std::string to, OnceCallback<Status> done);
  void SplitTablet(std::string table, std::string key, OnceCallback<Result<TabletSplit>> done);
  void MergeTablets(std::string table, std::string key, OnceCallback<Result<TabletMerge>> done);
  void RecoverTablet(TabletId tablet, RecoverTabletOptions options, OnceCallback<Result<TabletRecovery>> done);
  void Adopt(AdoptOptions options, OnceCallback<Result<ClusterAdoption>> done);
  void RemoveServer(std::string server, OnceCallback<Status> done);
  void MoveTablet(std::string table, std::string key, TabletMove move, OnceCallback<Status> done);
  void SetServer(std::string server, ServerChange change, OnceCallback<Result<size_t>> done);
  void Planner(PlannerRequest request, OnceCallback<Result<PlannerState>> done);
  void ListProcedures(OnceCallback<Result<Procedures>> done);
  void CancelProcedure(std::string id, OnceCallback<Result<std::string>> done);
  void CompactTable(std::string table, CompactTableOptions options,
                    OnceCallback<Result<std::vector<CompactionInfo>>> done);
  // The replicas of one tablet; NOT_FOUND: there is none of that id.
  void DescribeTablet(TabletId tablet, OnceCallback<Result<TabletSummary>> done);
  void DescribeCluster(OnceCallback<Result<ClusterInfo>> done);
  void Locate(std::string table, std::string key, OnceCallback<Result<TabletPlace>> done);
  void ListUnresolved(std::string table, OnceCallback<Result<UnresolvedWrites>> done);
  void DiscardUnresolved(std::string table, ServerName server, TabletId tablet, Version version,
                         OnceCallback<Status> done);

 private:
  struct TabletPages;
  struct UnresolvedPages;
  void NextUnresolved(std::shared_ptr<UnresolvedPages> pages);
  void TableAndServers(std::string table,
                       std::move_only_function<void(Result<std::pair<TableId, std::vector<ServerSummary>>>)> done);
  template <class Request, class Reply>
  void Ask(const char* method, Request request, MasterClient::CallOptions options,
           std::move_only_function<void(Result<MasterClient::Answer<Reply>>)> done);
  void AwaitServing(std::string name, MonotonicTime end, OnceCallback<Result<TableInfo>> done);
  void NextTablets(std::shared_ptr<TabletPages> pages);
  void RestOfView(int64_t id, size_t bytes, PlannerState state, OnceCallback<Result<PlannerState>> done);

  MasterClient& masters_;
  Network& network_;
  const Duration deadline_;
};

}  // namespace ebla::client
