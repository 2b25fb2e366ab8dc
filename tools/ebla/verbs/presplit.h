// tools/ebla/verbs/presplit.h
// Where to cut a table that has data into more tablets: always the largest tablet, at its middle. Of a small table all
// keys are looked at; of a large one servers estimate the middle keys. And where to cut one tablet. Pure.
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

// Where one tablet is best cut: where its load is halved, else its data; none: neither is known, or there is no such
// key.
std::optional<std::string> BestKey(const TabletSummary& tablet, const std::optional<TableKeyGroup>& group);

// The cuts that make so many tablets more: each time of the one with the most of `keys`, which are all there are, in
// order. No key group is cut, and nothing is cut off that holds no key: fewer cuts where there are no more. What a cut
// makes may be cut again; the tablet named is the one that is there now.
std::vector<PresplitCut> CutsOfKeys(const std::vector<std::string>& keys, const std::vector<TabletSummary>& tablets,
                                    size_t more, const std::optional<TableKeyGroup>& group);

// Those of the keys at which a tablet does not begin yet, each with the tablet that holds it, in order.
// INVALID_ARGUMENT: a key is empty.
Result<std::vector<PresplitCut>> CutsAt(std::vector<std::string> keys, const std::vector<TabletSummary>& tablets);

}  // namespace ebla::shell
