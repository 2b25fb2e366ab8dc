// master/procedures/fence_round.h
// Fences tablets above every known epoch of them and decides each tablet's primary (docs/design/failover.md). It sends
// Fence(e+1) to all voters, and takes from a majority of answers the log whose last (epoch, lsn) is greatest.
// How:        A tablet is ready once its voters have all answered, or kFenceGrace after a majority that can choose has,
//             so that it need not wait for the timeout of a dead server. Ready tablets continue at once, without
//             waiting for answers of other tablets. A tablet without a majority after kFencePatience is returned
//             undecided.
//             A suspect primary is fenced like the other voters, and chosen only when they cannot choose without it.
//             Their majority has all that was committed, and the suspect's further entries were replicated nowhere.
//             For a memory tablet the learners are asked, too, even those that are away, because no voter may have its
//             data any more. If the chosen replica lacks splits of the catalog in its log, it is ordered to log them
//             (lost_splits.h).
//             In a recovery by hand every live holder is fenced and awaited, and the survivor becomes the only voter,
//             unless a majority of the voters turns out to be back.
//             Servers remember how far the logs of others were on their disks in the catalog's epoch: a primary of its
//             peers, peers of their primary. Answers tell it, and so does the primary's last report. An answer with
//             less is not believed (PROTOCOL 5). A second fence tells the replica, so that it notes its loss, and a
//             later master sees it, too.
// Place:      tablet_reconciler.h begins rounds, and passes decisions to a TabletBatch.
// Invariants: 1. Each item is returned exactly once.
//             2. `next` replaces the very znode that was read before the Fence was sent.
// Tests:      master/host/master_failover_test.cc, master/procedures/choose_primary_test.cc
// Threads:    thread-compatible; the master's executor. `ready` never runs inside Start; it may not destroy the round.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "master/procedures/choose_primary.h"
#include "master/procedures/tablet_batch.h"

namespace ebla::master {

inline constexpr Duration kFenceGrace = std::chrono::milliseconds(50);
// A lease of a second that a follower has granted runs out before it answers; then it flushes.
inline constexpr Duration kFencePatience = std::chrono::milliseconds(2'500);
// A learner that is away for so long is lost: it is removed, and no fence waits for it.
inline constexpr Duration kLearnerPatience = std::chrono::seconds(30);

// No majority is left: an operator gives the tablet to one replica alone.
struct Recovery {
  ServerName server;  // empty: the longest complete log
  Version least;      // that the log must have; none: any will do
};

// A tablet to be fenced.
struct FenceItem {
  TabletId tablet;
  Epoch floor;           // fence above this too: an epoch promised already
  ServerName before;     // who led it last
  bool suspect = false;  // a majority of the voters does not hear the primary, though it may answer this master
  std::optional<Recovery> recovery;
};

class FenceRound {
 public:
  // `ready(items, over)`: decided items have `next`, undecided ones a status with the reason. `over`: these were the
  // last.
  using Ready = std::function<void(std::vector<BatchItem> items, bool over)>;

  FenceRound(const Context& context, std::vector<FenceItem> items, Ready ready);
  ~FenceRound();
  FenceRound(const FenceRound&) = delete;
  void Start();

 private:
  using Orders = std::map<ServerName, std::vector<idl::FenceTablet>>;
  struct Fencing {
    BatchItem item;
    std::vector<ServerName> asked;
    std::vector<ServerName> learners;  // of a memory tablet, those that are not lost
    bool creating = false;
    bool suspect = false;
    bool in_memory = false;
    std::optional<Recovery> recovery;
    bool refused = false;  // a voter has promised a higher epoch, or cannot answer yet
    ServerName before;
    idl::TabletNode node;
    std::vector<FenceAnswer> answers;
    std::map<ServerName, Version> had;       // on their disks, of the catalog's epoch, as other servers remember
    std::map<ServerName, std::string> ends;  // of a memory tablet: where a log leaves it to end
    size_t waiting = 0;                      // for answers
    std::optional<MonotonicTime> decidable;  // since when
  };

  bool Begin(Fencing& fencing, const FenceItem& wanted);
  idl::FenceTablet WithLeap(idl::FenceTablet order, const ServerName& server) const;
  void OnFenced(const ServerName& server, Result<std::map<TabletId, idl::FenceResult>> results);
  void TakeAnswer(Fencing& fencing, const ServerName& server, const idl::FenceResult& result) const;
  void TakeReport(Fencing& fencing) const;
  Status CheckNumbers(const ServerName& server, const idl::FenceResult& result) const;
  void TakeRefusal(Fencing& fencing, const ServerName& server, const idl::FenceResult& result) const;
  // For a server that does not know the tablet: the parts that it may still hold. False: that is not known yet, and the
  // answer does not count.
  bool ExplainUnknown(Fencing& fencing, FenceAnswer& answer) const;
  void TakeEnd(Fencing& fencing, const idl::FenceResult& result, FenceAnswer& answer) const;
  PrimaryChoice Choose(const Fencing& fencing) const;
  // To replicas whose answers are short, but for the one that is to lead: what they had.
  void AddReminders(const Fencing& fencing, const PrimaryChoice& choice, Orders& orders) const;
  bool late() const { return context_.executor.Now() >= deadline_; }
  void Emit();
  BatchItem Decide(Fencing fencing, const PrimaryChoice& choice) const;
  Status MendSplits(const PrimaryChoice& choice, const std::optional<std::string>& end, BatchItem& item) const;

  const Context context_;
  const std::vector<FenceItem> wanted_;
  const Ready ready_;
  std::map<TabletId, Fencing> fencing_;
  std::vector<BatchItem> ended_;  // to be handed out with the next
  MonotonicTime deadline_;
  TimerId timer_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
