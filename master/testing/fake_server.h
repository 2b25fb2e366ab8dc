// master/testing/fake_server.h
// A tablet server as the master sees it, in virtual time: registers with the coordinator, sends heartbeats, and obeys
// orders by PROTOCOL's rules. It imitates replication as far as a master can see it. Primaries append a little all the
// time and bring their followers level at once, unless one of them is cut off or mute; learners complete after
// kCopyTime; followers promise, are silent before they answer a fence, and report a silent primary. Durable state
// survives Stop() and Start(); the rest does not.
// Invariants: it checks the master (EpochLedger). An epoch of a tablet has at most one primary; nothing is created
//             twice; a new primary has all that a majority acknowledged.
// Threads:    one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/coordination/registration.h"
#include "common/coordination/sim_coordinator.h"
#include "common/testing/sim_executor.h"
#include "idl/ControlService.h"
#include "idl/MasterService.h"

namespace ebla::master::testing {

// The primary of each epoch, and the acknowledged entries.
class EpochLedger {
 public:
  // `last`: the log it begins with; `born`: it was told that the tablet never served.
  void Led(int64_t tablet, int64_t epoch, const std::string& who, const idl::LogPosition& last, bool born);
  void Acknowledged(int64_t tablet, const idl::LogPosition& position);
  // A voter has merged two tablets; `merged` as it was told. Nothing beyond the freezes was acknowledged. Once the
  // merged tablet has acknowledged anything, neither of the two is led again.
  void VoterMerged(int64_t tablet, const idl::Merged& merged);
  bool Merged(int64_t tablet) const { return merged_.contains(tablet); }
  // An operator has accepted that what was acknowledged is lost.
  void LossAccepted(int64_t tablet) { acknowledged_.erase(tablet); }
  void Violated(std::string what) { violations_.push_back(std::move(what)); }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  std::map<std::pair<int64_t, int64_t>, std::string> leaders_;
  std::map<int64_t, idl::LogPosition> acknowledged_;
  std::map<int64_t, int64_t> merged_;                 // into which
  std::map<int64_t, idl::LogPosition> merged_begin_;  // by the merged tablet
  std::vector<std::string> violations_;
};

class FakeServer;

// The peers that one server reaches.
struct FakePeers {
  std::function<FakeServer*(const std::string&)> find;  // null: there is none, or it does not run
  std::function<bool(const std::string&, const std::string&)> cut;
};

// The orders to a server that concern no tablet. It counts them.
class FakeUpkeep : public idl::ControlServiceCobSvIf {
 public:
  int scrubs = 0;
  int clocks_accepted = 0;
  int64_t clock_ahead_ms = 0;          // of its machine before its executor, as it reports and answers fences
  int64_t masters_time_of_day_ms = 0;  // as the latest order has it

  void scrub(std::function<void(const idl::ScrubReply&)> cob, const idl::ScrubRequest& request) override;
  void acceptClock(std::function<void(const idl::AcceptClockReply&)> cob,
                   const idl::AcceptClockRequest& request) override;

 protected:
  virtual idl::Status Check(const idl::ControlHeader& header) = 0;
};

class FakeServer final : public FakeUpkeep {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(100);
  static constexpr Duration kCopyTime = std::chrono::seconds(2);
  static constexpr Duration kLease = std::chrono::seconds(1);
  static constexpr Duration kSilence = std::chrono::milliseconds(500);

