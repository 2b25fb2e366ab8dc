#include "tabletserver/replication/leadership.h"

#include <glog/logging.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "common/base/number_limits.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {
namespace {

// The greatest value that a majority of so many voters has reached.
template <class T>
T ReachedByMajority(std::vector<T> values, size_t voters) {
  std::sort(values.begin(), values.end(), std::greater<>());
  return values[voters / 2];
}

}  // namespace

Leadership::Leadership(Start start, const std::vector<ServerName>& voters, const std::vector<ServerName>& learners)
    : self_(std::move(start.self)),
      terms_(start.terms),
      epoch_(start.epoch),
      barrier_(start.barrier),
      inherited_(start.inherited),
      voters_(voters),
      messages_(start.messages) {
  for (const ServerName& voter : voters) {
    if (voter != self_) peers_[voter].voter = true;
  }
  for (const ServerName& learner : learners) {
    if (learner != self_) peers_[learner];
  }
  for (auto& [name, peer] : peers_) peer.next = start.next ? start.next : barrier_;
  heartbeat_due_ = true;
}

// ---- news -----------------------------------------------------------------------------------------------------------

std::optional<Leadership::Sent> Leadership::Settle(Peer& peer, uint64_t number) {
  auto append = peer.appends.extract(number);
  if (append.empty()) return std::nullopt;
  peer.bytes_in_flight -= append.mapped().bytes;
  return append.mapped();
}

void Leadership::Grant(Peer& peer, const PeerReply& reply, bool granted, MonotonicTime clock) {
  peer.heard = std::max(peer.heard, reply.now);
  peer.echo_clock = std::max(peer.echo_clock, clock);
  if (!granted) return;
  const MonotonicTime counted_from = !rules::LeaseCountsFromSending() ? reply.now : reply.sent;
  peer.lease = std::max(peer.lease, counted_from + terms_.length - terms_.margin);
}

// A peer has promised the epoch `promised`, and refuses this one. An impossible leap is ignored.
void Leadership::NotePromised(Epoch promised) {
  if (limits::IsLeap(epoch_, promised, limits::kReportedEpochLeapMax)) return;
  if (promised > epoch_) refused_for_ = std::max(refused_for_, promised);
}

// Looks for where the logs meet, from `next` downwards. Answers to what was sent before say nothing any more.
void Leadership::Probe(Peer& peer, Lsn next) {
  peer.mode = Mode::kProbe;
  peer.next = std::max(next, Lsn{1});
  peer.ignore_through = messages_;
  peer.paused = false;
}

// Nothing but a copy helps now, whatever answers are still under way.
void Leadership::WantCopy(Peer& peer) {
  peer.mode = Mode::kCopy;
  peer.copy = 0;
  peer.incomplete = true;
  peer.paused = false;
  peer.ignore_through = messages_;
}

// One has failed: whatever ails the peer may last.
void Leadership::WantCopyLater(Peer& peer, MonotonicTime now) {
  WantCopy(peer);
  peer.paused = true;
  peer.copy_again = now + std::min(kCopyDelayMax, kCopyDelayFirst * (int64_t{1} << std::min(peer.copies_failed++, 20)));
}

