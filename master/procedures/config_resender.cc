#include "master/procedures/config_resender.h"

#include <glog/logging.h>

#include <algorithm>

#include "master/procedures/tablet_batch.h"

namespace ebla::master {

bool ConfigResender::MatchesCatalog(const TabletEntry& tablet, const ServerName& server, const Report& report) const {
  const idl::TabletInfo& info = tablet.node.info;
  if (tablet.creating() || tablet.merge_open() || info.primary == server || !context_.image().LivingTable(tablet))
    return true;
  // Until the target of a transfer leads, the previous primary may, and needs its followers (PROTOCOL 1).
  if (tablet.by_transfer() && !reconciler_.IsLed(tablet)) return true;
  const idl::TabletLoad* load = report.Find(tablet.id());
  if (!load) return false;
  // A replica that has promised or followed a later epoch would refuse, so it needs a fence first.
  if (load->epoch > info.epoch || load->promisedEpoch > info.epoch) return true;
  return load->epoch == info.epoch && load->primary == info.primary;
}

void ConfigResender::Consider(const ServerName& name) {
  const Report* report = context_.servers.ReportOf(name);
  if (!report) return;
  const MonotonicTime now = context_.executor.Now();
  std::map<TabletId, Mismatch> mismatch;
  std::vector<idl::ConfigureTablet> orders;
  for (const TabletId id : context_.image().HeldBy(name)) {
    const TabletEntry& tablet = *context_.image().Tablet(id);
    if (MatchesCatalog(tablet, name, *report)) continue;
    Mismatch entry{tablet.epoch(), now, 0};
    const auto before = mismatches_[name].find(id);
    if (before != mismatches_[name].end() && before->second.epoch == tablet.epoch()) entry = before->second;
    const bool due = now - entry.since >= kMismatchFor * (1 << std::min(entry.sent, 4));
    if (due && !busy_.contains(name) && orders.size() < kTabletsPerOrderMax) {
      idl::ConfigureTablet order = ConfigureOrder(context_, tablet, *context_.image().LivingTable(tablet));
      order.born = context_.image().CreatedEmpty(tablet) && IsIn(name, tablet.node.info.voters);
      orders.push_back(std::move(order));
      entry.since = now;
      ++entry.sent;
    }
    mismatch[id] = entry;
  }
  if (mismatch.empty()) {
    mismatches_.erase(name);
  } else {
    mismatches_[name] = std::move(mismatch);
  }
  if (orders.empty()) return;
  LOG(INFO) << "server " << name << " is sent the configuration of " << orders.size()
            << " tablets again, which it does not follow";
  busy_.insert(name);
  context_.tablet_server_client.Configure(name, std::move(orders),
                                          if_alive_([this, name](auto results) { OnAnswered(name, results); }));
}

void ConfigResender::OnAnswered(const ServerName& name,
                                const Result<std::map<TabletId, idl::ConfigureResult>>& results) {
  busy_.erase(name);
  const Report* report = context_.servers.ReportOf(name);
  if (!results || !report) return;
  for (const auto& [id, result] : *results) {
    const TabletEntry* tablet = context_.image().Tablet(id);
    const Epoch promised{static_cast<uint64_t>(result.promisedEpoch)};
    if (result.status.code != idl::Code::STALE_EPOCH || !tablet || promised < tablet->epoch()) continue;
    if (!tablet->HeldBy(name) || report->Find(id) || tablet->failovers_only()) continue;
    promised == tablet->epoch() ? reconciler_.NextEpochOf(id) : reconciler_.Outgrow(id, promised);
  }
}

}  // namespace ebla::master
