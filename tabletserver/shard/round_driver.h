// tabletserver/shard/round_driver.h
// The rounds of one shard. A round takes the output of every tablet that may have some, and carries it out for all of
// them at once: store, append, send, flush, apply, publish, reply. The rounds go on until no tablet has output.
// Flushes:    A flush under way holds nothing up. The next round appends and asks for the next one; the store's flusher
//             groups what has gathered. What waits for no disk is done within the round.
// States:     Run(when) by state; a run ends as quiet, or paused, or in another run after what arrives meanwhile.
//
//               state    | kNow            kAfterArrivals                     kWithoutPause
//               ---------+-----------------------------------------------------------------------
//               kIdle    | rounds          posted; rounds once 16 gathered    rounds, pauses skipped
//               kRunning | nothing: the    posted                             nothing: the rounds
//                        | rounds under                                       under way take it too
//                        | way take it too
//               kPaused  | nothing: the    posted                             rounds, pauses skipped
//                        | next turn does
//
//             A pause lets messages leave: sockets are written to when a turn of the executor's loop ends. The cores
//             ask for one where what they apply next must not hold up what they have just said.
// Place:      shard_context.h hands it to every class that steps a core. tablet_core.h has the order in which an output
//             is carried out.
// Invariants: 1. A view is published before the replies that it explains; the applied bound before the store shows it.
//             2. Nothing leaves the log before it is stored as unresolved (PROTOCOL 22).
// Threads:    the shard's executor.
#pragma once

#include <span>
#include <vector>

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
  // Who carries out what of an output.
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
  enum class When : uint8_t {
    kNow,            // until quiet, but for a pause
    kAfterArrivals,  // after what else has arrived by now, so that all of it shares rounds and a flush
    kWithoutPause,   // until quiet, in this turn
  };

  RoundDriver(const ShardContext& shard, const Parts& parts) : shard_(shard), parts_(parts) {}

  void Run(When when = When::kNow);

 private:
  enum class State : uint8_t { kIdle, kRunning, kPaused };
  struct FlushOrder {
    ShardTabletPtr tablet;
    FlushNumber number;
  };

  void RunNow();
  bool Take();
  void RunWithArrivals();
  void Resume();

  void Round();
  void StoreOutputs();
  Status StoreBeforeEntries(ShardTablet& tablet, const TabletOutput& output);
  void AppendAll(std::span<TakenOutput*> taken);
  void BeginFlushes();
  void TellFlushed(const TakenOutput& taken);
  void TellFlushed(const FlushOrder& order, const Status& status);
  void ApplyAll(std::span<TakenOutput*> taken);
  void Reply(TakenOutput& taken);

  const ShardContext shard_;
  const Parts parts_;
  State state_ = State::kIdle;
  std::vector<TakenOutput> taken_;  // of the round under way; kept for its memory, which is much with many tablets
  int arrivals_ = 0;                // since the last rounds
  bool posted_ = false;             // rounds after what has arrived by then
};

}  // namespace ebla::tabletserver