void Leadership::OnAppendAnswer(const PeerReply& reply, const AppendAnswer& answer, const ReplicaLog& log) {
  const auto found = peers_.find(reply.peer);
  if (found == peers_.end() || answer.epoch != epoch_) return;
  Peer& peer = found->second;
  const std::optional<Sent> sent = Settle(peer, reply.number);
  Grant(peer, reply, answer.granted, answer.clock);
  NotePromised(answer.promised);
  if (!sent || reply.number <= peer.ignore_through) return;
  // The peer waits for a copy that is no longer sent. If the copy has arrived, the peer just did not know it yet.
  if (answer.receiving != 0 && answer.receiving != peer.copy && answer.receiving != peer.copied) return WantCopy(peer);
  // It cannot have stored what it was not sent.
  const bool beyond = answer.result == AppendResult::kStored && answer.flushed > sent->last;
  switch (beyond ? AppendResult::kBusy : answer.result) {
    case AppendResult::kStored:
      peer.match = std::max(peer.match, answer.flushed);
      peer.proven = true;
      peer.incomplete = answer.incomplete;
      // Below the Barrier a position is none without its entry's epoch: the end of another history may be longer.
      if (answer.synced && !answer.incomplete && answer.flushed >= barrier_)
        peer.acknowledged = std::max(peer.acknowledged, answer.flushed);
      peer.next = std::max(peer.next, peer.match.Next());
      if (peer.mode == Mode::kProbe) peer.mode = Mode::kReplicate;
      peer.paused = false;
      break;
    case AppendResult::kMismatch: {
      const auto meet = log.LastUpTo(answer.conflict.lsn, answer.conflict.epoch);
      // If they do not meet at all, the whole log is offered; or a copy, if the log does not reach back so far.
      Probe(peer, meet.has_value() && meet->has_value() ? (*meet)->lsn.Next() : Lsn{1});
      break;
    }
    case AppendResult::kIncomplete:
      // It has lost the copy it was receiving, or never had one.
      if (peer.copy != 0) {
        WantCopyLater(peer, reply.now);
      } else {
        WantCopy(peer);
      }
      break;
    case AppendResult::kStaleEpoch:
    case AppendResult::kUnknown:
    case AppendResult::kBusy:
      Probe(peer, sent->first);
      peer.paused = true;
      break;
  }
}

void Leadership::OnHeartbeatAnswer(const PeerReply& reply, const HeartbeatAnswer& answer, const ReplicaLog& log) {
  const auto found = peers_.find(reply.peer);
  if (found == peers_.end() || answer.epoch != epoch_) return;
  Peer& peer = found->second;
  Grant(peer, reply, answer.granted, answer.clock);
  NotePromised(answer.promised);
  // An answer that was sent off before an append arrived proves nothing while that is under way.
  const bool behind = peer.mode == Mode::kReplicate && peer.appends.empty() && answer.last.lsn.Next() < peer.next;
  if (behind && peer.next <= log.last().lsn.Next()) Probe(peer, peer.match.Next());
  if (answer.known && answer.promised == epoch_ && answer.round <= round_) {
    peer.confirmed = std::max(peer.confirmed, answer.round);
    CloseRound();
  }
}

void Leadership::OnLost(const PeerReply& reply) {
  const auto found = peers_.find(reply.peer);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  const std::optional<Sent> sent = Settle(peer, reply.number);
  if (!sent || peer.mode == Mode::kCopy || reply.number <= peer.ignore_through) return;
  Probe(peer, sent->first);
  peer.paused = true;
}

// The peer has lost its memory, its grants among it; its acknowledged entries were durable, unless it may have lost
// writes.
void Leadership::Step(const PeerRestarted& input) {
  const auto found = peers_.find(input.peer);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.match = {};
  peer.lease = {};
  peer.echo_clock = {};
  peer.confirmed = 0;
  peer.copy = 0;
  peer.proven = false;
  Probe(peer, peer.next);
}

void Leadership::Step(const CopyNews& news) {
  const auto found = peers_.find(news.peer);
  if (found == peers_.end() || found->second.copy != news.id) return;
  Peer& peer = found->second;
  switch (news.kind) {
    case CopyNews::Kind::kAccepted:
      peer.acknowledged = {};
      Probe(peer, peer.copy_start.lsn.Next());
      break;
    case CopyNews::Kind::kArrived:
      peer.copied = std::exchange(peer.copy, 0);
      peer.copies_failed = 0;
      break;
    case CopyNews::Kind::kHoldsLine:
      peer.copy = 0;
      Probe(peer, peer.copy_start.lsn.Next());
      break;
    case CopyNews::Kind::kFailed: WantCopyLater(peer, news.now); break;
  }
}

void Leadership::Step(const SplitNext& input) {
  split_announced_ = input.at;
  heartbeat_due_ = true;
}

void Leadership::Step(const SplitApplied&) {
  if (!rules::CopyStopsAtSplit()) return;
  for (auto& [name, peer] : peers_) {
    if (peer.copy != 0) WantCopy(peer);
  }
}

void Leadership::Step(const EndLease& input) {
  if (rules::FreezeEndsLease()) lease_end_ = std::min(lease_end_, input.now);
}

