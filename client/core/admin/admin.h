// client/core/admin/admin.h
// What the master is asked by people: tables, tablets, servers, the cluster; and servers for what they keep beside
// their tables (kept.cc). Thrift on one side, the types of client/include/ebla/admin.h on the other.
// Threads: any; callbacks as in client_core.h.
#pragma once

#include <string>
#include <vector>

#include "client/core/calls/once.h"
#include "client/core/routing/master_client.h"
#include "ebla/admin.h"

namespace ebla::client {

class Admin {
 public:
  Admin(MasterClient& masters, Network& network, Duration deadline)
      : masters_(masters), network_(network), deadline_(deadline) {}

  void CreateTable(std::string name, CreateTableOptions options, Once<Result<TableInfo>> done);
  void AlterTable(std::string name, TableOptions changes, Once<Result<TableInfo>> done);
  void DropTable(std::string name, Once<Status> done);
  void ListTables(Once<Result<std::vector<TableInfo>>> done);
  void DescribeTable(std::string name, Once<Result<TableInfo>> done);
  void ListServers(Once<Result<std::vector<ServerSummary>>> done);
  void ListTablets(std::string table, std::string server, Once<Result<std::vector<TabletSummary>>> done);
  void ListReplicas(std::string table, Once<Result<std::vector<TabletSummary>>> done);
  void Checksum(std::string address, TableId table, TabletId tablet, std::string from, Once<Result<ChecksumPage>> done);
  void TransferTablet(std::string table, std::string key, std::string to, Once<Status> done);
  void SplitTablet(std::string table, std::string key, Once<Result<TabletSplit>> done);
  void MergeTablets(std::string table, std::string key, Once<Result<TabletMerge>> done);
  void RecoverTablet(TabletId tablet, RecoverTabletOptions options, Once<Result<TabletRecovery>> done);
  void Adopt(AdoptOptions options, Once<Result<ClusterAdoption>> done);
  void RemoveServer(std::string server, Once<Status> done);
  void MoveTablet(std::string table, std::string key, TabletMove move, Once<Status> done);
  void SetServer(std::string server, ServerChange change, Once<Result<size_t>> done);
  void Planner(PlannerRequest request, Once<Result<PlannerState>> done);
  void ListProcedures(Once<Result<Procedures>> done);
  void CancelProcedure(std::string id, Once<Result<std::string>> done);
  void CompactTable(std::string table, CompactTableOptions options, Once<Result<std::vector<CompactionInfo>>> done);
  // The replicas of one tablet; NOT_FOUND: there is none of that id.
  void DescribeTablet(TabletId tablet, Once<Result<TabletSummary>> done);
  void DescribeCluster(Once<Result<ClusterInfo>> done);
  void Locate(std::string table, std::string key, Once<Result<TabletPlace>> done);
  void ListKept(std::string table, Once<Result<KeptWrites>> done);
  void ForgetKept(std::string table, ServerName server, TabletId tablet, Version version, Once<Status> done);

 private:
  struct TabletPages;
  struct KeptPages;
  void NextKept(std::shared_ptr<KeptPages> pages);
  void TableAndServers(std::string table,
                       std::move_only_function<void(Result<std::pair<TableId, std::vector<ServerSummary>>>)> done);
  template <class Request, class Reply>
  void Ask(const char* method, Request request, MasterClient::CallOptions options,
           std::move_only_function<void(Result<MasterClient::Answer<Reply>>)> done);
  void AwaitServing(std::string name, MonotonicTime end, Once<Result<TableInfo>> done);
  void NextTablets(std::shared_ptr<TabletPages> pages);
  void RestOfView(int64_t id, size_t bytes, PlannerState state, Once<Result<PlannerState>> done);

  MasterClient& masters_;
  Network& network_;
  const Duration deadline_;
};

}  // namespace ebla::client
