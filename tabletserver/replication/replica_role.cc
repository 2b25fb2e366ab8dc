#include "tabletserver/replication/replica_role.h"

#include <glog/logging.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

// ---- what a primary knows -------------------------------------------------------------------------------------------

bool ReplicaRole::BarrierApplied() const {
  if (!rules::StrongWaitsForBarrier()) return Leads();
  return leadership_ && common_.log.applied().lsn >= leadership_->barrier();
}

std::vector<ServerName> ReplicaRole::Missing(Lsn lsn) const {
  return leadership_ ? leadership_->Missing(lsn) : std::vector<ServerName>{};
}

std::vector<PeerProgress> ReplicaRole::Progress() const {
  return leadership_ ? leadership_->Progress() : std::vector<PeerProgress>{};
}

// ---- how it changes -------------------------------------------------------------------------------------------------

void ReplicaRole::SetMembers(ServerName primary, std::vector<ServerName> voters, std::vector<ServerName> learners) {
  primary_ = std::move(primary);
  voters_ = std::move(voters);
  learners_ = std::move(learners);
}

void ReplicaRole::Lead(const ConfigureReplica& input) {
  // A change of the membership continues the same log, because peers may already have the entries that the store has
  // refused so far.
  StepDown(/*keep_log=*/Leads());
  Promise(input.epoch);
  common_.state.led = input.epoch;
  common_.state.may_have_lost_writes = common_.state.lost = false;
  if (!rules::IncompleteOffersNoLog()) common_.state.incomplete = false;
  common_.state_dirty = true;
  common_.epoch = input.epoch;
  common_.vouched.clear();
  copies_.Abandon();
  LogLostSplits(input);
  const Version barrier_at{input.epoch, common_.log.last().lsn.Next()};
  Leadership::Start start{common_.options.self, common_.options.lease, input.epoch, barrier_at.lsn, messages_};
  if (input.sole_log) start.inherited = common_.log.last().lsn;
  leadership_.emplace(std::move(start), voters_, learners_);

  auto barrier = std::make_shared<LogEntry>();
  barrier->kind = EntryKind::kBarrier;
  barrier->version = barrier_at;
  barrier->time = input.barrier_time;
  common_.log.Append(std::move(barrier));
}

// The catalog has these splits, but the replicas that logged them have lost them. They precede the Barrier, so nothing
// is served before they are applied. They name no primary, because the catalog names the children's (PROTOCOL 5, 12).
void ReplicaRole::LogLostSplits(const ConfigureReplica& input) {
  for (const LostSplit& split : input.lost_splits) {
    LOG(WARNING) << "tablet " << common_.options.tablet << ": its split at \"" << EscapeBytes(split.key)
                 << "\", which no log has any more, is logged again";
    auto entry = std::make_shared<LogEntry>();
    entry->kind = EntryKind::kSplit;
    entry->version = {input.epoch, common_.log.last().lsn.Next()};
    entry->time = input.barrier_time;
    entry->detail = EncodeSplitDetail({split.child, split.key, {}, voters_});
    common_.log.Append(std::move(entry));
  }
}

void ReplicaRole::LeadAsChild(Version split) {
  led_by_split_ = common_.epoch;
  leadership_.emplace(Leadership::Start{common_.options.self, common_.options.lease, common_.epoch, split.lsn,
                                        messages_, split.lsn.Next()},
                      voters_, learners_);
}

bool ReplicaRole::AcceptsPrimary(const ServerName& peer, Epoch epoch) const {
  if (!common_.epoch) return epoch <= common_.state.promised;  // since the restart no message has named the primary
  if (epoch <= common_.epoch) return true;                     // Follow() compares
  return peer == primary_ && !limits::IsLeap(common_.state.promised, epoch);
}