void Leadership::OnTick(MonotonicTime now) {
  for (auto& [name, peer] : peers_) {
    if (!peer.appends.empty()) continue;
    if (peer.mode != Mode::kCopy || now >= peer.copy_again) peer.paused = false;
    // Only an answer shows that the peer's copy is complete and that it counts. Without writes, as before a Barrier
    // that needs this very peer, no append would ask for one.
    if (peer.mode == Mode::kReplicate && peer.incomplete) Probe(peer, peer.next);
  }
}

// ---- what follows from it -------------------------------------------------------------------------------------------

Lsn Leadership::MajorityFlushed(Lsn own) const {
  std::vector<Lsn> positions{own};
  for (const auto& [name, peer] : peers_) {
    const bool counts = !peer.incomplete || !rules::IncompleteIsNotCounted();
    if (peer.voter || !rules::OnlyVotersCount()) positions.push_back(counts ? peer.match : Lsn{});
  }
  return ReachedByMajority(std::move(positions), voters_.size());
}

Lsn Leadership::AllFlushed(Lsn own) const {
  Lsn least = own;
  for (const auto& [name, peer] : peers_) {
    if (peer.voter) least = std::min(least, peer.incomplete ? Lsn{} : peer.match);
  }
  return least;
}

std::vector<ServerName> Leadership::Missing(Lsn lsn) const {
  std::vector<ServerName> names;
  for (const auto& [name, peer] : peers_) {
    if (peer.voter && (peer.incomplete || peer.match < lsn)) names.push_back(name);
  }
  return names;
}

MonotonicTime Leadership::lease_until() const {
  std::vector<MonotonicTime> until{MonotonicTime::Max()};
  for (const auto& [name, peer] : peers_) {
    if (peer.voter) until.push_back(peer.lease);
  }
  return std::min(lease_end_, ReachedByMajority(std::move(until), voters_.size()));
}

std::vector<PeerProgress> Leadership::Progress() const {
  std::vector<PeerProgress> progress;
  for (const auto& [name, peer] : peers_) {
    // A peer that has stored nothing yet may have no replica at all.
    progress.push_back(
        {name, peer.voter, peer.copy != 0, peer.incomplete || !peer.proven, peer.match, peer.heard, peer.acknowledged});
  }
  return progress;
}

Lsn Leadership::NeededFrom(Lsn otherwise) const {
  Lsn needed = otherwise;
  for (const auto& [name, peer] : peers_) {
    // The peer's last entry is retained, too, because a probe shows by it that the logs meet. A silent peer may need
    // the whole log; zero would mean that none does.
    needed = std::min(needed, std::max(peer.copy != 0 ? peer.copy_start.lsn : peer.match, Lsn{1}));
  }
  return needed;
}

bool Leadership::IsLevel(const ServerName& name, Lsn last) const {
  const auto found = peers_.find(name);
  return found != peers_.end() && found->second.voter && !found->second.incomplete && found->second.match >= last;
}

// ---- confirmation ---------------------------------------------------------------------------------------------------

void Leadership::Confirm(RequestToken token, MonotonicTime) {
  if (confirming_.size() + waiting_.size() >= kConfirmsMax) {
    confirmed_.push_back({token, Error(Code::kOverloaded, "too many reads wait for a majority")});
    return;
  }
  if (round_open_) {
    const bool joins = round_due_ || !rules::ConfirmNeedsNewRound();
    (joins ? confirming_ : waiting_).push_back(token);
    return;
  }
  ++round_;
  round_open_ = round_due_ = true;
  confirming_.push_back(token);
  CloseRound();
}

void Leadership::CloseRound() {
  if (!round_open_) return;
  size_t agreed = 1, voters = 1;
  for (const auto& [name, peer] : peers_) {
    if (!peer.voter) continue;
    ++voters;
    if (peer.confirmed >= round_) ++agreed;
  }
  if (agreed <= voters / 2) return;
  for (const RequestToken token : confirming_) confirmed_.push_back({token, {}});
  confirming_ = std::exchange(waiting_, {});
  round_open_ = round_due_ = !confirming_.empty();
  if (round_open_) {
    ++round_;
    CloseRound();
  }
}

std::vector<ConfirmReply> Leadership::TakeConfirmed() { return std::exchange(confirmed_, {}); }

