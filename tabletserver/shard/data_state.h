// tabletserver/shard/data_state.h
// The work that is under way on the data of one tablet on this server, as one value. The classes of a shard ask it, not
// each other, whether they may go on.
// States:     A row is a state, a column an event; an empty cell is a crash.
//
//             state          | kInstall    kStoreChunk   kEmpty    kStoreMerge   | kFinish    kFail    | kDrop
//             ---------------+---------------------------------------------------+---------------------+---------------
//             kQuiet         | kInstalling kStoringChunk kEmptying kStoringMerge |                     | kDropped
//             kInstalling    |                                                   | kQuiet     kQuiet   | kDroppedAtWork
//             kStoringChunk  |                                                   | kQuiet     kQuiet   | kDroppedAtWork
//             kEmptying      |                                                   | kQuiet     kQuiet   | kDroppedAtWork
//             kStoringMerge  |                                                   | kQuiet              |
//             kForgettingLog |                                                   |            kPart    |
//             kDroppedAtWork |                                                   | kDropped   kDropped |
//             kTruncating    |                                                   | kTruncated kDropped |
//
//             state          | kLend       kGiveBack     kBecomePart | kForgetLog       kTruncate     kDepart
//             ---------------+---------------------------------------+----------------------------------------
//             kQuiet         | kLent                     kPart       |
//             kLent          |             kQuiet        kPart       |
//             kPart          |                                       | kForgettingLog
//             kForgettingLog |                                       |                                kGone
//             kDropped       |                                       |                  kTruncating
//             kTruncated     |                                       |                                kGone
//
//             kQuiet         | nothing is under way; the tablet serves, or no replica is here
//             kInstalling    | the start of a copy replaces the replica's records and log (copy_target.h)
//             kStoringChunk  | a chunk of a copy replaces its interval
//             kEmptying      | a replica that is to start empty discards its records and log (tablet_orders.h)
//             kStoringMerge  | the store may have some of the merge that makes the tablet (merger.h)
//             kLent          | lent to the merge that makes another tablet of it (part_lender.h)
//             kPart          | part of another tablet; its log remains until a checkpoint has the merge
//             kForgettingLog | that log is being forgotten
//             kDroppedAtWork | dropped, while work on its data had not ended yet
//             kDropped       | waits for its readers, and for a checkpoint of its last split or merge (remover.h)
//             kTruncating    | its range is truncated, its log and rows are forgotten
//             kTruncated     | keeps its place until a checkpoint has that
//             kGone          | no entry of the shard's tablets any more
//
//             A split needs no state: a round begins and ends it.
// Place:      shard_tablet.h holds it; shard_tablets.h has it take the events.
// Threads:    thread-compatible.
#pragma once

#include <cstdint>
#include <optional>

namespace ebla::tabletserver {

class DataState {
 public:
  enum class State : uint8_t {
    kQuiet,
    kInstalling,
    kStoringChunk,
    kEmptying,
    kStoringMerge,
    kLent,  // leaving, from here on
    kPart,
    kForgettingLog,
    kDroppedAtWork,
    kDropped,
    kTruncating,
    kTruncated,
    kGone,
  };
  enum class Event : uint8_t {
    kInstall,
    kStoreChunk,
    kEmpty,
    kStoreMerge,
    kFinish,
    kFail,
    kDrop,
    kLend,
    kGiveBack,
    kBecomePart,  // of a quiet one: a start finds that it became part of another
    kForgetLog,
    kTruncate,
    kDepart,
  };
  static constexpr int kStates = 13, kEvents = 13;

  // None: never.
  static std::optional<State> Next(State state, Event event);
  void Take(Event event);

  State state() const { return state_; }
  bool quiet() const { return state_ == State::kQuiet; }
  // Its records are served no more, and only its remover or its merge steps its core.
  bool leaving() const { return state_ >= State::kLent; }
  // Orders are refused for now.
  bool being_merged() const { return state_ == State::kLent || state_ == State::kStoringMerge; }
  // It is part of another tablet.
  bool merged() const { return state_ == State::kPart || state_ == State::kForgettingLog; }
  // How often its log was discarded and another begun.
  uint64_t logs_discarded() const { return logs_discarded_; }

 private:
  State state_ = State::kQuiet;
  uint64_t logs_discarded_ = 0;
};

}  // namespace ebla::tabletserver
