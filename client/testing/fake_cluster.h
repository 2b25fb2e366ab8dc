// client/testing/fake_cluster.h
// A cluster that only pretends: masters and tablet servers as Thrift handlers over one model in memory, which knows
// where each key lives, executes each write once, and refuses as the real ones do. Tests split, merge, move and fail
// it at will and count what it was asked. A tablet may have several replicas: followers serve what they have
// applied, which is everything unless the test has them lag.
// Place:   sim_network.h carries calls to it in virtual time; rpc::RpcServer can serve it on real sockets.
// Threads: any; one lock. Handlers answer within the call.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/mutex.h"
#include "common/rpc/channel.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"

namespace ebla::client::testing {

class FakeCluster {
 public:
  struct Tablet {
    int64_t id = 0;
    KeyRange range;
    int64_t epoch = 1;
    ServerName primary;
    std::vector<ServerName> voters;  // the primary among them
    std::vector<ServerName> learners;
    bool split = false;    // its answers name its range, as in production
    int64_t ahead_ms = 0;  // of its tablet time before the cluster's
    bool told = true;      // the master knows its time
  };
  struct Counts {
    int locates = 0;
    int describes = 0;
    int gets = 0;
    int multi_gets = 0;
    int scans = 0;
    int write_attempts = 0;
    int writes_executed = 0;
    int wrong_place = 0;  // requests that reached a server which does not serve their key
  };

  FakeCluster(std::function<int64_t()> now_ms, std::vector<ServerName> servers, int masters = 1);
  ~FakeCluster();

  std::shared_ptr<idl::MasterServiceCobSvIf> Master(int index);
  std::shared_ptr<idl::TabletServiceCobSvIf> Server(const ServerName& name);
  // Where the servers are said to be.
  void SetEndpoint(const ServerName& server, rpc::Endpoint endpoint);
  void SetMasterEndpoint(int index, rpc::Endpoint endpoint);

  // ---- the model ----
  // Each tablet is led by the next server; those after it are its followers.
  int64_t AddTable(const std::string& name, const std::vector<std::string>& split_points, size_t replicas = 1);
  void AddLearner(const std::string& table, const std::string& key, const ServerName& learner);
  void SetDefaultRead(const std::string& table, idl::ReadLevel::type level);
  void SetDefaultWrite(const std::string& table, idl::WriteLevel::type level);
  void SetRack(const ServerName& server, const std::string& rack);
  void DropTable(const std::string& name);
  // Tablets go on in the same epoch; the right half gets a new id, as in production.
  void Split(const std::string& table, const std::string& key);
  // The tablet that holds `key` and its right neighbour become one of a new id, at a greater epoch.
  void Merge(const std::string& table, const std::string& key);
  void Move(const std::string& table, const std::string& key, const ServerName& to);
  void Put(const std::string& table, const std::string& key, const std::string& value);
  // The server keeps this write beside the table.
  void AddUnresolved(const ServerName& server, const std::string& table, idl::KeptWrite write);
  Tablet Find(const std::string& table, const std::string& key) const;
  std::vector<Tablet> Tablets(const std::string& table) const;
  std::map<std::string, std::string> Data(const std::string& table) const;

