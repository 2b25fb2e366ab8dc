#include "master/beyond.h"

#include "master/procedures/drop_strays.h"

namespace ebla::master {

void Beyond::Take(const Image& image, const ServerName& server, const Report& report) {
  Found found;
  found.undrawn = UndrawnId(image, report);
  for (const idl::TabletLoad& load : report.body.tablets) {
    const TabletEntry* tablet = image.Tablet(TabletId{static_cast<uint64_t>(load.tabletId)});
    if (tablet && load.epoch > tablet->node.info.epoch) found.ahead.insert(tablet->id());
  }
  for (const TabletId tablet : found.ahead) ++ahead_[tablet];
  Forget(server);
  if (!found.ahead.empty() || found.undrawn) found_[server] = std::move(found);
}

void Beyond::Forget(const ServerName& server) {
  auto before = found_.extract(server);
  if (before.empty()) return;
  for (const TabletId tablet : before.mapped().ahead) {
    if (--ahead_[tablet] == 0) ahead_.erase(tablet);
  }
}

std::optional<std::string> Beyond::What() const {
  if (found_.empty()) return std::nullopt;
  const auto& [server, found] = *found_.begin();
  const std::string what = found.undrawn ? "id " + std::to_string(*found.undrawn) + ", which the catalog never drew"
                                         : "an epoch of tablet " + std::to_string(found.ahead.begin()->value) +
                                               " that the catalog never reached";
  return "server " + server + " reports " + what + ": was the coordinator (ZooKeeper) restored from an older state?";
}

}  // namespace ebla::master
