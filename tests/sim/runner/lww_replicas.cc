#include "tests/sim/runner/lww_replicas.h"

#include <algorithm>
#include <chrono>

#include "tabletserver/hints/hint_delivery.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::sim {
namespace {

std::string TextOf(const std::optional<tabletserver::StoredRecord>& record) {
  if (!record) return "nothing";
  return (record->tombstone ? "a delete" : record->value.substr(0, 40)) + " @" + record->version.ToString() + " of " +
         std::to_string(record->write_time_ms) + " by " + record->writer + " until " +
         std::to_string(record->expires_at.value);
}

LwwTruth::Final FinalOf(const tabletserver::StoredRecord& record) {
  return {{record.write_time_ms, record.writer}, record.version, record.tombstone, Unpadded(record.value)};
}

int64_t Milliseconds(MonotonicTime since) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(since.since_boot).count();
}

}  // namespace

bool LwwReplicas::AllDelivered() {
  for (int i = 0; i < cluster_.servers(); ++i) {
    tabletserver::TabletStore& store = cluster_.server(i)->store();
    const auto unresolved = store.unresolved().List(table_, {}, SIZE_MAX, SIZE_MAX);
    if (store.health().hinted_entries > 0 || !unresolved.has_value()) return false;
    if (std::ranges::any_of(*unresolved, [](const auto& kept) { return tabletserver::Deliverable(kept.entry); }))
      return false;
  }
  return true;
}

std::string LwwReplicas::Compare() {
  taken_.clear();
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (std::string differing = CompareLedBy(i); !differing.empty()) return differing;
  }
  return taken_.size() == static_cast<size_t>(workload_.lww_groups) ? "" : "not every tablet is led";
}

std::string LwwReplicas::CompareLedBy(int leader) {
  for (const auto& handle : cluster_.server(leader)->host().directory().snapshot()->All()) {
    const auto view = handle->view();
    if (view == nullptr || view->role != tabletserver::RoleKind::kPrimary || handle->table != table_) continue;
    const std::vector<ServerName> voters = VotersOf(handle->tablet);
    for (int group = workload_.groups; group < workload_.all_groups(); ++group) {
      for (int cell = 0; cell < kCellsPerGroup && view->range.Contains(KeyName(group, cell)); ++cell) {
        const std::string differing =
            CompareKey(KeyName(group, cell), voters, taken_[group].finals[static_cast<size_t>(cell)]);
        if (!differing.empty()) return differing;
      }
      if (view->range.Contains(GroupPrefix(group))) taken_[group].ahead_ms_max = kClockErrorMsMax + 1'000;
    }
  }
  return "";
}

std::string LwwReplicas::CompareKey(const std::string& key, const std::vector<ServerName>& voters,
                                    std::optional<LwwTruth::Final>& taken) {
  std::optional<std::string> first;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (std::ranges::find(voters, Cluster::ServerName(i)) == voters.end()) continue;
    const auto record = cluster_.server(i)->store().Get(table_, key);
    const std::string text = !record.has_value() ? "unreadable" : TextOf(*record);
    if (!first) first = text;
    if (text != *first) return key + " at " + Cluster::ServerName(i) + " is " + text + ", not " + *first;
    if (record.has_value() && record->has_value()) taken = FinalOf(**record);
  }
  return "";
}

std::vector<ServerName> LwwReplicas::VotersOf(TabletId tablet) const {
  for (const auto& [path, known] : catalog_.tablets()) {
    if (known.id == tablet) return known.voters;
  }
  return {};
}

std::map<int, LwwTruth> LwwReplicas::Truths(const History& history) const {
  std::map<int, LwwTruth> truths = taken_;
  for (const UnresolvedEntry& kept : cluster_.kept()) {
    if (kept.table != table_ || !tabletserver::Deliverable(kept.entry)) continue;
    for (const tabletserver::Effect& effect : kept.entry.effects) {
      truths[GroupOf(effect.key)].kept.push_back({.cell = CellOf(effect.key),
                                                  .value = Unpadded(effect.value),
                                                  .is_delete = effect.is_delete,
                                                  .any = !kept.tablet,
                                                  .time = {effect.write_time_ms, effect.writer},
                                                  .at = history.FirstFrom(kept.at),
                                                  .true_ms = kStartOfTime + Milliseconds(kept.at),
                                                  .may_be_lost = kept.may_be_lost});
    }
  }
  return truths;
}

}  // namespace ebla::sim