std::vector<ConfirmReply> Leadership::Abandon() {
  std::vector<ConfirmReply> replies = TakeConfirmed();
  for (std::vector<RequestToken>* tokens : {&confirming_, &waiting_}) {
    for (const RequestToken token : *tokens) {
      replies.push_back({token, Error(Code::kNotPrimary, "this replica is no longer the tablet's primary")});
    }
    tokens->clear();
  }
  return replies;
}

// ---- messages -------------------------------------------------------------------------------------------------------

bool Leadership::WantsMessage(const Peer& peer, const ReplicaLog& log) const {
  switch (peer.mode) {
    case Mode::kProbe: return !peer.paused && peer.appends.empty();
    case Mode::kCopy: return !peer.paused && peer.copy == 0;
    case Mode::kReplicate:
      return peer.next <= log.last().lsn && peer.appends.size() < kInFlightMax &&
             peer.bytes_in_flight < kInFlightBytesMax;
  }
  return false;
}

bool Leadership::HasMessages(const ReplicaLog& log) const {
  if (!confirmed_.empty()) return true;
  if (peers_.empty()) return false;
  if (heartbeat_due_ || round_due_) return true;
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& peer) { return WantsMessage(peer.second, log); });
}

Status Leadership::TakeMessages(const ReplicaLog& log, Lsn committed, MonotonicTime now,
                                std::vector<PeerMessage>& messages, std::vector<StartCopy>& copies) {
  const Lsn retain = NeededFrom(log.applied().lsn.Next());
  for (auto& [name, peer] : peers_) {
    while (WantsMessage(peer, log)) EBLA_TRY(Send(name, peer, log, committed, now, messages, copies));
    if (!heartbeat_due_ && !round_due_) continue;
    HeartbeatMessage heartbeat{.epoch = epoch_, .committed = committed, .retain = retain, .round = round_};
    heartbeat.acknowledged = peer.acknowledged;
    // Under the lease, no other primary can have committed an entry by now. So once the peer has applied this position,
    // its state is no older than its clock of then.
    if (committed >= barrier_ && now < lease_until()) {
      heartbeat.echo_clock = peer.echo_clock;
      heartbeat.echo_committed = committed;
    }
    messages.push_back({name, ++messages_, now, heartbeat});
  }
  heartbeat_due_ = round_due_ = false;
  return {};
}

Status Leadership::Send(const ServerName& name, Peer& peer, const ReplicaLog& log, Lsn committed, MonotonicTime now,
                        std::vector<PeerMessage>& messages, std::vector<StartCopy>& copies) {
  const Lsn previous{peer.next.value - 1};
  EBLA_ASSIGN(const std::optional<Epoch> epoch, log.EpochAt(previous));
  if (peer.mode == Mode::kCopy || !epoch || !log.Reaches(peer.next)) {
    BeginCopy(name, peer, log, copies);
    return {};
  }
  AppendMessage append{.epoch = epoch_, .previous = {*epoch, previous}, .committed = committed};
  append.retain = NeededFrom(log.applied().lsn.Next());
  append.acknowledged = peer.acknowledged;
  Sent sent{.first = peer.next, .last = previous, .bytes = 64};
  if (peer.next <= log.last().lsn) {
    EBLA_ASSIGN(append.entries, log.Read(peer.next, kMessageBytes));
    for (const EntryPtr& entry : append.entries) sent.bytes += entry->ApproximateBytes();
    sent.last = append.entries.back()->version.lsn;
    peer.next = sent.last.Next();
  }
  peer.paused = peer.mode == Mode::kProbe;
  peer.bytes_in_flight += sent.bytes;
  peer.appends.emplace(++messages_, sent);
  messages.push_back({name, messages_, now, std::move(append)});
  return {};
}

void Leadership::BeginCopy(const ServerName& name, Peer& peer, const ReplicaLog& log, std::vector<StartCopy>& copies) {
  peer.mode = Mode::kCopy;
  peer.match = {};
  peer.incomplete = true;
  peer.ignore_through = messages_;
  peer.copy = (epoch_.value << 20) + ++copies_begun_;
  peer.copy_start = log.applied();
  const bool first_is_applied = log.first() && log.first().lsn <= log.applied().lsn;
  copies.push_back({name, peer.copy, epoch_, log.applied(), first_is_applied ? log.first() : log.applied()});
}

}  // namespace ebla::tabletserver
