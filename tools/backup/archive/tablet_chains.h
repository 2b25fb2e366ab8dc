// tools/backup/archive/tablet_chains.h
// Builds the histories of tablets from servers' logs: each tablet's entries in order and without a hole, continued from
// tablet to tablet over splits and merges, each entry with its moment on the wall clock. Every replica's log has an
// entry; the first one read counts. It also reports the periods in which a history is whole.
//
//   round        tablets that the catalog lists; then every server's log is read to its end, with the tablets that
//                the server leads and how far they are applied (marks)
//   covered      through the beginning of a round, once each listed tablet has a mark of that round, and every entry
//                at or below the mark has arrived. A tablet that has a primary or was split off, but is not listed
//                yet, may have acknowledged writes, so nothing is covered until it is listed
//   a moment     of an entry is its tablet time plus the difference to the time of day at the next mark. It is no
//                earlier than the mark before it, no later than the one after it. If there is a mark of the primary
//                that wrote it, it is never later than a majority had it, and early by 2 ms at most
//
// Invariants:  1. Entries leave by growing lsn of their tablet, and a tablet's first after its origins' last, so
//                 entries of one key leave by growing version.
//              2. An entry that leaves after its table was reported as covered through a moment is later than that
//                 moment.
//              3. If an entry is missing for kPatience although all logs were read, the table's history starts again,
//                 with a gap. So it does at once if a tablet was recovered by hand and lost committed entries: an lsn
//                 arrives with another epoch, or a primary has applied it with another.
//              4. Entries that are held, because their time or an earlier entry is missing, are bounded. Beyond the
//                 bound, the table that holds most starts again.
// Threads:     thread-compatible.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ebla/admin.h"

namespace ebla::backup {

struct ArchivedEntry {
  TableId table;
  TabletId tablet;
  Version version;
  int64_t at_ms = 0;                      // since 1970
  std::vector<UnresolvedEffect> effects;  // they expire by the wall clock
};

// About what they take in memory.
size_t BytesOf(const std::vector<UnresolvedEffect>& effects);

// From when to when every moment is known.
struct Span {
  int64_t from_ms = 0;
  int64_t through_ms = 0;
};

class TabletChains {
 public:
  static constexpr int64_t kPatienceMs = 30'000;     // for what lacks
  static constexpr int64_t kForgottenMs = 600'000;   // what is no longer listed
  static constexpr int64_t kRoundsApartMs = 10'000;  // rounds that follow each other, at most
  static constexpr size_t kHeldBytesMax = 512 << 20;

  explicit TabletChains(size_t held_bytes_max = kHeldBytesMax) : held_bytes_max_(held_bytes_max) {}

  struct Listed {
    TabletId tablet;
    TableId table;
  };
  // `now_ms`: a millisecond that was over before the list was asked for.
  void BeginRound(int64_t now_ms, const std::vector<Listed>& tablets);
  void Take(LogPage page);
  // More is held than may be: time to end the round.
  bool Full();
  // `all_read`: every server's log was read to its end. `ended_ms`: the time of day; every entry that has arrived was
  // committed before it. Returns the tables whose histories start again.
  std::vector<TableId> EndRound(bool all_read, int64_t ended_ms = 0);

  // Emitted entries, until they are cleared.
  const std::vector<ArchivedEntry>& ready() const { return ready_; }
  size_t ready_bytes() const { return ready_bytes_; }
  void ClearReady() {
    ready_.clear();
    ready_bytes_ = 0;
  }
  // None: not whole yet. `whole`: the table was made meanwhile, and nothing was before.
  struct Coverage {
    Span span;
    bool whole = false;
  };
  std::optional<Coverage> CoverageOf(TableId table) const;
  // Moments before this one are not known any more.
  void CutBefore(int64_t at_ms);
  // The rounds of entries that have arrived and not left yet.
  std::set<uint64_t> HeldRounds() const;
  uint64_t round() const { return round_; }

