// tabletserver/testing/group_fixture.h
// For tests: several tablet servers in virtual time (memory stores, one simulated coordinator, a master that only knows
// their addresses), which talk to each other over a network with delays and cuts. The test gives the master's orders.
// Threads: everything on one.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/coordination/sim_coordinator.h"
#include "common/rpc/dispatcher.h"
#include "common/testing/sim_executor.h"
#include "tabletserver/server/tabletserver_host.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {

using namespace std::chrono_literals;

class GroupFixture : public ::testing::Test {
 protected:
  static constexpr char kCluster[] = "c-1";
  static constexpr int64_t kTable = 7;
  static constexpr int64_t kTablet = 100;

  GroupFixture();
  ~GroupFixture() override;

  // One machine and the present life of its server.
  struct Member {
    std::string name;
    rpc::Endpoint endpoint;
    uint64_t incarnation = 0;
    SimulatedDisk disk;
    std::unique_ptr<rpc::Dispatcher> dispatcher;
    std::unique_ptr<ebla::testing::SimExecutor> executor;
    std::unique_ptr<ebla::testing::SimExecutor> reader;  // null unless readers_
    std::unique_ptr<InMemoryStore> in_memory;
    std::unique_ptr<SimulatedStore> stored;
    TabletStore* store = nullptr;  // its
    std::unique_ptr<coordination::SimCoordinator> coordinator;
    std::unique_ptr<rpc::Connector> connector;
    std::unique_ptr<TabletServer> server;  // null: it is down
    std::shared_ptr<bool> life;            // expires with it: answers to its calls are lost then
  };
  Member& at(const std::string& name) { return *members_.at(name); }
  void Start(const std::string& name);
  void Crash(const std::string& name, SimulatedDisk::CrashKind kind = SimulatedDisk::CrashKind::kMachine);
  // Messages between them are lost, both ways.
  void Cut(const std::string& one, const std::string& other) { cut_.insert({one, other}); }
  void Heal() { cut_.clear(); }

  // ---- the master's orders; of servers that are down, none ----
  struct Roles {
    std::string primary;
    std::vector<std::string> voters;
    std::vector<std::string> learners;
    int64_t tablet = kTablet;
    std::string start, end;      // of its range
    bool created_empty = false;  // empty; kTablet's first epoch is so anyway
    std::optional<idl::Merged> merged = {};
  };
  // Each member with a role is told; true when the primary obeys.
  bool Configure(int64_t epoch, const Roles& roles, bool fenced = false);
  // OK from all of them.
  bool Fence(int64_t epoch, const std::vector<std::string>& names, int64_t tablet = kTablet);
  // Fences them, and returns the server with the longest complete log, as a master does; empty: none. A server without
  // the tablet counts as having its log up to `unknown`, if that is given.
  std::string Elect(int64_t epoch, const std::vector<std::string>& names, int64_t tablet,
                    std::optional<Version> unknown = {});
  // `splits`: of the tablet, that the catalog has.
  idl::Code::type TryDrop(const std::string& name, int64_t epoch, int64_t tablet = kTablet,
                          std::vector<int64_t> splits = {});
  void Drop(const std::string& name, int64_t epoch) { ASSERT_EQ(TryDrop(name, epoch), idl::Code::OK); }
  // Does not wait: `done` is told when it is answered.
  void AskSplit(const std::string& name, int64_t epoch, const std::string& key, int64_t child,
                std::function<void(const idl::SplitResult&)> done, int64_t tablet = kTablet);
  idl::SplitResult Split(const std::string& name, int64_t epoch, const std::string& key, int64_t child,
                         int64_t tablet = kTablet);

  idl::FreezeResult Freeze(const std::string& name, int64_t epoch, int64_t tablet, int64_t into);
  // Does not wait: `done` is told when it is answered.
  void AskToFreeze(const std::string& name, int64_t epoch, int64_t tablet, int64_t into,
                   std::function<void(const idl::FreezeResult&)> done);
  // The header of an order that a test makes itself.
  idl::ControlHeader ControlTo(const Member& member) const;