  // ---- what goes wrong ----
  // The next requests that reach this server are answered so, unexecuted; retry_after as given.
  void AnswerNext(const ServerName& server, idl::Code::type code, int times = 1, int retry_after_ms = 0,
                  const std::string& message = "a fault that the test ordered");
  // From now on its replicas apply nothing that is written, until they catch up.
  void Lag(const ServerName& server);
  void CatchUp(const ServerName& server);
  // The master has not heard of it for long.
  void SetAway(const ServerName& server);
  // The server has a replica that the catalog does not give it.
  void SetOrphan(const ServerName& server, int64_t tablet);
  // Its replicas have failed, as they report, though it goes on.
  void SetFailed(const ServerName& server);
  void SetBarriersApplied(bool applied);  // false: whoever leads serves no strong read yet
  // What the server has of this record differs from what was written, though it has applied the same.
  void Damage(const ServerName& server, const std::string& key);
  // A failover rolled back this PRIMARY write: sessions that wait for it are told.
  void LoseWrite(const Version& version);
  void SetHints(bool with_hints);
  void SetLeader(int index);  // of the masters; -1: an election is going on
  void SetStandbysKnowLeader(bool known);
  void SetServing(bool serving);         // false: tablets have no primary at present
  void ServeAfter(int lists);            // the same, until tablets have been listed so many times
  void SetPageRows(int rows);            // of scans
  void SetWindow(int64_t oldest_ms);     // writes that learnt an older tablet time are refused as UNKNOWN_OUTCOME
  void SetClockBack(int64_t ms);         // servers' tablet time; writes that learnt a later one are to be retried
  void SetRoutingTellsTime(bool tells);  // false: the master has not heard of the tablets lately
  void SetRoutingTellsEach(bool each);   // false: a master of before tablets' own times, which tells the least alone
  void SetTabletClock(const std::string& table, const std::string& key, int64_t ahead_ms, bool told = true);
  void SetMultiGetRoom(int records);  // per reply; keys beyond get OVERLOADED
  void SetMetered();  // loads tell of what tablets hold: a KiB for each record, and the key in their middle
  // What the master has under way; one that is cancelled goes, where it can be.
  void SetVersions(std::vector<idl::ProcessVersion> versions);
  void SetProcedures(std::vector<idl::ProcedureSummary> procedures);
  void SetMergesUnderWay(int times);   // so many orders to merge are answered as under way
  void SetTabletBytes(int64_t bytes);  // every tablet's size, as reported

  Counts counts() const;
  // The ids, in order of arrival: "client/sequence first=N" of every write attempt.
  std::vector<idl::WriteRequest> write_log() const;
  // The header of the last request that a tablet server received.
  idl::RequestHeader last_header() const;
  idl::ReadOptions last_read() const;

 private:
  class MasterHandler;
  class ServerHandler;
  struct Stored {
    std::string value;
    idl::Version version;
    int64_t expires_ms = 0;
  };
  using Records = std::map<std::string, Stored>;
  struct Table {
    int64_t id = 0;
    std::string name;
    idl::TableOptions options;
    std::map<std::string, Tablet> tablets;  // by range.start
    Records data;
  };
  struct Fault {
    idl::Code::type code;
    int retry_after_ms;
    std::string message;
  };
  struct Lagging {
    int64_t lsn = 0;                  // applied
    std::map<int64_t, Records> data;  // by table
  };
  // What a request may go on with.
  struct Served {
    Table* table = nullptr;
    Tablet* tablet = nullptr;
    const Records* data = nullptr;  // as the server has it
  };

  Tablet& Join(Table& table, const std::string& key) EBLA_REQUIRES(mutex_);  // with its right neighbour, which there is
  int64_t NextId() EBLA_REQUIRES(mutex_) { return ++next_id_; }
  Table* ById(int64_t id) EBLA_REQUIRES(mutex_);
  Table& ByName(const std::string& name) const EBLA_REQUIRES(mutex_);
  Tablet& At(Table& table, const std::string& key) EBLA_REQUIRES(mutex_);
  idl::TableSummary Summary(const Table& table) const EBLA_REQUIRES(mutex_);
  // Fills the header of a refusal; false when the request may go on, with what `served` then says. `read`: null for
  // writes.
  bool Refused(const ServerName& server, const idl::RequestHeader& request, const idl::ReadOptions* read,
               const std::string& key, idl::ReplyHeader& reply, Served& served) EBLA_REQUIRES(mutex_);
  // Whether a follower may answer it.
  bool FollowerServes(const ServerName& server, const idl::RequestHeader& request, const idl::ReadOptions* read,
                      const Table& table, const std::string& key) const EBLA_REQUIRES(mutex_);
  int64_t AppliedAt(const ServerName& server) const EBLA_REQUIRES(mutex_);
  int64_t TimeOf(const Tablet& tablet) const EBLA_REQUIRES(mutex_) { return now_ms_() + tablet.ahead_ms - back_ms_; }
  // The first version that the token names for `key` and that was lost.
  const Version* LostOf(const idl::RequestHeader& request, const std::string& key) const EBLA_REQUIRES(mutex_);
  void Execute(Table& table, const Tablet& tablet, const idl::WriteRequest& request, idl::WriteReply& reply)
      EBLA_REQUIRES(mutex_);
  bool ConditionHolds(const Table& table, const idl::Write& write) const EBLA_REQUIRES(mutex_);
  bool ExecuteOne(Table& table, const idl::Write& write, const idl::Version& version, idl::WriteReply& reply)
      EBLA_REQUIRES(mutex_);
  idl::Record ToRecord(const Stored& stored) const EBLA_REQUIRES(mutex_);
  const Stored* Live(const Records& data, const std::string& key) const EBLA_REQUIRES(mutex_);
  // The server's next fault, if one was ordered.
  bool Fails(const ServerName& server, idl::ReplyHeader& reply) EBLA_REQUIRES(mutex_);
  void Sum(const ServerName& server, const idl::ChecksumRequest& request, idl::ChecksumReply& reply)
      EBLA_REQUIRES(mutex_);
  void Scan(const Served& served, const idl::ScanRequest& request, idl::ScanReply& reply) EBLA_REQUIRES(mutex_);

