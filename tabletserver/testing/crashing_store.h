// tabletserver/testing/crashing_store.h
// The smallest store that can crash: a journal of appended entries, of which a crash keeps the flushed part and as much
// more as the test wants, and records that a crash takes back to the last checkpoint.
// Place:   core_rig.h carries a TabletCore's output to it.
// Threads: one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver::testing {

class CrashingStore {
 public:
  using Records = std::map<std::string, StoredRecord>;
  using DedupWindow = std::map<std::pair<ClientId, Sequence>, DedupRow>;

  // ---- what the driver orders ----
  RecoveredReplica Recover() const;
  TabletReaders Readers() const;  // valid while the store is
  // The replica's state, what is removed of its log, and what is appended.
  Status Append(const ReplicaOutput& output);
  Status Apply(const ApplyBatch& batch);
  size_t appended() const { return journal_.size(); }                   // pieces
  void Flush(size_t pieces) { flushed_ = std::max(flushed_, pieces); }  // so many of the first
  size_t unflushed() const { return journal_.size() - flushed_; }
  void Checkpoint();
  // Up to what is applied. The first entry that is left; nothing: the log is empty.
  Version TruncateLog();
  // The first `keep` unflushed pieces survive.
  void Crash(size_t keep);
  // The next crash also loses the last `pieces` flushed pieces, although they were answered for.
  void ForgetFlushed(size_t pieces) { flushed_ -= std::min(flushed_, pieces); }
  // A start has found that the log lacks a part, and has it noted on the disk.
  void MarkLost();
  // The replica is gone: all but its state.
  void Clear();
  // Installs the start of a copy and its records.
  void Install(const InstallCopy& copy);
  void ReplaceInterval(const std::string& from, const std::string& to, const Records& records);

  // ---- what there is ----
  const Records& records() const { return data_.records; }
  const DedupWindow& dedup_window() const { return data_.dedup_window; }
  std::vector<LogEntry> Log() const;  // as stored
  const ReplicaState& state() const { return state_; }
  const std::optional<AppliedState>& applied() const { return data_.applied; }
  std::string fault;                  // a record's version ran back; empty: none did
  std::vector<EntryPtr> rolled_back;  // kept outside the tablet's data

  // Outcomes of the next orders.
  struct Failures {
    Status append;
    Status apply;
    Status keep;  // of what is rolled back
    Lsn lost;     // this entry of the log cannot be read
  };
  Failures failures;

 private:
  struct Piece {  // of the journal: one of them
    std::optional<ReplicaState> state;
    std::string entry;
    Lsn remove_from;
    Lsn forget_to;  // the log starts again after this position
  };
  struct Data {
    Records records;
    DedupWindow dedup_window;
    std::optional<AppliedState> applied;
  };

  std::vector<Piece> journal_;
  size_t flushed_ = 0;              // pieces of the journal
  std::map<Lsn, std::string> log_;  // the journal's entries, less what was truncated
  Lsn truncated_;
  ReplicaState state_;
  Data data_;
  Data checkpoint_;
};

}  // namespace ebla::tabletserver::testing