  struct Peer {
    int64_t flushed = 0;
    bool incomplete = true;
    bool heard = false;
  };
  struct Replica {
    idl::KeyRange range;
    int64_t table = 0;
    struct Split {
      idl::AppliedSplit split;
      idl::KeyRange child;
    };
    std::vector<Split> splits;  // applied, in order
    std::vector<Split> logged;  // and those that are not applied yet
    struct Freeze {
      int64_t into = 0;
      idl::LogPosition position;
    };
    std::optional<Freeze> freeze;       // until a later epoch
    std::optional<idl::Merged> merged;  // what it was made of
    int64_t promised = 0;
    int64_t led = 0;
    bool incomplete = false;
    bool forgetful = false;                         // in memory, and its process has forgotten it
    bool damaged = false;                           // lives, and asks to be made anew
    bool lost = false;                              // its disk lost a part of its log
    bool failed = false;                            // obeys nothing but a drop,
    idl::Code::type failure = idl::Code::INTERNAL;  // and answers a fence with this
    idl::LogPosition last;
    // Volatile.
    int64_t epoch = 0;    // as last configured or followed
    std::string primary;  // of that epoch
    int64_t leading = 0;  // the epoch, 0: none
    int64_t schema_version = 0;
    idl::TableSchema schema;                    // durable
    std::vector<std::string> voters, learners;  // where it leads
    std::map<std::string, Peer> peers;
    int64_t barrier = 0;
    bool barrier_committed = false;
    int64_t refused_for = 0;
    int64_t released = 0;
    std::string released_to;
    MonotonicTime heard;  // from its primary
    MonotonicTime copying_since;
    bool suspects = false;
  };
  using SendHeartbeat = std::function<void(const idl::HeartbeatRequest&)>;

  FakeServer(ebla::testing::SimScheduler& scheduler, coordination::SimCoordination& coordination, EpochLedger& ledger,
             std::string name, uint16_t port, FakePeers peers, SendHeartbeat heartbeat);
  ~FakeServer() override;

  void Start();
  void Stop();  // a crash: replicas of tables in memory keep what they have promised, and their places
  bool running() const { return executor_ != nullptr; }
  coordination::SimCoordinator& coordinator() { return *coordinator_; }

  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }
  int64_t incarnation() const { return incarnation_; }
  const std::map<int64_t, Replica>& replicas() const { return replicas_; }
  std::map<int64_t, Replica>& mutable_replicas() { return replicas_; }
  const std::set<int64_t>& tables() const { return tables_; }
  bool Leads(int64_t tablet, int64_t epoch) const;

  std::string rack;
  // Sends its peers nothing, and receives nothing from them; it still obeys the master.
  bool mute = false;
  // Answers the master nothing, though it lives.
  bool deaf = false;
  // Lives, and sends the master no heartbeats.
  bool silent = false;
  // Its disk is at the reserve, as it tells the master.
  bool disk_full = false;
  int feature_level = kFeatureLevel;  // that it speaks from its next start on
  // How far other servers' disks had the log, as it remembers: told in answers to fences, and in a primary's reports.
  std::map<std::string, idl::LogPosition> vouched;
  // A tablet's orders are refused with this until cleared.
  std::map<int64_t, idl::Code::type> refuse_configure;
  // Orders to split are refused with this; or obeyed, and the answer is lost.
  std::optional<idl::Code::type> refuse_split;
  bool lose_split_answers = false;
  // The same of orders to freeze. Held: they are logged, and what else a freeze waits for does not come.
  std::optional<idl::Code::type> refuse_freeze;
  bool lose_freeze_answers = false;
  bool hold_freezes = false;
  size_t freezes_ordered = 0;
  // Answers an order to merge two tablets that it is not ready yet.
  bool hold_local_merges = false;
  // Reports of a tablet that it leads, and of one that it follows; `measure`, if set, fills them in.
  std::function<void(idl::TabletLoad&, const Replica&)> measure;
  // Following, it logs splits and does not hear that they are committed; leading, its Barrier shows it.
  bool hold_splits = false;
  // Children that orders to drop named.
  std::map<int64_t, std::vector<int64_t>> drop_splits;
  // Tablet times from which it was told to lead, and times of day if no tablet time was known.
  std::map<int64_t, int64_t> received_tablet_times, received_times_of_day;
  // How long it was to refuse writes for a transfer, by tablet, in order.
  std::map<int64_t, std::vector<int64_t>> received_patience;
  // The greatest epochs of fences that it has obeyed, by tablet.
  std::map<int64_t, int64_t> fenced;
  // Tables that were compacted, and when.
  std::map<int64_t, MonotonicTime> compacted;

