#include "tools/ebla/reports/hot.h"

#include <algorithm>
#include <map>

namespace ebla::shell {

namespace {

Heat HeatOf(const TabletSummary& tablet) {
  Heat heat;
  heat.tablet = &tablet;
  for (const ReplicaReport& replica : tablet.replicas) {
    heat.load.reads_per_second += replica.load.reads_per_second;
    heat.load.read_bytes_per_second += replica.load.read_bytes_per_second;
    heat.load.cpu_micros_per_second += replica.load.cpu_micros_per_second;
    if (replica.server != tablet.primary) continue;
    heat.load.popular_key = replica.load.popular_key;
    heat.load.popular_part = replica.load.popular_part;
    heat.load.writes_per_second = replica.load.writes_per_second;
    heat.load.write_bytes_per_second = replica.load.write_bytes_per_second;
  }
  return heat;
}

std::optional<double> Part(double part, double whole) {
  if (whole < kIdleBelow) return std::nullopt;
  return std::min(1.0, part / whole);
}

}  // namespace

std::vector<Heat> ByHeat(const std::vector<TabletSummary>& tablets) {
  std::map<std::string, double> of_tables;
  std::map<ServerName, double> of_servers;
  std::vector<Heat> all;
  for (const TabletSummary& tablet : tablets) {
    all.push_back(HeatOf(tablet));
    of_tables[tablet.table] += all.back().operations();
    for (const ReplicaReport& replica : tablet.replicas) {
      of_servers[replica.server] += replica.load.reads_per_second + replica.load.writes_per_second;
    }
  }
  for (Heat& heat : all) {
    heat.of_table = Part(heat.operations(), of_tables[heat.tablet->table]);
    const TabletLoadInfo at_primary = heat.tablet->load.value_or(TabletLoadInfo{});
    heat.of_server = Part(at_primary.reads_per_second + at_primary.writes_per_second, of_servers[heat.tablet->primary]);
  }
  std::ranges::stable_sort(all, std::greater<>(), &Heat::operations);
  return all;
}

double Operations(const std::vector<Heat>& all) {
  double sum = 0;
  for (const Heat& heat : all) sum += heat.operations();
  return sum;
}

}  // namespace ebla::shell