  // The state that survives a restart, if the logs are read again from where the oldest round began.
  struct EpochStart {
    uint64_t lsn = 0;
    Epoch epoch;
  };
  struct State {
    struct Tablet {
      TabletId tablet;
      TableId table;
      uint64_t emitted = 0;  // lsn
      int64_t offset_ms = 0;
      uint64_t offset_epoch = 0;
      int64_t floor_ms = 0;
      bool was_listed = true;
      std::vector<EpochStart> epochs;
    };
    struct Table {
      TableId table;
      std::optional<Coverage> coverage;  // none: it is beginning
    };
    std::vector<Tablet> tablets;
    std::vector<Table> tables;
    std::vector<LoggedStart> starts;
    int64_t looked_ms = 0;  // the latest look into the catalog
  };
  State Save() const;
  void Load(const State& state);

 private:
  struct Held {
    LoggedEntry entry;
    uint64_t round = 0;
  };
  // The state that survives a new start of the history: the catalog's answer, and the moment before which no entry may
  // leave any more.
  struct Known {
    TableId table;
    int64_t floor_ms = 0;  // the last mark that was reached
    uint64_t listed_round = 0;
    int64_t seen_ms = 0;  // when it was last listed; before it was, when a log first showed it
    bool was_listed = false;
    // from the split or merge that made the tablet until the catalog lists it; 0: it is not awaited
    int64_t awaited_ms = 0;
  };
  struct Chain : Known {
    std::optional<uint64_t> through;  // lsn: all in order; none: where it begins is not known
    std::vector<EpochStart> epochs;   // of the entries through there: the latest few
    bool diverged = false;            // its tablet has gone back, and on from there with other entries
    uint64_t emitted = 0;
    std::map<uint64_t, Held> ahead;  // beyond a hole
    std::deque<Held> untimed;        // in order, until a mark gives their time
    std::deque<LedTablet> marks;     // that are not reached
    int64_t offset_ms = 0;           // from tablet time to the time of day, as the last mark had it
    Epoch offset_epoch;              // whose primary said so: each has clocks of its own
    uint64_t marked_round = 0;
    LedTablet marked;             // lately
    int64_t behind_since_ms = 0;  // and has not come any further; 0: it is not
    uint64_t was_emitted = 0;     // when the last round ended

    std::optional<Epoch> EpochAt(uint64_t lsn) const;
    void NoteEpoch(uint64_t lsn, Epoch epoch);
    // Nothing of it has come, or could have.
    bool at_its_making() const { return through && *through == 0; }
  };
  struct Table {
    std::optional<Coverage> coverage;
    bool beginning = true;  // its tablets begin at their marks
    struct Goal {
      int64_t at_ms = 0;
      std::map<TabletId, uint64_t> lsns;
    };
    std::optional<Goal> goal;
  };

  void TakeStart(LoggedStart start);
  void TakeEntry(LoggedEntry entry);
  void TakeMark(const LedTablet& mark);
  // A log has shown it.
  void Note(Chain& chain, TableId table) const;
  void Begin(Chain& chain, uint64_t lsn);
  void BeginStarted();
  void Drain(Chain& chain);
  void Emit(TabletId tablet, Chain& chain);
  void Cover(TableId table, Table& of, int64_t ended_ms);
  bool ReachesGoal(const Table::Goal& goal) const;
  bool IsBehind(TableId table, TabletId tablet, const Chain& chain) const;
  bool MayBeUnseen(const Chain& chain) const;
  std::optional<TableId> HoldsMost();
  void RestartChains(TableId table, Table& of);
  void Forget();
  bool Lists(const Chain& chain) const { return chain.listed_round == round_; }

  size_t held_bytes_max_;
  size_t held_bytes_ = 0;  // or more: what has left since it was counted is still in it
  uint64_t round_ = 0;
  int64_t now_ms_ = 0;
  bool loaded_ = false;
  std::map<TabletId, Chain> chains_;
  std::map<TableId, Table> tables_;
  std::map<TabletId, LoggedStart> starts_;  // each has a chain
  std::map<TabletId, int64_t> merged_;      // lately, and when that was seen: they do not come again
  std::vector<ArchivedEntry> ready_;
  size_t ready_bytes_ = 0;
};

}  // namespace ebla::backup
