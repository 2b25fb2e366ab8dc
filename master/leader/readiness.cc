#include "master/leader/readiness.h"

#include <algorithm>

#include "common/base/count.h"
#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"
#include "master/procedures/drop_orphans.h"

namespace ebla::master {
namespace {

size_t UsableServers(const Servers& servers) {
  return static_cast<size_t>(std::ranges::count_if(
      servers.all(), [&](const auto& item) { return Servers::ForPlanner(item.first, item.second).usable(); }));
}

}  // namespace

Status AllReported(const Context& context) {
  for (const auto& [name, server] : context.servers.all()) {
    if (!server.live || server.CurrentReport()) continue;
    return Error(Code::kUnavailable, "server " + name + " is live, but has not reported yet what it holds");
  }
  return {};
}

bool IsEachReportKnown(const Context& context) {
  const auto reported = [](const auto& item) { return item.second.report.has_value(); };
  return AllReported(context).ok() && std::ranges::all_of(context.servers.all(), reported);
}

Status MayDraw(const Context& context) {
  EBLA_TRY(AllReported(context));
  for (const auto& [name, server] : context.servers.all()) {
    // The last report of one that does not live counts, too: it will be back.
    const auto id = server.report ? UndrawnId(context.image(), *server.report) : std::nullopt;
    if (!id) continue;
    return Error(Code::kUnavailable, "server " + name + " holds id " + std::to_string(*id) +
                                         ", but the catalog has assigned none from " +
                                         std::to_string(context.image().next_id()) +
                                         " on: was the coordinator (ZooKeeper) restored from an older " +
                                         "state? Nothing is made, as it could get an id that is in use. Put the "
                                         "coordinator's newest state back, or " +
                                         "add to the catalog what the servers hold: ebla cluster adopt");
  }
  return Status::Ok();
}

Status MayCreate(const Context& context, size_t replicas) {
  const size_t usable = UsableServers(context.servers);
  if (usable == 0) return PlaceNewTablets(ViewCluster(context.image(), context.servers), 1, 1).error();
  if (usable < replicas) {
    return Error(Code::kUnavailable, Count(replicas, "replica") + (replicas == 1 ? " needs" : " need") +
                                         " as many live tablet servers with " + "room; of " +
                                         std::to_string(context.servers.known_count()) + " there are " +
                                         std::to_string(usable) + ": start the other servers, or ask for at most " +
                                         std::to_string(usable) + " and raise it later");
  }
  return MayDraw(context);
}

Status CheckKnown(const Context& context, size_t replicas) {
  const size_t known = context.servers.known_count();
  if (known == 0 || replicas <= known || replicas > kReplicasMax) return {};
  return Error(Code::kInvalidArgument,
               std::to_string(replicas) + " replicas need as many tablet servers, and the cluster has " +
                   std::to_string(known) + ": start more of them, or ask for at most " + std::to_string(known));
}

std::optional<std::string> SafeMode(const Context& context) {
  if (auto stale = context.stale_catalog.Why()) return stale;
  const size_t known = context.servers.known_count();
  const size_t live = context.servers.live_count();
  if (static_cast<double>(live) >= static_cast<double>(known) * context.options.safe_mode_below) return std::nullopt;
  return "of " + std::to_string(known) + " known servers only " + std::to_string(live) + " live";
}

}  // namespace ebla::master
