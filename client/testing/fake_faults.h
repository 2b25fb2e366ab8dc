// client/testing/fake_faults.h
// Faults and limits of a FakeCluster's tablet servers: tests set them, handlers obey them.
// Threads: compatible; FakeCluster's lock guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/testing/fake_tables.h"
#include "common/base/ids.h"
#include "idl/types_types.h"

namespace ebla::client::testing {

struct FakeFault {
  idl::Code::type code;
  int retry_after_ms;
  std::string message;
};

class FakeFaults {
 public:
  explicit FakeFaults(FakeTables& tables) : tables_(tables) {}
  FakeFaults(const FakeFaults&) = delete;
  FakeFaults& operator=(const FakeFaults&) = delete;

  // The next requests that reach this server are answered so, unexecuted; retry_after as given.
  void AnswerNext(const ServerName& server, idl::Code::type code, int times = 1, int retry_after_ms = 0,
                  const std::string& message = "a fault that the test ordered");
  // The server's next one, which is then used up.
  std::optional<FakeFault> TakeNext(const ServerName& server);

  // From now on its replicas apply nothing that is written, until they catch up.
  void Lag(const ServerName& server);
  void CatchUp(const ServerName& server) { lagging_.erase(server); }
  bool Lags(const ServerName& server) const { return lagging_.contains(server); }
  // The position that the server has applied, and the table's records at that position.
  int64_t AppliedAt(const ServerName& server) const;
  const FakeRecords& RecordsAt(const ServerName& server, const FakeTable& table);

  // Tablets have no primary until they have been listed so many times.
  void ServeAfter(int lists);
  // Primaries report no answer of their followers until tablets have been listed so many times.
  void HearAfter(int lists) { lists_until_heard_ = lists; }
  bool heard() const { return lists_until_heard_ == 0; }
  void Listed();

  bool serving = true;             // false: tablets have no primary at present
  bool barriers_applied = true;    // false: primaries serve no STRONG read yet
  bool hints = true;               // refusals name the server of the key
  int page_rows = 1000;            // of scans
  int multi_get_room = 1000;       // records per reply; keys beyond get OVERLOADED
  int64_t oldest_ms = 0;           // writes that learnt an older tablet time are refused as UNKNOWN_OUTCOME
  int64_t clock_back_ms = 0;       // servers' tablet time; writes that learnt a later one are to be retried
  std::set<ServerName> away;       // servers without a recent report to the master
  std::set<ServerName> scrubbing;  // search for damage already
  std::map<ServerName, int64_t> clock_doubts_ms;  // their machines' clocks are ahead, as they report, until accepted
  std::set<ServerName> lost_logs;                 // their disks lost a part of the log, so their replicas lead nothing
  std::set<ServerName> failed;                    // their replicas have failed, as they report, though they go on
  std::map<ServerName, std::vector<int64_t>> orphans;  // replicas that the catalog does not give the server
  // Records that differ on the server from what was written, although it has applied the same entries.
  std::set<std::pair<ServerName, std::string>> damaged;
  std::vector<Version> lost;  // PRIMARY writes that a failover rolled back: sessions that wait for them are told

 private:
  struct Lagging {
    int64_t lsn = 0;                         // applied
    std::map<int64_t, FakeRecords> records;  // by table
  };

  FakeTables& tables_;
  std::map<ServerName, std::deque<FakeFault>> next_;
  std::map<ServerName, Lagging> lagging_;
  int lists_until_serving_ = 0;
  int lists_until_heard_ = 0;
};

}  // namespace ebla::client::testing
