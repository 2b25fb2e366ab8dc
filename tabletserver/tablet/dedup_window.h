// tabletserver/tablet/dedup_window.h
// Exactly once: remembers the outcome of each client's recent writes, so that a retry gets the first answer instead of
// a second execution (PROTOCOL 18-20). Covers the entries in the log that are not yet applied, too.
// Place:      tablet_core.h asks it before evaluating; its rows are kept in the store with the records (DedupChange).
// Invariants: 1. Apply()'s changes depend on the applied entries alone, so the window is the same on every replica.
//             2. A sequence that was executed is found, or refused: never taken for a new write.
// Bounds:     sequences per client by refusing those too far above the first incomplete; bytes by a logged floor.
// Threads:    thread-compatible.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

struct DedupLimits {
  int64_t window_ms = 600'000;
  uint64_t sequences_per_client_max = 1024;
  size_t bytes_max = 16 << 20;
};

// How a write names itself.
struct WriteIdentity {
  ClientId client;
  Sequence sequence;
  Sequence first_incomplete;
  TabletTime learnt;    // a tablet time known before the first attempt; none: not said
  uint64_t digest = 0;  // of what it asks for
};

class DedupWindow {
 public:
  explicit DedupWindow(DedupLimits limits, std::vector<DedupRow> rows = {}, TabletTime floor = {});

  struct New {};  // never seen: execute it
  // logged before, at row->version, maybe not yet applied; valid until a change
  struct Seen {
    const DedupRow* row;
  };
  struct Refused {
    Status status;
    int64_t retry_after_ms = -1;
  };  // INVALID_ARGUMENT, COME_AGAIN, UNKNOWN_OUTCOME
  using Verdict = std::variant<New, Seen, Refused>;
  Verdict Ask(const WriteIdentity& identity, TabletTime now) const;

  // An entry was appended (kWrite with a client, and kFloor; others are ignored).
  void Appended(const LogEntry& entry);
  // Entries above `last` were given up: they were no outcome.
  void RemoveAbove(Lsn last);
  // An entry is about to be applied, in log order, appended in this life or not.
  void Apply(const LogEntry& entry);
  // The changes by the entries since the last call, for the store.
  DedupChange TakeChange();

  // The floor to log now, as more is remembered than may be; none: not needed, or already in the log.
  std::optional<TabletTime> FloorToLog() const;

  // The known result of a write, logged or applied; null: none. Valid until a change.
  const DedupRow* Find(ClientId client, Sequence sequence) const;

  TabletTime floor() const { return floor_; }
  size_t bytes() const { return bytes_; }
  size_t clients() const { return clients_.size(); }

  // The rows that a split's child inherits, and that a merge combines (both logs wholly applied).
  std::vector<DedupRow> Rows() const;

 private:
  using RowMap = std::map<Sequence, DedupRow>;  // rows that are applied move from one to another as they stand
  struct Client {
    Sequence first_incomplete;
    TabletTime last;  // of its latest write
    size_t bytes = 0;
    RowMap rows;
    std::list<ClientId>::iterator age;
  };
  struct PendingClient {
    Sequence first_incomplete;  // the greatest that its entries in the log name
    RowMap rows;
  };
  struct PendingPlace {
    Lsn lsn;
    ClientId client;
    Sequence sequence;
  };
  using Clients = std::unordered_map<ClientId, Client>;

  const DedupRow* FindPending(ClientId client, Sequence sequence) const;
  RowMap::node_type TakePending(const PendingPlace& place);
  Sequence FirstIncomplete(ClientId client) const;
  void Put(RowMap::node_type node);
  void EraseBelow(Client& client, Sequence below);
  void EraseClient(ClientId id);

  DedupLimits limits_;
  TabletTime floor_;
  Clients clients_;
  std::list<ClientId> by_age_;  // least recently applied first
  size_t bytes_ = 0;            // applied and pending
  size_t pending_bytes_ = 0;    // thereof pending
  std::unordered_map<ClientId, PendingClient> pending_;
  std::vector<std::pair<ClientId, Sequence>> touched_;  // rows put or erased since TakeChange(), maybe both
  std::deque<PendingPlace> pending_order_;              // by lsn
  std::deque<Lsn> pending_floors_;
};

}  // namespace ebla::tabletserver
