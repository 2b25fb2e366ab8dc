// tests/chaos/load/history_load.h
// Many clients with real threads over the SDK. They do every kind of operation on records as popular as YCSB's, with
// unique values, and record their requests and answers (recorder.h). A single-writer load (single_writer_load.h) checks
// the promises to the one writer of each key. This load checks what many writers of the same keys see of one another.
// Keys:    groups of four cells (tests/sim/checker/history.h), `groups_per_tablet` to a tablet: "g0012/a", "g0012/b",
//          "g0012/n", "g0012/t".
// Probes:  two threads of each tablet call it again and again, by a put and by a STRONG read, in its last group, which
//          no other client uses. All answers together show when each tablet served (outage.h).
// Threads: Start() makes them all, in the network namespace of its caller; everything else from one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tests/chaos/verdicts/outage.h"
#include "tests/chaos/verdicts/recorder.h"
#include "tools/load/workers.h"
#include "tools/ycsb/random.h"

namespace ebla::chaos {

struct HistoryLoadOptions {
  int clients = 64;
  int tablets = 12;
  int groups_per_tablet = 20;
  int replicas = 3;
  uint64_t seed = 1;
  std::chrono::milliseconds think_max{40};
  std::chrono::milliseconds deadline{60'000};  // longer than any outage that a test makes
  // Shares in a hundred: of writes at ALL and PRIMARY, the rest at MAJORITY; of reads below STRONG.
  unsigned all_percent = 4;
  unsigned primary_percent = 0;
  unsigned weak_percent = 20;
  bool sessions = false;  // some of the weak reads at SESSION
};

class HistoryLoad {
 public:
  static constexpr char kTable[] = "history";

  // Makes the table. Every client thread uses one of `clients`; what is asked beside the load, the observer asks.
  static Result<std::unique_ptr<HistoryLoad>> Make(Client observer, std::vector<Client> clients,
                                                   HistoryLoadOptions options);
  void Start();
  // Operations answered since the start.
  int64_t answered() const { return recorder_.answered(); }
  // Waits until so many more were answered. UNAVAILABLE when that takes over a minute.
  Status AwaitProgress(int64_t more) const {
    return load::AwaitProgress([this] { return answered(); }, more);
  }
  // Waits until each tablet has taken a write at ALL: all its voters live and have caught up.
  Status AwaitWhole(std::chrono::milliseconds patience) const;
  // The tablets of which a server is primary, by the master's answer.
  Result<std::vector<int>> LedBy(const ServerName& server) const;
  Result<ServerName> LeadsMost() const;

  // Ends operations under way, reads every cell, judges everything since the last time, and continues.
  Result<CutVerdict> Judge();
  // Does it while nothing is asked: what is under way has ended.
  Status WhilePaused(const std::function<Status()>& act) {
    workers_.Hold();
    const Status status = act();
    workers_.Resume();
    return status;
  }
  const OutageWatch& outages() const { return outages_; }
  OutageWatch& outages() { return outages_; }
  // Operations that ended with an error, the first hundred since the last call.
  std::vector<std::string> TakeFailures() { return workers_.TakeFailures(); }
  // From now on neither writes at PRIMARY nor reads at SESSION, whose failover would roll some back.
  void AvoidPending() { avoid_pending_ = true; }
  const Client& observer() const { return observer_; }
  const Table& table() const { return *table_; }  // the observer's
  // A key of the tablet.
  std::string ProbeKey(int tablet) const;
  // The longest that an operation of the clients took, of those that ended since the last call.
  std::chrono::milliseconds TakeLongestWait() { return workers_.TakeLongestWait(); }
  static std::string GroupName(int group);  // what its keys begin with
  static std::string LastKey(int group);    // the greatest of them

 private:
  class Worker;
  class Probe;
  HistoryLoad(Client observer, std::vector<Client> clients, HistoryLoadOptions options);
  static std::string Key(int group, int cell);
  int groups() const { return options_.tablets * options_.groups_per_tablet; }
  int ProbeGroup(int tablet) const { return (tablet + 1) * options_.groups_per_tablet - 1; }
  Status ReadAll();
  void Failed(const sim::Operation& operation, const Status& status);

  const HistoryLoadOptions options_;
  const Client observer_;
  std::optional<Table> table_;
  std::vector<Client> clients_;
  std::vector<Table> tables_;
  Recorder recorder_;
  OutageWatch outages_;
  std::atomic<bool> avoid_pending_{false};
  load::Workers workers_;
};

}  // namespace ebla::chaos
