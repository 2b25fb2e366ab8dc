// tabletserver/replication/copy_receiver.h
// A copy of the tablet that this replica receives (PROTOCOL 5, 9), stage by stage:
//
//   marking        the state says incomplete, and what is rolled back is kept: both are to be durable first
//   preparing      the host discards what is here and installs the copy's start
//   receiving      chunks of records come; the log follows from the start on
//   applying       every chunk is here; they were read at different moments, up to `upto`, so only with the log through
//                  there are they one state
//   checkpointing  a checkpoint is taken; then the replica is complete
//
// Place:   follower.h feeds it; replica_role.h abandons it when the epoch or the replica ends.
// Tests:   tests/stories/rule_09_what_chunks_show_is_committed.txt, tabletserver/shard/copy_target_test.cc
// Threads: thread-compatible.
#pragma once

#include <optional>
#include <vector>

#include "tabletserver/replication/replica_common.h"

namespace ebla::tabletserver {

class CopyReceiver {
 public:
  explicit CopyReceiver(ReplicaCommon& common) : common_(common) {}

  // ---- its course ---- Whether this copy is to begin; if not, the order has been answered. An error: the replica
  // fails, and reports it.
  Result<bool> Accepts(const ReceiveCopy& input);
  void Begin(const ReceiveCopy& input);
  // The start is installed. False: that of another copy.
  bool OnPrepared(const CopyPrepared& input);
  // Every chunk has arrived. True: they are to be applied from now on.
  bool OnArrived(const CopyArrived& input);
  void OnCheckpointed(const CopyCheckpointed& input);
  // The log reaches a SPLIT: a copy that brings what lies beyond it is given up.
  void OnSplit(const SplitInCopy& input);
  // Enters the next stage if this one has what it waits for.
  void Advance();
  // Answers the orders that wait for its preparation.
  void Abandon();
  void AbandonUnlessApplying() {
    if (copy_ && copy_->stage < Stage::kApplying) Abandon();
  }
  void Answer(RequestToken token, Status status) { ready_.push_back({token, std::move(status)}); }

  // ---- what it is up to ----
  bool under_way() const { return copy_.has_value(); }
  // The log may follow: the start is installed.
  bool takes_log() const { return copy_ && copy_->stage >= Stage::kReceiving; }
  bool applying() const { return copy_ && copy_->stage >= Stage::kApplying; }
  // All of its data has arrived and is known to be committed, so it is applied whatever becomes of its source.
  bool completes_alone() const { return applying() && common_.committed >= copy_->upto; }
  // A copy has begun in this life of the process, whatever became of it.
  bool began_one() const { return latest_ != 0; }
  // The position through which its source had applied its chunks.
  Lsn shown() const { return applying() ? copy_->upto : Lsn{}; }
  // The copy that is still to bring something; whose start is to be installed; whose chunks are taken. 0: none.
  uint64_t awaited() const { return copy_ && copy_->stage <= Stage::kReceiving ? copy_->order.id : 0; }
  uint64_t preparing() const { return copy_ && copy_->stage == Stage::kPreparing ? copy_->order.id : 0; }
  uint64_t receiving() const { return copy_ && copy_->stage == Stage::kReceiving ? copy_->order.id : 0; }

  // ---- outputs ----
  bool answered() const { return !ready_.empty(); }
  std::vector<CopyReply> TakeAnswers() { return std::exchange(ready_, {}); }
  // The host is yet to be told what this stage wants of it.
  bool NeedsHost() const {
    return copy_ && !copy_->announced && (copy_->stage == Stage::kPreparing || copy_->stage == Stage::kCheckpointing);
  }
  void FillOutput(ReplicaOutput& output);

 private:
  enum class Stage : uint8_t { kMarking, kPreparing, kReceiving, kApplying, kCheckpointing };
  struct Copy {
    ReceiveCopy order;
    FlushNumber marked_by;  // vouches for the mark, and for what was kept
    Stage stage = Stage::kMarking;
    bool announced = false;  // the host has been told what this stage wants of it
    Lsn upto;
  };

  ReplicaCommon& common_;
  std::optional<Copy> copy_;
  uint64_t latest_ = 0;  // begun here
  std::vector<CopyReply> ready_;
};

}  // namespace ebla::tabletserver
