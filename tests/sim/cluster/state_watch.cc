#include "tests/sim/cluster/state_watch.h"

#include <algorithm>
#include <utility>

namespace ebla::sim {
namespace {

constexpr ptrdiff_t kProblemsMax = 3;

// The epoch of the entry at `lsn`, by the starts of epochs; none: the entry is older than the known starts.
Epoch EpochAt(const tabletserver::AppliedState& state, Lsn lsn) {
  Epoch epoch;
  for (const tabletserver::EpochStart& start : state.epoch_starts) {
    if (start.first <= lsn) epoch = start.epoch;
  }
  return epoch;
}

}  // namespace

uint64_t DigestOf(std::string_view key, std::string_view value, Version version, TabletTime expires_at) {
  uint64_t digest = 14695981039346656037u;
  const auto mix = [&digest](uint64_t more) { digest = (digest ^ more) * 1099511628211u; };
  const auto mix_text = [&](std::string_view text) {
    mix(text.size());
    // large values differ at their front
    for (const char one : text.substr(0, 64)) mix(static_cast<unsigned char>(one));
  };
  mix_text(key);
  mix_text(value);
  mix(version.epoch.value);
  mix(version.lsn.value);
  mix(expires_at.value);
  return digest;
}

void StateWatch::Problem(TabletId tablet, const std::string& what) {
  const auto said = std::ranges::count(problems_, tablet, &std::pair<TabletId, std::string>::first);
  if (said < kProblemsMax) problems_.emplace_back(tablet, "tablet " + std::to_string(tablet.value) + ": " + what);
}

std::vector<std::string> StateWatch::Problems(const std::set<TabletId>& but_of,
                                              const std::set<TabletId>& living) const {
  std::vector<std::string> problems;
  for (const auto& [tablet, what] : lost_splits_) {
    if (living.contains(tablet)) problems.push_back("tablet " + std::to_string(tablet.value) + ": " + what);
  }
  for (const auto& [tablet, what] : failed_) {
    if (living.contains(tablet)) problems.push_back("tablet " + std::to_string(tablet.value) + ": " + what);
  }
  for (const auto& [tablet, what] : problems_) {
    if (!but_of.contains(tablet)) problems.push_back(what);
  }
  return problems;
}

void StateWatch::Applied(const ServerName& server, const tabletserver::ApplyBatch& batch) {
  std::map<Lsn, Entry> now;
  const Version applied = batch.state.applied;
  forgotten_.erase({server, batch.tablet});
  if (const auto splits = splits_.find({server, batch.tablet}); splits != splits_.end()) {
    std::erase_if(splits->second, [&](const auto& split) { return split.first <= applied.lsn; });
  }
  Lsn& reached = reached_[{server, batch.tablet}];
  // Entries without effects leave none: where the batch begins is known from the one before.
  if (reached) {
    for (Lsn lsn = reached.Next(); lsn < applied.lsn; lsn = lsn.Next())
      now[lsn] = {EpochAt(batch.state, lsn), 0, server};
  }
  now[applied.lsn] = {applied.epoch, reached ? std::optional<uint64_t>(0) : std::nullopt, server};
  for (const tabletserver::RecordChange& change : batch.records) {
    const tabletserver::Effect& effect = *change.effect;
    Entry& entry = now[change.version.lsn];
    entry.epoch = change.version.epoch;
    entry.who = server;
    entry.effects = entry.effects.value_or(0) * 31 +
                    DigestOf(effect.key, effect.is_delete ? "" : effect.value, change.version, effect.expires_at) + 1;
  }
  reached = applied.lsn;
  NoteAnew(batch);
  for (auto& [lsn, entry] : now) {
    if (entry.epoch) Compare(batch.tablet, lsn, std::move(entry));
  }
}

// Two epochs begin at its first entry: with the former, what was before is said to be none of its history.
void StateWatch::NoteAnew(const tabletserver::ApplyBatch& batch) {
  if (batch.state.former != nullptr) return;
  Epoch first;
  int epochs = 0;
  for (const tabletserver::EpochStart& start : batch.state.epoch_starts) {
    if (start.first != Lsn{1}) continue;
    first = start.epoch;
    ++epochs;
  }
  const auto known = anew_.find(batch.tablet);
  if (epochs < 2 || (known != anew_.end() && first <= known->second)) return;
  anew_[batch.tablet] = first;
  entries_.erase(entries_.lower_bound({batch.tablet, Lsn{}}), entries_.upper_bound({batch.tablet, Lsn{UINT64_MAX}}));
}

void StateWatch::Compare(TabletId tablet, Lsn lsn, Entry now) {
  const auto [at, first] = entries_.emplace(std::pair(tablet, lsn), now);
  Entry& known = at->second;
  if (first) return;
  if (known.epoch == now.epoch && (!known.effects || !now.effects || known.effects == now.effects)) {
    if (!known.effects) known = std::move(now);
    return;
  }
  if (may_part_) {
    known = std::move(now);
    return;
  }
  const auto text = [lsn](const Entry& entry) {
    return Version{entry.epoch, lsn}.ToString() + (entry.effects == uint64_t{0} ? " (empty)" : "");
  };
  Problem(tablet, now.who + " applied " + text(now) + " where " + known.who + " applied " +
                      (known.epoch == now.epoch ? "another " : "") + text(known));
}

void StateWatch::Appended(const ServerName& server, const tabletserver::AppendBatch& batch) {
  for (const tabletserver::LogEntry* entry : batch.entries) {
    JudgeTime(server, batch.tablet, *entry);
    if (entry->kind == tabletserver::EntryKind::kSplit)
      splits_[{server, batch.tablet}][entry->version.lsn] = entry->version.epoch;
    if (entry->kind == tabletserver::EntryKind::kFreeze) NoteFreeze(server, batch.tablet, *entry);
  }
}

// Tablet time never falls along a log, because a primary begins at its log's greatest time (PROTOCOL 21).
void StateWatch::JudgeTime(const ServerName& server, TabletId tablet, const tabletserver::LogEntry& entry) {
  Last& last = appended_[{server, tablet}];
  const bool follows = entry.version.lsn == last.version.lsn.Next();
  if (follows && entry.time < last.time) {
    Problem(tablet, server + " appended " + entry.version.ToString() + " of tablet time " +
                        std::to_string(entry.time.value) + " after " + last.version.ToString() + " of " +
                        std::to_string(last.time.value));
  }
  last = {entry.version, entry.time};
}

void StateWatch::NoteFreeze(const ServerName& server, TabletId tablet, const tabletserver::LogEntry& entry) {
  const auto detail = tabletserver::DecodeFreezeDetail(entry.detail);
  if (detail.has_value()) freezes_.try_emplace({tablet, detail->into, entry.version.epoch}, server);
}

void StateWatch::Removed(const ServerName& server, TabletId tablet, Lsn from) {
  appended_.erase({server, tablet});
  Loses(server, tablet, from);
}

void StateWatch::Forgets(const ServerName& server, TabletId tablet) {
  Loses(server, tablet, Lsn{});
  forgotten_.insert({server, tablet});
}

void StateWatch::Recovers(const ServerName& server, const std::vector<tabletserver::RecoveredReplica>& replicas) {
  std::map<TabletId, Version> last;
  for (const tabletserver::RecoveredReplica& replica : replicas) {
    promised_[{server, replica.tablet}] = replica.state.promised;
    last[replica.tablet] = replica.last_logged ? replica.last_logged
                           : replica.applied   ? replica.applied->applied
                                               : Version();
  }
  // A crash has torn the ends of logs: what is appended next does not follow what was appended there.
  std::erase_if(appended_, [&](const auto& item) {
    const auto& [server_and_tablet, appended] = item;
    return server_and_tablet.first == server && last[server_and_tablet.second] != appended.version;
  });
}

// A promise outlives everything (PROTOCOL 6). A tombstone does not change whether the replica counts as complete.
void StateWatch::Becomes(const ServerName& server, TabletId tablet, const tabletserver::ReplicaState& state) {
  Epoch& promised = promised_[{server, tablet}];
  if (state.promised < promised) {
    Problem(tablet, server + " has promised epoch " + std::to_string(promised.value) + ", and then says " +
                        std::to_string(state.promised.value));
  }
  promised = state.promised;
  if (state.tombstone) return;
  if (!state.incomplete) {
    incomplete_.erase({server, tablet});
  } else if (!incomplete_.contains({server, tablet})) {
    Loses(server, tablet, Lsn{});
    incomplete_.insert({server, tablet});
  }
}

void StateWatch::Dies(const ServerName& server) {
  Forget(server);
  const auto its = [&](const auto& item) { return item.first.first == server; };
  std::erase_if(splits_, its);  // the log may end before
  std::erase_if(promised_, its);
  std::erase_if(forgotten_, [&](const auto& item) { return item.first == server; });
}

// A complete replica must not discard a committed SPLIT that it has not applied, because the child may be nowhere else
// (PROTOCOL 9). An entry that any server has applied is committed.
void StateWatch::Loses(const ServerName& server, TabletId tablet, Lsn from) {
  const auto splits = splits_.find({server, tablet});
  if (splits == splits_.end()) return;
  std::erase_if(splits->second, [&](const auto& split) {
    const auto& [lsn, epoch] = split;
    if (lsn < from) return false;
    const auto applied = entries_.find({tablet, lsn});
    const bool committed = applied != entries_.end() && applied->second.epoch == epoch;
    if (committed && !incomplete_.contains({server, tablet})) {
      lost_splits_[tablet] = server + " discards the split at " + Version{epoch, lsn}.ToString() + ", which " +
                             applied->second.who + " has applied, before it has applied it";
    }
    return true;
  });
}

Version StateWatch::LastAppended(const ServerName& server, TabletId tablet) const {
  const auto found = appended_.find({server, tablet});
  return found == appended_.end() ? Version() : found->second.version;
}

bool StateWatch::Reaches(const ServerName& server, TabletId tablet, Lsn after) const {
  const auto found = truncated_.find({server, tablet});
  return found == truncated_.end() || found->second <= after.Next();
}

void StateWatch::Forget(const ServerName& server) {
  std::erase_if(reached_, [&](const auto& item) { return item.first.first == server; });
}

void StateWatch::Leads(TabletId tablet, Epoch epoch, const ServerName& server, bool alone) {
  const auto led = led_.emplace(std::pair(tablet, epoch), server).first;
  if (led->second != server)
    Problem(tablet, "both " + led->second + " and " + server + " lead epoch " + std::to_string(epoch.value));
  if (!alone) return;
  const auto [other, first] = alone_.emplace(tablet, server);
  if (!first) Problem(tablet, "both " + other->second + " and " + server + " answer strong reads alone");
}

void StateWatch::Completes(TabletId tablet, Lsn applied, Version newest, const ServerName& server) {
  if (newest.lsn <= applied) return;
  Problem(tablet,
          server + " is complete, has applied " + std::to_string(applied.value) + ", and shows " + newest.ToString());
}

void StateWatch::ChildCreated(TabletId tablet, Version at, Version newest, const ServerName& server) {
  if (newest.lsn <= at.lsn) return;
  Problem(tablet, server + " has it split off at " + at.ToString() + ", and shows " + newest.ToString());
}

void StateWatch::Fails(TabletId tablet, const ServerName& server, const std::string& why) {
  if (may_part_ && why.contains("another history")) return;  // it is dropped, and made anew
  failed_.emplace(tablet, server + " has failed: " + why);
}

void StateWatch::StoreFails(const ServerName& server, const std::string& why) {
  Problem({}, "the store of " + server + " has failed: " + why);
}

void StateWatch::Discards(const ServerName& server, std::string_view key) {
  Problem({}, server + " discards " + std::string(key) + ", which is being read");
}

void StateWatch::Holds(TabletId tablet, Version applied, const ServerName& server, uint64_t records) {
  const auto [at, first] = held_.emplace(std::pair(tablet, applied), Held{records, server});
  if (first || at->second.records == records) return;
  Problem(tablet, server + " and " + at->second.who + " hold different records, both at " + applied.ToString());
}

}  // namespace ebla::sim
