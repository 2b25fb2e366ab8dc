// master/procedures/tablet_reconciler.h
// Makes every tablet's primary the one in the catalog. It configures new tablets, fails over tablets whose primary
// died, restarted, fell silent or was refused, and corrects every difference that a heartbeat shows. It also carries
// out the changes of membership that replication_manager.h decides on.
// How:        Level-triggered. Consider(tablet) compares the catalog with the servers' last reports (tablet_needs.h). A
//             tablet that differs waits in the queue of its primary's server, and each queue runs a few rounds and
//             batches at a time (fence_round.h, tablet_batch.h), all queues in parallel. Nothing here needs to survive
//             the master, because a successor considers every tablet again.
// Invariant:  A tablet is in at most one round, batch or change.
// Tests:      master/host/master_failover_test.cc, master/host/master_turmoil_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "master/procedures/context.h"
#include "master/procedures/fence_round.h"
#include "master/procedures/tablet_batch.h"
#include "master/procedures/tablet_needs.h"

namespace ebla::master {

class TabletReconciler {
 public:
  // `on_change`: what was under way for these tablets has ended: they are led, or have other members, or do not.
  using OnChange = std::function<void(const std::vector<TabletId>&)>;
  TabletReconciler(const Context& context, OnChange on_change);

  void Consider(TabletId tablet);
  void ConsiderServer(const ServerName& server);  // all that it holds

  // Carries out changes of membership: `next` has the new voters and learners, its epoch is the reconciler's to choose.
  // A tablet that is not settled by now is left out.
  void ChangeMembers(std::vector<BatchItem> items);
  // Takes the tablet to a later epoch with the same members, though it is to be split: then what became of the split
  // can be told (PROTOCOL 12). Nothing, where it is not settled.
  void NextEpochOf(TabletId tablet);
  // By what two are to become: an operator has lost the majority of their voters, and accepts that. The voters that
  // live are enough then to decide on the merge.
  std::set<TabletId>& losses_accepted() { return losses_accepted_; }
  // Whether the tablet would be failed over, were no merge of it open.
  bool WantsFailover(const TabletEntry& tablet) const;
  // Fences it, and makes another voter its primary, if one can be, although its present primary lives.
  void FenceFrom(TabletId tablet);
  // Whether something is under way for it.
  bool Busy(TabletId tablet) const {
    const auto note = notes_.find(tablet);
    return note != notes_.end() && note->second.busy;
  }
  // Whether it is led in the catalog's epoch, as its primary has reported or told this master.
  bool IsLed(const TabletEntry& tablet) const;
  // Takes the tablet to an epoch above one that a replica it no longer has promised, so that this one can be dropped.
  void Outgrow(TabletId tablet, Epoch promised);
  // Makes another voter the tablet's primary: compare-and-set, then the present primary is asked to release it, then
  // Configure. If the target does not become level, the present primary continues, at last in a later epoch.
  // COME_AGAIN: the tablet is not settled.
  using Done = coordination::Callback<Status>;
  void Transfer(TabletId tablet, const ServerName& to, Done done);
  // Gives a tablet without a majority to the survivor alone, after what is under way for it. `done`: it leads, or why
  // not.
  void Recover(TabletId tablet, Recovery recovery, Done done);
  // The last report of the tablet's primary, if it leads the catalog's epoch, its Barrier is committed, nothing is
  // under way and a majority of the voters lives. Null: this is no time for a change.
  const idl::TabletLoad* SettledLoad(const TabletEntry& tablet) const;
  // Its primary at present: during a transfer the previous one.
  PrimaryAt PrimaryOf(const TabletEntry& tablet) const;
  // A split's child is in the catalog, with the primary of its SPLIT as that server reported, so a missing report does
  // not call for a fence.
  void NoteChildCreated(TabletId child);

  // A merged tablet is in the catalog, in an epoch that no server knows of yet. Its primary needs no fence.
  void NoteMerged(TabletId tablet);

  // Lets go of what it noted of tablets that the catalog no longer has.
  void ForgetGone();

  // Tablets that are not as they should be.
  size_t unsettled() const;
  LackingTablets CountLacking() const { return needs_.CountLacking(); }
  std::vector<TabletId> Unsettled() const;
  // Why SettledLoad() has nothing of the tablet, for people; empty: it has.
  std::string WhyUnsettled(const TabletEntry& tablet) const;

 private:
  struct Note {
    bool busy = false;  // in a round, a batch or a change
    int failures = 0;
    TimerId retry;
    Duration retry_least{};  // before the next retry
    bool resting = false;    // the retry waits so that the primary takes writes between two pauses
    TabletKnowledge known;
  };
  struct PendingTransfer {
    TabletId tablet;
    ServerName to;
    Epoch released;  // by the previous primary
    Epoch epoch;     // of the target
  };
  struct ServerQueue {
    std::set<TabletId> waiting;
    size_t running = 0;  // rounds and batches
  };

  const idl::TabletLoad* PrimaryLoad(const TabletEntry& tablet) const;
  void StartChanges(std::vector<BatchItem> items);

  void RunQueue(const ServerName& server);
  bool StartSome(const ServerName& server, ServerQueue& queue);
  BatchItem Repeat(const TabletEntry& tablet, const TabletKnowledge& known) const;
  BatchItem TakeBack(const TabletEntry& tablet, const TabletKnowledge& known) const;
  PendingTransfer OpenTransferOf(const TabletEntry& tablet) const;
  void StartRound(const ServerName& server, std::vector<FenceItem> items);
  void OnFenced(const ServerName& server, uint64_t round, std::vector<BatchItem> items, bool over);
  void StartBatch(const ServerName& server, std::vector<BatchItem> items);
  void OnBatch(const ServerName& server, uint64_t batch, std::vector<BatchItem> items);
  // For how long a primary may refuse writes while it brings the target level.
  std::chrono::milliseconds TransferPause(const ServerName& to) const;
  void StartTransfers(const ServerName& server, std::vector<PendingTransfer> transfers);
  void OnTransfersAnswered(const ServerName& server, const std::vector<PendingTransfer>& transfers,
                           const Result<std::map<TabletId, idl::FenceResult>>& results);
  void TakeResult(const BatchItem& item);
  void NotifyWaiter(TabletId tablet, const Status& status);
  void RetryLater(TabletId tablet, Note& note);
  bool BeginRecovery(TabletId tablet);

  const Context context_;
  const OnChange on_change_;
  const TabletNeeds needs_;
  std::map<ServerName, int> slow_targets_;  // failed transfers by target; halved by each that succeeds
  std::map<TabletId, Note> notes_;
  std::map<ServerName, ServerQueue> queues_;
  std::map<TabletId, Done> waiters_;                          // of transfers and recoveries
  std::map<TabletId, std::pair<Recovery, Done>> recoveries_;  // to be begun
  std::set<TabletId> losses_accepted_;
  uint64_t next_run_ = 1;
  std::map<uint64_t, std::unique_ptr<FenceRound>> rounds_;
  std::map<uint64_t, std::unique_ptr<TabletBatch>> batches_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
