#include "tools/ebla/reports/check.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "common/base/count.h"
#include "tools/ebla/format/output.h"

namespace ebla::shell {

namespace {

// Followers may lack this much, besides what is written while reports are on their way.
constexpr uint64_t kLagMax = 1'000;
constexpr double kReportSeconds = 3;

using Faults = std::vector<CheckFault>;

// Tablets that one finding lists.
constexpr size_t kTabletsShown = 5;

// "at epoch 3, the catalog at 4" is the same of another tablet at other epochs. Numbers within words, as of servers,
// stay.
std::string WithoutNumbers(const std::string& text) {
  std::string kept;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool in_word = !kept.empty() && kept.back() != ' ';
    if (!digit || in_word) {
      kept += text[i];
      continue;
    }
    while (i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9') ++i;
  }
  return kept;
}

// The table's tablets tile its keys.
void CheckRanges(const TableInfo& table, const std::vector<const TabletSummary*>& tablets, Faults& faults) {
  const auto fault = [&](TabletId tablet, std::string what) {
    faults.push_back({table.name, tablet, {}, std::move(what)});
  };
  if (tablets.empty()) return fault({}, "the table has no tablet");
  if (!tablets.front()->range.start.empty()) {
    fault(tablets.front()->id, "nothing covers the keys before \"" + EscapeBytes(tablets.front()->range.start) + "\"");
  }
  for (size_t i = 1; i < tablets.size(); ++i) {
    const KeyRange& before = tablets[i - 1]->range;
    const KeyRange& range = tablets[i]->range;
    if (before.end == range.start && !range.start.empty()) continue;
    const bool gap = !before.end.empty() && before.end < range.start;
    fault(tablets[i]->id, gap ? "nothing covers " + RangeCell({before.end, range.start})
                              : "its range " + RangeCell(range) + " overlaps " + RangeCell(before) + " of tablet " +
                                    std::to_string(tablets[i - 1]->id.value));
  }
  if (!tablets.back()->range.end.empty()) {
    fault(tablets.back()->id, "nothing covers the keys from \"" + EscapeBytes(tablets.back()->range.end) + "\" on");
  }
}

// Empty: the voter is as the catalog says.
std::string FaultOf(const ReplicaReport& voter, const TabletSummary& tablet, const TableInfo& table, uint64_t applied) {
  if (!voter.reported) return "lost, or silent since it started: nothing is known of its replica";
  if (!voter.known) return "has no replica, though the catalog assigns it one";
  if (voter.epoch != tablet.epoch) {
    return "is at epoch " + std::to_string(voter.epoch.value) + ", the catalog at " +
           std::to_string(tablet.epoch.value);
  }
  if (voter.failed) return "has failed: its server's log says why";
  if (voter.lost) return "lost part of its log on its disk, and does not vote until it is made anew";
  if (voter.may_have_lost_writes) return "may have lost writes that it acknowledged";
  if (voter.incomplete) return "incomplete";
  if (voter.schema_version < table.schema_version) {
    return "is at schema version " + std::to_string(voter.schema_version) + ", the catalog at " +
           std::to_string(table.schema_version);
  }
  const double writes = tablet.load ? tablet.load->writes_per_second : 0;
  const uint64_t allowed = kLagMax + static_cast<uint64_t>(writes * kReportSeconds);
  if (voter.applied + allowed < applied) return "lacks " + Count(applied - voter.applied, "log entry", "log entries");
  return {};
}

void CheckReplicas(const TableInfo& table, const TabletSummary& tablet, Faults& faults) {
  if (!tablet.load || !tablet.load->leading) {
    faults.push_back({table.name, tablet.id, tablet.primary, "the tablet has no primary"});
  } else if (!tablet.load->barrier_applied) {
    faults.push_back({table.name, tablet.id, tablet.primary,
                      "is the primary, but has not applied its Barrier yet: it serves no STRONG read"});
  }
  const auto primary = std::ranges::find(tablet.replicas, tablet.primary, &ReplicaReport::server);
  const uint64_t applied = primary == tablet.replicas.end() ? 0 : primary->applied;
  for (const ServerName& voter : tablet.voters) {
    const auto replica = std::ranges::find(tablet.replicas, voter, &ReplicaReport::server);
    const std::string what = replica == tablet.replicas.end() ? "the master reports nothing of it"
                                                              : FaultOf(*replica, tablet, table, applied);
    if (!what.empty()) faults.push_back({table.name, tablet.id, voter, what});
  }
}

// NOT_FOUND and UNAVAILABLE may pass: a replica that has moved, or is being copied, answers so.
bool Passes(Code code) {
  switch (code) {
    case Code::kComeAgain:
    case Code::kOverloaded:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kWrongTablet:
    case Code::kNotFound: return true;
    default: return false;
  }
}

}  // namespace

std::vector<CheckFault> CheckCatalog(const CatalogView& view) {
  Faults faults;
  std::map<std::string, std::vector<const TabletSummary*>> tablets;
  for (const TabletSummary& tablet : view.tablets) {
    if (tablet.status != TabletStatus::kDropping) tablets[tablet.table].push_back(&tablet);
  }
  for (const TableInfo& table : view.tables) {
    auto& mine = tablets[table.name];
    std::ranges::sort(mine, {}, [](const TabletSummary* tablet) { return tablet->range.start; });
    CheckRanges(table, mine, faults);
    for (const TabletSummary* tablet : mine) CheckReplicas(table, *tablet, faults);
  }
  for (const ServerSummary& server : view.servers) {
    for (const TabletId orphan : server.orphans) {
      if (server.live)
        faults.push_back({{}, orphan, server.name, "has a replica that the catalog does not assign to it"});
    }
  }
  return faults;
}

std::vector<CheckGroup> Grouped(const std::vector<CheckFault>& faults) {
  std::vector<CheckGroup> groups;
  std::map<std::pair<ServerName, std::string>, size_t> at;  // into groups
  for (const CheckFault& fault : faults) {
    const auto [known, added] = at.try_emplace({fault.server, WithoutNumbers(fault.what)}, groups.size());
    if (added || fault.server.empty()) {
      known->second = groups.size();
      groups.push_back({fault, {}, {}});
    }
    CheckGroup& group = groups[known->second];
    // A tablet that could not be compared may be listed once for its server and once for each part of it.
    if (fault.tablet && std::ranges::find(group.tablets, fault.tablet) == group.tablets.end())
      group.tablets.push_back(fault.tablet);
    if (!fault.table.empty() && std::ranges::find(group.tables, fault.table) == group.tables.end())
      group.tables.push_back(fault.table);
  }
  return groups;
}

std::string ToLine(const CheckGroup& group) {
  const bool alone = group.tablets.size() <= 1;
  std::string line, ids;
  const auto add = [&](const std::string& part) { line += (line.empty() ? "" : ", ") + part; };
  if (alone && !group.first.table.empty()) add("table " + group.first.table);
  if (alone && group.first.tablet) add("tablet " + std::to_string(group.first.tablet.value));
  if (!group.first.server.empty()) add("server " + group.first.server);
  line += ": " + group.first.what;
  if (alone) return line;
  const size_t shown = std::min(group.tablets.size(), kTabletsShown);
  for (size_t i = 0; i < shown; ++i) ids += (i > 0 ? ", " : "") + std::to_string(group.tablets[i].value);
  if (shown < group.tablets.size()) ids += " and " + std::to_string(group.tablets.size() - shown) + " more";
  line += "  (the same for " + Count(group.tablets.size(), "tablet") + ": " + ids;
  if (group.tables.size() == 1) line += "; of table " + group.tables.front();
  if (group.tables.size() > 1) line += "; of " + Count(group.tables.size(), "table");
  return line + ")";
}

PageVerdict Compare(const std::vector<ReplicaPage>& pages) {
  PageVerdict verdict;
  for (auto one = pages.begin(); one != pages.end(); ++one) {
    if (!one->page) {
      const Comparison what = Passes(one->page.error().code()) ? Comparison::kMoving : Comparison::kUnread;
      if (what >= verdict.comparison) verdict = {what, one->server + ": " + one->page.error().ToString(), one->server};
      continue;
    }
    const ChecksumPage& b = *one->page;
    for (auto other = pages.begin(); other != one; ++other) {
      if (!other->page) continue;
      const ChecksumPage& a = *other->page;
      if (a.applied != b.applied || !(a.range == b.range)) {
        if (verdict.comparison == Comparison::kUnread) continue;
        verdict = {Comparison::kMoving,
                   "moving: " + other->server + " has applied " + std::to_string(a.applied) + ", " + one->server + " " +
                       std::to_string(b.applied),
                   one->server};
        continue;
      }
      const auto held = [](const ChecksumPage& page) {
        return std::tie(page.records, page.bytes, page.checksum, page.next, page.done);
      };
      if (held(a) == held(b)) continue;
      return {Comparison::kDifferent,
              "at lsn " + std::to_string(b.applied) + " it holds " + Count(b.records, "record") + ", checksum " +
                  std::to_string(b.checksum) + "; " + other->server + " holds " + Count(a.records, "record") +
                  ", checksum " + std::to_string(a.checksum),
              one->server};
    }
  }
  return verdict;
}

}  // namespace ebla::shell
