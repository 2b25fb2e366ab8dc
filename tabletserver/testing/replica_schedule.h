// tabletserver/testing/replica_schedule.h
// Four replicas under one random schedule. Messages are lost and reordered, crashes lose unflushed entries, and masters
// fence, transfer and change the membership at any moment. Versions judge the run, because versions grow along a key's
// life, so a STRONG read shows nothing older than an acknowledged write or an earlier read.
// Place:   replication/replica_group_test.cc runs some schedules in the suite. replica_schedules_main.cc replays one
//          and hunts for the schedules that show a planted bug.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "tabletserver/testing/group_rig.h"

namespace ebla::tabletserver::testing {

class ReplicaSchedule {
 public:
  struct Options {
    bool mad = false;    // a server that is no member sends arbitrary messages to every replica
    bool trace = false;  // prints each change of a replica to stdout
  };
  explicit ReplicaSchedule(uint64_t seed) : ReplicaSchedule(seed, Options()) {}
  ReplicaSchedule(uint64_t seed, const Options& options);

  // Empty: the run kept every promise. Else the first broken promise.
  std::string Run();

  struct Counts {
    int writes = 0, acknowledged = 0, reads = 0, confirmed = 0, failovers = 0, changes = 0, transfers = 0, crashes = 0;
    int rolled_back = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  static constexpr int kSteps = 1500;

  void Trace(const std::string& step);
  uint64_t Pick(uint64_t below) { return random_() % below; }
  ServerName Anyone() { return group_.servers()[Pick(4)]; }
  ServerName Victim() { return Pick(2) == 0 ? group_.catalog().primary : Anyone(); }
  void Fault(std::string text) {
    if (fault_.empty()) fault_ = std::move(text);
  }
  void Rest();
  void Step();
  void DeliverSomething();
  void SendMadness();
  void Write();
  void Read();
  void Saw(const ServerName& server, const std::string& key, Version least);
  void Disturb();
  void LetStore();
  void Crash(const ServerName& server);
  void Isolate(const ServerName& server);
  void ChangeMembership();
  void Harvest();
  void Agree(const ServerName& server, Version applied);
  void Heal();
  void ServeAgain(AckLevel level);
  void Compare();

  std::mt19937_64 random_;
  const Options options_;
  uint64_t madness_ = uint64_t{1} << 40;  // tokens of the mad server's requests
  GroupRig group_;
  std::string fault_;
  uint64_t sequence_ = 0;
  std::map<ServerName, std::string> shown_;  // by Trace
  std::map<std::pair<ServerName, RequestToken>, std::pair<std::string, AckLevel>> pending_;
  std::map<std::pair<ServerName, RequestToken>, std::pair<std::string, Version>> confirming_;
  std::map<std::string, Version> floor_;
  std::set<Version> primaries_, rolled_back_;
  std::map<Epoch, ServerName> leaders_;
  std::deque<GroupRig::Parcel> late_;
  std::map<Lsn, Version> applied_;
  Counts counts_;
};

}  // namespace ebla::tabletserver::testing
