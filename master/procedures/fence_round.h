// master/procedures/fence_round.h
// Fences tablets above every epoch known of them and finds out for each who is to lead (docs/design/failover.md):
// Fence(e+1) to all voters, and from a majority of answers the log whose last (epoch, lsn) is greatest.
// How:        A tablet is ready once its voters have all answered, or kFenceGrace after a majority that can choose has:
//             nobody waits for the timeout of a dead server. Those that are ready go on at once, the others' answers
//             notwithstanding; what has no majority after kFencePatience comes back undecided.
//             A suspect primary is fenced like the others, and chosen only when the others alone cannot choose: their
//             majority has all that was committed, and what more the suspect has it could replicate to nobody.
//             Of a memory tablet its learners are asked, too: no voter may have its data any more. Where who is chosen
//             has not logged what the catalog says was split off, it is told to (lost_splits.h).
//             In a recovery by hand every holder that lives is fenced and waited for, and the survivor leads alone,
//             unless a majority of the voters turns out to be back.
// Place:      tablet_reconciler.h begins rounds, and hands what was decided to a TabletBatch.
// Invariants: 1. Each item comes back exactly once.
//             2. `next` replaces the very znode that was read before the Fence was sent.
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
  // `ready(items, over)`: decided ones have `next`, the others a status that says why not. `over`: these were the last.
  using Ready = std::function<void(std::vector<BatchItem> items, bool over)>;

  FenceRound(const Context& context, std::vector<FenceItem> items, Ready ready);
  ~FenceRound();
  FenceRound(const FenceRound&) = delete;
  void Start();

 private:
  struct Fencing {
    BatchItem item;
    std::vector<ServerName> asked;
    std::vector<ServerName> learners;  // of a memory tablet, those that live
    bool creating = false;
    bool suspect = false;
    bool in_memory = false;
    std::optional<Recovery> recovery;
    bool refused = false;  // somebody has promised more, or cannot answer yet
    ServerName before;
    idl::TabletNode node;
    std::vector<FenceAnswer> answers;
    std::map<ServerName, std::string> ends;  // of a memory tablet: where a log leaves it to end
    size_t waiting = 0;                      // for answers
    std::optional<MonotonicTime> decidable;  // since when
  };

  bool Begin(Fencing& fencing, const FenceItem& wanted);
  idl::FenceTablet WithLeap(idl::FenceTablet order, const ServerName& server) const;
  void OnFenced(const ServerName& server, Result<std::map<TabletId, idl::FenceResult>> results);
  void TakeAnswer(Fencing& fencing, const ServerName& server, const idl::FenceResult& result) const;
  Status CheckNumbers(const ServerName& server, const idl::FenceResult& result) const;
  void TakeRefusal(Fencing& fencing, const ServerName& server, const idl::FenceResult& result) const;
  // Of who does not know the tablet: what it holds of it all the same. False: that is not known yet, and the answer
  // does not count.
  bool ExplainUnknown(Fencing& fencing, FenceAnswer& answer) const;
  void TakeEnd(Fencing& fencing, const idl::FenceResult& result, FenceAnswer& answer) const;
  PrimaryChoice Choose(const Fencing& fencing) const;
  bool late() const { return context_.executor.Now() >= deadline_; }
  void Emit();
  BatchItem Decide(Fencing fencing) const;
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
