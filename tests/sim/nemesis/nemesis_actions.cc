#include "tests/sim/nemesis/nemesis_actions.h"

#include <string>
#include <utility>

#include "common/testing/sim_executor.h"

namespace ebla::sim {
namespace {

constexpr auto kIgnored = [](const auto&) {};

int FirstGroupOf(const CatalogWatch::Tablet& tablet) {
  return tablet.first_key.empty() ? 0 : GroupOf(tablet.first_key);
}

}  // namespace

const CatalogWatch::Tablet* NemesisActions::Find(TabletId tablet) const {
  for (const auto& [path, known] : ports_.catalog.tablets()) {
    if (known.id == tablet && known.table == ports_.table) return &known;
  }
  return nullptr;
}

std::optional<StaleClient::Place> NemesisActions::PlaceOf(int server, TabletId tablet) const {
  const CatalogWatch::Tablet* known = Find(tablet);
  if (known == nullptr) return std::nullopt;
  return StaleClient::Place{server, ports_.table, FirstGroupOf(*known), 0};
}

// Can the tablet be split between two groups?
bool NemesisActions::IsSplittable(const CatalogWatch::Tablet& tablet) const {
  const int second = FirstGroupOf(tablet) + 1;
  return second < ports_.groups && (tablet.end_key.empty() || GroupPrefix(second) < tablet.end_key) &&
         !tablet.splitting;
}

void NemesisActions::AddTo(NemesisHooks& hooks) const {
  hooks.table = ports_.table;
  AddProcedures(hooks);
  AddOldRoutes(hooks);
}

void NemesisActions::AddProcedures(NemesisHooks& hooks) const {
  hooks.transfer = [self = *this](TabletId tablet, const ServerName& to) {
    const auto* known = self.Find(tablet);
    if (known != nullptr)
      self.ports_.admin.admin().TransferTablet(kTable, known->first_key, to, client::OnceCallback<Status>(kIgnored));
  };
  hooks.move = [self = *this](TabletId tablet, const ServerName& from, const ServerName& to) {
    const auto* known = self.Find(tablet);
    if (known != nullptr)
      self.ports_.admin.admin().MoveTablet(kTable, known->first_key, {from, to},
                                           client::OnceCallback<Status>(kIgnored));
  };
  hooks.splittable = [self = *this](TabletId tablet) {
    const auto* known = self.Find(tablet);
    return known != nullptr && self.IsSplittable(*known);
  };
  hooks.split = [self = *this](TabletId tablet) {
    const auto* known = self.Find(tablet);
    if (known == nullptr || !self.IsSplittable(*known)) return;
    self.ports_.admin.admin().SplitTablet(kTable, GroupPrefix(FirstGroupOf(*known) + 1),
                                          client::OnceCallback<Result<TabletSplit>>(kIgnored));
  };
  hooks.make = [self = *this](const std::string& name, std::function<void(TableId)> made) {
    self.ports_.tables.MakeAside(name, std::move(made));
  };
  hooks.split_at = [self = *this](const std::string& name, const std::string& key) {
    self.ports_.admin.admin().SplitTablet(name, key, client::OnceCallback<Result<TabletSplit>>(kIgnored));
  };
}

void NemesisActions::AddOldRoutes(NemesisHooks& hooks) const {
  hooks.write = [self = *this](int server, TabletId tablet, bool large, std::function<void()> done) {
    const auto at = self.PlaceOf(server, tablet);
    if (at) self.ports_.stale.Write(*at, large && self.ports_.large_fits, std::move(done));
  };
  hooks.read = [self = *this](int server, TabletId tablet, const Read& read) {
    if (const auto at = self.PlaceOf(server, tablet)) self.ports_.stale.Get(*at, read);
  };
  hooks.peek = [self = *this](int server, TabletId tablet) {
    const auto at = self.PlaceOf(server, tablet);
    if (!at || self.ports_.cluster.server(server) == nullptr) return;
    self.ports_.cluster.server(server)->SlowNextRead(KeyName(at->group, at->cell));
    self.ports_.stale.Peek(*at);
  };
  hooks.ask = [self = *this](TabletId tablet, std::function<void(std::function<void()> again)> done) {
    const auto* known = self.Find(tablet);
    if (known != nullptr && self.ports_.late != nullptr)
      self.ports_.late->Ask(self.ports_.table, FirstGroupOf(*known), std::move(done));
  };
  hooks.wander = [self = *this](TabletId tablet, Lsn lsn) {
    const auto* known = self.Find(tablet);
    if (known != nullptr && self.ports_.late != nullptr) self.ports_.late->Wander(FirstGroupOf(*known), lsn);
  };
}

}  // namespace ebla::sim
