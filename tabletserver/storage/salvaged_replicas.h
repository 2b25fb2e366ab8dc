// tabletserver/storage/salvaged_replicas.h
// The part of a server's replicas that a damaged log leaves consistent.
// Rule:    a tablet's records are those of its log up to the first entry that lacks, as after a crash at that moment.
//          Later entries are left out, even where they can be read, because an entry means what it does only on top of
//          all before it. Entries that the records have already do not lack. A tablet that was split off or merged by
//          an entry that is left out is left out as well: the tablets that it was made of have its keys, as of then.
// Place:   TabletStore::Recover of a salvage, before anything is applied. Only what it works on in memory changes, as
//          such a store lies in a view of the real one (tools/standalone/salvage_view.h).
// Threads: one.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tabletserver/storage/records/replica_state.h"
#include "tabletserver/storage/tablet_log.h"

namespace ebla::tabletserver {

// For people: the part that a tablet lacks.
struct UnsalvagedPart {
  TabletId tablet;
  std::string schema;  // encoded; empty: unknown
  KeyRange range;
  std::string what;
};

class SalvagedReplicas {
 public:
  // The part of the log that cannot be read, for SharedLogOptions::salvage.
  std::vector<LogLoss>& holes() { return holes_; }
  const std::vector<LogLoss>& holes() const { return holes_; }

  // `replicas`: all of the log, by growing id. Removes those that cannot be served, and cuts the log.
  Status Keep(TabletLog& log, std::vector<RecoveredReplica>& replicas);
  const std::vector<UnsalvagedPart>& lost() const { return lost_; }
  // WiredTiger's files are an older copy, so that each table may be older than its log. Empty: they are not.
  void NoteOlderRecords(uint64_t checkpoint, uint64_t had);
  const std::string& older_records() const { return older_records_; }
  // The encoded schema of each table that has a replica.
  const std::map<TableId, std::string>& schemas() const { return schemas_; }

 private:
  Status CutAtGap(TabletLog& log, RecoveredReplica& replica);
  // Whether the tablet is, or can be made again from the logs, as of the entry `lsn` that made another tablet of it.
  bool Reaches(const TabletLog& log, const std::vector<RecoveredReplica>& replicas, TabletId tablet, Lsn lsn) const;
  bool CanBeMade(const TabletLog& log, const std::vector<RecoveredReplica>& replicas,
                 const RecoveredReplica& replica) const;
  void LeaveOut(const RecoveredReplica& replica, const std::string& what);
  void NoteWithoutState(const TabletLog& log, const std::vector<RecoveredReplica>& replicas);

  std::vector<LogLoss> holes_;
  std::vector<UnsalvagedPart> lost_;
  std::string older_records_;
  std::set<TabletId> left_out_;
  std::map<TableId, std::string> schemas_;
};

}  // namespace ebla::tabletserver
