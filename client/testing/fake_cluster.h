// client/testing/fake_cluster.h
// A fake cluster: masters and tablet servers as Thrift handlers over one model in memory. The model knows the place of
// each key, executes each write once, and refuses as the real ones do. Tests split, merge, move and fail it at will and
// count its requests. A tablet may have several replicas. Followers serve what they have applied, which is everything
// unless the test makes them lag.
//
//   tables()    fake_tables.h, the contents       cluster.tables()->Split("t", "k");
//   faults()    fake_faults.h, the faults         cluster.faults()->AnswerNext("ts-1", idl::Code::OVERLOADED);
//   masters()   the masters' answers              cluster.masters()->leader = 1;
//
// Place:   fake_handlers.h serves it; sim_network.h carries calls to it in virtual time, fake_servers.h on sockets.
// Threads: any; one lock. The results of tables(), faults() and masters() hold it until the statement ends, so a
//          statement may ask for one of them once. Handlers answer within the call.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "client/testing/fake_faults.h"
#include "client/testing/fake_tables.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/rpc/channel.h"
#include "idl/master_types.h"
#include "idl/tablet_types.h"

namespace ebla::client::testing {

struct FakeMasters {
  std::vector<rpc::Endpoint> endpoints;
  int leader = 0;  // -1: an election is going on
  bool standbys_know_leader = true;
  bool routing_tells_time = true;  // false: the leader has no recent reports of the tablets
  bool routing_tells_each = true;  // false: one of before tablets' own times, which tells the least alone
  bool planner_on = true;
  bool obeys = false;        // moves replicas, drains and removes servers; else refuses each of these
  bool forbids = false;      // answers PERMISSION_DENIED to each request but clusterInfo
  bool metered = false;      // loads tell of what tablets hold: a KiB for each record, and the key in their middle
  int64_t tablet_bytes = 0;  // every tablet's size, as reported
  int merges_under_way = 0;  // so many orders to merge are answered as under way
  std::vector<idl::ProcedureSummary> procedures;  // under way; a cancelled one is removed, if it can be cancelled
  idl::ClusterVersionReply versions;
  std::map<ServerName, std::string> racks;
  std::map<std::string, int> compactions_asked;  // by table, since it was begun
};

// The requests to the cluster.
struct FakeRequests {
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

  Counts counts;
  std::vector<idl::WriteRequest> writes;                            // every attempt, in order of arrival
  std::map<std::pair<int64_t, int64_t>, idl::WriteReply> answered;  // by client and sequence
  idl::RequestHeader last_header;                                   // that a tablet server received
  idl::ReadOptions last_read;
};

struct FakeState {
  FakeTables tables;
  FakeFaults faults{tables};
  FakeMasters masters{};
  FakeRequests requests{};
  std::vector<idl::AccessChange> access_changes{};  // that were asked for
  idl::ListAccessReply access{};
  std::map<ServerName, rpc::Endpoint> endpoints{};  // where the tablet servers are said to be
};

// A part of the state, with the lock for as long as this lives.
template <class Part>
class Locked {
 public:
  // The analysis does not follow a lock into a member: nothing else leads to the part.
  Locked(Mutex& mutex, Part& part) EBLA_NO_THREAD_SAFETY_ANALYSIS : lock_(mutex), part_(part) {}
  Part* operator->() const { return &part_; }
  Part& operator*() const { return part_; }

 private:
  const MutexLock lock_;
  Part& part_;
};

class FakeCluster {
 public:
  FakeCluster(std::function<int64_t()> now_ms, std::vector<ServerName> servers, int masters = 1)
      : now_ms_(std::move(now_ms)), state_{.tables = FakeTables(std::move(servers))} {
    state_.masters.endpoints.resize(static_cast<size_t>(masters));
  }
  int64_t NowMs() const { return now_ms_(); }

  Locked<FakeTables> tables() { return {mutex_, state_.tables}; }
  Locked<FakeFaults> faults() { return {mutex_, state_.faults}; }
  Locked<FakeMasters> masters() { return {mutex_, state_.masters}; }
  Locked<FakeState> Lock() { return {mutex_, state_}; }

  FakeRequests::Counts counts() { return Lock()->requests.counts; }
  std::vector<idl::WriteRequest> write_log() { return Lock()->requests.writes; }
  idl::RequestHeader last_header() { return Lock()->requests.last_header; }
  idl::ReadOptions last_read() { return Lock()->requests.last_read; }

 private:
  const std::function<int64_t()> now_ms_;
  Mutex mutex_;
  FakeState state_;  // reached through Locked alone
};

}  // namespace ebla::client::testing
