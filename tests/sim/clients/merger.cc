#include "tests/sim/clients/merger.h"

#include <iterator>
#include <utility>
#include <vector>

namespace ebla::sim {

using std::chrono::milliseconds;

void Merger::Next() {
  busy_ = false;
  if (finishing_) return;
  busy_ = true;
  Executor& executor = client_.executor();
  executor.After(milliseconds(100 + executor.Random() % 2500), [this, &executor] {
    std::vector<const CatalogWatch::Tablet*> seconds;
    for (const auto& [path, tablet] : catalog_.tablets()) {
      if (!tablet.first_key.empty() && tables_.contains(tablet.table)) seconds.push_back(&tablet);
    }
    if (finishing_ || seconds.empty()) return Next();
    const CatalogWatch::Tablet& second = *seconds[executor.Random() % seconds.size()];
    Merge(tables_.at(second.table), second.first_key, [this] { Next(); });
  });
}

bool Merger::Merge(TabletId tablet) {
  for (const auto& [path, known] : catalog_.tablets()) {
    if (known.id != tablet || known.first_key.empty() || !tables_.contains(known.table)) continue;
    Merge(tables_.at(known.table), known.first_key, [] {});
    return true;
  }
  return false;
}

void Merger::Merge(const std::string& table, const std::string& key, Task then) {
  client_.admin().MergeTablets(table, key,
                               client::OnceCallback<Result<TabletMerge>>(
                                   [this, table, key, then = std::move(then)](Result<TabletMerge> merge) mutable {
                                     log_.Add("admin", "merge " + table + " at " + key + ": " +
                                                           (merge ? Status() : Status(merge.error())).ToString());
                                     made_ += merge.has_value();
                                     then();
                                   }));
}

std::string LeftOfMerged(const CatalogWatch& catalog, Cluster& cluster) {
  for (const auto& [path, tablet] : catalog.tablets()) {
    if (tablet.joining) return "tablet " + std::to_string(tablet.id.value) + " was merged, and is not whole everywhere";
  }
  for (int i = 0; i < cluster.servers(); ++i) {
    for (const auto& handle : cluster.server(i)->host().directory().snapshot()->All()) {
      if (!catalog.merged_away().contains(handle->tablet)) continue;
      return Cluster::ServerName(i) + " still has a replica of tablet " + std::to_string(handle->tablet.value) +
             ", which was merged";
    }
  }
  return "";
}

std::vector<std::string> WrongInMerges(const CatalogWatch& catalog, const StateWatch& state) {
  std::vector<std::string> problems = catalog.Problems();
  for (const auto& [freeze, server] : state.freezes()) {
    const Epoch wanted = catalog.FreezeEpoch(freeze.tablet, freeze.into);
    if (!wanted || wanted == freeze.epoch) continue;
    problems.push_back(server + " has tablet " + std::to_string(freeze.tablet.value) + " frozen for " +
                       std::to_string(freeze.into.value) + " in epoch " + std::to_string(freeze.epoch.value) +
                       ", which was to be in epoch " + std::to_string(wanted.value));
  }
  return problems;
}

}  // namespace ebla::sim
