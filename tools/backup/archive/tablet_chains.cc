#include "tools/backup/archive/tablet_chains.h"

#include <algorithm>
#include <utility>

#include "common/base/number_limits.h"

namespace ebla::backup {
namespace {

constexpr size_t kEpochs = 64;  // remembered of a tablet: so many leaders back
constexpr Expiry kFirstExpiry{std::chrono::milliseconds(1)};
constexpr Expiry kLastExpiry{std::chrono::milliseconds(limits::kExpiryMsMax)};

}  // namespace

size_t BytesOf(const std::vector<UnresolvedEffect>& effects) {
  size_t bytes = 0;
  for (const UnresolvedEffect& effect : effects) bytes += effect.key.size() + effect.value.size() + 32;
  return bytes;
}

// None: it is not remembered.
std::optional<Epoch> TabletChains::Chain::EpochAt(uint64_t lsn) const {
  const auto after = std::ranges::upper_bound(epochs, lsn, {}, &EpochStart::lsn);
  if (after == epochs.begin() || !through || lsn > *through) return std::nullopt;
  return std::prev(after)->epoch;
}

void TabletChains::Chain::NoteEpoch(uint64_t lsn, Epoch epoch) {
  if (!epochs.empty() && epochs.back().epoch == epoch) return;
  diverged = diverged || (!epochs.empty() && epoch < epochs.back().epoch);
  if (epochs.size() == kEpochs) epochs.erase(epochs.begin());
  epochs.push_back({lsn, epoch});
}

void TabletChains::BeginRound(int64_t now_ms, const std::vector<Listed>& tablets) {
  const bool first = ++round_ == 1 && !loaded_;
  const int64_t before_ms = std::exchange(now_ms_, now_ms);
  // The last look was long ago, so an entry that was missing then may have arrived since.
  if (now_ms - before_ms > kRoundsApartMs) {
    for (auto& [tablet, chain] : chains_) chain.behind_since_ms = 0;
  }
  std::set<TableId> fresh;
  for (const Listed& one : tablets) {
    const auto [table, added] = tables_.try_emplace(one.table);
    // A table that was made since the round before: its tablets begin with their first entry.
    if (added && !first) {
      fresh.insert(one.table);
      table->second.beginning = false;
      table->second.coverage = Coverage{.span = {before_ms, before_ms}, .whole = true};
    }
    Chain& chain = chains_[one.tablet];
    chain.table = one.table;
    chain.listed_round = round_;
    chain.seen_ms = now_ms;
    chain.was_listed = true;
    chain.awaited_ms = 0;
    if (fresh.contains(one.table) && !chain.through && !starts_.contains(one.tablet)) Begin(chain, 0);
  }
  // A tablet that is no longer listed gets no more marks, so its entries are emitted now.
  for (auto& [tablet, chain] : chains_) Emit(tablet, chain);
  BeginStarted();
}

void TabletChains::Take(LogPage page) {
  for (LoggedStart& start : page.starts) TakeStart(std::move(start));
  for (LoggedEntry& entry : page.entries) TakeEntry(std::move(entry));
  for (const LedTablet& mark : page.led) TakeMark(mark);
  BeginStarted();
}

void TabletChains::TakeStart(LoggedStart start) {
  // Merged tablets no longer exist, so the catalog need not list them.
  if (start.origins.size() > 1) {
    for (const auto& [origin, lsn] : start.origins) {
      merged_[origin] = now_ms_;
      if (const auto gone = chains_.find(origin); gone != chains_.end()) gone->second.awaited_ms = 0;
    }
  }
  if (merged_.contains(start.tablet) && !chains_.contains(start.tablet)) return;
  Chain& chain = chains_[start.tablet];
  if (chain.through && !chain.at_its_making()) return;
  // If its table begins here, the table begins at the mark, and earlier entries are dropped.
  const auto table = tables_.find(start.table);
  if (Lists(chain) && table != tables_.end() && table->second.beginning) return;
  Note(chain, start.table);
  if (!chain.was_listed && !merged_.contains(start.tablet)) chain.awaited_ms = now_ms_;
  starts_.try_emplace(start.tablet, std::move(start));
}

void TabletChains::TakeEntry(LoggedEntry entry) {
  const TabletId tablet = entry.tablet;
  Chain& chain = chains_[tablet];
  Note(chain, entry.table);
  const uint64_t lsn = entry.version.lsn.value;
  const Epoch epoch = entry.version.epoch;
  if (chain.through && lsn <= *chain.through) {  // another replica's log had it
    chain.diverged = chain.diverged || chain.EpochAt(lsn).value_or(epoch) != epoch;
    return;
  }
  const size_t bytes = BytesOf(entry.effects);
  const auto [held, added] = chain.ahead.try_emplace(lsn, Held{std::move(entry), round_});
  if (held->second.entry.version.epoch != epoch) chain.diverged = true;
  if (added) held_bytes_ += bytes;
  Drain(chain);
  Emit(tablet, chain);
}

void TabletChains::TakeMark(const LedTablet& mark) {
  Chain& chain = chains_[mark.tablet];
  Note(chain, mark.table);
  // A table that the catalog does not list yet is a fresh one: it begins with its first entry.
  const auto table = tables_.find(chain.table);
  if (!chain.through && table != tables_.end() && table->second.beginning) {
    Begin(chain, mark.applied);
    // moments that were known before the restart stay known
    chain.floor_ms = std::max(chain.floor_ms, mark.time_of_day_ms);
  }
  chain.marked_round = round_;
  chain.marked = mark;
  // Among several marks at one position, the first has the best time.
  const LedTablet* const last = chain.marks.empty() ? nullptr : &chain.marks.back();
  if (last == nullptr || mark.applied > last->applied || (mark.applied == last->applied && mark.epoch > last->epoch))
    chain.marks.push_back(mark);
  Emit(mark.tablet, chain);
}

void TabletChains::Note(Chain& chain, TableId table) const {
  chain.table = table;
  if (chain.seen_ms == 0) chain.seen_ms = now_ms_;  // until the catalog has it
}

void TabletChains::Begin(Chain& chain, uint64_t lsn) {
  chain.through = chain.emitted = lsn;
  chain.epochs.clear();
  chain.ahead.erase(chain.ahead.begin(), chain.ahead.upper_bound(lsn));
  Drain(chain);
}

// Starts chains whose origins have emitted everything. Repeats, because a started chain may be the origin of the next.
void TabletChains::BeginStarted() {
  const auto has_left = [&](const std::pair<TabletId, uint64_t>& origin) {
    const auto chain = chains_.find(origin.first);
    return chain != chains_.end() && chain->second.through && chain->second.emitted >= origin.second;
  };
  for (auto start = starts_.begin(); start != starts_.end();) {
    Chain& chain = chains_.at(start->first);
    if (chain.through && !chain.at_its_making()) {
      start = starts_.erase(start);
      continue;
    }
    if (!std::ranges::all_of(start->second.origins, has_left)) {
      ++start;
      continue;
    }
    for (const auto& [origin, lsn] : start->second.origins) {
      chain.offset_ms = chains_[origin].offset_ms;
      chain.offset_epoch = chains_[origin].offset_epoch;
    }
    Begin(chain, start->second.lsn);
    // The awaited goal was set without this chain.
    if (const auto table = tables_.find(chain.table); table != tables_.end()) {
      std::optional<Table::Goal>& goal = table->second.goal;
      if (goal && !goal->lsns.contains(start->first)) goal.reset();
    }
    Emit(start->first, chain);
    starts_.erase(start);
    start = starts_.begin();
  }
}

void TabletChains::Drain(Chain& chain) {
  if (!chain.through) return;
  for (auto next = chain.ahead.begin(); next != chain.ahead.end() && next->first == *chain.through + 1;
       next = chain.ahead.erase(next)) {
    ++*chain.through;
    chain.NoteEpoch(*chain.through, next->second.entry.version.epoch);
    chain.untimed.push_back(std::move(next->second));
  }
}

void TabletChains::Emit(TabletId tablet, Chain& chain) {
  const auto pass_marks = [&] {
    while (!chain.marks.empty() && chain.marks.front().applied <= chain.emitted && chain.through) {
      const LedTablet& mark = chain.marks.front();
      chain.diverged = chain.diverged || chain.EpochAt(mark.applied).value_or(mark.epoch) != mark.epoch;
      chain.offset_ms = mark.time_of_day_ms - mark.time_ms;
      chain.offset_epoch = mark.epoch;
      chain.floor_ms = std::max(chain.floor_ms, mark.time_of_day_ms);
      chain.marks.pop_front();
    }
  };
  // A table's state at a reported moment must stay the same, even if clocks disagree.
  const auto table = tables_.find(chain.table);
  const bool covered = table != tables_.end() && table->second.coverage;
  const int64_t not_before = covered ? table->second.coverage->span.through_ms + 1 : 0;
  for (pass_marks(); !chain.untimed.empty(); pass_marks()) {
    int64_t latest = now_ms_, offset_ms = chain.offset_ms;
    if (!chain.marks.empty()) {
      const LedTablet& mark = chain.marks.front();
      const bool of_earlier = chain.untimed.front().entry.version.epoch == chain.offset_epoch;
      if (mark.epoch == chain.untimed.front().entry.version.epoch || !of_earlier)
        offset_ms = mark.time_of_day_ms - mark.time_ms;
      latest = mark.time_of_day_ms;
    } else if (Lists(chain) || MayBeUnseen(chain)) {
      return;
    }
    LoggedEntry entry = std::move(chain.untimed.front().entry);
    chain.untimed.pop_front();
    chain.emitted = entry.version.lsn.value;
    const int64_t at_ms = std::max({std::min(entry.time_ms + offset_ms, latest), chain.floor_ms, not_before});
    chain.floor_ms = at_ms;
    if (entry.effects.empty()) continue;
    ready_bytes_ += BytesOf(entry.effects);
    for (UnresolvedEffect& effect : entry.effects) {
      if (auto& expires = effect.expires)
        expires = std::clamp(*expires + std::chrono::milliseconds(offset_ms), kFirstExpiry, kLastExpiry);
    }
    ready_.push_back({chain.table, tablet, entry.version, at_ms, std::move(entry.effects)});
  }
}

bool TabletChains::ReachesGoal(const Table::Goal& goal) const {
  return std::ranges::all_of(goal.lsns, [&](const auto& wanted) {
    const auto chain = chains_.find(wanted.first);
    return chain != chains_.end() && chain->second.through && chain->second.emitted >= wanted.second;
  });
}

// The catalog does not list it yet, and it may have acknowledged writes.
bool TabletChains::MayBeUnseen(const Chain& chain) const {
  if (chain.was_listed) return false;
  return chain.marked_round == round_ || (chain.awaited_ms != 0 && now_ms_ - chain.awaited_ms < kPatienceMs);
}

void TabletChains::Cover(TableId table, Table& of, int64_t ended_ms) {
  Table::Goal now{.at_ms = now_ms_, .lsns = {}};
  bool marked = true, begun = true, listed = false;
  for (const auto& [tablet, chain] : chains_) {
    if (chain.table != table) continue;
    if (!Lists(chain)) {
      if (!MayBeUnseen(chain)) continue;
      if (!chain.through || chain.marked_round != round_) marked = false;
    } else {
      listed = true;
    }
    begun = begun && (chain.through || !Lists(chain));
    marked = marked && chain.marked_round == round_;
    now.lsns[tablet] = chain.marked.applied;
    now.at_ms = std::min(now.at_ms, chain.marked.time_of_day_ms - 1);  // the mark's own millisecond was not over
  }
  if (!listed || !begun) return;
  if (of.beginning && marked) {
    of.beginning = false;
    int64_t from = std::max(now_ms_, ended_ms);
    for (const auto& [tablet, lsn] : now.lsns) from = std::max(from, chains_[tablet].floor_ms);
    of.coverage = Coverage{.span = {from, from}};
    return;
  }
  if (of.beginning) return;
  const auto take_goal = [&] {
    if (!of.goal || !ReachesGoal(*of.goal)) return;
    of.coverage->span.through_ms = std::max(of.coverage->span.through_ms, of.goal->at_ms);
    of.goal.reset();
  };
  take_goal();
  if (of.goal || !marked) return;
  of.goal = std::move(now);
  take_goal();
}

bool TabletChains::IsBehind(TableId table, TabletId tablet, const Chain& chain) const {
  if (!Lists(chain)) return !chain.ahead.empty() && chain.was_listed && now_ms_ - chain.seen_ms > kPatienceMs;
  if (!chain.through) {
    const auto start = starts_.find(tablet);
    return start == starts_.end() || !std::ranges::all_of(start->second.origins, [&](const auto& origin) {
             const auto known = chains_.find(origin.first);  // what has come there may wait for a mark
             return known != chains_.end() && known->second.through && *known->second.through >= origin.second;
           });
  }
  const Table& of = tables_.at(table);
  if (!of.goal) return false;
  const auto wanted = of.goal->lsns.find(tablet);
  return wanted != of.goal->lsns.end() && chain.emitted < wanted->second;
}

std::vector<TableId> TabletChains::EndRound(bool all_read, int64_t ended_ms) {
  std::vector<TableId> anew;
  for (auto& [table, of] : tables_) Cover(table, of, ended_ms);
  for (auto& [tablet, chain] : chains_) {
    const auto table = tables_.find(chain.table);
    if (table == tables_.end() || table->second.beginning) continue;
    const auto begins_anew = [&] {
      if (std::ranges::find(anew, chain.table) == anew.end()) anew.push_back(chain.table);
    };
    // A tablet with constant writes is always behind the latest goal.
    const bool comes_on = std::exchange(chain.was_emitted, chain.emitted) != chain.emitted;
    if (chain.diverged) {
      begins_anew();
    } else if (comes_on || !IsBehind(chain.table, tablet, chain)) {
      chain.behind_since_ms = 0;
    } else if (chain.behind_since_ms == 0) {
      chain.behind_since_ms = now_ms_;
    } else if (!all_read) {
      chain.behind_since_ms = now_ms_;  // it may come yet
    } else if (now_ms_ - chain.behind_since_ms >= kPatienceMs) {
      begins_anew();
    }
  }
  if (const auto most = Full() ? HoldsMost() : std::nullopt; most && std::ranges::find(anew, *most) == anew.end())
    anew.push_back(*most);
  for (const TableId table : anew) RestartChains(table, tables_[table]);
  if (all_read) Forget();
  return anew;
}

bool TabletChains::Full() {
  if (held_bytes_ <= held_bytes_max_) return false;
  HoldsMost();
  return held_bytes_ > held_bytes_max_;
}

// Counts what all hold.
std::optional<TableId> TabletChains::HoldsMost() {
  std::map<TableId, size_t> held;
  for (const auto& [tablet, chain] : chains_) {
    size_t& bytes = held[chain.table];
    for (const auto& [lsn, one] : chain.ahead) bytes += BytesOf(one.entry.effects);
    for (const Held& one : chain.untimed) bytes += BytesOf(one.entry.effects);
  }
  held_bytes_ = 0;
  for (const auto& [table, bytes] : held) held_bytes_ += bytes;
  const auto most = std::ranges::max_element(held, {}, [](const auto& one) { return one.second; });
  return most == held.end() ? std::nullopt : std::optional(most->first);
}

void TabletChains::RestartChains(TableId table, Table& of) {
  of = Table{};
  std::erase_if(starts_, [&](const auto& start) { return start.second.table == table; });
  for (auto& [tablet, chain] : chains_) {
    if (chain.table == table) chain = Chain{Known(chain)};
  }
}

void TabletChains::Forget() {
  std::set<TabletId> origins;  // of what waits for their entries
  for (const auto& [tablet, start] : starts_) {
    if (const auto chain = chains_.find(tablet); chain == chains_.end() || !Lists(chain->second)) continue;
    for (const auto& [origin, lsn] : start.origins) origins.insert(origin);
  }
  std::erase_if(chains_, [&](const auto& one) {
    return now_ms_ - one.second.seen_ms > kForgottenMs && !origins.contains(one.first);
  });
  std::erase_if(merged_, [&](const auto& one) { return now_ms_ - one.second > kForgottenMs; });
  std::erase_if(tables_, [&](const auto& one) {
    return std::ranges::none_of(chains_, [&](const auto& chain) { return chain.second.table == one.first; });
  });
  std::erase_if(starts_, [&](const auto& start) {
    return !tables_.contains(start.second.table) || !chains_.contains(start.first);
  });
}

std::optional<TabletChains::Coverage> TabletChains::CoverageOf(TableId table) const {
  const auto found = tables_.find(table);
  return found == tables_.end() ? std::nullopt : found->second.coverage;
}

void TabletChains::CutBefore(int64_t at_ms) {
  for (auto& [table, of] : tables_) {
    if (!of.coverage || of.coverage->span.from_ms >= at_ms) continue;
    of.coverage->span.from_ms = at_ms;
    of.coverage->whole = false;
  }
}

std::set<uint64_t> TabletChains::HeldRounds() const {
  std::set<uint64_t> rounds;
  for (const auto& [tablet, chain] : chains_) {
    for (const Held& held : chain.untimed) rounds.insert(held.round);
    for (const auto& [lsn, held] : chain.ahead) rounds.insert(held.round);
  }
  return rounds;
}

TabletChains::State TabletChains::Save() const {
  State state;
  for (const auto& [tablet, chain] : chains_) {
    if (chain.through)
      state.tablets.push_back({tablet, chain.table, chain.emitted, chain.offset_ms, chain.offset_epoch.value,
                               chain.floor_ms, chain.was_listed, chain.epochs});
  }
  for (const auto& [table, of] : tables_) {
    state.tables.push_back({table, of.coverage});
  }
  for (const auto& [tablet, start] : starts_) state.starts.push_back(start);
  state.looked_ms = now_ms_;
  return state;
}

void TabletChains::Load(const State& state) {
  loaded_ = state.looked_ms != 0 || !state.tables.empty();  // else there was no earlier look
  now_ms_ = state.looked_ms;
  for (const State::Table& table : state.tables) {
    tables_[table.table].coverage = table.coverage;
    tables_[table.table].beginning = !table.coverage;
    // An older build has not said when it looked.
    if (table.coverage && state.looked_ms == 0) now_ms_ = std::max(now_ms_, table.coverage->span.through_ms);
  }
  for (const State::Tablet& tablet : state.tablets) {
    Chain& chain = chains_[tablet.tablet];
    chain.table = tablet.table;
    chain.through = chain.emitted = tablet.emitted;
    chain.offset_ms = tablet.offset_ms;
    chain.offset_epoch = Epoch{tablet.offset_epoch};
    chain.floor_ms = tablet.floor_ms;
    chain.seen_ms = now_ms_;
    chain.was_listed = tablet.was_listed;
    chain.awaited_ms = tablet.was_listed ? 0 : now_ms_;
    chain.epochs = tablet.epochs;
    while (!chain.epochs.empty() && chain.epochs.back().lsn > tablet.emitted) chain.epochs.pop_back();
  }
  for (const LoggedStart& start : state.starts) TakeStart(start);
}

}  // namespace ebla::backup
