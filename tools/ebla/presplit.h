// tools/ebla/presplit.h
// What to split next, to make so many tablets of a table's data: always the largest of which the middle key is known. Pure.
// Place:   verbs_presplit.cc asks after each split, with what the servers then report.
// Threads: functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/ebla.h"

namespace ebla::shell {

struct PresplitCut {
  TabletId tablet;
  std::string key;

  friend bool operator==(const PresplitCut&, const PresplitCut&) = default;
};

// None: no tablet's middle key is known as yet, or only those of tablets that are less than kWorthPart of the largest.
inline constexpr double kWorthPart = 0.7;
std::optional<PresplitCut> NextCut(const std::vector<TabletSummary>& tablets, const std::optional<TableKeyGroup>& group);

// Those of the keys at which a tablet does not begin yet, each with the tablet that holds it, in order. INVALID_ARGUMENT: a
// key is empty.
Result<std::vector<PresplitCut>> CutsAt(std::vector<std::string> keys, const std::vector<TabletSummary>& tablets);

}  // namespace ebla::shell
