// tools/ebla/verbs/presplit.h
// Chooses cuts of a table that has data: always the largest tablet, at its middle. For a small table it reads all keys;
// for a large one the servers estimate the middle keys. Also chooses the cut of a single tablet. Pure.
// Place:   verbs_presplit.cc, which asks for the next estimate after each split; tablet split.
// Threads: functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

struct PresplitCut {
  TabletId tablet;
  std::string key;

  friend bool operator==(const PresplitCut&, const PresplitCut&) = default;
};

// None: no tablet's middle key is known as yet, or only those of tablets that are less than kWorthPart of the largest.
inline constexpr double kWorthPart = 0.7;
std::optional<PresplitCut> NextCut(const std::vector<TabletSummary>& tablets,
                                   const std::optional<TableKeyGroup>& group);

// Refuses a table that never splits.
Status CheckSplits(const TableInfo& table);

// The best cut of one tablet: the key that halves its load, else its data. None: neither is known, or there is no such
// key.
std::optional<std::string> BestKey(const TabletSummary& tablet, const std::optional<TableKeyGroup>& group);

// Cuts that make so many tablets more. Each cuts the tablet with the most of `keys`, which are all keys of the table,
// in order. A cut never divides a key group or leaves a side without keys, so there may be fewer cuts. A later cut may
// divide the result of an earlier one; the tablet named is the one that exists now.
std::vector<PresplitCut> CutsOfKeys(const std::vector<std::string>& keys, const std::vector<TabletSummary>& tablets,
                                    size_t more, const std::optional<TableKeyGroup>& group);

// The keys at which no tablet begins yet, each with the tablet that holds it, in order. INVALID_ARGUMENT: a key is
// empty.
Result<std::vector<PresplitCut>> CutsAt(std::vector<std::string> keys, const std::vector<TabletSummary>& tablets);

}  // namespace ebla::shell