// The epoch is promised then: the catalog names it.
bool ReplicaRole::Follow(const ServerName& peer, Epoch epoch, MonotonicTime now) {
  const Epoch least = rules::FenceEndsLowerAppends() ? common_.state.promised : common_.epoch;
  if (epoch < least || !common_.failure.ok()) return false;
  const bool second = epoch == common_.epoch && peer != primary_;
  if (second)
    LOG(ERROR) << "tablet " << common_.options.tablet << ": " << peer << " and " << primary_
               << " are both primary in epoch " << epoch;
  if (second || (Leads() && epoch <= common_.epoch)) return false;
  if (epoch > common_.epoch || Leads()) {
    StepDown();
    common_.epoch = epoch;
    common_.vouched.clear();
    followed_.BeginEpoch();
    copies_.AbandonUnlessApplying();
  }
  Promise(epoch);
  primary_ = peer;
  followed_.NoteContact(now);
  return true;
}

// A replica keeps what it has acknowledged until a primary of a later epoch replaces it, so that the log then ends with
// a later version; or until a copy. A message that was sent before a copy began may arrive after its end, in the same
// life.
void ReplicaRole::CompareWith(Version had) {
  const Version last = common_.log.last();
  if (last >= had || kind() == RoleKind::kAbsent || common_.state.incomplete || copies_.began_one()) return;
  if (common_.state.lost || !rules::ShortPeerIsNotBelieved()) return;
  LOG(ERROR) << "tablet " << common_.options.tablet << ": the log here ends at " << last << ", and other servers "
             << "remember that this server has acknowledged it through " << had << ": its disk has lost a part of what "
             << "it had. The replica does not vote until it is made anew. A disk that does this again is to be "
             << "replaced (ebla server drain)";
  common_.NoteLost();
}

void ReplicaRole::StepDown(bool keep_log) {
  if (!leadership_) return;
  for (ConfirmReply& reply : leadership_->Abandon()) confirms_.push_back(std::move(reply));
  transfer_.GiveUp();
  messages_ = leadership_->messages();
  for (const PeerProgress& peer : leadership_->Progress()) {
    if (peer.acknowledged) common_.vouched[peer.peer] = {common_.epoch, peer.acknowledged};
  }
  leadership_.reset();
  followed_.Unmatch();
  if (!keep_log) DropUnstored();
}

void ReplicaRole::Promise(Epoch epoch) {
  if (epoch <= common_.state.promised) return;
  common_.state.promised = epoch;
  common_.state_dirty = true;
  if (rules::FenceEndsLowerAppends()) followed_.Refuse(AppendResult::kStaleEpoch);
}

// Waiting acknowledgements of it are refused, because a later entry at its position would be acknowledged in its place.
void ReplicaRole::DropUnstored() {
  common_.log.DropUnstored();
  const Lsn last = common_.log.last().lsn;
  followed_.Refuse(AppendResult::kBusy, last);
  common_.committed = std::min(common_.committed, last);
  followed_.CutAt(last);
}

void ReplicaRole::Leave() {
  copies_.Abandon();
  followed_.Refuse(AppendResult::kUnknown);
}

void ReplicaRole::Fail(Status status) {
  common_.failure = std::move(status);
  StepDown();
  replies_.FailAll();
  followed_.Refuse(AppendResult::kBusy);
  copies_.Abandon();
}

// ---- transfers and confirmations ------------------------------------------------------------------------------------

void ReplicaRole::Transfer(const TransferReplica& input) {
  transfer_.Begin(input);
  CheckTransfer();
}

void ReplicaRole::CheckTransfer() {
  if (!leadership_) return;
  const std::optional<RequestToken> done = transfer_.Complete(*leadership_);
  if (!done) return;
  StepDown();
  replies_.Reply(*done, {});
}

void ReplicaRole::Confirm(const ConfirmLeadership& input) {
  if (!leadership_) {
    confirms_.push_back({input.token, Error(Code::kNotPrimary, "this replica is not the tablet's primary")});
  } else if (leadership_->lease_ended()) {
    confirms_.push_back({input.token, Error(Code::kComeAgain, "the tablet is being merged")});
  } else {
    leadership_->Confirm(input.token, common_.now);
  }
}

std::vector<ConfirmReply> ReplicaRole::TakeConfirms() {
  if (leadership_) {
    for (ConfirmReply& reply : leadership_->TakeConfirmed()) confirms_.push_back(std::move(reply));
  }
  return std::exchange(confirms_, {});
}

}  // namespace ebla::tabletserver
