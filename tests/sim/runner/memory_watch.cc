#include "tests/sim/runner/memory_watch.h"

#include <algorithm>

#include "tests/sim/clients/workload.h"

namespace ebla::sim {

std::vector<MemoryWatch::View> MemoryWatch::ViewsAt(const ServerName& server) const {
  std::vector<View> views;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Cluster::ServerName(i) != server || cluster_.server(i) == nullptr) continue;
    for (const auto& handle : cluster_.server(i)->host().directory().snapshot()->All()) {
      View view = handle->table == table_ ? handle->view() : nullptr;
      const bool has = view != nullptr && view->role != tabletserver::RoleKind::kAbsent && !view->incomplete &&
                       view->failure.empty();
      if (has) views.push_back(std::move(view));
    }
  }
  return views;
}

bool MemoryWatch::Remembers(const ServerName& server, const std::string& key) const {
  return std::ranges::any_of(
      ViewsAt(server), [&](const View& view) { return view->range.Contains(key) && !view->may_have_lost_writes; });
}

void MemoryWatch::Dies(int server) { lost_.merge(LostWith(server)); }

// Groups of keys of which no majority of the voters remembers all then.
std::set<int> MemoryWatch::LostWith(int server) const {
  std::set<int> lost;
  if (!table_) return lost;
  const ServerName dying = Cluster::ServerName(server);
  for (int group = 0; group < groups_; ++group) {
    const std::string key = GroupPrefix(group);
    bool kept = false;
    for (const auto& [path, tablet] : catalog_.tablets()) {
      const bool within = tablet.first_key <= key && (tablet.end_key.empty() || key < tablet.end_key);
      if (tablet.table != table_ || !within) continue;
      const auto left = std::ranges::count_if(
          tablet.voters, [&](const ServerName& voter) { return voter != dying && Remembers(voter, key); });
      const bool holds = std::ranges::find(tablet.voters, dying) != tablet.voters.end();
      kept = !holds || static_cast<size_t>(left) > tablet.voters.size() / 2;
    }
    if (!kept) lost.insert(group);
  }
  return lost;
}

void MemoryWatch::Look() {
  for (const auto& [path, tablet] : catalog_.tablets()) {
    const auto anew = cluster_.state().anew().find(tablet.id);
    if (tablet.table != table_ || anew == cluster_.state().anew().end() || judged_[tablet.id] >= anew->second) continue;
    judged_[tablet.id] = anew->second;
    JudgeAnew(tablet, anew->second);
  }
}

// A voter that has applied entries, but none of epoch `anew` or later, has the data of before.
void MemoryWatch::JudgeAnew(const Tablet& tablet, Epoch anew) {
  for (const ServerName& voter : tablet.voters) {
    for (const View& view : ViewsAt(voter)) {
      const bool own = view->tablet == tablet.id;
      const bool of_parent = !merges_ && view->range.Contains(tablet.first_key);
      if ((!own && !of_parent) || !view->applied.lsn || view->applied.epoch >= anew) continue;
      problems_.push_back("tablet " + std::to_string(tablet.id.value) + " has begun anew in epoch " +
                          std::to_string(anew.value) + ", though " + voter + " has tablet " +
                          std::to_string(view->tablet.value) + " through " + view->applied.ToString());
    }
  }
}

}  // namespace ebla::sim
