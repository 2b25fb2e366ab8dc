// tests/sim/cluster/state_watch.h
// Finds what is wrong inside the cluster, even if no client happens to see it. It also lists the FREEZEs, whose epochs
// merger.h judges. Wrong are:
//  - two replicas that applied different entries at one place, or hold different records at the same position;
//  - a copy or a split's child that shows what its replica has not applied;
//  - a committed split that is discarded unapplied, and records that are discarded under a reader;
//  - tablet time that falls along a log, and a promised epoch that falls;
//  - a replica that fails though its disk does not;
//  - two servers that lead one epoch, or that both answer strong reads of one tablet alone.
// Place:   every store reports what is applied to it (server_watch.h); cluster.cc looks at the views of living servers.
// Bounds:  it reports the first few problems of each tablet.
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
  // Allows histories to part, because all processes that have applied an entry may lose it.
  void LetHistoriesPart() { may_part_ = true; }
  // A replica on `server` has applied this.
  void Applied(const ServerName& server, const tabletserver::ApplyBatch& batch);
  // Its store has taken these entries of the tablet, or has discarded the end of its log.
  void Appended(const ServerName& server, const tabletserver::AppendBatch& batch);
  void Removed(const ServerName& server, TabletId tablet, Lsn from);
  // A FREEZE that some store has taken; freezes() has the server that took it first.
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
  // The server may apply next what does not follow its last entry, because its process is dead or has discarded
  // something.
  void Forget(const ServerName& server);
  void Dies(const ServerName& server);
  // The server discards all of its replica; that is dropped or incomplete from now on, or complete again.
  void Forgets(const ServerName& server, TabletId tablet);
  void Becomes(const ServerName& server, TabletId tablet, const tabletserver::ReplicaState& state);
  // A start finds what it had promised.
  void Recovers(const ServerName& server, const std::vector<tabletserver::RecoveredReplica>& replicas);
  // The server has discarded its replica in this life of its process, and has applied nothing since.
  bool HasForgotten(const ServerName& server, TabletId tablet) const { return forgotten_.contains({server, tablet}); }

  // `server` leads the tablet in this epoch now, and would answer a strong read by itself.
  void Leads(TabletId tablet, Epoch epoch, const ServerName& server, bool alone);
  // One look at all servers is over.
  void EndLook() { alone_.clear(); }

  // A replica whose copy was under way is complete; the newest record that it shows is of `newest`.
  void Completes(TabletId tablet, Lsn applied, Version newest, const ServerName& server);
  // A replica was split off another; the newest record it shows is of `newest`.
  void ChildCreated(TabletId tablet, Version at, Version newest, const ServerName& server);
  // The replica has stopped serving, because its log or records contradict what it is told. No disk is to blame.
  void Fails(TabletId tablet, const ServerName& server, const std::string& why);
  // The server's store is dead, and the nemesis has not broken its disk.
  void StoreFails(const ServerName& server, const std::string& why);
  // The server discards a record while an admitted read of it is under way.
  void Discards(const ServerName& server, std::string_view key);
  // Records of a complete replica at this position, as a digest. All digests of one position must be equal.
  void Holds(TabletId tablet, Version applied, const ServerName& server, uint64_t records);

  // Tablets that restarted with an empty history, or were split off such a tablet since; and the latest epoch in which
  // one did.
  const std::map<TabletId, Epoch>& anew() const { return anew_; }

  // Leaves out `but_of`. Lost splits and failed replicas count for every tablet in `living`, and for no other tablet.
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

  std::map<std::pair<TabletId, Lsn>, Entry> entries_;  // applied by any server, ever

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

// The digest of a record or an effect.
uint64_t DigestOf(std::string_view key, std::string_view value, Version version, TabletTime expires_at);

}  // namespace ebla::sim
