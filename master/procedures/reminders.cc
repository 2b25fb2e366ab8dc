#include "master/procedures/reminders.h"

#include <glog/logging.h>

#include <algorithm>

#include "master/procedures/tablet_batch.h"

namespace ebla::master {

bool Reminders::AsItShouldBe(const TabletEntry& tablet, const ServerName& server, const Report& report) const {
  const idl::TabletInfo& info = tablet.node.info;
  if (tablet.creating() || info.primary == server || !context_.image().LivingTable(tablet)) return true;
  const idl::TabletLoad* load = report.Find(tablet.id());
  if (!load) return false;
  // Who has promised or followed more would refuse: a fence comes first.
  if (load->epoch > info.epoch || load->promisedEpoch > info.epoch) return true;
  return load->epoch == info.epoch && load->primary == info.primary;
}

void Reminders::Consider(const ServerName& name) {
  const Server* server = context_.servers.Find(name);
  const Report* report = server ? server->CurrentReport() : nullptr;
  if (!report) return;
  const MonotonicTime now = context_.executor.Now();
  std::map<TabletId, Odd> odd;
  std::vector<idl::ConfigureTablet> orders;
  for (const TabletId id : context_.image().HeldBy(name)) {
    const TabletEntry& tablet = *context_.image().Tablet(id);
    if (AsItShouldBe(tablet, name, *report)) continue;
    Odd entry{tablet.epoch(), now, 0};
    const auto before = odd_[name].find(id);
    if (before != odd_[name].end() && before->second.epoch == tablet.epoch()) entry = before->second;
    const bool due = now - entry.since >= kOddFor * (1 << std::min(entry.told, 4));
    if (due && !busy_.contains(name) && orders.size() < kTabletsPerOrderMax) {
      idl::ConfigureTablet order = ConfigureOrder(context_, tablet, *context_.image().LivingTable(tablet));
      order.born = context_.image().BornEmpty(tablet) && IsIn(name, tablet.node.info.voters);
      orders.push_back(std::move(order));
      entry.since = now;
      ++entry.told;
    }
    odd[id] = entry;
  }
  if (odd.empty()) {
    odd_.erase(name);
  } else {
    odd_[name] = std::move(odd);
  }
  if (orders.empty()) return;
  LOG(INFO) << "server " << name << " is told again of " << orders.size() << " tablets that it does not follow";
  busy_.insert(name);
  context_.link.Configure(name, std::move(orders), guard_([this, name](auto) { busy_.erase(name); }));
}

}  // namespace ebla::master