  const std::function<int64_t()> now_ms_;
  const std::vector<ServerName> servers_;
  const int masters_;
  mutable Mutex mutex_;
  bool planner_ EBLA_GUARDED_BY(mutex_) = true;  // switched on
  std::map<ServerName, rpc::Endpoint> endpoints_ EBLA_GUARDED_BY(mutex_);
  std::map<ServerName, std::string> racks_ EBLA_GUARDED_BY(mutex_);
  std::map<ServerName, Lagging> lagging_ EBLA_GUARDED_BY(mutex_);
  std::vector<Version> lost_ EBLA_GUARDED_BY(mutex_);
  std::set<ServerName> away_ EBLA_GUARDED_BY(mutex_);
  std::map<ServerName, std::vector<int64_t>> orphans_ EBLA_GUARDED_BY(mutex_);
  std::set<std::pair<ServerName, std::string>> damaged_ EBLA_GUARDED_BY(mutex_);
  std::vector<rpc::Endpoint> master_endpoints_ EBLA_GUARDED_BY(mutex_);
  mutable std::map<std::string, Table> tables_ EBLA_GUARDED_BY(mutex_);
  std::map<ServerName, std::deque<Fault>> faults_ EBLA_GUARDED_BY(mutex_);
  std::map<std::pair<ServerName, int64_t>, std::vector<idl::KeptWrite>> unresolved_
      EBLA_GUARDED_BY(mutex_);                                                               // by server and table
  std::map<std::pair<int64_t, int64_t>, idl::WriteReply> answered_ EBLA_GUARDED_BY(mutex_);  // by client and sequence
  std::vector<idl::WriteRequest> write_log_ EBLA_GUARDED_BY(mutex_);
  idl::RequestHeader last_header_ EBLA_GUARDED_BY(mutex_);
  idl::ReadOptions last_read_ EBLA_GUARDED_BY(mutex_);
  Counts counts_ EBLA_GUARDED_BY(mutex_);
  int64_t next_id_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t next_lsn_ EBLA_GUARDED_BY(mutex_) = 0;
  int leader_ EBLA_GUARDED_BY(mutex_) = 0;
  bool standbys_know_ EBLA_GUARDED_BY(mutex_) = true;
  bool hints_ EBLA_GUARDED_BY(mutex_) = true;
  bool serving_ EBLA_GUARDED_BY(mutex_) = true;
  int lists_until_serving_ EBLA_GUARDED_BY(mutex_) = 0;
  bool barriers_applied_ EBLA_GUARDED_BY(mutex_) = true;
  std::set<ServerName> failed_ EBLA_GUARDED_BY(mutex_);
  int page_rows_ EBLA_GUARDED_BY(mutex_) = 1000;
  int multi_get_room_ EBLA_GUARDED_BY(mutex_) = 1000;
  int merges_under_way_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t tablet_bytes_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t oldest_ms_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t back_ms_ EBLA_GUARDED_BY(mutex_) = 0;
  bool routing_tells_time_ EBLA_GUARDED_BY(mutex_) = true;
  bool routing_tells_each_ EBLA_GUARDED_BY(mutex_) = true;
  bool metered_ EBLA_GUARDED_BY(mutex_) = false;
  std::vector<idl::ProcedureSummary> procedures_ EBLA_GUARDED_BY(mutex_);
  std::vector<idl::ProcessVersion> versions_ EBLA_GUARDED_BY(mutex_);
  std::map<std::string, int> compacted_
      EBLA_GUARDED_BY(mutex_);  // by table: how often it was asked for since it was begun
};

}  // namespace ebla::client::testing
