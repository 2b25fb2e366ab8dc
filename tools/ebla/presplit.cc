#include "tools/ebla/presplit.h"

#include <algorithm>

#include "common/base/split_key.h"

namespace ebla::shell {

namespace {

int64_t SizeOf(const TabletSummary& tablet) { return tablet.load ? tablet.load->size_bytes : 0; }

// Where its data is cut in two, and no key group is; none: not known, or its whole data is one group.
std::optional<std::string> Middle(const TabletSummary& tablet, const KeyGroupRule& rule) {
  if (!tablet.load || tablet.load->middle_key.empty()) return std::nullopt;
  const std::string key = rule.Start(tablet.load->middle_key);
  // Just split, its server may still report what it was.
  if (key <= tablet.range.start || !tablet.range.Contains(key)) return std::nullopt;
  return key;
}

}  // namespace

std::optional<PresplitCut> NextCut(const std::vector<TabletSummary>& tablets, const std::optional<TableKeyGroup>& group) {
  KeyGroupRule rule;
  if (group && group->prefix_bytes) rule.prefix_bytes = *group->prefix_bytes;
  if (group && group->delimiter) rule.delimiter = std::string(1, *group->delimiter);
  int64_t largest = 0;
  for (const TabletSummary& tablet : tablets) largest = std::max(largest, SizeOf(tablet));
  const TabletSummary* best = nullptr;
  for (const TabletSummary& tablet : tablets) {
    if (!Middle(tablet, rule) || static_cast<double>(SizeOf(tablet)) < kWorthPart * static_cast<double>(largest)) continue;
    if (!best || SizeOf(tablet) > SizeOf(*best)) best = &tablet;
  }
  if (!best) return std::nullopt;
  return PresplitCut{best->id, *Middle(*best, rule)};
}

Result<std::vector<PresplitCut>> CutsAt(std::vector<std::string> keys, const std::vector<TabletSummary>& tablets) {
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  std::vector<PresplitCut> cuts;
  for (std::string& key : keys) {
    if (key.empty()) return Error(Code::kInvalidArgument, "an empty key parts nothing: every table begins there");
    const auto holder = std::ranges::find_if(tablets, [&](const TabletSummary& tablet) { return tablet.range.Contains(key); });
    if (holder == tablets.end()) return Error(Code::kUnavailable, "no tablet holds \"" + EscapeBytes(key) + "\" at present: try again");
    if (holder->range.start != key) cuts.push_back({holder->id, std::move(key)});
  }
  return cuts;
}

}  // namespace ebla::shell