  // ---- clients; each call waits for its answer ----
  idl::WriteReply WriteAs(const std::string& server, int64_t client, int64_t sequence, std::vector<idl::Write> writes,
                          idl::WriteLevel::type level = idl::WriteLevel::DEFAULT);
  idl::WriteReply Write(const std::string& server, std::vector<idl::Write> writes) {
    return WriteAs(server, 77, ++sequence_, std::move(writes));
  }
  static idl::WriteRequest WriteOf(int64_t tablet_time_ms, int64_t client, int64_t sequence,
                                   std::vector<idl::Write> writes,
                                   idl::WriteLevel::type level = idl::WriteLevel::DEFAULT);
  static idl::Write PutOf(std::string key, std::string value, int64_t ttl_ms = 0);
  static idl::Write DeleteOf(std::string key);
  static idl::Write IncrementOf(std::string key);
  // BOUNDED: by a second.
  static idl::GetRequest GetOf(const std::string& key, idl::ReadLevel::type level);
  idl::GetReply Get(const std::string& server, const std::string& key, idl::ReadLevel::type level);
  idl::CopyReply SendCopy(const std::string& server, const idl::CopyRequest& request);

  // ---- what is there ----
  std::shared_ptr<const TabletView> View(const std::string& server, int64_t tablet = kTablet);
  // The unresolved rolled-back PRIMARY writes, as key@epoch.lsn words.
  std::string RolledBack(const std::string& server);
  // How many writes of level ANY wait to be delivered.
  int64_t Pending(const std::string& server) { return at(server).store->health().hinted_entries; }
  // Every record of the store, as key=value@epoch.lsn words, with the expiry if there is one; timed deletes as key!.
  std::string Records(const std::string& server);
  // Whether it has applied everything that `primary` has, and reports that it is complete.
  bool Level(const std::string& server, const std::string& primary, int64_t tablet = kTablet);
  bool Until(const std::function<bool()>& done, Duration limit = 60s) { return scheduler_.RunUntil(done, limit); }

  template <class Reply>
  Reply Await(const std::function<void(std::function<void(const Reply&)>)>& call) {
    auto reply = std::make_shared<std::optional<Reply>>();
    call([reply](const Reply& answer) { *reply = answer; });
    EXPECT_TRUE(Until([&] { return reply->has_value(); })) << "no reply";
    return reply->value_or(Reply());
  }

  ebla::testing::SimScheduler scheduler_{42};
  ebla::testing::SimExecutor world_{scheduler_};  // of coordination, network and master
  coordination::SimCoordination coordination_{scheduler_};
  TabletServerOptions options_;
  idl::TableOptions table_options_;               // of the tablet's table, from the first Configure on
  size_t shards_ = 1;                             // of each server
  std::map<std::string, int64_t> memory_limits_;  // of a server's tables in memory together, from its next start on
  bool readers_ = false;                          // servers started from now on have a thread for reads of much
  bool addresses_told_ = true;                    // by the master, with each heartbeat's answer
  bool table_dropped_ = false;                    // the master's answer
  int64_t copy_bytes_per_second_ = CopyThrottle::kDefaultBytesPerSecond;
  std::function<void()> before_truncation_ = [] {};  // of a piece of a log, on any of the servers

 private:
  class Channel;
  class Connector;
  class Master;
  class Watch;
  idl::FenceResult FenceOne(const std::string& name, int64_t epoch, int64_t tablet);
  rpc::Dispatcher* Reach(const std::string& from, const rpc::Endpoint& to);

  std::unique_ptr<coordination::SimCoordinator> admin_;
  rpc::Dispatcher master_dispatcher_;  // of a master that answers heartbeats with where the servers are
  std::map<std::string, std::unique_ptr<Member>> members_;
  std::set<std::pair<std::string, std::string>> cut_;
  std::string catalogued_;  // the primary; each obeyed Configure sets it, too
  int64_t sequence_ = 0;
  int64_t learnt_ms_ = 0;  // tablet time
};

}  // namespace ebla::tabletserver