  void configure(std::function<void(const idl::ConfigureReply&)> cob, const idl::ConfigureRequest& request) override;
  void fence(std::function<void(const idl::FenceReply&)> cob, const idl::FenceRequest& request) override;
  void drop(std::function<void(const idl::DropReply&)> cob, const idl::DropRequest& request) override;
  void transfer(std::function<void(const idl::TransferReply&)> cob, const idl::TransferRequest& request) override;
  void split(std::function<void(const idl::SplitReply&)> cob, const idl::SplitRequest& request) override;
  void freeze(std::function<void(const idl::FreezeReply&)> cob, const idl::FreezeRequest& request) override;
  void alter(std::function<void(const idl::AlterReply&)> cob, const idl::AlterRequest& request) override;
  void dropTableData(std::function<void(const idl::DropTableReply&)> cob,
                     const idl::DropTableRequest& request) override;
  // Takes no time: frees half of 2 MiB.
  void compactTableData(std::function<void(const idl::CompactReply&)> cob, const idl::CompactRequest& request) override;

 private:
  idl::Status Check(const idl::ControlHeader& header) override;
  // Has each order of the request obeyed by `obey(order, replica, result)`, unless the header is refused; the replica
  // is null where it has none.
  template <class Reply, class Request, class Obey>
  Reply ForEachOrder(const Request& request, Obey obey) {
    Reply reply;
    reply.status = Check(request.header);
    if (reply.status.code != idl::Code::OK) return reply;
    for (const auto& order : request.tablets) {
      auto& result = reply.results.emplace_back();
      result.tabletId = order.tabletId;
      const auto found = replicas_.find(order.tabletId);
      obey(order, found == replicas_.end() ? nullptr : &found->second, result);
    }
    return reply;
  }
  idl::ConfigureResult ConfigureOne(const idl::ConfigureTablet& order);
  idl::Status MayLead(const Replica* replica, const idl::ConfigureTablet& order) const;
  void Lead(Replica& replica, const idl::ConfigureTablet& order);
  void BeatAndAgain();
  void Beat();
  idl::TabletLoad LoadOf(int64_t id, const Replica& replica) const;
  void Tick();
  void Replicate(int64_t id, Replica& replica);
  // The result of another server's append: the epoch that it promised if it refused, and how level it is.
  struct Received {
    bool known = false;
    int64_t promised = 0;
    bool incomplete = false;
    bool stored = false;
  };
  bool SplitHere(const idl::SplitTablet& order, Replica& parent);
  bool FreezeHere(const idl::FreezeTablet& order, Replica& replica);
  idl::Status MergeReplicas(const idl::ConfigureTablet& order);
  void CatchUp(int64_t id, const Replica& primary, bool copied);
  void ApplySplits(int64_t id, const idl::TableSchema& schema);
  void ReceiveSplit(int64_t id, const Replica::Split& split, const idl::TableSchema& schema);
  Received Receive(int64_t id, int64_t epoch, const std::string& primary, const idl::LogPosition& last);

  ebla::testing::SimScheduler& scheduler_;
  coordination::SimCoordination& coordination_;
  EpochLedger& ledger_;
  const std::string name_;
  const uint16_t port_;
  const FakePeers peers_;
  const SendHeartbeat heartbeat_;

  // Durable.
  int64_t incarnation_ = 0;
  std::string cluster_id_;
  std::map<int64_t, Replica> replicas_;
  std::map<int64_t, int64_t> promises_;    // of unknown tablets
  std::map<int64_t, int64_t> tombstones_;  // tablet -> epoch
  std::set<int64_t> tables_;
  int64_t term_ = 0;

  // While it runs.
  std::unique_ptr<ebla::testing::SimExecutor> executor_;
  std::unique_ptr<coordination::SimCoordinator> coordinator_;
  std::unique_ptr<coordination::ServerRegistration> registration_;
};

}  // namespace ebla::master::testing
