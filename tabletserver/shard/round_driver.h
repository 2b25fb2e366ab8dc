// tabletserver/shard/round_driver.h
// The rounds of one shard. A round takes the output of every tablet that may have some, and carries it out for all of
// them at once: store, append, send, flush, apply, publish, reply. Rounds run when a turn of the shard's executor ends,
// so that all that arrives in one turn shares them and a flush.
// Flushes:    A flush under way holds nothing up. The next round appends and asks for the next flush; the store's
//             flusher groups the requests. A flush that waits for no disk is done within the round.
// States:     The first tablet that is touched asks for rounds.
//
//               state    | Want()                   Run(), as the turn ends
//               ---------+-----------------------------------------------------------------------------------
//               kIdle    | kDue: asks for the       never
//                        | end of this turn
//               kDue     | nothing: it has asked    kRunning until no tablet has output: then kIdle;
//                        |                          until a core asks for a pause: then kDue, later in this end;
//                        |                          or for 8 rounds: then kDue, at the end of the next turn
//               kRunning | nothing: the rounds      never
//                        | under way take it too
//
//             A pause lets messages leave: sockets are written to as the turn ends, and the rounds go on after them. A
//             core asks for one where what it applies next must not hold up what it has just said. A replay may take
//             long, so after 8 rounds the executor does what else has arrived. Early calls (peer_exchange.h) wait until
//             the rounds have come to kIdle, no longer than the replay, because a later round may create their tablet.
// Place:      shard.h runs it; shard_tablets.h asks for it. tablet_core.h has the order in which an output is carried
//             out.
// Invariants: 1. A view is published before the replies that it explains; the applied bound before the store shows it.
//             2. Nothing leaves the log before it is stored as unresolved (PROTOCOL 22).
//             3. A tablet that is touched is kDue's or kRunning's: its output is taken.
// Threads:    the shard's executor.
#pragma once

#include <span>
#include <vector>

#include "common/base/turn_end.h"
#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class CopyTarget;
class CoreTimers;
class OutgoingCopies;
class PeerExchange;
class ReadWaiters;
class Splitter;
class TabletOrders;

class RoundDriver {
 public:
  // They carry out an output.
  struct Parts {
    PeerExchange& peers;
    ReadWaiters& reads;
    TabletOrders& orders;
    Splitter& splitter;
    PartLender& part_lender;
    OutgoingCopies& outgoing_copies;
    CopyTarget& copy_target;
    CoreTimers& timers;
  };
  // `turn`: has Run() called, at the end of a turn.
  RoundDriver(const ShardContext& shard, const Parts& parts, TurnEndHook& turn)
      : shard_(shard), parts_(parts), turn_(turn), posted_turn_end_(shard.executor()) {}

  void Want();
  void Run();

 private:
  enum class State : uint8_t { kIdle, kDue, kRunning };
  struct FlushOrder {
    ShardTabletPtr tablet;
    FlushNumber number;
  };

  void AskForTurnEnd();
  bool RunRounds();
  bool Take();

  void Round();
  void StoreOutputs();
  Status StoreBeforeEntries(ShardTablet& tablet, const TabletOutput& output);
  void AppendAll(std::span<TakenOutput*> taken);
  void BeginFlushes();
  void NotifyFlushed(const TakenOutput& taken);
  void NotifyFlushed(const FlushOrder& order, const Status& status);
  void ApplyAll(std::span<TakenOutput*> taken);
  void Reply(TakenOutput& taken);

  const ShardContext shard_;
  const Parts parts_;
  TurnEndHook& turn_;
  PostedTurnEnd posted_turn_end_;
  State state_ = State::kIdle;
  std::vector<TakenOutput> taken_;  // of the round under way; kept for its memory, which is much with many tablets
};

}  // namespace ebla::tabletserver
