// tabletserver/testing/group_rig.h
// Several replicas of one tablet, each a CoreRig, and what is between them: messages and answers that wait until they
// are delivered or lost, copies carried out step by step, a catalog changed by compare-and-set, and masters that fence,
// choose and configure, one message at a time.
// Place:   replica_schedule.h, tests/stories.
// Threads: one.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "tabletserver/testing/core_rig.h"

namespace ebla::tabletserver::testing {

// The tablet's entry in the catalog.
struct GroupCatalog {
  uint64_t version = 0;
  Epoch epoch;
  ServerName primary;
  std::vector<ServerName> voters;
  std::vector<ServerName> learners;
};

class GroupRig {
 public:
  // Every server is there, with nothing on it; Create() makes the tablet.
  GroupRig(const std::vector<ServerName>& servers, TabletOptions base,
           const TabletSchema& schema = CoreRig::DefaultSchema());

  CoreRig& at(const ServerName& server) { return *rigs_.at(server); }
  std::vector<ServerName> servers() const;
  const GroupCatalog& catalog() const { return catalog_; }

  // ---- the network
  // ---------------------------------------------------------------------------------------------------- Something
  // under way: an order, a message, an answer, a step of a copy. Run delivers it, Drop loses it.
  struct Parcel {
    ServerName from, to;
    std::string what;
    std::function<void()> run;
    std::function<void()> drop;
  };
  std::deque<Parcel> parcels;
  void Collect();  // takes what the rigs have put out
  void Deliver(size_t index, bool lost = false);
  bool DeliverAll();  // until nothing is under way; parcels between cut servers are lost. False: they never rest
  std::set<std::pair<ServerName, ServerName>> cut;  // from, to
  bool Cut(const ServerName& from, const ServerName& to) const { return cut.contains({from, to}); }

  void Pass(Duration time);  // every clock; ticks and heartbeats are the caller's
  void Beat();               // a heartbeat and a tick of each
  void Crash(const ServerName& server, size_t keep);

  // ---- masters
  // --------------------------------------------------------------------------------------------------------
  void Create(const ServerName& primary, const std::vector<ServerName>& voters);
  // Each begins and continues as its parcels are delivered; `done` gets the outcome.
  using Told = std::function<void(bool)>;
  void Failover(Told done = {});
  // Changes voters and learners under the same primary, unfenced.
  void Change(std::vector<ServerName> voters, std::vector<ServerName> learners, Told done = {});
  void Transfer(const ServerName& target, Duration patience, Told done = {});
  void Drop(const ServerName& server);
  // Configures followers and learners as the catalog has them; a server without a replica makes one, incomplete.
  void Remind();
  // One order, independent of the catalog; `told` with null: no answer.
  void Order(const ServerName& to, std::function<RequestToken(CoreRig&)> give,
             std::function<void(const ControlReply*)> told);

 private:
  struct Fencing;
  struct CopyJob;
  void Send(Parcel parcel) { parcels.push_back(std::move(parcel)); }
  void SendMessage(const ServerName& from, PeerMessage message);
  void TakeAnswers(const ServerName& server);
  void BeginCopy(const ServerName& from, CoreRig::BegunCopy begun);
  void CopyStep(std::shared_ptr<CopyJob> job);
  void OnFenced(const std::shared_ptr<Fencing>& fencing, const ServerName& by, const ControlReply* reply);
  // The content of a Configure that depends on the master's reports.
  struct Grounds {
    bool fenced = false;
    bool transfer = false;
    Version presumed;
    TabletTime learnt;
    int64_t time_of_day_ms = 0;
  };
  void Configure(const GroupCatalog& catalog, const Grounds& grounds, Told done);
  bool CompareAndSet(uint64_t version, GroupCatalog next);

  std::map<ServerName, std::unique_ptr<CoreRig>> rigs_;
  std::map<ServerName, uint64_t> lives_;  // raised by a crash: answers of an earlier life are lost
  GroupCatalog catalog_;
  // Waits for a server's answer; called with null when the server dies first.
  template <class Reply>
  using Waiting = std::map<std::pair<ServerName, RequestToken>, std::function<void(const Reply*)>>;
  Waiting<PeerAnswer> answers_;
  Waiting<ControlReply> controls_;
  Waiting<CopyReply> copies_;
  std::map<ServerName, std::map<uint64_t, std::shared_ptr<CopyJob>>> receiving_;
  uint64_t next_token_ = 1'000'000;
};

}  // namespace ebla::tabletserver::testing
