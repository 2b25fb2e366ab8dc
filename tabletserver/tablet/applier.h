// tabletserver/tablet/applier.h
// Applies what is committed, one batch at a time. Entries come out of memory, or after a restart out of the store's
// log, read ahead in pieces. Committed entries are never replaced, so entries read ahead stay right.
// Place:      tablet_core.h takes a batch with an output, or for a replay, and passes on what became of it.
// Invariants: 1. A SPLIT is a batch of its own, so that answers to earlier writes precede it.
//             2. A batch borrows its effects from the entries kept here until it is applied.
// Bounds:     apply_bytes_max for a batch, and for what is read ahead.
// Threads:    thread-compatible.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "tabletserver/tablet/freeze_state.h"
#include "tabletserver/tablet/split_state.h"
#include "tabletserver/tablet/tablet_common.h"

namespace ebla::tabletserver {

class Applier {
 public:
  Applier(TabletCommon& common, SplitState& split, FreezeState& freeze)
      : common_(common), split_(split), freeze_(freeze) {}

  bool CanApply() const;
  // While CanApply(). None: nothing may be applied by this output after all. UNAVAILABLE: the log's next entry is
  // damaged, and nothing has changed. Another error: the replica is dead.
  Result<std::optional<ApplyBatch>> TakeBatch();
  void OnApplied(const Applied& input);
  // `again`: the batch, if it is to be offered again after a Tick.
  void OnFailed(std::optional<ApplyBatch> again);
  // After a TakeBatch that failed: it is done again after a Tick.
  void Stall() { stalled_ = true; }
  void OnTick() { stalled_ = false; }
  // Resets the tablet, with no batch out.
  void Reset();

 private:
  Result<EntryPtr> NextEntry(Lsn lsn);
  Status Gather(ApplyBatch& batch);
  Status Add(const LogEntry& entry, ApplyBatch& batch);

  TabletCommon& common_;
  SplitState& split_;
  FreezeState& freeze_;
  std::deque<EntryPtr> read_ahead_;  // of the replay, consecutive from the next to apply
  std::vector<EntryPtr> entries_;    // of the batch that is out
  AppliedState state_;               // once it is applied
  bool out_ = false;
  std::optional<ApplyBatch> refused_;  // waits for a Tick
  bool stalled_ = false;
};

}  // namespace ebla::tabletserver
