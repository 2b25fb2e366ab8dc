#include "tools/ebla/verbs/presplit.h"

#include <algorithm>

#include "common/base/split_key.h"

namespace ebla::shell {

namespace {

int64_t SizeOf(const TabletSummary& tablet) { return tablet.load ? tablet.load->size_bytes : 0; }

// The start of that key's group, if the tablet is cut in two there; none: the key is not known, or all is one group.
std::optional<std::string> CutNear(const std::string& known, const TabletSummary& tablet, const KeyGroupRule& rule) {
  if (known.empty()) return std::nullopt;
  std::string key = rule.Start(known);
  // Just split, its server may still report what it was.
  if (key <= tablet.range.start || !tablet.range.Contains(key)) return std::nullopt;
  return key;
}

// The key that cuts the tablet's data in two.
std::optional<std::string> Middle(const TabletSummary& tablet, const KeyGroupRule& rule) {
  return tablet.load ? CutNear(tablet.load->middle_key, tablet, rule) : std::nullopt;
}

KeyGroupRule RuleOf(const std::optional<TableKeyGroup>& group) {
  KeyGroupRule rule;
  if (group && group->prefix_bytes) rule.prefix_bytes = *group->prefix_bytes;
  if (group && group->delimiter) rule.delimiter = std::string(1, *group->delimiter);
  rule.all = group && group->all;
  return rule;
}

// Keys [begin, end) of all of them, in one tablet then.
struct Piece {
  TabletId tablet;
  size_t begin = 0, end = 0;
  size_t keys() const { return end - begin; }
};

// The start of the key group of keys[at] and its first key, if both sides then hold keys and the cut is short enough.
std::optional<std::pair<std::string, size_t>> CutAt(const std::vector<std::string>& keys, const Piece& piece, size_t at,
                                                    const KeyGroupRule& rule) {
  std::string cut = rule.Start(ShortestSeparator(keys[at - 1], keys[at]));
  const auto first = static_cast<size_t>(std::ranges::lower_bound(keys, cut) - keys.begin());
  if (first <= piece.begin || first >= piece.end || cut.size() > kSplitKeyBytesMax) return std::nullopt;
  return std::pair(std::move(cut), first);
}

// The first place from the middle on, else the last one before.
std::optional<std::pair<std::string, size_t>> Halve(const std::vector<std::string>& keys, const Piece& piece,
                                                    const KeyGroupRule& rule) {
  const size_t middle = piece.begin + piece.keys() / 2;
  for (size_t at = middle; at > piece.begin && at < piece.end; ++at) {
    if (auto cut = CutAt(keys, piece, at, rule)) return cut;
  }
  for (size_t at = middle; at-- > piece.begin + 1;) {
    if (auto cut = CutAt(keys, piece, at, rule)) return cut;
  }
  return std::nullopt;
}

}  // namespace

Status CheckSplits(const TableInfo& table) {
  if (!table.options.key_group || !table.options.key_group->all) return Status::Ok();
  return Error(Code::kConditionFailed,
               "table " + table.name + " is one key group (--key-group all): it is one tablet, which never splits");
}

std::optional<std::string> BestKey(const TabletSummary& tablet, const std::optional<TableKeyGroup>& group) {
  const KeyGroupRule rule = RuleOf(group);
  if (tablet.load && tablet.load->split_finding == SplitFindingKind::kKey) {
    if (auto key = CutNear(tablet.load->split_key, tablet, rule)) return key;
  }
  return Middle(tablet, rule);
}

std::vector<PresplitCut> CutsOfKeys(const std::vector<std::string>& keys, const std::vector<TabletSummary>& tablets,
                                    size_t more, const std::optional<TableKeyGroup>& group) {
  const KeyGroupRule rule = RuleOf(group);
  std::vector<Piece> pieces;
  for (const TabletSummary& tablet : tablets) {
    const auto place = [&](const std::string& key) {
      return static_cast<size_t>(std::ranges::lower_bound(keys, key) - keys.begin());
    };
    pieces.push_back(
        {tablet.id, place(tablet.range.start), tablet.range.end.empty() ? keys.size() : place(tablet.range.end)});
  }
  std::vector<PresplitCut> cuts;
  while (cuts.size() < more && !pieces.empty()) {
    const auto largest = std::ranges::max_element(pieces, {}, &Piece::keys);
    const auto cut = Halve(keys, *largest, rule);
    if (!cut) {
      pieces.erase(largest);
      continue;
    }
    cuts.push_back({largest->tablet, cut->first});
    const Piece right{largest->tablet, cut->second, largest->end};
    largest->end = cut->second;
    pieces.push_back(right);
  }
  return cuts;
}

std::optional<PresplitCut> NextCut(const std::vector<TabletSummary>& tablets,
                                   const std::optional<TableKeyGroup>& group) {
  const KeyGroupRule rule = RuleOf(group);
  int64_t largest = 0;
  for (const TabletSummary& tablet : tablets) largest = std::max(largest, SizeOf(tablet));
  const TabletSummary* best = nullptr;
  for (const TabletSummary& tablet : tablets) {
    if (!Middle(tablet, rule) || static_cast<double>(SizeOf(tablet)) < kWorthPart * static_cast<double>(largest))
      continue;
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
    if (key.empty()) return Error(Code::kInvalidArgument, "an empty key splits nothing: every table begins there");
    const auto holder =
        std::ranges::find_if(tablets, [&](const TabletSummary& tablet) { return tablet.range.Contains(key); });
    if (holder == tablets.end())
      return Error(Code::kUnavailable, "no tablet holds \"" + EscapeBytes(key) + "\" at present: try again");
    if (holder->range.start != key) cuts.push_back({holder->id, std::move(key)});
  }
  return cuts;
}

}  // namespace ebla::shell
