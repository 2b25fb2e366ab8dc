// tabletserver/testing/host_fixture.h
// For tests: one tablet server in virtual time (memory store, simulated coordinator, a master that only listens),
// driven through its generated service interfaces as a client and a master would.
// Threads: everything on one.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/coordination/sim_coordinator.h"
#include "common/rpc/dispatcher.h"
#include "common/testing/sim_executor.h"
#include "idl/MasterService.h"
#include "tabletserver/server/tabletserver_host.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {

using namespace std::chrono_literals;

// Answers heartbeats and keeps the last one; asks for nothing.
class ListeningMaster : public idl::MasterServiceCobSvNull {
 public:
  void heartbeat(std::function<void(const idl::HeartbeatReply&)> cob, const idl::HeartbeatRequest& request) override;

  idl::HeartbeatRequest last;
  int64_t heartbeats = 0;
  int64_t term = 1;
  int cluster_level = kFeatureLevel;
  std::function<int64_t()> day_ms;  // its time of day, on another machine; none: it does not tell
  std::optional<int64_t> next_id;   // none: as masters of before, it does not tell
};

// Every endpoint is the one dispatcher.
class LocalConnector : public rpc::Connector {
 public:
  explicit LocalConnector(const rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  std::shared_ptr<rpc::Channel> Connect(const rpc::Endpoint& endpoint, Executor& executor) override;

 private:
  const rpc::Dispatcher& dispatcher_;
};

class HostFixture : public ::testing::Test {
 protected:
  static constexpr char kCluster[] = "c-1";
  static constexpr int64_t kTable = 7;

  explicit HostFixture(int cluster_level = kFeatureLevel);
  ~HostFixture() override;

  // Starts the server (again: the next incarnation) and waits until it is registered.
  void StartServer();
  // The same without waiting.
  void BeginServer();
  // The process dies: what was not flushed is lost.
  void CrashServer(SimulatedDisk::CrashKind kind = SimulatedDisk::CrashKind::kProcess);

  // ---- the master's orders ----
  idl::ControlHeader ControlTo() const;
  idl::TableSchema Schema(int64_t version = 1) const;
  idl::ConfigureTablet NewTablet(int64_t tablet, std::string start = "", std::string end = "", int64_t epoch = 1) const;
  idl::ConfigureReply Configure(std::vector<idl::ConfigureTablet> tablets);
  idl::FenceReply Fence(int64_t tablet, int64_t epoch);
  idl::DropReply Drop(int64_t tablet, int64_t epoch);
  idl::AlterReply Alter(const idl::TableSchema& schema);
  // Makes a tablet that serves the whole table; asserts that it serves.
  void MakeTablet(int64_t tablet = 100, std::string start = "", std::string end = "", int64_t epoch = 1);

  // ---- a client's calls ----
  idl::RequestHeader Header() const;
  idl::GetReply Get(const std::string& key, idl::ReadLevel::type level = idl::ReadLevel::DEFAULT);
  idl::WriteReply Write(std::vector<idl::Write> writes);
  idl::WriteReply WriteAs(int64_t client, int64_t sequence, std::vector<idl::Write> writes);
  idl::WriteReply Put(const std::string& key, const std::string& value) { return Write({PutOf(key, value)}); }
  static idl::Write PutOf(const std::string& key, const std::string& value);
  static idl::Write DeleteOf(const std::string& key);
  static idl::Write IncrementOf(const std::string& key, int64_t delta);
  static idl::Write ApplyOf(const std::string& key, const std::string& function, const std::string& arguments);
  static idl::Write If(idl::Write write, idl::ConditionKind::type kind, idl::Version version = {});
  static idl::Write WithTtl(idl::Write write, int64_t ttl_ms);
  idl::ScanReply Scan(idl::ScanRequest request);
  // Sends it unchanged, even if fields are missing.
  idl::GetReply Send(const idl::GetRequest& request);
  idl::WriteReply Send(const idl::WriteRequest& request);

  // Runs `call` with a callback and time, until the callback has been called.
  template <class Reply>
  Reply Await(const std::function<void(std::function<void(const Reply&)>)>& call) {
    auto reply = std::make_shared<std::optional<Reply>>();
    call([reply](const Reply& answer) { *reply = answer; });
    EXPECT_TRUE(scheduler_.RunUntil([&] { return reply->has_value(); }, 60s)) << "no reply";
    return reply->value_or(Reply());
  }
  bool Until(const std::function<bool()>& done, Duration limit = 30s) { return scheduler_.RunUntil(done, limit); }

  testing::SimScheduler scheduler_{42};
  testing::SimExecutor world_{scheduler_};  // of coordination and master
  coordination::SimCoordination coordination_{scheduler_};
  std::unique_ptr<coordination::SimCoordinator> admin_;
  std::shared_ptr<ListeningMaster> master_ = std::make_shared<ListeningMaster>();
  rpc::Dispatcher master_dispatcher_;
  LocalConnector connector_{master_dispatcher_};
  SimulatedDisk disk_{7};
  TabletServerOptions options_;

  int64_t time_of_day_ms_ = 1'700'000'000'000;  // of the server's machine, when the scheduler began

  // One life of the server.
  std::unique_ptr<testing::SimExecutor> executor_;
  std::unique_ptr<SimulatedStore> stored_;
  TabletStore* store_ = nullptr;  // its
  std::unique_ptr<coordination::SimCoordinator> coordinator_;
  std::unique_ptr<TabletServer> server_;
  uint64_t incarnation_ = 0;
  bool lost_ = false;  // the next start finds that the log lacks a part
  int64_t sequence_ = 0;
  int64_t learnt_ms_ = 0;  // tablet time
  Status refused_;
};

// A server with one tablet, which serves the whole table.
class TabletServerTest : public HostFixture {
 protected:
  void SetUp() override {
    StartServer();
    MakeTablet();
  }
};

}  // namespace ebla::tabletserver
