// tests/sim/cluster/state_watch.h
// What is wrong inside the cluster even where no client happens to see it: two replicas that applied different entries
// at one place, a copy or a split's child that shows what its replica has not applied, a committed split that is
// discarded unapplied, records that go under a reader, tablet time that falls along a log, a promise that goes back, a
// replica that fails though its disk does not, two servers that may answer strong reads of one tablet alone, two that
// lead one epoch, replicas that hold different records at the same position. And what FREEZEs there were: merger.h
// judges their epochs.
// Place:   every store tells of what is applied to it (server_watch.h); cluster.cc looks at the views of living
//          servers.
// Bounds:  of each tablet it says the first few things that are wrong, and then no more.
// Threads: one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tabletserver/storage/tablet_store.h"

namespace ebla::sim {

class StateWatch {
 public:
  // Histories may part where who has applied something may lose it with its process, and all others theirs.
  void LetHistoriesPart() { may_part_ = true; }
  // A replica on `server` has applied this.
  void Applied(const ServerName& server, const tabletserver::ApplyBatch& batch);
  // Its store has taken these entries of the tablet, or has discarded the end of its log.
  void Appended(const ServerName& server, const tabletserver::AppendBatch& batch);
  void Removed(const ServerName& server, TabletId tablet, Lsn from);
  // A FREEZE that some store has taken: of whom, for what, in which epoch; and the first that had it.
  struct Freeze {
    TabletId tablet;
    TabletId into;
    Epoch epoch;
    friend auto operator<=>(const Freeze&, const Freeze&) = default;
  };
  const std::map<Freeze, ServerName>& freezes() const { return freezes_; }
  // The last such entry; none: it is not known.
  Version LastAppended(const ServerName& server, TabletId tablet) const;
  // The beginning of its log is gone, but for what lies at `below` and above.
  void Truncated(const ServerName& server, TabletId tablet, Lsn below) { truncated_[{server, tablet}] = below; }
  // Has it every entry after that one, as far as is known?
  bool Reaches(const ServerName& server, TabletId tablet, Lsn after) const;
  // That process is dead, or has discarded something: what it applied last says nothing of where it goes on.
  void Forget(const ServerName& server);
  void Dies(const ServerName& server);
  // The server discards all of its replica; that is dropped or incomplete from now on, or complete again.
  void Forgets(const ServerName& server, TabletId tablet);
  void Becomes(const ServerName& server, TabletId tablet, const tabletserver::ReplicaState& state);
  // A start finds what it had promised.
  void Recovers(const ServerName& server, const std::vector<tabletserver::RecoveredReplica>& replicas);
  // What it had of the tablet is gone, and nothing has come in its place in this life of the process.
  bool HasForgotten(const ServerName& server, TabletId tablet) const { return forgotten_.contains({server, tablet}); }

  // `server` leads the tablet in this epoch now, and would answer a strong read by itself.
  void Leads(TabletId tablet, Epoch epoch, const ServerName& server, bool alone);
  // One look at all servers is over.
  void EndLook() { alone_.clear(); }

  // A replica whose copy was under way says that it is complete; the newest record it shows is of `newest`.
  void Completes(TabletId tablet, Lsn applied, Version newest, const ServerName& server);
  // A replica was split off another; the newest record it shows is of `newest`.
  void ChildCreated(TabletId tablet, Version at, Version newest, const ServerName& server);
  // Its log or its records contradict what it is told: it serves no more. No disk is to blame.
  void Fails(TabletId tablet, const ServerName& server, const std::string& why);
  // The server's store is dead, and the nemesis has not broken its disk.
  void StoreFails(const ServerName& server, const std::string& why);
  // It discards what somebody who may is reading there.
  void Discards(const ServerName& server, std::string_view key);
  // Records of a complete replica at this position, as a digest; of all that were ever told of one, the same is
  // expected.
  void Holds(TabletId tablet, Version applied, const ServerName& server, uint64_t records);

  // Tablets of which some replica began a history anew, which does not go on from what was applied before; or that were
  // split off one of these since. In which epoch, the last time.
  const std::map<TabletId, Epoch>& anew() const { return anew_; }

  // Nothing that was ever told of these counts; of some only what must never be discarded while the tablet lives.
  std::vector<std::string> Problems(const std::set<TabletId>& but_of, const std::set<TabletId>& living) const;

 private:
  struct Entry {
    Epoch epoch;
    std::optional<uint64_t> effects;  // none: not known
    ServerName who;
  };
  struct Held {
    uint64_t records = 0;
    ServerName who;
  };
  void NoteAnew(const tabletserver::ApplyBatch& batch);
  void Compare(TabletId tablet, Lsn lsn, Entry now);
  void Problem(TabletId tablet, const std::string& what);
  void Loses(const ServerName& server, TabletId tablet, Lsn from);
  void NoteFreeze(const ServerName& server, TabletId tablet, const tabletserver::LogEntry& entry);
  void JudgeTime(const ServerName& server, TabletId tablet, const tabletserver::LogEntry& entry);

  std::map<std::pair<TabletId, Lsn>, Entry> entries_;  // applied by anybody, ever

  struct Last {
    Version version;
    TabletTime time;
  };
  std::map<std::pair<ServerName, TabletId>, Last> appended_;
  std::map<std::pair<ServerName, TabletId>, Lsn> truncated_;                // its log begins there or later
  std::map<std::pair<ServerName, TabletId>, Lsn> reached_;                  // by a server in its present life
  std::map<std::pair<ServerName, TabletId>, std::map<Lsn, Epoch>> splits_;  // logged there, and not applied
  std::map<Freeze, ServerName> freezes_;
  std::set<std::pair<ServerName, TabletId>> incomplete_;
  std::set<std::pair<ServerName, TabletId>> forgotten_;
  std::map<std::pair<ServerName, TabletId>, Epoch> promised_;
  std::map<TabletId, std::string> lost_splits_;
  std::map<TabletId, Epoch> anew_;
  bool may_part_ = false;
  std::map<TabletId, std::string> failed_;  // the first of each
  std::map<std::pair<TabletId, Epoch>, ServerName> led_;
  std::map<TabletId, ServerName> alone_;  // in the present look
  std::map<std::pair<TabletId, Version>, Held> held_;
  std::vector<std::pair<TabletId, std::string>> problems_;
};

// Of a record or an effect, for digests.
uint64_t DigestOf(std::string_view key, std::string_view value, Version version, TabletTime expires_at);

}  // namespace ebla::sim
