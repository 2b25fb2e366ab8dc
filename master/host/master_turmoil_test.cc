// Everything at once: tables with one to three replicas are made, altered and dropped while masters die, servers
// restart, fall silent or are cut from each other, and the coordinator's connections break and sessions end, all from
// one seed. Then the faults stop, and the cluster must come to rest whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

class Turmoil {
 public:
  explicit Turmoil(uint64_t seed)
      : servers_(seed % 3 == 0 ? 5 : 3),
        cluster_({.masters = kMasters, .servers = servers_, .balance = seed % 2 == 0, .seed = seed}) {}

  void Run() {
    ASSERT_TRUE(cluster_.WaitForLeader() && cluster_.WaitForServers());
    for (int turn = 0; turn < 60; ++turn) {
      Chance(40) ? Fault() : Operate();
      cluster_.scheduler().RunFor(std::chrono::milliseconds(Below(Chance(70) ? 50 : 4'000)));
    }
    Heal();
    ASSERT_TRUE(cluster_.RunUntil([&] { return WhatIsWrong().empty(); }, 300s)) << WhatIsWrong();
    cluster_.scheduler().RunFor(30s);
    // A tablet may just be transferred.
    ASSERT_TRUE(cluster_.RunUntil([&] { return WhatIsWrong().empty(); }, 5s)) << WhatIsWrong();
    ASSERT_THAT(cluster_.ledger().violations(), ::testing::IsEmpty());
    ASSERT_GT(faults_, 10u);
    ASSERT_EQ(cluster_.Create("after").header.code, idl::Code::OK);
  }

 private:
  uint64_t Below(uint64_t bound) { return cluster_.scheduler().Random(bound); }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  std::string TableName() { return "table" + std::to_string(Below(4)); }

  template <class Reply, class Request>
  void Ask(void (idl::MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
           const Request& request) {
    const auto leader = cluster_.Leader();
    if (!leader) return;
    TestMaster& master = cluster_.master(*leader);
    master.executor->Post([service = master.master->service(), method, request] {
      (service.get()->*method)([](const Reply&) {}, request);
    });
  }

  void Operate() {
    switch (Below(9)) {
      case 7:
      case 8: {
        idl::MergeTabletsRequest merge;
        merge.table = TableName();
        const auto table = cluster_.TableNode(merge.table);
        std::vector<std::string> starts;
        for (const auto& [id, info] : cluster_.Tablets()) {
          if (table && info.tableId == table->schema.tableId && !info.range.startKey.empty())
            starts.push_back(info.range.startKey);
        }
        if (starts.empty()) return;
        merge.key = starts[Below(starts.size())];
        merge.deadlineMs = 2'000;
        return Ask(&idl::MasterServiceCobSvIf::mergeTablets, merge);
      }
      case 5:
      case 6: {
        idl::SplitTabletRequest split;
        split.table = TableName();
        split.key =
            std::string(1, static_cast<char>('a' + Below(20))) + std::string(1, static_cast<char>('a' + Below(20)));
        split.deadlineMs = 2'000;
        return Ask(&idl::MasterServiceCobSvIf::splitTablet, split);
      }
      case 4: {
        idl::TransferTabletRequest transfer;
        transfer.table = TableName();
        transfer.key = std::string(1, static_cast<char>('a' + Below(20)));
        transfer.toServer = "ts-" + std::to_string(1 + Below(servers_));
        transfer.deadlineMs = 2'000;
        return Ask(&idl::MasterServiceCobSvIf::transferTablet, transfer);
      }
      case 0: {
        idl::DropTableByNameRequest drop;
        drop.name = TableName();
        return Ask(&idl::MasterServiceCobSvIf::dropTable, drop);
      }
      case 1: {
        idl::AlterTableRequest alter;
        alter.name = TableName();
        alter.options.__set_defaultTtlMs(static_cast<int64_t>(Below(1'000)));
        if (Chance(60)) alter.options.__set_replicas(static_cast<int32_t>(1 + Below(servers_)));
        return Ask(&idl::MasterServiceCobSvIf::alterTable, alter);
      }
      default: {
        idl::CreateTableRequest create;
        create.name = TableName();
        if (Chance(60)) create.options.__set_replicas(static_cast<int32_t>(1 + Below(servers_)));
        for (uint64_t i = 0; i < Below(20); ++i)
          create.splitPoints.push_back(std::string(1, static_cast<char>('a' + i)));
        return Ask(&idl::MasterServiceCobSvIf::createTable, create);
      }
    }
  }

  void Fault() {
    ++faults_;
    const size_t index = Below(kMasters), other = Below(servers_);
    FakeServer& server = cluster_.server(other);
    TestMaster& master = cluster_.master(index);
    switch (Below(9)) {
      case 0:
        if (master.master) cluster_.KillMaster(index);
        break;
      case 1:
        if (!master.master) cluster_.StartMaster(index);
        break;
      case 2: server.Stop(); break;
      case 3:
        if (!server.running()) server.Start();
        break;
      case 4:
      case 5:
        if (master.master) master.coordinator->inner().Disconnect();
        break;
      case 6: Chance(50) ? cluster_.Cut(Below(servers_), other) : cluster_.Mend(); break;
      case 7: (Chance(50) ? server.mute : server.deaf) = Chance(50); break;
      default:
        if (master.master && Chance(30)) master.coordinator->inner().Expire();
        if (server.running() && Chance(30)) server.coordinator().Expire();
        break;
    }
  }

  void Heal() {
    cluster_.Mend();
    for (size_t i = 0; i < kMasters; ++i) {
      if (!cluster_.master(i).master) cluster_.StartMaster(i);
    }
    for (size_t i = 0; i < servers_; ++i) {
      if (!cluster_.server(i).running()) cluster_.server(i).Start();
      cluster_.server(i).mute = cluster_.server(i).deaf = false;
    }
  }

  std::string WhatIsWrong() {
    std::set<int64_t> tables;
    for (int i = 0; i < 4; ++i) {
      const std::string name = "table" + std::to_string(i);
      const auto table = cluster_.TableNode(name);
      if (!table) continue;
      tables.insert(table->schema.tableId);
      if (std::string why = cluster_.WhyNotServing(name); !why.empty()) return name + ": " + why;
    }
    for (const auto& [id, info] : cluster_.Tablets()) {
      const auto node =
          cluster_.coordination().tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(id)}));
      const auto tablet = coordination::DecodeNode<idl::TabletNode>(node->data);
      if (tablet->__isset.merge || tablet->__isset.merged)
        return "the merge of tablet " + std::to_string(id) + " is not over";
      if (!tables.contains(info.tableId)) return "tablet " + std::to_string(id) + " of no table";
    }
    for (const auto& server : cluster_.servers()) {
      for (const auto& [id, replica] : server->replicas()) {
        if (!tables.contains(replica.table)) return server->name() + " holds a replica of no table";
      }
      for (const int64_t table : server->tables()) {
        if (!tables.contains(table)) return server->name() + " holds data of no table";
      }
    }
    return "";
  }

  static constexpr size_t kMasters = 3;
  const size_t servers_;
  MasterRig cluster_;
  size_t faults_ = 0;
};

TEST(MasterTurmoilTest, ComesToRestWhole) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Turmoil(seed).Run();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace ebla::master::testing
