#include "tabletserver/replication/copy_receiver.h"

#include <utility>

#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

Result<bool> CopyReceiver::Accepts(const ReceiveCopy& input) {
  const auto say = [&](Status status) {
    Answer(input.token, std::move(status));
    return false;
  };
  if (copy_ && copy_->order.id == input.id && copy_->stage >= Stage::kReceiving) return say({});
  if (input.id < latest_) return say(Error(Code::kComeAgain, "a newer copy has begun"));
  if ((common_.state.incomplete && !applying()) || !rules::CopySparesWhoHoldsLine()) return true;
  // A replica that holds the line may have been counted when later entries were committed. A replica that has applied
  // another history does not hold it. A primary's word alone is no reason to discard its data, so it fails, and the
  // master drops it and makes it again.
  EBLA_TRY(common_.log.CheckHistory(input.line));
  if (input.line.lsn > common_.log.applied().lsn) {
    const Result<std::optional<Epoch>> epoch = common_.log.EpochAt(input.line.lsn);
    if (!epoch.has_value()) return say(epoch.error());
    if (*epoch != input.line.epoch) return true;
  }
  return say(Error(Code::kConditionFailed, "the log holds " + input.line.ToString()));
}

void CopyReceiver::Begin(const ReceiveCopy& input) {
  Abandon();
  latest_ = input.id;
  copy_ = Copy{.order = input, .marked_by = common_.flushes.next()};
}

bool CopyReceiver::OnPrepared(const CopyPrepared& input) {
  if (!copy_ || copy_->order.id != input.id || copy_->stage != Stage::kPreparing) return false;
  common_.log.Reset(copy_->order.start);
  common_.committed = copy_->order.start.lsn;
  copy_->stage = Stage::kReceiving;
  Answer(copy_->order.token, {});
  return true;
}

bool CopyReceiver::OnArrived(const CopyArrived& input) {
  if (!takes_log() || copy_->order.id != input.id) {
    Answer(input.token, Error(Code::kNotFound, "no such copy is under way"));
    return false;
  }
  Answer(input.token, {});
  if (copy_->stage != Stage::kReceiving) return false;  // asked again
  copy_->upto = input.upto;
  copy_->stage = Stage::kApplying;
  return true;
}

void CopyReceiver::OnCheckpointed(const CopyCheckpointed& input) {
  if (!copy_ || copy_->order.id != input.id || copy_->stage != Stage::kCheckpointing) return;
  copy_.reset();
  // A replica that may have lost writes is not sure yet, because the entries that its source had not applied at the
  // copy may be those that it had acknowledged (followed_log.cc).
  common_.state.incomplete = false;
  common_.state_dirty = true;
}

void CopyReceiver::OnSplit(const SplitInCopy& input) {
  if (applying() && copy_->upto >= input.at) Abandon();
}

void CopyReceiver::Advance() {
  if (!copy_) return;
  const bool marked =
      common_.flushes.durable().incomplete && common_.rolled_back.empty() && common_.flushes.done() >= copy_->marked_by;
  if (copy_->stage == Stage::kMarking && marked) {
    copy_->stage = Stage::kPreparing;
    copy_->announced = false;
  }
  const bool through = common_.log.applied().lsn >= copy_->upto || !rules::CopyAppliesPastItsChunks();
  if (copy_->stage == Stage::kApplying && through) {
    copy_->stage = Stage::kCheckpointing;
    copy_->announced = false;
    if (!rules::CopyEndsWithCheckpoint()) OnCheckpointed({copy_->order.id});
  }
}

void CopyReceiver::Abandon() {
  if (copy_ && copy_->stage < Stage::kReceiving) {
    Answer(copy_->order.token, Error(Code::kComeAgain, "the copy was given up"));
  }
  copy_.reset();
}

void CopyReceiver::FillOutput(ReplicaOutput& output) {
  if (!NeedsHost()) return;
  copy_->announced = true;
  if (copy_->stage == Stage::kPreparing) output.prepare = copy_->order;
  if (copy_->stage == Stage::kCheckpointing) output.checkpoint_for_copy = copy_->order.id;
}

}  // namespace ebla::tabletserver
